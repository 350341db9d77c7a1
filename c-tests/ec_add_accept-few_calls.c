/* Connections that wait together are accepted with one system call each, or two if the listening
 * socket blocks, and a few for all of them. A parent counts the calls of a child. */
#include "calls.h"

enum { CONNECTIONS = 16, BATCHES = 10, FOR_ALL = 8 };

static void serve(size_t blocks, unsigned flags)
{
    struct sockaddr_storage address;
    socklen_t length;
    event_data_t events[CONNECTIONS];
    int clients[CONNECTIONS], listener = listener_open(TCP4, &address, &length);
    ec_t ec;

    CHECK_SET(ec, ec_create(flags));
    set_nonblocking(listener, !blocks);
    CHECK(ec_add_accept(ec, listener, 0, 0) >= 0);
    for (int batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < CONNECTIONS; i++)
            clients[i] = client_open(TCP4, &address, length);
        calls_mark();
        for (int done = 0, n; done < CONNECTIONS; done += n)
            CHECK_SET(n, ec_wait_events(ec, events + done, CONNECTIONS - done, NULL, NULL));
        calls_mark();
        for (int i = 0; i < CONNECTIONS; i++) {
            CHECK(events[i].ev_type == EC_EV_ACCEPT && events[i].ev_errno == 0);
            CHECK(close((int)events[i].ev_result) == 0 && close(clients[i]) == 0);
        }
    }
}

int main(void)
{
    check_start();
    for (unsigned blocks = 0; blocks < 2; blocks++)
        for (int shared = 0; shared < 2; shared++) {
            long calls = calls_of(serve, blocks, shared ? 0 : EC_SINGLE);
            if (calls > BATCHES * (CONNECTIONS * (1 + (long)blocks) + FOR_ALL))
                check_fail(__FILE__, __LINE__, "%ld calls for %d connections (%s)", calls,
                           BATCHES * CONNECTIONS, blocks ? "blocking" : "not blocking");
        }
    return 0;
}
