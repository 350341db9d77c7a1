/*
 * A process forbids itself io_uring_enter(2), as a sandbox does: before its first request threads
 * serve instead; later, what the kernel has comes to its end, and every other request ends with the
 * error of the call, however it is told. None hangs.
 */
#include "aio.h"
#include "deny.h"

static const int enter[] = { 426 };
static volatile sig_atomic_t signals;
static int told[2];

static void count(int number)
{
    (void)number;
    signals++;
}

static void tell(union sigval value)
{
    (void)value;
    CHECK(write(told[1], "x", 1) == 1);
}

static void refuse(void)
{
    if (deny_calls(enter, 1, EPERM) < 0)
        check_skip("no seccomp filters here");
}

static void before(void)
{
    char buffer[4];
    int pipes[2];

    refuse();
    CHECK(pipe(pipes) == 0);
    struct aiocb block = aio_block(pipes[0], buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK(write(pipes[1], "text", 4) == 4);
    CHECK_DONE(&block, 4);
}

static void later(void)
{
    enum { NONE, SIGNAL, THREAD, LIST, KINDS };
    char buffer[KINDS][4], first[4], second[4], byte;
    int pipes[2], others[2], error = aio_has_ring() ? EPERM : 0;
    struct aiocb blocks[KINDS];

    CHECK(pipe(pipes) == 0 && pipe(others) == 0 && pipe(told) == 0);
    CHECK(signal(SIGUSR1, count) != SIG_ERR);
    struct aiocb early = aio_block(others[0], first, 4, 0);
    struct aiocb early_told = aio_block_told(others[0], second, 4, 0, SIGUSR1);
    CHECK_OK(aio_read(&early));
    CHECK_OK(aio_read(&early_told));
    usleep(20000);
    refuse();

    for (int i = 0; i < KINDS; i++)
        blocks[i] = aio_block(pipes[0], buffer[i], 4, 0);
    blocks[SIGNAL].aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    blocks[SIGNAL].aio_sigevent.sigev_signo = SIGUSR1;
    blocks[THREAD].aio_sigevent.sigev_notify = SIGEV_THREAD;
    blocks[THREAD].aio_sigevent.sigev_notify_function = tell;
    blocks[LIST].aio_lio_opcode = LIO_READ;
    for (int i = 0; i < LIST; i++)
        CHECK_OK(aio_read(&blocks[i]));
    struct aiocb *list[] = { &blocks[LIST] };
    CHECK_OK(lio_listio(LIO_NOWAIT, list, 1, NULL));
    if (error == 0)
        CHECK(write(pipes[1], "texttexttexttext", 16) == 16);
    for (int i = 0; i < KINDS; i++)
        CHECK((errno = aio_await(&blocks[i])) == error);
    CHECK(read(told[0], &byte, 1) == 1);

    /* The second one waits for its turn, which comes when the first has ended. */
    CHECK(write(others[1], "texttext", 8) == 8);
    CHECK_DONE(&early, 4);
    CHECK((errno = aio_await(&early_told)) == error);
    while (signals < 2)
        usleep(1000);
}

int main(void)
{
    check_start();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        before();
        return 0;
    }
    child_end(child);
    later();
    return 0;
}
