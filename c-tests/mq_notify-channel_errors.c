/* mq_notify with SIGEV_EC refuses what is no channel, and what is no queue, and keeps nothing. */
#include "queue.h"
#include "sigevent.h"

static ec_t single;

static void *intruder(void *queue)
{
    struct sigevent how = to_channel(single, 1);
    CHECK_ERR(mq_notify(*(mqd_t *)queue, &how), EPERM);
    return NULL;
}

int main(void)
{
    check_start();
    static const int numbers[] = { -1, INT_MIN, INT_MAX, STDERR_FILENO, 12345 };
    ec_t ec = channel_new(0);
    single = channel_new(EC_SINGLE);
    mqd_t queue = queue_open(O_RDWR);
    int before = count_descriptors();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigevent how = to_channel(numbers[i], 1);
        CHECK_ERR(mq_notify(queue, &how), EBADF);
        how = to_channel(ec, 1);
        CHECK_ERR(mq_notify(numbers[i], &how), EBADF);
        how = to_channel(single, 1);
        CHECK_ERR(mq_notify(numbers[i], &how), EBADF);
    }
    thread_end(thread_start(intruder, &queue));
    pid_t child = child_start();
    if (child == 0) {
        struct sigevent how = to_channel(ec, 1);
        CHECK_ERR(mq_notify(queue, &how), EPERM);
        exit(0);
    }
    child_end(child);
    CHECK(count_descriptors() == before);
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(single));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
