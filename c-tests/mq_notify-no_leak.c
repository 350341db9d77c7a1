/* Registrations that end in every way leave no descriptor and no memory behind. */
#include "queue.h"
#include "sigevent.h"

static void body(void)
{
    ec_t ec = channel_new(0);
    mqd_t queue[6];
    for (int i = 0; i < 6; i++) {
        struct sigevent how = to_channel(ec, (uintptr_t)i);
        queue[i] = queue_open(O_RDWR);
        CHECK_OK(mq_notify(queue[i], &how));
    }
    CHECK_OK(mq_notify(queue[0], NULL));
    CHECK(mq_close(queue[1]) == 0);
    queue_send(queue[2]);
    CHECK(event_wait(ec).ev_cookie == 2);
    queue_send(queue[3]);
    CHECK_OK(ec_delay(ec, NULL));
    queue_send(queue[4]);
    CHECK_OK(ec_destroy(ec));
    for (int i = 0; i < 6; i++)
        CHECK(i == 1 || mq_close(queue[i]) == 0);
}

int main(void)
{
    check_start();
    check_no_leak(body, 16 * 1024);
    return 0;
}
