/*
 * aio_error, aio_return and aio_suspend may be called by a signal handler, whatever the thread
 * was doing: beginning requests, cancelling them, waiting. A handler runs every 100 microseconds.
 */
#include "aio.h"

static struct aiocb ended, waiting;
static volatile sig_atomic_t complaints, handled;

static void handler(int number)
{
    const struct aiocb *list[] = { &waiting, NULL }, *over[] = { &ended };
    struct timespec none = { 0, 0 }, brief = { 0, 1000 };
    int before = errno;
    (void)number;
    complaints |= aio_error(&ended) != 0;
    complaints |= aio_return(&ended) != 4;
    complaints |= aio_suspend(over, 1, NULL) != 0;
    complaints |= aio_error(&waiting) != EINPROGRESS;
    complaints |= aio_suspend(list, 2, &none) != -1 || errno != EAGAIN;
    complaints |= aio_suspend(list, 2, &brief) != -1 || (errno != EAGAIN && errno != EINTR);
    handled++;
    errno = before;
}

int main(void)
{
    char text[4], byte, buffers[8][4];
    struct aiocb blocks[8];
    int file = aio_file(0), pipes[2], other[2];

    check_start();
    CHECK(pipe(pipes) == 0 && pipe(other) == 0);
    CHECK(pwrite(file, "text", 4, 0) == 4);
    ended = aio_block(file, text, 4, 0);
    CHECK_OK(aio_read(&ended));
    CHECK((errno = aio_await(&ended)) == 0);
    waiting = aio_block(pipes[0], &byte, 1, 0);
    CHECK_OK(aio_read(&waiting));

    timer_t timer = storm_start(SA_RESTART);
    CHECK(signal(SIGUSR2, handler) != SIG_ERR);
    while (handled < 1000) {
        for (int i = 0; i < 8; i++) {
            blocks[i] = aio_block(i % 2 ? other[0] : file, buffers[i], 4, 0);
            CHECK_OK(aio_read(&blocks[i]));
        }
        CHECK(aio_cancel(other[0], &blocks[7]) == AIO_CANCELED);
        CHECK(write(other[1], "onetwotwelve", 12) == 12);
        for (int i = 0; i < 7; i++)
            CHECK_DONE(&blocks[i], 4);
    }
    CHECK(timer_delete(timer) == 0);
    CHECK(complaints == 0);
    CHECK(write(pipes[1], "x", 1) == 1);
    CHECK_DONE(&waiting, 1);
    return 0;
}
