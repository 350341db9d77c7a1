/*
 * A waiter that is cancelled, runs out of time or takes a signal has consumed nothing, whatever
 * the event would have been: what the waiters got and what is left adds up, of every kind.
 */
#include "check.h"

#include <mqueue.h>
#include <semaphore.h>
#include <sys/eventfd.h>

#define ROUNDS 400
#define QUEUE_MAX 10

enum kind { USER, COUNTER, EDGE, QUEUE, UNIT, WORD, QUEUED_SIGNAL, CONNECTION, BYTES, KINDS };

static ec_t ec;
static int counter, edge, listener, sock, peer, source[KINDS];
static mqd_t queue;
static sem_t units;
static uint32_t word;
static dma_mem_t area;
static struct sockaddr_storage address;
static socklen_t address_length;
static _Atomic long fired[KINDS], got[KINDS];
static _Atomic pid_t waiter_id;

static void add_sources(void)
{
    struct mq_attr attributes = { .mq_maxmsg = QUEUE_MAX, .mq_msgsize = 1 };
    char name[64];
    int pair[2];
    sigset_t set;
    snprintf(name, sizeof name, "/sio-c-test-%d", (int)getpid());
    CHECK((counter = eventfd(0, EFD_NONBLOCK)) >= 0);
    CHECK((edge = eventfd(0, EFD_NONBLOCK)) >= 0);
    CHECK((queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes)) != -1);
    CHECK(mq_unlink(name) == 0);
    CHECK(sem_init(&units, 0, 0) == 0);
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 1) == 0);
    listener = listener_open(UNIX_STREAM, &address, &address_length);
    pair_open(UNIX_STREAM, pair);
    sock = pair[0];
    peer = pair[1];
    area = area_new(1 << 16);
    CHECK_OK(dma_assoc(sock, area, 0, 0));
    CHECK_SET(source[COUNTER], ec_add_fd(ec, counter, POLLIN, EC_COUNTER, COUNTER));
    CHECK_SET(source[EDGE], ec_add_fd(ec, edge, POLLIN, EC_EDGE, EDGE));
    CHECK_SET(source[QUEUE], ec_add_mq(ec, queue, 0, QUEUE));
    CHECK_SET(source[UNIT], ec_add_sem(ec, &units, 0, UNIT));
    CHECK_SET(source[WORD], ec_add_futex(ec, &word, 0, 0, WORD));
    CHECK_SET(source[QUEUED_SIGNAL], ec_add_signal(ec, &set, 0, QUEUED_SIGNAL));
    CHECK_SET(source[CONNECTION], ec_add_accept(ec, listener, 0, CONNECTION));
    CHECK_SET(source[BYTES], ec_add_socket(ec, sock, 0, BYTES));
}

/* Causes one event, in one case more than one, of which the number is told. */
static void fire(enum kind kind)
{
    uint64_t number = 1;
    switch (kind) {
    case USER:
        post_user(ec, USER);
        break;
    case COUNTER:
        number = 3;
        CHECK(write(counter, &number, sizeof number) == sizeof number);
        break;
    case EDGE:
        CHECK(write(edge, &number, sizeof number) == sizeof number);
        break;
    case QUEUE:
        CHECK(mq_send(queue, "x", 1, 0) == 0);
        break;
    case UNIT:
        CHECK(sem_post(&units) == 0);
        break;
    case WORD:
        __atomic_add_fetch(&word, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &word, 1 /* FUTEX_WAKE */, INT_MAX);
        break;
    case QUEUED_SIGNAL:
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 1 }) == 0);
        break;
    case CONNECTION:
        CHECK(close(client_open(UNIX_STREAM, &address, address_length)) == 0);
        break;
    default:
        CHECK(send(peer, "byte", 4, 0) == 4);
        number = 4;
    }
    atomic_fetch_add(&fired[kind], (long)number);
}

/*
 * Counts an event. No cancellation point: what is a state is counted and taken away by the main
 * thread alone.
 */
static void count(const event_data_t *event)
{
    enum kind kind = (enum kind)event->ev_cookie;
    CHECK(event->ev_errno == 0);
    switch (kind) {
    case COUNTER:
        atomic_fetch_add(&got[kind], (long)event->ev_len);
        break;
    case CONNECTION:
        syscall(SYS_close, (int)event->ev_result);
        atomic_fetch_add(&got[kind], 1);
        break;
    case QUEUE:
    case BYTES:
        break;
    default:
        atomic_fetch_add(&got[kind], 1);
    }
}

static void ignore(int number)
{
    (void)number;
}

/* Waits in one of three ways until it is cancelled or has got something. */
static void *waiter(void *argument)
{
    int round = *(int *)argument;
    struct timespec soon = { 0, round % 7 * 10000 };
    event_data_t events[4];
    sigset_t empty;
    sigemptyset(&empty);
    sigaddset(&empty, SIGRTMIN + 1);
    atomic_store(&waiter_id, thread_id());
    int n;
    switch (round % 4) {
    case 0:
        n = ec_wait_events(ec, events, 4, &soon, NULL);
        break;
    case 1:
        n = ec_wait_events(ec, events, 1, NULL, &empty);
        break;
    case 2:
        n = ec_delay(ec, NULL);
        break;
    default:
        n = ec_wait_events(ec, events, 4, NULL, NULL);
    }
    CHECK(n >= 0 || errno == ETIMEDOUT || errno == EINTR);
    for (int i = 0; i < n; i++)
        count(&events[i]);
    return NULL;
}

/* Everything that is there is counted; a state is told as long as it is so. */
static void drain(void)
{
    event_data_t event;
    char room[64];
    void *piece;
    for (int idle = 0; idle < 2;) {
        idle++;
        while (ec_next_event(ec, &event) == 0) {
            count(&event);
            if (event.ev_cookie == QUEUE)
                while (mq_receive(queue, room, sizeof room, NULL) == 1)
                    atomic_fetch_add(&got[QUEUE], 1);
            if (event.ev_cookie == BYTES) {
                int n;
                CHECK_SET(n, sio_recv(sock, &piece, 64, MSG_DONTWAIT));
                atomic_fetch_add(&got[BYTES], n);
                CHECK_OK(sio_release(area, piece, (size_t)n));
            }
            idle = 0;
        }
        CHECK(errno == EAGAIN);
    }
}

/* What comes by way of another thread comes a moment later. */
static void drain_until_all(enum kind kind)
{
    for (int i = 0; i < 5000; i++) {
        drain();
        if (atomic_load(&got[kind]) >= atomic_load(&fired[kind]))
            break;
        sleep_ms(1);
    }
    drain();
    if (atomic_load(&got[kind]) != atomic_load(&fired[kind]))
        check_fail(__FILE__, __LINE__, "kind %d: %ld of %ld", kind, atomic_load(&got[kind]),
                   atomic_load(&fired[kind]));
    if (kind == WORD)
        CHECK_OK(ec_modify(ec, source[WORD], word, 0));
}

int main(void)
{
    check_start();
    static int number;
    sigset_t set;
    struct sigaction action = { .sa_handler = ignore };
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN + 1) == 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    ec = channel_new(0);
    add_sources();
    for (number = 0; number < ROUNDS * KINDS; number++) {
        enum kind kind = (enum kind)(number / 4 % KINDS);
        struct timespec moment = { 0, number % 31 * 3000 };
        atomic_store(&waiter_id, 0);
        pthread_t thread = thread_start(waiter, &number);
        while (atomic_load(&waiter_id) == 0)
            sched_yield();
        nanosleep(&moment, NULL);
        int is_early = number / 4 % 2;
        if (is_early)
            fire(kind);
        if (number % 5 == 0)
            CHECK_THREAD(pthread_kill(thread, SIGUSR1));
        CHECK_THREAD(pthread_cancel(thread));
        if (!is_early)
            fire(kind);
        thread_end(thread);
        drain_until_all(kind);
    }
    CHECK_OK(sio_detach(sock));
    CHECK_OK(ec_destroy(ec));
    return 0;
}
