/*
 * A socket that has been used so much in a channel that calls find it at once is moved to another
 * one, to none, and gives its number to another socket: every call reaches what it should, and the
 * events come to the channel that the socket is in.
 */
#include "check.h"

#define SIZE (1 << 17)
#define ROUNDS 100

static dma_mem_t area;

static void echo(ec_t ec, int sock, int peer, uint64_t cookie, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        write_message(peer, 50, (size_t)i);
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_fd == sock && event.ev_cookie == cookie);
        void *piece;
        CHECK_IS(sio_recv(sock, &piece, 50, 0), 50);
        CHECK_PATTERN(piece, 50, (size_t)i);
        CHECK_IS(sio_send(sock, piece, 50, SIO_RELEASE | SIO_QUIET), 50);
        CHECK_ERR(sio_release(area, piece, 50), EINVAL);
        CHECK_OK(ec_flush(ec));
        read_message(peer, 50, (size_t)i);
        check_no_event(ec, 0);
    }
}

static void run(enum pair_kind kind)
{
    area = area_new(SIZE);
    ec_t first = channel_new(EC_SINGLE), second = channel_new(0);
    void *block = block_new(area, 40), *piece;
    pattern_fill(block, 40, 3);
    int pair[2], source;
    pair_open(kind, pair);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK_SET(source, ec_add_socket(first, pair[0], 0, 1));
    echo(first, pair[0], pair[1], 1, ROUNDS);
    CHECK_ERR(sio_send(pair[0], (char *)block + 1, 40, 0), EFAULT);
    CHECK_ERR(sio_recv(pair[0], &piece, 50, MSG_DONTWAIT), EAGAIN);

    CHECK_OK(ec_remove(first, source));
    CHECK_IS(sio_send(pair[0], block, 40, 0), 40);
    read_message(pair[1], 40, 3);
    check_no_event(first, 0);

    CHECK_SET(source, ec_add_socket(second, pair[0], EC_EDGE, 2));
    echo(second, pair[0], pair[1], 2, ROUNDS);
    check_no_event(first, 0);
    CHECK_OK(ec_destroy(second));
    write_message(pair[1], 30, 8);
    CHECK_IS(sio_recv(pair[0], &piece, 30, 0), 30);
    CHECK_PATTERN(piece, 30, 8);
    CHECK_OK(sio_release(area, piece, 30));

    CHECK_SET(source, ec_add_socket(first, pair[0], 0, 3));
    echo(first, pair[0], pair[1], 3, ROUNDS);
    int number = pair[0];
    CHECK_OK(sio_detach(number));
    CHECK_ERR(sio_send(number, block, 40, 0), EINVAL);
    CHECK(close(number) == 0 && close(pair[1]) == 0);
    CHECK_ERR(sio_send(number, block, 40, 0), EBADF);

    pair_open(kind, pair);
    CHECK(dup3(pair[0], number, O_CLOEXEC) == number || pair[0] == number);
    CHECK_ERR(sio_recv(number, &piece, 50, MSG_DONTWAIT), EINVAL);
    CHECK_OK(dma_assoc(number, area, 0, 0));
    CHECK_SET(source, ec_add_socket(first, number, 0, 4));
    echo(first, number, pair[1], 4, ROUNDS);
    CHECK_OK(sio_detach(number));
    if (pair[0] != number)
        CHECK(close(number) == 0);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    CHECK_OK(sio_release(area, block, 40));
    CHECK_OK(ec_destroy(first));
    CHECK_OK(dma_free(area, SIZE));
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
