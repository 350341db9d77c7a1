/*
 * aio_cancel of what is being done by the disk: whatever it answers, each request ends, and what
 * the answer says is so. AIO_CANCELED: it has ended with ECANCELED. AIO_ALLDONE: it has ended.
 */
#include "aio.h"

#define COUNT 64
#define SIZE (256 * 1024)

static void check_answer(int answer, struct aiocb *block)
{
    int error = aio_error(block);
    if (answer == AIO_CANCELED)
        CHECK(error == ECANCELED && aio_return(block) == -1);
    else if (answer == AIO_ALLDONE)
        CHECK(error == 0 && aio_return(block) == SIZE);
    else
        CHECK(answer == AIO_NOTCANCELED);
}

int main(void)
{
    static char buffer[SIZE];
    struct aiocb blocks[COUNT];
    int fd = aio_file(0);

    check_start();
    for (int turn = 0; turn < 6; turn++) {
        int is_write = turn % 2 == 0, count[2] = { 0 };
        for (int i = 0; i < COUNT; i++) {
            blocks[i] = aio_block(fd, buffer, SIZE, (off_t)i * SIZE);
            CHECK_OK(is_write ? aio_write(&blocks[i]) : aio_read(&blocks[i]));
        }
        if (turn < 4) {
            for (int i = COUNT; i-- > 0;)
                check_answer(aio_cancel(fd, &blocks[i]), &blocks[i]);
        } else {
            int answer = aio_cancel(fd, NULL);
            CHECK(answer == AIO_CANCELED || answer == AIO_NOTCANCELED || answer == AIO_ALLDONE);
            for (int i = 0; answer != AIO_NOTCANCELED && i < COUNT; i++)
                CHECK(aio_error(&blocks[i]) != EINPROGRESS);
        }
        for (int i = 0; i < COUNT; i++) {
            int error = aio_await(&blocks[i]);
            CHECK(error == 0 || error == ECANCELED);
            CHECK(aio_return(&blocks[i]) == (error == 0 ? SIZE : -1));
            count[error != 0]++;
            /* The first turn has to leave something to be read. */
            if (turn == 0 && error != 0)
                CHECK(pwrite(fd, buffer, SIZE, (off_t)i * SIZE) == SIZE);
        }
        CHECK(count[0] + count[1] == COUNT);
        CHECK_IS(aio_cancel(fd, NULL), AIO_ALLDONE);
    }
    return 0;
}
