/*
 * Where the kernel cannot wait on several words, the units that there are come all the same, and so
 * does whatever is fetched together with them. That the source cannot go on is an event of its own.
 */
#include "check.h"
#include "deny.h"

static ec_t ec;
static sem_t sem;
static int source;

static int value_of(void)
{
    int value;
    CHECK(sem_getvalue(&sem, &value) == 0);
    return value;
}

static void check_event(const event_data_t *event, int error)
{
    CHECK(event->ev_type == EC_EV_SEM && event->ev_source == source && event->ev_ptr == &sem);
    CHECK(event->ev_cookie == 5 && event->ev_errno == error);
    CHECK(event->ev_result == (error ? -1 : 0));
}

static void expect_event(int error)
{
    event_data_t event = event_wait(ec);
    check_event(&event, error);
}

/* No call of this thread can wait on words. */
static void *without_words(void *argument)
{
    static const int calls[] = { DENY_IO_URING, 449 /* futex_waitv */ };
    event_data_t events[4];
    if (deny_calls(calls, 4, ENOSYS) == -1)
        check_skip("no seccomp here");
    ec = channel_new(0);
    CHECK(sem_init(&sem, 0, 2) == 0);
    CHECK_SET(source, ec_add_sem(ec, &sem, 0, 5));
    post_user(ec, 1);
    post_user(ec, 2);
    CHECK_IS(ec_next_events(ec, events, 2), 2);
    check_event(&events[0], 0);
    CHECK(events[1].ev_cookie == 1);
    /* After the last unit there is none, and no way to wait for one. */
    CHECK_IS(ec_next_events(ec, events, 2), 2);
    CHECK(events[0].ev_cookie == 2);
    check_event(&events[1], 0);
    expect_event(ENOSYS);
    check_no_event(ec, 10);

    /* Armed again it takes what there is, and says again that it cannot wait. */
    CHECK_ERR(ec_modify(ec, source, 0, 0), ENOSYS);
    CHECK_ERR(ec_modify(ec, source, 0, 0), ENOSYS);
    CHECK(sem_post(&sem) == 0);
    check_no_event(ec, 10);
    CHECK_OK(ec_modify(ec, source, 0, 0));
    expect_event(0);
    CHECK_ERR(ec_modify(ec, source, 0, 0), ENOSYS);
    expect_event(ENOSYS);
    check_no_event(ec, 10);

    /* A unit takes the place of an error that nobody has seen. */
    CHECK(sem_post(&sem) == 0);
    CHECK_OK(ec_modify(ec, source, 0, 0));
    expect_event(0);
    CHECK(sem_post(&sem) == 0);
    CHECK_OK(ec_modify(ec, source, 0, 0));
    expect_event(0);

    /* An error is no unit that could be handed back. */
    CHECK_OK(ec_remove(ec, source));
    CHECK(value_of() == 0);
    CHECK(sem_post(&sem) == 0);
    CHECK_SET(source, ec_add_sem(ec, &sem, 0, 5));
    expect_event(0);
    return argument;
}

int main(void)
{
    check_start();
    thread_end(thread_start(without_words, NULL));
    /* This thread can: the error that nobody has fetched is none any more. */
    CHECK_OK(ec_modify(ec, source, 0, 0));
    check_no_event(ec, 10);
    CHECK(sem_post(&sem) == 0);
    expect_event(0);
    CHECK_OK(ec_remove(ec, source));
    CHECK(value_of() == 0);
    CHECK(sem_destroy(&sem) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
