/* A thread that waits gets an event of a source that another thread adds meanwhile. */
#include "check.h"

static ec_t ec;
static int ends[2];
static _Atomic pid_t waiter_id;

static void *waiter(void *argument)
{
    event_data_t event;
    (void)argument;
    atomic_store(&waiter_id, thread_id());
    CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
    CHECK(event.ev_type == EC_EV_FD && event.ev_fd == ends[0] && event.ev_cookie == 5);
    return NULL;
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pthread_t thread = thread_start(waiter, NULL);
    wait_asleep(&waiter_id);
    int source;
    CHECK_SET(source, ec_add_fd(ec, ends[0], POLLIN, 0, 5));
    sleep_ms(20);
    CHECK(write(ends[1], "x", 1) == 1);
    thread_end(thread);
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
