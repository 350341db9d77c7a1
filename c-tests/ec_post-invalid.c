/* ec_post takes EC_EV_USER only, with ev_pad and ev_reserved 0: all else is EINVAL. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    for (int type = -1; type < 40; type++) {
        event = user_event(0);
        event.ev_type = type;
        if (type != EC_EV_USER)
            CHECK_ERR(ec_post(ec, &event), EINVAL);
    }
    event = user_event(0);
    event.ev_pad = 1;
    CHECK_ERR(ec_post(ec, &event), EINVAL);
    event = user_event(0);
    event.ev_reserved = 1;
    CHECK_ERR(ec_post(ec, &event), EINVAL);
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
