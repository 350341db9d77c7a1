/*
 * A request of a list that is cancelled has ended as far as the list goes: its notification comes
 * when all have, and LIO_WAIT returns with EIO.
 */
#include "aio.h"
#include "signals.h"

#define COUNT 3

static char buffers[COUNT];
static struct aiocb blocks[COUNT], *list[COUNT];
static int pipes[2];
static _Atomic pid_t waiting;

static void prepare(void)
{
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(pipes[0], &buffers[i], 1, 0);
        blocks[i].aio_lio_opcode = LIO_READ;
        list[i] = &blocks[i];
    }
}

static void *wait_for_list(void *nothing)
{
    atomic_store(&waiting, thread_id());
    CHECK_ERR(lio_listio(LIO_WAIT, list, COUNT, NULL), EIO);
    return nothing;
}

int main(void)
{
    struct sigevent event;

    check_start();
    sigset_t set = SIGNALS(SIGRTMIN);
    CHECK(pipe(pipes) == 0);
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN;
    prepare();
    CHECK_OK(lio_listio(LIO_NOWAIT, list, COUNT, &event));
    CHECK_IS(aio_cancel(pipes[0], &blocks[1]), AIO_CANCELED);
    CHECK(signal_take(&set) == 0);
    CHECK(write(pipes[1], "x", 1) == 1);
    CHECK_DONE(&blocks[0], 1);
    CHECK(signal_take(&set) == 0);
    CHECK_IS(aio_cancel(pipes[0], NULL), AIO_CANCELED);
    CHECK(sigwaitinfo(&set, NULL) == SIGRTMIN);
    CHECK_IS(aio_error(&blocks[2]), ECANCELED);

    prepare();
    pthread_t thread = thread_start(wait_for_list, NULL);
    wait_asleep(&waiting);
    CHECK_IS(aio_cancel(pipes[0], NULL), AIO_CANCELED);
    thread_end(thread);
    for (int i = 0; i < COUNT; i++)
        CHECK_IS(aio_error(&blocks[i]), ECANCELED);
    return 0;
}
