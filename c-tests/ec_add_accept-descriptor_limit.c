/*
 * When no more descriptors may be opened, the event has ev_result -1 and EMFILE, and the source
 * goes on: the connection is accepted when there is room again.
 */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source;
    struct sockaddr_storage address;
    socklen_t length;
    struct rlimit limit;
    int listener = listener_open(TCP4, &address, &length);
    CHECK_SET(source, ec_add_accept(ec, listener, 0, 9));
    int client = client_open(TCP4, &address, length);
    event_data_t event = event_wait(ec);
    CHECK(event.ev_result >= 0 && close((int)event.ev_result) == 0);
    CHECK(close(client) == 0);

    client = socket_new(TCP4);
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct rlimit tight = { (rlim_t)next, limit.rlim_max };
    CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
    CHECK(connect(client, (struct sockaddr *)&address, length) == 0);
    event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_ACCEPT && event.ev_source == source && event.ev_cookie == 9);
    CHECK(event.ev_fd == listener && event.ev_result == -1 && event.ev_errno == EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    do {
        event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_ACCEPT && event.ev_source == source);
    } while (event.ev_result == -1 && event.ev_errno == EMFILE);
    CHECK(event.ev_result >= 0 && event.ev_errno == 0);
    write_pattern(client, 10, 0);
    read_pattern((int)event.ev_result, 10, 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
