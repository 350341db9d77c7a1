/*
 * A full area and datagrams: the kernel may drop what does not fit, but what was received is never
 * overwritten, what arrives is whole, and reception goes on when blocks come back.
 */
#include "check.h"

#define AREA 65536
#define MESSAGE 1000
#define MOST 256

static void run(enum pair_kind kind, enum attach attach)
{
    static unsigned char message[MESSAGE];
    void *kept[MOST];
    int pair[2], count = 0;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], AREA, attach);
    set_nonblocking(pair[0], 1);
    size_t seeds[MOST];
    for (size_t seed = 0, idle = 0; seed < 4000 && idle < 200; seed++, idle++) {
        pattern_fill(message, MESSAGE, seed);
        memcpy(message, &seed, sizeof seed);
        ssize_t sent = send(pair[1], message, MESSAGE, MSG_DONTWAIT);
        CHECK(sent == MESSAGE || errno == EAGAIN || errno == ENOBUFS);
        if (attach == ATTACHED)
            CHECK(ec_delay(end.ec, &(struct timespec){ 0, 0 }) == 0 || errno == ETIMEDOUT);
        errno = 0;
        int n = sio_recv(pair[0], &kept[count], MESSAGE, 0);
        CHECK(n == MESSAGE || (n == -1 && errno == EAGAIN));
        if (n == -1)
            continue;
        idle = 0;
        memcpy(&seeds[count], kept[count], sizeof seed);
        CHECK(count == 0 || seeds[count] > seeds[count - 1]);
        CHECK(++count <= AREA / MESSAGE);
    }
    CHECK(count > 0);
    for (int i = 0; i < count; i++) {
        char *body = (char *)kept[i] + sizeof seeds[i];
        CHECK_PATTERN(body, MESSAGE - sizeof seeds[i], seeds[i] + sizeof seeds[i]);
        CHECK_OK(sio_release(end.area, kept[i], MESSAGE));
    }
    /* Old messages may wait; drain them, then a new one gets through. */
    for (int idle = 0; idle < 20; idle++) {
        while (sio_recv(pair[0], &kept[0], MESSAGE, 0) == MESSAGE) {
            CHECK_OK(sio_release(end.area, kept[0], MESSAGE));
            idle = 0;
        }
        if (attach == ATTACHED)
            CHECK(ec_delay(end.ec, &(struct timespec){ 0, 0 }) == 0 || errno == ETIMEDOUT);
        sleep_ms(1);
    }
    write_message(pair[1], 500, 77);
    endpoint_wait(&end);
    CHECK_IS(sio_recv(pair[0], &kept[0], MESSAGE, 0), 500);
    CHECK_PATTERN(kept[0], 500, 77);
    CHECK_OK(sio_release(end.area, kept[0], 500));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(MESSAGE_PAIRS, run);
    return 0;
}
