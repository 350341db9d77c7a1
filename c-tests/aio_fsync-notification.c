/*
 * The end of a synchronisation is told as that of a transfer is; several of one file are each told
 * once.
 */
#include "aio.h"
#include "signals.h"

#define COUNT 5

int main(void)
{
    static char buffer[200 * 1024];
    struct aiocb blocks[COUNT], writing;
    siginfo_t info;
    int fd = aio_file(0), seen[COUNT] = { 0 };

    check_start();
    sigset_t set = SIGNALS(SIGRTMIN);
    writing = aio_block(fd, buffer, sizeof buffer, 0);
    CHECK_OK(aio_write(&writing));
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block_told(fd, NULL, 0, 0, SIGRTMIN);
        blocks[i].aio_sigevent.sigev_value.sival_int = i;
        CHECK_OK(aio_fsync(i % 2 ? O_SYNC : O_DSYNC, &blocks[i]));
    }
    for (int i = 0; i < COUNT; i++) {
        /* The write, which is told to nobody, may interrupt this thread: see sio_aio(7). */
        while (sigwaitinfo(&set, &info) != SIGRTMIN)
            CHECK(errno == EINTR);
        CHECK(info.si_code == SI_ASYNCIO);
        CHECK(!seen[info.si_value.sival_int]++);
        CHECK_IS(aio_error(&blocks[info.si_value.sival_int]), 0);
    }
    CHECK(signal_take(&set) == 0);
    CHECK_DONE(&writing, sizeof buffer);
    return 0;
}
