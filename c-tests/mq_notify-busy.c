/* Only one process is registered with a queue, once: EBUSY for others, whatever they ask for. */
#include "queue.h"
#include "sigevent.h"

static void all_busy(mqd_t queue)
{
    ec_t ec = channel_new(0);
    struct sigevent how = to_channel(ec, 1);
    int before = count_descriptors();
    CHECK_ERR(mq_notify(queue, &how), EBUSY);
    how.sigev_notify = SIGEV_NONE;
    CHECK_ERR(mq_notify(queue, &how), EBUSY);
    CHECK(count_descriptors() == before);
    CHECK_OK(ec_destroy(ec));
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 7);
    CHECK_OK(mq_notify(queue, &how));
    all_busy(queue);
    pid_t child = child_start();
    if (child == 0) {
        all_busy(queue);
        exit(0);
    }
    child_end(child);
    queue_send(queue);
    CHECK(event_wait(ec).ev_cookie == 7);

    /* The other way round: somebody else is registered. */
    queue_receive(queue);
    how.sigev_notify = SIGEV_NONE;
    CHECK_OK(mq_notify(queue, &how));
    all_busy(queue);
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
