/* Channels that come and go leave no descriptor and no mapping behind. */
#include "check.h"

static void body(void)
{
    event_data_t event;
    ec_t ec[3] = { channel_new(0), channel_new(EC_SINGLE), channel_new(EC_CAPACITY(14)) };
    for (int i = 0; i < 3; i++) {
        for (uint64_t j = 0; j < 100; j++)
            post_user(ec[i], j);
        CHECK_OK(ec_next_event(ec[i], &event));
    }
    for (int i = 0; i < 3; i++)
        CHECK_OK(ec_destroy(ec[i]));
}

int main(void)
{
    check_start();
    check_no_leak(body, 64 * 1024);
    return 0;
}
