/*
 * Free room that lies in small pieces is room for what fits into one: small messages go on arriving,
 * one that fits nowhere waits, whole, and nothing is lost.
 */
#include "check.h"

#define AREA (2u << 20)
#define BLOCK 3000
#define BLOCKS (AREA / BLOCK)
#define SMALL 700
#define LARGE 20000
#define ROUNDS 200

static void expect(struct endpoint *end, int size, size_t at)
{
    void *data;
    if (end->ec != -1)
        endpoint_wait(end);
    CHECK_IS(sio_recv(end->sock, &data, 65536, 0), size);
    CHECK_PATTERN(data, (size_t)size, at);
    CHECK_OK(sio_release(end->area, data, (size_t)size));
}

/* One that no piece is as large as, and one after it. */
static void too_large(struct endpoint *end, int peer, void **blocks, int count)
{
    void *data;
    write_message(peer, LARGE, 5);
    write_message(peer, SMALL, 6);
    for (int look = 0; look < 3; look++) {
        if (end->ec != -1)
            CHECK(ec_delay(end->ec, &(struct timespec){ 0, 1000000 }) == 0 || errno == ETIMEDOUT);
        CHECK_ERR(sio_recv(end->sock, &data, 65536, MSG_DONTWAIT), EAGAIN);
    }
    for (int i = 1; i < count; i += 2)
        CHECK_OK(sio_release(end->area, blocks[i], BLOCK));
    expect(end, LARGE, 5);
    expect(end, SMALL, 6);
    CHECK_ERR(sio_recv(end->sock, &data, 65536, MSG_DONTWAIT), EAGAIN);
}

static void run(enum pair_kind kind, enum attach attach)
{
    static void *blocks[BLOCKS];
    int pair[2], count = 0;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], AREA, attach);
    /* Something has arrived before: whatever is kept ready for more is there. */
    write_message(pair[1], SMALL, 1);
    expect(&end, SMALL, 1);
    while (sio_reserve(end.area, &blocks[count], BLOCK) == 0)
        count++;
    CHECK(errno == ENOBUFS && count > 16);
    for (int i = 0; i < count; i += 2)
        CHECK_OK(sio_release(end.area, blocks[i], BLOCK));

    for (size_t round = 0; round < ROUNDS; round++) {
        write_message(pair[1], SMALL, round);
        expect(&end, SMALL, round);
    }
    /* Several at once, and an empty one among them. */
    for (size_t i = 0; i < 9; i++)
        write_message(pair[1], i == 4 ? 0 : SMALL, i);
    for (size_t i = 0; i < 9; i++) {
        expect(&end, i == 4 ? 0 : SMALL, i);
    }
    /* The name of who has sent it comes along. */
    if (UDP_PAIRS >> kind & 1) {
        struct sockaddr_storage from = { 0 }, peer;
        socklen_t length = sizeof peer;
        const void *message;
        CHECK(getsockname(pair[1], (struct sockaddr *)&peer, &length) == 0);
        write_message(pair[1], SMALL, 3);
        if (attach == ATTACHED)
            endpoint_wait(&end);
        CHECK_IS(sio_recvfrom(pair[0], &message, SMALL, 0, (struct sockaddr *)&from, sizeof from),
                 SMALL);
        CHECK(memcmp(&from, &peer, length) == 0);
        CHECK_OK(sio_release(end.area, (void *)message, SMALL));
    }
    /* Over a network it comes in fragments, which the kernel puts together, and so in another order. */
    if (!check_has_network(kind))
        too_large(&end, pair[1], blocks, count);
    else
        for (int i = 1; i < count; i += 2)
            CHECK_OK(sio_release(end.area, blocks[i], BLOCK));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(MESSAGE_PAIRS, run);
    return 0;
}
