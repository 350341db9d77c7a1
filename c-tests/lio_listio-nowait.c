/*
 * lio_listio with LIO_NOWAIT returns at once and tells the end of the whole list once, after the
 * last request, also when there is nothing to do; the requests of the list may have notifications
 * of their own. One that is refused makes the call fail, and the others are done.
 */
#include "aio.h"

#define COUNT 5

static int list_signal, own_signal;

static int next_signal(int milliseconds_max)
{
    struct timespec limit = milliseconds(milliseconds_max);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, list_signal);
    sigaddset(&set, own_signal);
    return sigtimedwait(&set, NULL, &limit);
}

int main(void)
{
    char buffers[COUNT][4];
    struct aiocb blocks[COUNT], *list[COUNT];
    struct sigevent event;
    int pipes[2], file = aio_file(0);
    sigset_t set;

    check_start();
    list_signal = SIGRTMIN + 2;
    own_signal = SIGRTMIN + 1;
    sigemptyset(&set);
    sigaddset(&set, list_signal);
    sigaddset(&set, own_signal);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = list_signal;
    CHECK(pipe(pipes) == 0);
    CHECK(pwrite(file, "text", 4, 0) == 4);

    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(i % 2 ? file : pipes[0], buffers[i], 4, 0);
        blocks[i].aio_lio_opcode = LIO_READ;
        list[i] = &blocks[i];
    }
    blocks[4].aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    blocks[4].aio_sigevent.sigev_signo = own_signal;
    CHECK_OK(lio_listio(LIO_NOWAIT, list, COUNT, &event));
    CHECK(next_signal(10) == -1);
    CHECK(write(pipes[1], "onetwo", 6) == 6);
    CHECK_DONE(&blocks[0], 4);
    CHECK_DONE(&blocks[2], 2);
    CHECK(next_signal(10) == -1);
    CHECK(write(pipes[1], "last", 4) == 4);
    CHECK(next_signal(10000) == own_signal);
    CHECK(next_signal(10000) == list_signal);
    for (int i = 0; i < COUNT; i++)
        CHECK_IS(aio_error(&blocks[i]), 0);

    CHECK_OK(lio_listio(LIO_NOWAIT, list, 0, &event));
    CHECK(next_signal(10000) == list_signal);
    CHECK_OK(lio_listio(LIO_NOWAIT, &list[1], 1, &event));
    CHECK(next_signal(10000) == list_signal);

    blocks[0].aio_reqprio = -1;
    CHECK_ERR(lio_listio(LIO_NOWAIT, list, 2, &event), EINVAL);
    CHECK_IS(aio_error(&blocks[0]), EINVAL);
    CHECK_DONE(&blocks[1], 4);
    CHECK(next_signal(10000) == list_signal);
    return 0;
}
