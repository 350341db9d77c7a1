/*
 * A slot of the channel is taken when a request is accepted, and given back when its event is
 * fetched: a full channel refuses requests, also those that could be done at once.
 */
#include "aio_event.h"

#define SLOTS 4

int main(void)
{
    check_start();
    char buffer[SLOTS + 1][16];
    struct aiocb blocks[SLOTS + 1], *list[] = { &blocks[SLOTS] };
    int ends[2], file = memfd_create("aio", MFD_CLOEXEC);
    ec_t ec = channel_new(EC_CAPACITY(2));
    event_data_t event;

    CHECK(file >= 0 && write(file, "0123456789abcdef", 16) == 16);
    pair_open(UNIX_DGRAM, ends);
    for (int i = 0; i < SLOTS; i++) {
        blocks[i] = aio_told(ec, (uintptr_t)i, ends[0], buffer[i], sizeof buffer[i]);
        CHECK_OK(aio_read(&blocks[i]));
    }
    blocks[SLOTS] = aio_told(ec, SLOTS, file, buffer[SLOTS], sizeof buffer[SLOTS]);
    struct sigevent how = to_channel(ec, 9);
    for (int round = 0; round < 2; round++) {
        CHECK_ERR(aio_read(&blocks[SLOTS]), EAGAIN);
        CHECK(aio_error(&blocks[SLOTS]) == EAGAIN);
        CHECK_ERR(lio_listio(LIO_NOWAIT, list, 1, &how), EAGAIN);
        event = user_event(1);
        CHECK_ERR(ec_post(ec, &event), EAGAIN);
    }
    CHECK(write(ends[1], "x", 1) == 1);
    check_next_told(ec, &blocks[0], 1, 0);
    CHECK_OK(aio_read(&blocks[SLOTS]));
    CHECK_ERR(aio_read(&blocks[0]), EAGAIN);
    check_next_told(ec, &blocks[SLOTS], 16, 0);
    CHECK_IS(aio_cancel(ends[0], NULL), AIO_CANCELED);
    for (int i = 1; i < SLOTS; i++) {
        event = event_wait(ec);
        struct aiocb *block = event.ev_ptr;
        check_told(&event, block, -1, ECANCELED);
    }
    for (int i = 0; i < SLOTS; i++)
        post_user(ec, 1);
    CHECK_ERR(aio_read(&blocks[SLOTS]), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
