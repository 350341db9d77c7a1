/* A socket may be associated before it is connected. */
#include "check.h"

static void run(enum pair_kind kind)
{
    struct sockaddr_storage address;
    socklen_t length;
    int listener = listener_open(kind, &address, &length);
    int sock = socket_new(kind);
    struct endpoint end = endpoint_open(sock, 1 << 16, ALONE);
    CHECK(connect(sock, (struct sockaddr *)&address, length) == 0);
    end.ec = channel_new(0);
    CHECK_SET(end.source, ec_add_socket(end.ec, sock, 0, ENDPOINT_COOKIE));
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(peer >= 0);
    void *block = block_new(end.area, 40);
    pattern_fill(block, 40, 0);
    endpoint_send(&end, block, 40, SIO_RELEASE);
    read_message(peer, 40, 0);
    write_message(peer, 50, 0);
    endpoint_wait(&end);
    endpoint_read_pattern(&end, 50, 0);
    endpoint_close(&end);
    CHECK(close(peer) == 0 && close(listener) == 0);
}

int main(void)
{
    check_start();
    each_pair(CONNECTION_PAIRS, run);
    return 0;
}
