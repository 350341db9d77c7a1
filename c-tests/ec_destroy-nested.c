/* A channel may be destroyed while it is a source of another one, which goes on working. */
#include "check.h"

int main(void)
{
    check_start();
    for (int i = 0; i < 20; i++) {
        ec_t outer = channel_new(0), inner = channel_new(0);
        int source;
        CHECK_SET(source, ec_add_fd(outer, inner, POLLIN, 0, 1));
        if (i % 2 == 0) {
            post_user(inner, 1);
            CHECK(event_wait(outer).ev_source == source);
        }
        CHECK_OK(ec_destroy(inner));
        CHECK_OK(ec_remove(outer, source));
        check_no_event(outer, 1);
        post_user(outer, 2);
        CHECK(event_wait(outer).ev_cookie == 2);
        CHECK_OK(ec_destroy(outer));
    }
    return 0;
}
