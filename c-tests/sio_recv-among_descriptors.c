/*
 * One thread waits for a socket, another one for events of a channel that has many descriptors
 * besides: whatever is queued meanwhile, neither misses what it waits for.
 */
#include "check.h"

#include <sys/eventfd.h>

#define SOURCES 40
#define ROUNDS 20

static int fd[SOURCES];
static ec_t ec;
static struct endpoint end;
static _Atomic pid_t receiver_id, fetcher_id;
static _Atomic int received, fetched[SOURCES + 1];

static void *receiver(void *argument)
{
    (void)argument;
    atomic_store(&receiver_id, thread_id());
    for (int i = 0; i < ROUNDS; i++) {
        void *piece;
        CHECK_IS(sio_recv(end.sock, &piece, 1, 0), 1);
        CHECK_OK(sio_release(end.area, piece, 1));
        atomic_fetch_add(&received, 1);
    }
    return NULL;
}

static void *fetcher(void *argument)
{
    (void)argument;
    atomic_store(&fetcher_id, thread_id());
    for (int left = ROUNDS * 2; left > 0;) {
        event_data_t event;
        CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
        if (event.ev_type == EC_EV_RECV)
            continue;
        CHECK(event.ev_cookie <= SOURCES);
        atomic_fetch_add(&fetched[event.ev_cookie], 1);
        left--;
    }
    return NULL;
}

static void run(enum pair_kind kind)
{
    int pair[2];
    ec = channel_new(0);
    for (int i = 0; i < SOURCES; i++) {
        int source;
        CHECK((fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
        CHECK_SET(source, ec_add_fd(ec, fd[i], POLLIN, EC_EDGE, (uint64_t)i));
        atomic_store(&fetched[i], 0);
    }
    atomic_store(&fetched[SOURCES], 0);
    atomic_store(&received, 0);
    atomic_store(&receiver_id, 0);
    atomic_store(&fetcher_id, 0);
    pair_open(kind, pair);
    end = (struct endpoint){ .sock = pair[0], .area = area_new(1 << 16), .ec = ec };
    CHECK_OK(dma_assoc(end.sock, end.area, 0, 0));
    int source;
    CHECK_SET(source, ec_add_socket(ec, end.sock, EC_EDGE, SOURCES + 1));

    pthread_t receives = thread_start(receiver, NULL);
    wait_asleep(&receiver_id);
    /* An event is queued, of which the one that waits for the socket takes no notice. */
    post_user(ec, SOURCES);
    sleep_ms(5);
    pthread_t fetches = thread_start(fetcher, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t one = 1;
        int at = round * 7 % SOURCES;
        while (atomic_load(&fetched[SOURCES]) <= round)
            sched_yield();
        if (round % 4 == 0)
            wait_asleep(&fetcher_id);
        CHECK(write(fd[at], &one, sizeof one) == sizeof one);
        while (atomic_load(&fetched[at]) == 0)
            sched_yield();
        CHECK(send(pair[1], "x", 1, 0) == 1);
        while (atomic_load(&received) <= round)
            sched_yield();
        if (round + 1 < ROUNDS)
            post_user(ec, SOURCES);
    }
    thread_end(fetches);
    thread_end(receives);
    CHECK_OK(ec_destroy(ec));
    for (int i = 0; i < SOURCES; i++)
        CHECK(close(fd[i]) == 0);
    CHECK_OK(sio_detach(end.sock));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    CHECK_OK(dma_free(end.area, 1 << 16));
}

int main(void)
{
    check_start();
    run(TCP4);
    run(UNIX_STREAM);
    return 0;
}
