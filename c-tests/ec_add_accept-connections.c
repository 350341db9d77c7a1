/* Each connection is one event with a new descriptor: close-on-exec, connected to its client. */
#include "check.h"

#define CLIENTS 50

static void run(enum pair_kind kind)
{
    for (unsigned flags = 0; flags <= EC_NONBLOCK; flags += EC_NONBLOCK) {
        ec_t ec = channel_new(0);
        int client[CLIENTS], accepted[CLIENTS], source;
        struct sockaddr_storage address;
        socklen_t length;
        int listener = listener_open(kind, &address, &length);
        CHECK_SET(source, ec_add_accept(ec, listener, flags, 55));
        for (int i = 0; i < CLIENTS; i++) {
            client[i] = client_open(kind, &address, length);
            CHECK(send(client[i], &i, sizeof i, 0) == sizeof i);
        }
        for (int i = 0; i < CLIENTS; i++)
            accepted[i] = -1;
        for (int i = 0; i < CLIENTS; i++) {
            event_data_t event = event_wait(ec);
            CHECK(event.ev_type == EC_EV_ACCEPT);
            CHECK(event.ev_fd == listener);
            CHECK(event.ev_cookie == 55);
            CHECK(event.ev_source == source);
            CHECK(event.ev_errno == 0);
            CHECK(event.ev_result >= 0);
            int fd = (int)event.ev_result, number;
            CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
            CHECK(((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0) == (flags == EC_NONBLOCK));
            CHECK(poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, WAIT_MS) == 1);
            CHECK(recv(fd, &number, sizeof number, 0) == sizeof number);
            CHECK(number >= 0 && number < CLIENTS && accepted[number] == -1);
            accepted[number] = fd;
        }
        check_no_event(ec, 20);
        for (int i = 0; i < CLIENTS; i++)
            CHECK(close(client[i]) == 0 && close(accepted[i]) == 0);
        CHECK_OK(ec_destroy(ec));
        CHECK(close(listener) == 0);
    }
}

int main(void)
{
    check_start();
    each_pair(CONNECTION_PAIRS, run);
    return 0;
}
