/*
 * Parts of files and blocks go out in the order in which they were accepted, and their events come in
 * that order: on sockets that block and on those that do not.
 */
#include "file.h"

#define BYTES 100000

static void send_block(struct endpoint *end, size_t size, size_t at, int flags)
{
    unsigned char *block = block_new(end->area, size);
    pattern_fill(block, size, at);
    CHECK_IS(sio_send(end->sock, block, size, SIO_RELEASE | flags), (int)size);
}

static void run_once(enum pair_kind kind, enum attach attach, int nonblocking)
{
    int pair[2];
    pair_open(kind, pair);
    set_nonblocking(pair[0], nonblocking);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, ALONE);
    if (attach == ATTACHED) {
        end.ec = channel_new(0);
        CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, ENDPOINT_COOKIE));
    }
    int file = file_new(BYTES);
    for (int i = 0; i < 20; i++) {
        send_block(&end, 300, 0, SIO_QUIET);
        CHECK_IS(sio_sendfile(pair[0], file, 300, 5000, 0), 5000);
        send_block(&end, 700, 5300, 0);
        CHECK_IS(sio_sendfile(pair[0], file, 6000, 4000, SIO_QUIET), 4000);
        CHECK_IS(sio_sendfile(pair[0], file, 10000, 1, 0), 1);
        CHECK_IS(sio_sendfile(pair[0], file, 10001, BYTES - 10001, MSG_NOSIGNAL), BYTES - 10001);
        if (attach == ATTACHED)
            CHECK_OK(ec_flush(end.ec));
        read_pattern(pair[1], BYTES, 0);
        if (attach == ALONE)
            continue;
        check_file_sent(end.ec, pair[0], 5000, 5000);
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_SENT && event.ev_result == 700 && event.ev_ptr != NULL);
        check_file_sent(end.ec, pair[0], 1, 1);
        check_file_sent(end.ec, pair[0], BYTES - 10001, BYTES - 10001);
    }
    check_silent(pair[1], 10);
    if (attach == ATTACHED)
        check_no_event(end.ec, 10);
    struct sio_info info;
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK(info.si_sent_bytes == 20 * BYTES && info.si_sends == 20 * 6);
    /* Of the files nothing is copied where that can be known to cause no wait. */
    CHECK(info.si_sent_copied_bytes == (nonblocking ? 20 * 1000 : 20 * BYTES));
    CHECK(lseek(file, 0, SEEK_CUR) == BYTES);
    CHECK(close(file) == 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind, enum attach attach)
{
    run_once(kind, attach, 0);
    run_once(kind, attach, 1);
}

int main(void)
{
    check_start();
    each_pair_attached(STREAM_PAIRS, run);
    return 0;
}
