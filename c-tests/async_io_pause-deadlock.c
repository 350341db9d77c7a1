/* Without a registration nothing would end async_io_pause: EDEADLK, also when the last one is taken
 * back while the thread waits. */
#include "check.h"

static int ends[2];
static _Atomic pid_t waiting;

static void never(int fd, void *context)
{
    (void)context;
    check_fail(__FILE__, __LINE__, "%d was taken back", fd);
}

static void *canceller(void *argument)
{
    /* The other thread's registration is not this one's. */
    CHECK_ERR(async_io_pause(), EDEADLK);
    wait_asleep(&waiting);
    CHECK_OK(async_io_cancel(ends[0]));
    return argument;
}

int main(void)
{
    check_start();
    CHECK(pipe(ends) == 0);
    CHECK_ERR(async_io_pause(), EDEADLK);
    CHECK_OK(async_io_notify(ends[0], never, NULL));
    CHECK_OK(async_io_notify(ends[0], never, NULL));
    atomic_store(&waiting, thread_id());
    pthread_t thread = thread_start(canceller, NULL);
    CHECK_ERR(async_io_pause(), EDEADLK);
    thread_end(thread);
    CHECK_ERR(async_io_pause(), EDEADLK);
    return 0;
}
