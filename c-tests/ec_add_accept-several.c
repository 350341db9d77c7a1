/*
 * Connections that wait together come together, no more than there is room for, each once; and
 * they leave room in time for other sources.
 */
#include "check.h"

#define CLIENTS 40
#define ROOM 5

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int client[CLIENTS], accepted = 0, calls = 0, told_of_other = 0;
    struct sockaddr_storage address;
    socklen_t length;
    int listener = listener_open(TCP4, &address, &length);
    int other[2];
    CHECK(pipe(other) == 0 && write(other[1], "x", 1) == 1);
    for (int i = 0; i < CLIENTS; i++)
        client[i] = client_open(TCP4, &address, length);
    CHECK(ec_add_accept(ec, listener, EC_NONBLOCK, 1) >= 0);
    CHECK(ec_add_fd(ec, other[0], POLLIN, 0, 2) >= 0);

    event_data_t events[CLIENTS + 8];
    while (accepted < CLIENTS) {
        int room = calls++ == 0 ? ROOM : CLIENTS + 8, n;
        CHECK_SET(n, ec_wait_events(ec, events, room, &(struct timespec){ 10, 0 }, NULL));
        CHECK(n > 0 && n <= room);
        for (int i = 0; i < n; i++) {
            CHECK(events[i].ev_errno == 0);
            if (events[i].ev_type != EC_EV_ACCEPT) {
                CHECK(events[i].ev_cookie == 2);
                told_of_other++;
                continue;
            }
            CHECK(fcntl((int)events[i].ev_result, F_GETFL) & O_NONBLOCK);
            CHECK(close((int)events[i].ev_result) == 0);
            accepted++;
        }
    }
    CHECK(calls < CLIENTS / 4);
    CHECK(told_of_other > 0);
    CHECK(accepted == CLIENTS);
    check_silent(listener, 20);
    for (int i = 0; i < CLIENTS; i++)
        CHECK(close(client[i]) == 0);
    CHECK(close(other[0]) == 0 && close(other[1]) == 0 && close(listener) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
