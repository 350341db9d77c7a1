/*
 * ec_remove of an accepting source: connections that come later wait for accept(2), and one whose
 * event was queued and never fetched leaves no descriptor behind.
 */
#include "check.h"

static void run(enum pair_kind kind)
{
    ec_t ec = channel_new(0);
    struct sockaddr_storage address;
    socklen_t length;
    int listener = listener_open(kind, &address, &length);
    for (int i = 0; i < 10; i++) {
        int source;
        CHECK_SET(source, ec_add_accept(ec, listener, 0, 1));
        int client = client_open(kind, &address, length);
        int before = count_descriptors();
        CHECK_OK(ec_delay(ec, NULL));
        CHECK_OK(ec_remove(ec, source));
        check_no_event(ec, 1);
        CHECK(count_descriptors() <= before);
        CHECK(close(client) == 0);
        set_nonblocking(listener, 1);
        int left;
        while ((left = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
            CHECK(close(left) == 0);
        set_nonblocking(listener, 0);

        client = client_open(kind, &address, length);
        check_no_event(ec, 5);
        int taken = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        CHECK(taken >= 0 && close(taken) == 0 && close(client) == 0);
    }
    CHECK_OK(ec_destroy(ec));
    CHECK(close(listener) == 0);
}

int main(void)
{
    check_start();
    each_pair(CONNECTION_PAIRS, run);
    return 0;
}
