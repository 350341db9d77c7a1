/*
 * When aio_fsync has ended, every write that was accepted before it on that descriptor has ended
 * too; both kinds, and on a file with nothing to be written.
 */
#include "aio.h"

#define COUNT 40
#define SIZE (160 * 1024)

int main(void)
{
    static char buffer[SIZE];
    struct aiocb writes[COUNT], syncs[2];
    static const int kinds[2] = { O_SYNC, O_DSYNC };
    int fd = aio_file(0);

    check_start();
    for (int kind = 0; kind < 2; kind++) {
        syncs[kind] = aio_block(fd, NULL, 0, 0);
        CHECK_OK(aio_fsync(kinds[kind], &syncs[kind]));
        CHECK_DONE(&syncs[kind], 0);
    }
    for (int kind = 0; kind < 2; kind++) {
        /* Large ones, which are not done at once. */
        for (int i = 0; i < COUNT; i++) {
            writes[i] = aio_block(fd, buffer, SIZE, (off_t)i * SIZE);
            CHECK_OK(aio_write(&writes[i]));
        }
        CHECK_OK(aio_fsync(kinds[kind], &syncs[kind]));
        CHECK((errno = aio_await(&syncs[kind])) == 0);
        for (int i = 0; i < COUNT; i++) {
            CHECK_IS(aio_error(&writes[i]), 0);
            CHECK_IS(aio_return(&writes[i]), SIZE);
        }
        CHECK_IS(aio_return(&syncs[kind]), 0);
    }
    return 0;
}
