/*
 * aio_lio_opcode means nothing to aio_read, aio_write and aio_fsync.
 */
#include "aio.h"

int main(void)
{
    static const int opcodes[] = { LIO_READ, LIO_WRITE, LIO_NOP, 77, -1 };
    char buffer[4];
    int fd = aio_file(0);

    check_start();
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++) {
        struct aiocb block = aio_block(fd, "text", 4, 0);
        block.aio_lio_opcode = opcodes[i];
        CHECK_OK(aio_write(&block));
        CHECK_DONE(&block, 4);
        block.aio_buf = memset(buffer, 0, 4);
        CHECK_OK(aio_read(&block));
        CHECK_DONE(&block, 4);
        CHECK(memcmp(buffer, "text", 4) == 0);
        CHECK_OK(aio_fsync(O_SYNC, &block));
        CHECK_DONE(&block, 0);
        CHECK(block.aio_lio_opcode == opcodes[i]);
    }
    return 0;
}
