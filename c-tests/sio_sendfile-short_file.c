/*
 * A file that ends before all is sent: what there is goes out, and the result says how much that was.
 * What was accepted after it follows. Files that have only copies to give are sent too.
 */
#include "file.h"

static void run(enum pair_kind kind, enum attach attach)
{
    for (int nonblocking = 0; nonblocking <= 1; nonblocking++) {
        int pair[2];
        pair_open(kind, pair);
        set_nonblocking(pair[0], nonblocking);
        struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
        if (attach == ATTACHED) {
            end.ec = channel_new(0);
            CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, ENDPOINT_COOKIE));
        }
        int file = file_new(30000);
        int n;
        CHECK_SET(n, sio_sendfile(pair[0], file, 100, 50000, 0));
        CHECK(n == (attach == ATTACHED ? 50000 : 29900));
        if (attach == ATTACHED)
            check_file_sent(end.ec, pair[0], 50000, 29900);
        read_pattern(pair[1], 29900, 100);
        CHECK_SET(n, sio_sendfile(pair[0], file, 30000, 1, 0));
        CHECK(n == (attach == ATTACHED ? 1 : 0));
        CHECK_IS(sio_sendfile(pair[0], file, 0, 1000, 0), 1000);
        if (attach == ATTACHED) {
            check_file_sent(end.ec, pair[0], 1, 0);
            check_file_sent(end.ec, pair[0], 1000, 1000);
        }
        read_pattern(pair[1], 1000, 0);
        CHECK(close(file) == 0);

        char expected[65536], got[65536];
        CHECK((file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)) >= 0);
        ssize_t there = pread(file, expected, 2000, 0);
        CHECK(there > 100);
        CHECK_IS(sio_sendfile(pair[0], file, 0, 100, 0), 100);
        if (attach == ATTACHED)
            check_file_sent(end.ec, pair[0], 100, 100);
        CHECK(recv(pair[1], got, 100, MSG_WAITALL) == 100);
        CHECK(memcmp(got, expected, 100) == 0);
        CHECK(close(file) == 0);
        check_silent(pair[1], 10);
        endpoint_close(&end);
        CHECK(close(pair[1]) == 0);
    }
}

int main(void)
{
    check_start();
    each_pair_attached(STREAM_PAIRS, run);
    return 0;
}
