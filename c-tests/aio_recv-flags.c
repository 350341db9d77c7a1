/*
 * The flags of recv(2): MSG_WAITALL waits for all, MSG_PEEK leaves what it reads, MSG_DONTWAIT ends
 * with EAGAIN, MSG_TRUNC tells the length of a message, MSG_OOB and MSG_ERRQUEUE do not wait. And
 * cancellation.
 */
#include "aio_cb.h"

#include <linux/errqueue.h>

static char in[100];

static void waits_for_all(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    for (int first = 0; first < 3; first++) {
        struct aio_cb cb = cb_new(pair[0], in, 30);
        memset(in, 0, sizeof in);
        /* Some is there before the request, or none. */
        size_t at = 10 * (size_t)first;
        write_pattern(pair[1], at, 0);
        CHECK_OK(aio_recv(&cb, MSG_WAITALL));
        for (; at < 30; at += 10) {
            CB_WAITS(&cb);
            write_pattern(pair[1], 10, at);
        }
        CB_DONE(&cb, 30);
        CHECK_PATTERN(in, 30, 0);
    }
    /* The end of the stream comes first. */
    struct aio_cb cb = cb_new(pair[0], in, 30);
    CHECK_OK(aio_recv(&cb, MSG_WAITALL));
    write_pattern(pair[1], 10, 0);
    CB_WAITS(&cb);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    CB_DONE(&cb, 10);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void looks(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct aio_cb cb = cb_new(pair[0], in, 20);
    CHECK_OK(aio_recv(&cb, MSG_PEEK));
    CB_WAITS(&cb);
    write_message(pair[1], 10, 5);
    CB_DONE(&cb, 10);
    CHECK_PATTERN(in, 10, 5);
    /* More than there is is not waited for. */
    CHECK_OK(aio_recv(&cb, MSG_PEEK | MSG_WAITALL));
    CB_DONE(&cb, 10);
    CHECK_OK(aio_recv(&cb, 0));
    CB_DONE(&cb, 10);
    CHECK_OK(aio_recv(&cb, MSG_DONTWAIT));
    CB_FAILED(&cb, EAGAIN);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void truncates(enum pair_kind kind)
{
    int pair[2];
    pair_open(kind, pair);
    struct aio_cb cb = cb_new(pair[0], in, 4);
    for (int later = 0; later < 2; later++) {
        if (!later)
            write_message(pair[1], 50, 0);
        CHECK_OK(aio_recv(&cb, MSG_TRUNC));
        if (later)
            write_message(pair[1], 50, 0);
        CB_DONE(&cb, 50);
        /* One message each, however large the buffer. */
        struct aio_cb whole = cb_new(pair[0], in, sizeof in);
        write_message(pair[1], 3, 0);
        write_message(pair[1], 3, 0);
        CHECK_OK(aio_recv(&whole, MSG_WAITALL));
        CB_DONE(&whole, 3);
        CHECK_OK(aio_recv(&whole, 0));
        CB_DONE(&whole, 3);
    }
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

static void aside(void)
{
    int pair[2];
    pair_open(TCP4, pair);
    struct aio_cb waiting = cb_new(pair[0], in, 4), cb = cb_new(pair[0], in + 50, 4);
    CHECK_OK(aio_recv(&cb, MSG_ERRQUEUE));
    CB_FAILED(&cb, EAGAIN);
    CHECK_OK(aio_recv(&cb, MSG_OOB));
    CB_FAILED(&cb, EINVAL);
    struct aio_cb urgent = cb_new(pair[1], "!", 1);
    CHECK_OK(aio_send(&urgent, MSG_OOB));
    CB_DONE(&urgent, 1);
    CHECK(poll(&(struct pollfd){ pair[0], POLLPRI, 0 }, 1, WAIT_MS) == 1);
    CHECK_OK(aio_recv(&cb, MSG_OOB));
    CB_DONE(&cb, 1);
    CHECK(in[50] == '!');
    /* Impatient ones do not stand behind others. */
    CHECK_OK(aio_recv(&waiting, 0));
    CHECK_OK(aio_recv(&cb, MSG_DONTWAIT));
    CB_FAILED(&cb, EAGAIN);
    CHECK_IS(aio_cancel(pair[0], &waiting.aiocb), AIO_CANCELED);
    CB_FAILED(&waiting, ECANCELED);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

/* Reads and receives of one socket stand in one line. */
static void in_order(void)
{
    int pair[2];
    pair_open(UNIX_DGRAM, pair);
    struct aio_cb cbs[4];
    for (int i = 0; i < 4; i++) {
        cbs[i] = cb_new(pair[0], in + i, 1);
        CHECK_OK(i % 2 ? aio_read(&cbs[i].aiocb) : aio_recv(&cbs[i], 0));
    }
    CHECK_IS(aio_cancel(pair[0], &cbs[1].aiocb), AIO_CANCELED);
    for (int i = 0; i < 3; i++)
        CHECK(write(pair[1], &"abc"[i], 1) == 1);
    CB_DONE(&cbs[0], 1);
    CB_FAILED(&cbs[1], ECANCELED);
    CB_DONE(&cbs[2], 1);
    CB_DONE(&cbs[3], 1);
    CHECK(in[0] == 'a' && in[2] == 'b' && in[3] == 'c');
    CHECK_IS(aio_cancel(pair[0], NULL), AIO_ALLDONE);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, waits_for_all);
    each_pair(ALL_PAIRS, looks);
    each_pair(MESSAGE_PAIRS, truncates);
    aside();
    in_order();
    return 0;
}
