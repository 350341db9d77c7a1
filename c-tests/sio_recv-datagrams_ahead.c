/*
 * A program that comes more slowly than its datagrams, one for each event, finds the area as good as
 * empty: what it does not fetch waits with the kernel. Another socket of the channel gets its own all
 * the same, and when no more is sent everything is there, in order.
 */
#include "check.h"

enum { AREA = 32 << 20, ROUNDS = 1500, EACH = 4, BYTES = 64, BESIDE = 100 };

static uint64_t last;

static void fetch(struct endpoint *end, int sock)
{
    uint64_t number;
    void *block;

    CHECK_IS(sio_recv(sock, &block, BYTES, 0), BYTES);
    memcpy(&number, block, sizeof number);
    CHECK(number > last);
    last = number;
    CHECK_OK(sio_release(end->area, block, BYTES));
}

static void run(enum pair_kind kind)
{
    char message[BYTES] = "";
    int pair[2], other[2];
    event_data_t event;
    uint64_t number = 0;
    void *block;

    last = 0;
    pair_open(kind, pair);
    pair_open(kind, other);
    struct endpoint end = endpoint_open(pair[0], AREA, ATTACHED);
    CHECK_OK(dma_assoc(other[0], end.area, 0, 0));
    CHECK(ec_add_socket(end.ec, other[0], 0, 1) >= 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < EACH; i++) {
            number++;
            memcpy(message, &number, sizeof number);
            ssize_t sent = send(pair[1], message, BYTES, MSG_DONTWAIT);
            CHECK(sent == BYTES || errno == EAGAIN || errno == ENOBUFS);
        }
        if (round % BESIDE == 0)
            CHECK(send(other[1], message, BYTES, 0) == BYTES);
        int is_beside;
        do {
            CHECK_IS(ec_wait_events(end.ec, &event, 1, NULL, NULL), 1);
            CHECK(event.ev_type == EC_EV_RECV && event.ev_errno == 0);
            is_beside = event.ev_fd == other[0];
            if (is_beside) {
                CHECK_IS(sio_recv(other[0], &block, BYTES, 0), BYTES);
                CHECK_OK(sio_release(end.area, block, BYTES));
            }
        } while (is_beside);
        fetch(&end, pair[0]);
    }
    /* An area of frames gives out nothing that is larger. */
    int got = sio_reserve(end.area, &block, AREA / 2);
    CHECK(got == 0 || errno == EMSGSIZE);
    if (got == 0)
        CHECK_OK(sio_release(end.area, block, AREA / 2));
    while (ec_wait_events(end.ec, &event, 1, &(struct timespec){ 0, 50000000 }, NULL) == 1)
        if (event.ev_fd == pair[0])
            fetch(&end, pair[0]);
        else if (sio_recv(other[0], &block, BYTES, MSG_DONTWAIT) >= 0)
            CHECK_OK(sio_release(end.area, block, BYTES));
    CHECK(last > ROUNDS);
    CHECK_OK(sio_detach(other[0]));
    endpoint_close(&end);
    close(other[0]);
    close(other[1]);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    run(UDP4);
    run(UDP6);
    return 0;
}
