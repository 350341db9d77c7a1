/* A thread with a cancellation under way fetches the event of a registration, and goes on. */
#include "queue.h"
#include "sigevent.h"

static ec_t ec;
static atomic_int is_cancelled, fetched;

static void *fetch(void *unused)
{
    while (!atomic_load(&is_cancelled))
        sched_yield();
    event_data_t event;
    CHECK_OK(ec_next_event(ec, &event));
    CHECK(event.ev_type == EC_EV_MQ);
    atomic_store(&fetched, 1);
    pthread_testcancel();
    return unused;
}

int main(void)
{
    check_start();
    ec = channel_new(0);
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 5);
    int before = count_descriptors();
    CHECK_OK(mq_notify(queue, &how));
    queue_send(queue);
    pthread_t thread = thread_start(fetch, NULL);
    CHECK_THREAD(pthread_cancel(thread));
    atomic_store(&is_cancelled, 1);
    CHECK(thread_end(thread) == PTHREAD_CANCELED);
    CHECK(atomic_load(&fetched) && count_descriptors() == before);
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
