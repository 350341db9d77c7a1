/* sio_info counts what was sent and received, in how many calls, and how much of it was copied. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    struct sio_info info;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, attach);
    void *block = block_new(end.area, 1000);
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK(info.si_sent_bytes == 0 && info.si_received_bytes == 0);
    CHECK(info.si_sent_copied_bytes == 0 && info.si_received_copied_bytes == 0);
    uint64_t sent = 0, received = 0;
    for (size_t i = 1; i <= 5; i++) {
        pattern_fill(block, 1000, i);
        endpoint_send(&end, block, 100 * i, 0);
        read_message(pair[1], 100 * i, i);
        sent += 100 * i;
        write_message(pair[1], 70 * i, i);
        endpoint_wait(&end);
        endpoint_read_pattern(&end, 70 * i, i);
        received += 70 * i;
        CHECK_OK(sio_info(pair[0], &info, sizeof info));
        CHECK(info.si_sent_bytes == sent);
        CHECK(info.si_received_bytes == received);
        CHECK(info.si_sent_copied_bytes <= sent);
        CHECK(info.si_received_copied_bytes <= received);
        CHECK(info.si_sends == i);
        CHECK(pair_is_stream(kind) ? info.si_receives >= i : info.si_receives == i);
        CHECK(info.si_refused_sends == 0 && info.si_failed_sends == 0);
    }
    if (strcmp(info.si_engine, "epoll") == 0) {
        CHECK(info.si_sent_copied_bytes == sent);
        CHECK(info.si_received_copied_bytes == received);
    }
    CHECK_OK(sio_release(end.area, block, 1000));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
