/*
 * Requests on sockets are told like others: by a channel, by a signal, by a thread; and are awaited
 * together with others by aio_suspend and lio_listio. A server over one channel: accept, receive, send.
 */
#include "aio_cb.h"

#define CLIENTS 5
#define ROUNDS 20

static atomic_int calls;

static void called(union sigval value)
{
    CHECK(value.sival_int == 7);
    atomic_fetch_add(&calls, 1);
}

static void *client(void *argument)
{
    struct sockaddr_storage *address = argument;
    char in[64];
    int sock = client_open(TCP4, address, sizeof(struct sockaddr_in));
    for (int i = 0; i < ROUNDS; i++) {
        size_t at = (size_t)i * 100, size = 1 + (size_t)i % sizeof in;
        write_pattern(sock, size, at);
        read_pattern(sock, size, at);
    }
    CHECK(close(sock) == 0);
    return NULL;
}

enum { ACCEPT, RECEIVE, SEND };

struct connection {
    struct aio_cb cb;
    int sock;
    char data[64];
};

static void server(unsigned flags)
{
    struct sockaddr_storage address;
    socklen_t length;
    int listener = listener_open(TCP4, &address, &length), ended = 0;
    pthread_t clients[CLIENTS];
    ec_t ec = channel_new(flags);
    struct aio_cb accept = cb_told(ec, ACCEPT, listener, NULL, 0);
    CHECK_OK(aio_accept(&accept, SOCK_CLOEXEC, NULL, NULL));
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = thread_start(client, &address);
    while (ended < CLIENTS) {
        event_data_t event = event_wait(ec);
        CHECK(event.ev_type == EC_EV_AIO && event.ev_errno == 0);
        CHECK(aio_error(event.ev_ptr) == 0 && aio_return(event.ev_ptr) == event.ev_result);
        struct connection *connection = event.ev_ptr;
        if (event.ev_cookie == ACCEPT) {
            connection = calloc(1, sizeof *connection);
            CHECK(connection != NULL);
            connection->sock = (int)event.ev_result;
            CHECK_OK(aio_accept(&accept, SOCK_CLOEXEC, NULL, NULL));
        }
        if (event.ev_cookie == RECEIVE && event.ev_result == 0) {
            CHECK(close(connection->sock) == 0);
            free(connection);
            ended++;
        } else if (event.ev_cookie == RECEIVE) {
            connection->cb = cb_told(ec, SEND, connection->sock, connection->data,
                                     (size_t)event.ev_result);
            CHECK_OK(aio_send(&connection->cb, 0));
        } else {
            connection->cb = cb_told(ec, RECEIVE, connection->sock, connection->data,
                                     sizeof connection->data);
            CHECK_OK(aio_recv(&connection->cb, 0));
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        thread_end(clients[i]);
    CHECK_IS(aio_cancel(listener, NULL), AIO_CANCELED);
    event_data_t event = event_wait(ec);
    check_told(&event, &accept.aiocb, -1, ECANCELED);
    CHECK(close(listener) == 0);
    CHECK_OK(ec_destroy(ec));
}

static void by_thread_and_signal(void)
{
    int pair[2];
    char in[2];
    siginfo_t info;
    sigset_t set;
    CHECK(sigemptyset(&set) == 0 && sigaddset(&set, SIGRTMIN) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    pair_open(UNIX_DGRAM, pair);
    struct aio_cb cbs[2] = { cb_new(pair[0], in, 1), cb_new(pair[0], in + 1, 1) };
    cbs[0].aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    cbs[0].aio_sigevent.sigev_signo = SIGRTMIN;
    cbs[0].aio_sigevent.sigev_value.sival_int = 5;
    cbs[1].aio_sigevent.sigev_notify = SIGEV_THREAD;
    cbs[1].aio_sigevent.sigev_notify_function = called;
    cbs[1].aio_sigevent.sigev_value.sival_int = 7;
    for (int i = 0; i < 2; i++)
        CHECK_OK(aio_recv(&cbs[i], 0));
    /* One after the other: the function's thread blocks no signal. */
    CHECK(write(pair[1], "x", 1) == 1);
    /* The ring of a channel that is gone may interrupt it. */
    while (sigwaitinfo(&set, &info) != SIGRTMIN)
        CHECK(errno == EINTR);
    CHECK(write(pair[1], "x", 1) == 1);
    CHECK(info.si_value.sival_int == 5 && info.si_code == SI_ASYNCIO);
    CB_DONE(&cbs[0], 1);
    while (atomic_load(&calls) == 0)
        sched_yield();
    CB_DONE(&cbs[1], 1);
    /* In one list with a read. */
    struct aio_cb receive = cb_new(pair[0], in, 1), read = cb_new(pair[1], in + 1, 1);
    struct aiocb *list[] = { &read.aiocb };
    const struct aiocb *both[] = { &receive.aiocb, &read.aiocb };
    read.aio_lio_opcode = LIO_READ;
    CHECK_OK(aio_recv(&receive, 0));
    CHECK_OK(lio_listio(LIO_NOWAIT, list, 1, NULL));
    CHECK(write(pair[0], "x", 1) == 1);
    CHECK(aio_suspend(both, 2, NULL) == 0);
    CB_DONE(&read, 1);
    CHECK(write(pair[1], "x", 1) == 1);
    CB_DONE(&receive, 1);
}

int main(void)
{
    check_start();
    server(0);
    server(EC_SINGLE);
    by_thread_and_signal();
    return 0;
}
