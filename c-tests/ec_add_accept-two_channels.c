/* A listening socket in two channels: each connection is told once, by one of them. */
#include "check.h"

#define CLIENTS 40

int main(void)
{
    check_start();
    ec_t outer = channel_new(0), ec[2] = { channel_new(0), channel_new(0) };
    int source, client[CLIENTS];
    struct sockaddr_storage address;
    socklen_t length;
    int listener = listener_open(TCP4, &address, &length);
    for (int i = 0; i < 2; i++) {
        CHECK_SET(source, ec_add_accept(ec[i], listener, 0, (uint64_t)i));
        CHECK_SET(source, ec_add_fd(outer, ec[i], POLLIN, 0, (uint64_t)i));
    }
    for (int i = 0; i < CLIENTS; i++)
        client[i] = client_open(TCP4, &address, length);
    for (int told = 0; told < CLIENTS;) {
        event_data_t event = event_wait(outer);
        CHECK(event.ev_cookie < 2);
        uint64_t which = event.ev_cookie;
        while (ec_next_event(ec[which], &event) == 0) {
            CHECK(event.ev_type == EC_EV_ACCEPT && event.ev_cookie == which);
            CHECK(event.ev_result >= 0);
            CHECK(close((int)event.ev_result) == 0);
            told++;
        }
        CHECK(errno == EAGAIN);
    }
    check_no_event(ec[0], 20);
    check_no_event(ec[1], 20);
    for (int i = 0; i < CLIENTS; i++) {
        char byte;
        CHECK(recv(client[i], &byte, 1, 0) == 0);
    }
    CHECK_OK(ec_destroy(outer));
    CHECK_OK(ec_destroy(ec[0]));
    CHECK_OK(ec_destroy(ec[1]));
    return 0;
}
