/* Sources with different sets each tell their own signals; a signal of two sets is told once. */
#include "check.h"
#include "signals.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0), other = channel_new(0);
    int source[3];
    event_data_t event;
    sigset_t first = SIGNALS(SIGUSR1, SIGHUP), second = SIGNALS(SIGUSR2, SIGRTMIN);
    sigset_t shared = SIGNALS(SIGTERM);
    sigaddset(&first, SIGTERM);
    sigaddset(&second, SIGTERM);
    CHECK_SET(source[0], ec_add_signal(ec, &first, 0, 1));
    CHECK_SET(source[1], ec_add_signal(ec, &second, 0, 2));
    CHECK_SET(source[2], ec_add_signal(other, &shared, 0, 3));
    for (int i = 0; i < 20; i++) {
        const int numbers[] = { SIGUSR1, SIGHUP, SIGUSR2, SIGRTMIN };
        signal_send(numbers[i % 4], i);
        event = event_wait(ec);
        CHECK(event.ev_fd == numbers[i % 4] && event.ev_source == source[i % 4 / 2]);
        check_no_event(ec, 1);
        CHECK_ERR(ec_next_event(other, &event), EAGAIN);
    }
    for (int i = 0; i < 20; i++) {
        int told = 0;
        signal_send(SIGTERM, i);
        if (i % 2)
            told += ec_next_event(other, &event) == 0;
        told += ec_next_event(ec, &event) == 0;
        told += ec_next_event(ec, &event) == 0;
        told += ec_next_event(other, &event) == 0;
        CHECK(told == 1);
        CHECK(signal_take(&shared) == 0);
    }
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(ec_destroy(other));
    return 0;
}
