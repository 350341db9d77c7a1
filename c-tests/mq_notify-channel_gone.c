/* ec_destroy takes its registrations back, and not one that a later queue of that number has. */
#include "queue.h"
#include "sigevent.h"

int main(void)
{
    check_start();
    mqd_t queue = queue_open(O_RDWR);
    ec_t ec = channel_new(0);
    int before = count_descriptors();
    struct sigevent how = to_channel(ec, 1), none = how;
    none.sigev_notify = SIGEV_NONE;
    CHECK_OK(mq_notify(queue, &how));
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(mq_notify(queue, &none));
    CHECK_OK(mq_notify(queue, NULL));

    /* An event that nobody has fetched: the registration of the program's that follows stays. */
    CHECK(channel_new(0) == ec);
    CHECK_OK(mq_notify(queue, &how));
    queue_send(queue);
    queue_receive(queue);
    CHECK_OK(mq_notify(queue, &none));
    CHECK_OK(ec_destroy(ec));
    CHECK_ERR(mq_notify(queue, &none), EBUSY);

    CHECK(channel_new(0) == ec);
    CHECK_OK(mq_notify(queue, NULL));
    CHECK_OK(mq_notify(queue, &how));
    CHECK(mq_close(queue) == 0);
    CHECK(queue_open(O_RDWR) == queue);
    CHECK_OK(mq_notify(queue, &none));
    CHECK_OK(ec_destroy(ec));
    CHECK_ERR(mq_notify(queue, &none), EBUSY);
    CHECK(channel_new(0) == ec);
    CHECK(count_descriptors() == before);
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
