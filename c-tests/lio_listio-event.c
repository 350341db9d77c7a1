/*
 * The end of a list as an event, and of its requests: together with each other, with LIO_WAIT and
 * with LIO_NOWAIT, done at once or later, for a list of nothing, and for one in a full channel.
 */
#include "aio_event.h"

#define REQUESTS 4

static char in[REQUESTS][8];
static struct aiocb blocks[REQUESTS];
static struct aiocb *list[REQUESTS + 1];

static void prepare(ec_t ec, const int fds[REQUESTS])
{
    for (int i = 0; i < REQUESTS; i++) {
        blocks[i] = aio_told(ec, (uintptr_t)i, fds[i], in[i], sizeof in[i]);
        blocks[i].aio_lio_opcode = LIO_READ;
        list[i] = &blocks[i];
    }
    list[REQUESTS] = NULL;
}

static void check_list(ec_t ec, int requests, uintptr_t cookie)
{
    event_data_t event = event_wait(ec);
    CHECK(event.ev_type == EC_EV_LIO);
    CHECK(event.ev_fd == -1);
    CHECK(event.ev_cookie == cookie);
    CHECK(event.ev_result == requests);
    CHECK(event.ev_errno == 0);
    CHECK(event.ev_ptr == list);
    CHECK(event.ev_source == -1);
}

/* All requests are told, in any order. */
static void check_all(ec_t ec, int64_t result)
{
    int seen = 0;
    for (int i = 0; i < REQUESTS; i++) {
        event_data_t event = event_wait(ec);
        check_told(&event, event.ev_ptr, result, 0);
        seen |= 1 << event.ev_cookie;
    }
    CHECK(seen == (1 << REQUESTS) - 1);
}

int main(void)
{
    check_start();
    int ends[REQUESTS][2], fds[REQUESTS], later[REQUESTS];
    ec_t ec = channel_new(0), small = channel_new(EC_CAPACITY(2));
    struct sigevent how = to_channel(ec, 77);
    for (int i = 0; i < REQUESTS; i++) {
        fds[i] = memfd_create("lio", MFD_CLOEXEC);
        CHECK(fds[i] >= 0 && write(fds[i], "12345678", 8) == 8);
        pair_open(UNIX_STREAM, ends[i]);
        later[i] = ends[i][0];
    }
    /* At once. */
    prepare(ec, fds);
    CHECK_OK(lio_listio(LIO_WAIT, list, REQUESTS + 1, &how));
    check_all(ec, 8);
    CHECK_OK(lio_listio(LIO_NOWAIT, list, REQUESTS + 1, &how));
    check_all(ec, 8);
    check_list(ec, REQUESTS, 77);
    /* Later. */
    prepare(ec, later);
    CHECK_OK(lio_listio(LIO_NOWAIT, list, REQUESTS + 1, &how));
    for (int i = 0; i < REQUESTS; i++) {
        check_no_event(ec, 5);
        CHECK(write(ends[i][1], "x", 1) == 1);
        check_next_told(ec, &blocks[i], 1, 0);
    }
    check_list(ec, REQUESTS, 77);
    /* The list alone is told, and one of it is nothing to do. */
    for (int i = 0; i < REQUESTS; i++)
        blocks[i].aio_sigevent.sigev_notify = SIGEV_NONE;
    blocks[0].aio_lio_opcode = LIO_NOP;
    CHECK_OK(lio_listio(LIO_NOWAIT, list, REQUESTS + 1, &how));
    for (int i = 1; i < REQUESTS; i++) {
        check_no_event(ec, 5);
        CHECK(write(ends[i][1], "x", 1) == 1);
    }
    check_list(ec, REQUESTS - 1, 77);
    CHECK_OK(lio_listio(LIO_NOWAIT, list, 0, &how));
    check_list(ec, 0, 77);
    check_no_event(ec, 10);
    /* One slot is the list's: the last request gets none, and the others are done. */
    how.sigev_ec = small;
    prepare(small, fds);
    CHECK_ERR(lio_listio(LIO_NOWAIT, list, REQUESTS, &how), EAGAIN);
    CHECK(aio_error(&blocks[REQUESTS - 1]) == EAGAIN);
    for (int i = 0; i < REQUESTS - 1; i++)
        check_next_told(small, &blocks[i], 8, 0);
    check_list(small, REQUESTS, 77);
    check_no_event(small, 10);
    CHECK_OK(ec_destroy(small));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
