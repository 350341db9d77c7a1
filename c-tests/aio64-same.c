/*
 * The names with 64 do what the others do, on the same requests.
 */
#include "aio.h"

#define FAR ((off64_t)6 << 30)

int main(void)
{
    char buffer[4];
    struct aiocb64 block, other, *list[2] = { &block, &other };
    const struct aiocb64 *waited[1] = { &block };
    int fd = aio_file(0), pipes[2];

    check_start();
    CHECK(pipe(pipes) == 0);
    memset(&block, 0, sizeof block);
    block.aio_fildes = fd;
    block.aio_buf = "text";
    block.aio_nbytes = 4;
    block.aio_offset = FAR;
    block.aio_sigevent.sigev_notify = SIGEV_NONE;
    CHECK_OK(aio_write64(&block));
    CHECK_OK(aio_suspend64(waited, 1, NULL));
    CHECK_IS(aio_error64(&block), 0);
    CHECK_IS(aio_return64(&block), 4);
    CHECK_OK(aio_fsync64(O_SYNC, &block));
    CHECK_OK(aio_suspend64(waited, 1, NULL));
    CHECK_IS(aio_return64(&block), 0);
    block.aio_buf = memset(buffer, 0, 4);
    CHECK_OK(aio_read64(&block));
    CHECK_OK(aio_suspend64(waited, 1, NULL));
    CHECK_IS(aio_return64(&block), 4);
    CHECK(memcmp(buffer, "text", 4) == 0);

    other = block;
    other.aio_fildes = 1000;
    block.aio_lio_opcode = other.aio_lio_opcode = LIO_READ;
    CHECK_ERR(lio_listio64(LIO_WAIT, list, 2, NULL), EIO);
    CHECK_IS(aio_error64(&block), 0);
    CHECK_IS(aio_error64(&other), EBADF);
    CHECK_ERR(aio_fsync64(77, &block), EINVAL);

    /* One name begins, the other asks: they are one family. */
    block.aio_fildes = pipes[0];
    CHECK_OK(aio_read((struct aiocb *)&block));
    CHECK_IS(aio_error64(&block), EINPROGRESS);
    CHECK_IS(aio_cancel64(pipes[0], &block), AIO_CANCELED);
    CHECK_IS(aio_error((struct aiocb *)&block), ECANCELED);
    CHECK_IS(aio_cancel64(pipes[0], NULL), AIO_ALLDONE);
    CHECK_ERR(aio_cancel64(-1, NULL), EBADF);
    return 0;
}
