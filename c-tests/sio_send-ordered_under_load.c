/* 2000 sends of all sizes through one stream arrive as they were accepted, byte by byte. */
#include "check.h"

#define SENDS 2000

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, ATTACHED);
    size_t at = 0, told = 0, lengths[SENDS], count = 0, told_count = 0;
    unsigned long long random = 1;
    int pipes[2];
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    pid_t reader = child_start();
    if (reader == 0) {
        size_t total = 0;
        CHECK(close(pair[0]) == 0);
        for (size_t size = 0;; total += size) {
            unsigned char buffer[10000];
            ssize_t n = recv(pair[1], buffer, sizeof buffer, 0);
            CHECK(n >= 0);
            size = (size_t)n;
            if (size == 0)
                break;
            CHECK_PATTERN(buffer, size, total);
        }
        CHECK(write(pipes[1], &total, sizeof total) == sizeof total);
        _exit(0);
    }
    while (told_count < SENDS) {
        event_data_t event;
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t size = 1 + (random >> 33) % (random >> 60 == 0 ? 30000 : 500);
        void *block;
        errno = 0;
        if (count < SENDS && sio_reserve(end.area, &block, size) == 0) {
            pattern_fill(block, size, at);
            if (sio_send(pair[0], block, size, SIO_RELEASE) == (int)size) {
                lengths[count++] = size;
                at += size;
            } else {
                CHECK(errno == EAGAIN);
                CHECK_OK(sio_release(end.area, block, size));
            }
        }
        while (told_count < count && ec_next_event(end.ec, &event) == 0) {
            CHECK(event.ev_type == EC_EV_SENT);
            CHECK(event.ev_result == (int64_t)lengths[told_count]);
            told += lengths[told_count++];
        }
    }
    CHECK(told == at);
    CHECK(shutdown(pair[0], SHUT_WR) == 0);
    size_t total = 0;
    CHECK(read(pipes[0], &total, sizeof total) == sizeof total);
    CHECK(total == at);
    child_end(reader);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
