/* A Unix datagram socket sends more than its peer has room for: every message arrives, whole and in
 * order, to a peer that it is connected to and to one that it names. */
#include "check.h"

enum { MESSAGES = 200, BYTES = 100, BLOCK_BYTES = MESSAGES * BYTES };

static void run(int is_connected)
{
    struct sockaddr_storage address;
    socklen_t length;
    unsigned char in[2 * BYTES];
    int receiver = socket_new(UNIX_DGRAM);

    CHECK(socket_bind(receiver, UNIX_DGRAM, &address, &length) == 0);
    const struct sockaddr *to = is_connected ? NULL : (struct sockaddr *)&address;
    struct endpoint end = endpoint_open(socket_new(UNIX_DGRAM), 1 << 20, ATTACHED);
    if (is_connected)
        CHECK(connect(end.sock, (struct sockaddr *)&address, length) == 0);
    unsigned char *block = block_new(end.area, BLOCK_BYTES);
    pattern_fill(block, BLOCK_BYTES, 0);
    for (size_t i = 0; i < MESSAGES; i++) {
        CHECK_IS(sio_sendto(end.sock, block + i * BYTES, BYTES, SIO_QUIET, to, to ? length : 0), BYTES);
        if (i % 3 == 0)
            CHECK_OK(ec_flush(end.ec));
    }
    for (size_t i = 0; i < MESSAGES;) {
        /* Long enough for whatever sends to have begun to wait. */
        if (i % 8 == 0)
            sleep_ms(2);
        ssize_t got = recv(receiver, in, sizeof in, MSG_DONTWAIT);
        if (got == -1 && errno == EAGAIN) {
            CHECK_OK(ec_flush(end.ec));
            sleep_ms(1);
            continue;
        }
        CHECK(got == BYTES);
        CHECK_PATTERN(in, BYTES, i * BYTES);
        i++;
    }
    CHECK(recv(receiver, in, sizeof in, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK_OK(sio_release(end.area, block, BLOCK_BYTES));
    endpoint_close(&end);
    CHECK(close(receiver) == 0);
}

int main(void)
{
    check_start();
    run(1);
    run(0);
    return 0;
}
