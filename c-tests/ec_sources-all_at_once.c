/* Every kind of source in one channel: each tells what happens, and nothing else comes. */
#include "sources.h"

int main(void)
{
    check_start();
    for (unsigned flags = 0; flags <= EC_SINGLE; flags += EC_SINGLE) {
        struct sources all;
        ec_t ec = channel_new(flags | EC_CAPACITY(1));
        sources_make(&all);
        sources_add(&all, ec);
        /* A full channel is full for requests, not for sources. */
        post_user(ec, 1);
        post_user(ec, 2);
        CHECK(event_wait(ec).ev_cookie == 1 && event_wait(ec).ev_cookie == 2);
        check_no_event(ec, 20);
        sources_tell(&all, ec);
        for (int kind = 0; kind < KINDS; kind++)
            CHECK_OK(ec_remove(ec, all.source[kind]));
        CHECK_OK(ec_destroy(ec));
        sources_end(&all);
    }
    return 0;
}
