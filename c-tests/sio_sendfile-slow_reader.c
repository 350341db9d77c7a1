/*
 * A large part of a file to a peer that does not read: the call does not wait, the program closes the
 * file at once and uses its number for another, other sockets of the channel are served meanwhile, and
 * all arrives when the peer reads. What was kept open is closed then.
 */
#include "file.h"

#define BYTES (12 << 20)

static void run_once(enum pair_kind kind, int nonblocking)
{
    int pair[2], other[2];
    pair_open(kind, pair);
    pair_open(kind, other);
    set_nonblocking(pair[0], nonblocking);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    end.ec = channel_new(0);
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, ENDPOINT_COOKIE));
    CHECK_OK(dma_assoc(other[0], end.area, 0, 0));
    int source;
    CHECK_SET(source, ec_add_socket(end.ec, other[0], 0, 1));
    unsigned char *block = block_new(end.area, 100);
    pattern_fill(block, 100, BYTES);
    const int descriptors = count_descriptors();
    int file = file_new(BYTES);
    CHECK_IS(sio_sendfile(pair[0], file, 0, BYTES, 0), BYTES);
    CHECK_IS(sio_sendfile(pair[0], file, 5, 1000, 0), 1000);
    CHECK(close(file) == 0);
    int wrong = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    CHECK(wrong == file);
    CHECK_IS(sio_send(pair[0], block, 100, 0), 100);

    CHECK_IS(sio_send(other[0], block, 100, 0), 100);
    event_data_t event = event_wait(end.ec);
    CHECK(event.ev_fd == other[0] && event.ev_type == EC_EV_SENT && event.ev_result == 100);
    read_pattern(other[1], 100, BYTES);
    check_no_event(end.ec, 20);

    /* The peer reads as far as it goes; then the channel is helped on by those who wait on it. */
    size_t got = 0;
    unsigned char chunk[65536];
    for (int told = 0; told < 3;) {
        struct timespec soon = milliseconds(1);
        ssize_t n = recv(pair[1], chunk, sizeof chunk, MSG_DONTWAIT);
        if (n > 0 && got + (size_t)n <= BYTES)
            CHECK_PATTERN(chunk, (size_t)n, got);
        got += n > 0 ? (size_t)n : 0;
        if (ec_wait_events(end.ec, &event, 1, &soon, NULL) != 1)
            continue;
        const long long sizes[] = { BYTES, 1000, 100 };
        CHECK(event.ev_type == EC_EV_SENT && event.ev_result == sizes[told] && event.ev_errno == 0);
        CHECK((event.ev_ptr == NULL) == (told < 2) && event.ev_cookie == ENDPOINT_COOKIE);
        told++;
    }
    while (got < BYTES + 1100) {
        ssize_t n = recv(pair[1], chunk, sizeof chunk, 0);
        CHECK(n > 0);
        got += (size_t)n;
    }
    CHECK(got == BYTES + 1100);
    CHECK_PATTERN(chunk, 0, 0);
    CHECK(count_descriptors() == descriptors + 1);
    CHECK(close(wrong) == 0);
    CHECK_OK(sio_release(end.area, block, 100));
    CHECK_OK(sio_detach(other[0]));
    CHECK(close(other[0]) == 0 && close(other[1]) == 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind)
{
    run_once(kind, 0);
    run_once(kind, 1);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
