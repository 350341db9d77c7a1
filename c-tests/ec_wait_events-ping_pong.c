/* Two threads hand one event back and forth through two channels: no wake-up is ever lost. */
#include "check.h"

#define ROUNDS 5000

static ec_t there, back;

static void *echo(void *argument)
{
    (void)argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        event_data_t event;
        CHECK_IS(ec_wait_events(there, &event, 1, NULL, NULL), 1);
        CHECK(event.ev_cookie == i);
        CHECK_OK(ec_post(back, &event));
    }
    return NULL;
}

int main(void)
{
    check_start();
    there = channel_new(0);
    back = channel_new(0);
    pthread_t thread = thread_start(echo, NULL);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        event_data_t event;
        post_user(there, i);
        CHECK_OK(ec_delay(back, NULL));
        CHECK_OK(ec_next_event(back, &event));
        CHECK(event.ev_cookie == i);
    }
    thread_end(thread);
    CHECK_OK(ec_destroy(there));
    CHECK_OK(ec_destroy(back));
    return 0;
}
