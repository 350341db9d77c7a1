/* mq_notify with SIGEV_THREAD runs the function in a thread, as the C library has it. */
#include "queue.h"

static atomic_int calls;
static pthread_t caller;

static void called(union sigval value)
{
    CHECK(value.sival_int == 99 && !pthread_equal(pthread_self(), caller));
    atomic_fetch_add(&calls, 1);
}

static void receive_notified(void)
{
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how;
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_THREAD;
    how.sigev_notify_function = called;
    how.sigev_value.sival_int = 99;
    caller = pthread_self();
    for (int i = 1; i <= 3; i++) {
        CHECK_OK(mq_notify(queue, &how));
        queue_send(queue);
        while (atomic_load(&calls) < i)
            sleep_ms(1);
        queue_receive(queue);
    }
    CHECK(mq_close(queue) == 0);
}

int main(void)
{
    check_start();
    pid_t child = child_start();
    if (child == 0) {
        receive_notified();
        exit(0);
    }
    child_end(child);
    receive_notified();
    return 0;
}
