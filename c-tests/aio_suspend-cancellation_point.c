/*
 * aio_suspend is a cancellation point: a thread is cancelled while it waits, and at the call if
 * that was asked for before. The request goes on, and the others that wait are not disturbed.
 * lio_listio with LIO_WAIT is one, too.
 */
#include "aio.h"

static char bytes[2];
static int pipes[2];
static struct aiocb blocks[2];
static _Atomic pid_t waiting;

static void *suspend(void *nothing)
{
    const struct aiocb *list[] = { &blocks[0] };
    (void)nothing;
    atomic_store(&waiting, thread_id());
    aio_suspend(list, 1, NULL);
    return nothing;
}

static void *suspend_cancelled(void *nothing)
{
    const struct aiocb *list[] = { &blocks[0] };
    CHECK_THREAD(pthread_cancel(pthread_self()));
    aio_suspend(list, 1, NULL);
    return nothing;
}

static void *list_and_wait(void *nothing)
{
    struct aiocb *list[] = { &blocks[1] };
    atomic_store(&waiting, thread_id());
    lio_listio(LIO_WAIT, list, 1, NULL);
    return nothing;
}

static void check_cancelled(void *(*body)(void *))
{
    atomic_store(&waiting, 0);
    pthread_t thread = thread_start(body, NULL);
    if (body != suspend_cancelled) {
        wait_asleep(&waiting);
        CHECK_THREAD(pthread_cancel(thread));
    }
    CHECK(thread_end(thread) == PTHREAD_CANCELED);
}

int main(void)
{
    check_start();
    CHECK(pipe(pipes) == 0);
    blocks[0] = aio_block(pipes[0], &bytes[0], 1, 0);
    blocks[1] = aio_block(pipes[0], &bytes[1], 1, 0);
    blocks[1].aio_lio_opcode = LIO_READ;
    CHECK_OK(aio_read(&blocks[0]));
    for (int i = 0; i < 20; i++) {
        check_cancelled(suspend);
        check_cancelled(suspend_cancelled);
    }
    atomic_store(&waiting, 0);
    pthread_t other = thread_start(suspend, NULL);
    wait_asleep(&waiting);
    check_cancelled(suspend);
    check_cancelled(list_and_wait);
    CHECK_IS(aio_error(&blocks[0]), EINPROGRESS);
    CHECK_IS(aio_error(&blocks[1]), EINPROGRESS);
    CHECK(write(pipes[1], "xy", 2) == 2);
    CHECK(thread_end(other) == NULL);
    CHECK_DONE(&blocks[0], 1);
    CHECK_DONE(&blocks[1], 1);
    CHECK(bytes[0] == 'x' && bytes[1] == 'y');
    return 0;
}
