/* A datagram socket that is shut down for receiving has an end, as a stream has: what has come before
 * is received first, and whoever waits, or comes later, is told. */
#include "check.h"

enum { AREA = 8 << 20 };

static int sock;
static _Atomic pid_t waiter;

static void check_end(void)
{
    void *piece = &piece;

    CHECK_OK(sio_recv(sock, &piece, 10, 0));
    CHECK(piece == NULL);
}

static void *wait_for_end(void *argument)
{
    (void)argument;
    atomic_store(&waiter, thread_id());
    check_end();
    return NULL;
}

static void run_waiting(enum pair_kind kind, enum attach attach)
{
    int pair[2];

    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], AREA, attach);
    sock = end.sock;
    atomic_store(&waiter, 0);
    pthread_t thread = thread_start(wait_for_end, NULL);
    wait_asleep(&waiter);
    CHECK(shutdown(sock, SHUT_RD) == 0);
    thread_end(thread);
    check_end();
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

/* The channel tells of it until it is fetched. */
static void run_told(enum pair_kind kind)
{
    int pair[2];
    void *piece;

    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], AREA, ATTACHED);
    sock = end.sock;
    write_message(pair[1], 7, 0);
    CHECK(send(pair[1], "", 0, 0) == 0);
    event_wait(end.ec);
    CHECK(shutdown(sock, SHUT_RD) == 0);
    CHECK_IS(sio_recv(sock, &piece, 10, MSG_DONTWAIT), 7);
    CHECK_OK(sio_release(end.area, piece, 7));
    event_wait(end.ec);
    CHECK_OK(sio_recv(sock, &piece, 10, MSG_DONTWAIT));
    CHECK(piece != NULL);
    CHECK_OK(sio_release(end.area, piece, 0));
    for (int i = 0; i < 2; i++) {
        event_data_t event = event_wait(end.ec);
        CHECK(event.ev_type == EC_EV_RECV && event.ev_cookie == ENDPOINT_COOKIE);
        CHECK(event.ev_result == 0 && event.ev_errno == 0);
        CHECK(event.ev_flags & EC_F_EOF);
    }
    check_end();
    check_no_event(end.ec, 20);
    check_end();
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(DATAGRAM_PAIRS, run_waiting);
    each_pair(DATAGRAM_PAIRS, run_told);
    return 0;
}
