/*
 * The peer resets the connection in the middle of a transfer: every accepted send has its one
 * event, in order, the failed ones with the error, and all blocks come back.
 */
#include "check.h"

#define PIECE 65536
#define SENDS 64

static void run(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], SENDS * PIECE + (1 << 20), ATTACHED);
    void *block[SENDS];
    int accepted = 0;
    while (accepted < SENDS) {
        block[accepted] = block_new(end.area, PIECE);
        pattern_fill(block[accepted], PIECE, 0);
        errno = 0;
        if (sio_send(pair[0], block[accepted], PIECE, 0) == -1) {
            CHECK(errno == EAGAIN);
            CHECK_OK(sio_release(end.area, block[accepted], PIECE));
            break;
        }
        /* Half of them are released while they are on their way. */
        if (accepted % 2 == 0)
            CHECK_OK(sio_release(end.area, block[accepted], PIECE));
        accepted++;
    }
    CHECK(accepted > 0);
    CHECK_OK(ec_flush(end.ec));
    read_pattern(pair[1], PIECE / 2, 0);
    close_with_reset(pair[1]);

    int failed = 0, told = 0;
    while (told < accepted) {
        event_data_t event = event_wait_for(end.ec, EC_EV_SENT, pair[0]);
        CHECK(event.ev_ptr == block[told] && event.ev_len == PIECE);
        if (event.ev_result == -1) {
            CHECK(event.ev_errno == ECONNRESET || event.ev_errno == EPIPE ||
                  event.ev_errno == ECANCELED);
            failed = 1;
        } else {
            CHECK(event.ev_result == PIECE && event.ev_errno == 0 && !failed);
        }
        told++;
    }
    for (int i = 1; i < accepted; i += 2)
        CHECK_OK(sio_release(end.area, block[i], PIECE));

    /* The receiving side is told too: the error, or the end if a send has reported it. */
    void *piece = &pair;
    int n = sio_recv(pair[0], &piece, 1, 0);
    CHECK((n == 0 && piece == NULL) || (n == -1 && errno == ECONNRESET));
    void *last = block_new(end.area, 8);
    endpoint_send_fails(&end, last, 8, 0, EPIPE, ECONNRESET);
    CHECK_OK(sio_release(end.area, last, 8));
    endpoint_close(&end);
}

int main(void)
{
    check_start();
    each_pair(TCP_PAIRS, run);
    return 0;
}
