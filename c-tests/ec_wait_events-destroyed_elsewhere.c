/* A thread that waits for many descriptors does not hear of it when another one destroys a channel that
 * it has made: no signal comes, and the wait does not end as if one had. */
#include "check.h"

#include <sys/eventfd.h>

enum { DESCRIPTORS = 40, ROUNDS = 50 };

static void *destroy(void *channel)
{
    sleep_ms(2);
    CHECK_OK(ec_destroy((ec_t)(intptr_t)channel));
    return NULL;
}

int main(void)
{
    check_start();
    ec_t own = channel_new(0);
    for (int i = 0; i < DESCRIPTORS; i++) {
        int descriptor = eventfd(0, 0);
        CHECK(descriptor >= 0);
        CHECK(ec_add_fd(own, descriptor, POLLIN, EC_EDGE, 0) >= 0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        event_data_t event;
        struct timespec moment = milliseconds(20);
        ec_t other = channel_new(0);
        pthread_t thread = thread_start(destroy, (void *)(intptr_t)other);
        CHECK_ERR(ec_wait_events(own, &event, 1, &moment, NULL), ETIMEDOUT);
        thread_end(thread);
    }
    CHECK_OK(ec_destroy(own));
    return 0;
}
