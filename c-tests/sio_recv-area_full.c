/*
 * A full area stops the reception: EAGAIN though data waits, the sender sees back-pressure, and
 * nothing is overwritten or lost; it goes on when blocks come back.
 */
#include "check.h"

#define AREA 65536
#define MOST 100000

static size_t push(int sock, size_t at)
{
    unsigned char chunk[1000];
    size_t start = at;
    for (;;) {
        pattern_fill(chunk, sizeof chunk, at);
        ssize_t n = send(sock, chunk, sizeof chunk, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -1) {
            CHECK(errno == EAGAIN);
            return at - start;
        }
        at += (size_t)n;
    }
}

static void run(enum pair_kind kind, enum attach attach)
{
    static void *kept[MOST];
    static int size[MOST];
    int pair[2], count = 0, little = 32768;
    pair_open(kind, pair);
    /* Small buffers in the kernel, so that the sender soon feels it. */
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &little, sizeof little) == 0);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVBUF, &little, sizeof little) == 0);
    struct endpoint end = endpoint_open(pair[0], AREA, attach);
    size_t sent = 0, got = 0;
    for (int idle = 0; idle < 20; idle++) {
        size_t before = sent + got;
        sent += push(pair[1], sent);
        for (;;) {
            CHECK(count < MOST);
            errno = 0;
            size[count] = sio_recv(pair[0], &kept[count], 4096, MSG_DONTWAIT);
            if (size[count] == -1)
                break;
            CHECK(size[count] > 0);
            CHECK_PATTERN(kept[count], (size_t)size[count], got);
            got += (size_t)size[count++];
        }
        CHECK(errno == EAGAIN);
        CHECK(got <= AREA);
        if (attach == ATTACHED)
            CHECK(ec_delay(end.ec, &(struct timespec){ 0, 0 }) == 0 || errno == ETIMEDOUT);
        if (sent + got > before)
            idle = 0;
        sleep_ms(2);
    }
    CHECK(got > 0 && sent > got);
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        CHECK_PATTERN(kept[i], (size_t)size[i], at);
        at += (size_t)size[i];
    }
    for (int i = 0; i < count; i++)
        CHECK_OK(sio_release(end.area, kept[i], (size_t)size[i]));

    /* It goes on: the event comes, and every byte. */
    endpoint_wait(&end);
    size_t total = sent + 100000;
    pid_t writer = child_start();
    if (writer == 0) {
        write_pattern(pair[1], total - sent, sent);
        _exit(0);
    }
    endpoint_read_pattern(&end, total - got, got);
    child_end(writer);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(STREAM_PAIRS, run);
    return 0;
}
