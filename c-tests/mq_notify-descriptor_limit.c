/* mq_notify with SIGEV_EC fails with EMFILE when no more descriptors may be opened. */
#include "queue.h"
#include "sigevent.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how = to_channel(ec, 1);
    struct rlimit limit;
    int before = count_descriptors();
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit tight = { (rlim_t)next, limit.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    CHECK_ERR(mq_notify(queue, &how), EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(count_descriptors() == before);
    CHECK_OK(mq_notify(queue, &how));
    queue_send(queue);
    CHECK(event_wait(ec).ev_fd == queue);
    CHECK(count_descriptors() == before);
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
