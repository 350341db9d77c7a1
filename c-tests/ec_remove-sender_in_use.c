/*
 * A thread sends on a socket and another receives from one as fast as they can while a third takes the
 * sockets out of their channel and puts them back: no call fails that need not, what arrives is what
 * was sent, and no block is lost.
 */
#include "check.h"

#define SIZE (1 << 18)
#define MOVES 60
#define BYTES 64

static ec_t ec;
static dma_mem_t area;
static int pair[2], peer[2];
static _Atomic int stop;
static _Atomic unsigned long sent, received;

static void *sender(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        void *block = block_new(area, BYTES);
        memset(block, 7, BYTES);
        int answer = sio_send(pair[0], block, BYTES, SIO_RELEASE | SIO_QUIET | MSG_DONTWAIT);
        if (answer == BYTES) {
            atomic_fetch_add(&sent, BYTES);
        } else {
            CHECK(answer == -1 && (errno == EAGAIN || errno == EBUSY));
            CHECK_OK(sio_release(area, block, BYTES));
            ec_flush(ec);
            sched_yield();
        }
    }
    return NULL;
}

static void *receiver(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        void *piece;
        int n = sio_recv(peer[0], &piece, 4096, MSG_DONTWAIT);
        if (n > 0) {
            CHECK_OK(sio_release(area, piece, (size_t)n));
            received += (unsigned long)n;
        } else {
            CHECK(n == -1 && (errno == EAGAIN || errno == ENOBUFS));
            sched_yield();
        }
        if (received < 1000000)
            CHECK(write(peer[1], "0123456789", 10) == 10);
    }
    return NULL;
}

int main(void)
{
    check_start();
    unsigned long arrived = 0;
    ec = channel_new(0);
    area = area_new(SIZE);
    pair_open(TCP4, pair);
    pair_open(TCP4, peer);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK_OK(dma_assoc(peer[0], area, 0, 0));
    int source, other;
    CHECK_SET(source, ec_add_socket(ec, pair[0], 0, 0));
    CHECK_SET(other, ec_add_socket(ec, peer[0], 0, 0));
    pthread_t threads[2] = { thread_start(sender, NULL), thread_start(receiver, NULL) };
    set_nonblocking(pair[1], 1);
    char bytes[8192];
    for (int i = 0; i < MOVES || received == 0 || arrived == 0; i++) {
        CHECK_OK(ec_remove(ec, source));
        CHECK_OK(ec_remove(ec, other));
        CHECK_SET(source, ec_add_socket(ec, pair[0], 0, 0));
        CHECK_SET(other, ec_add_socket(ec, peer[0], 0, 0));
        event_data_t event;
        struct timespec some = milliseconds(1);
        for (int j = 0; j < 5; j++)
            CHECK(ec_wait_events(ec, &event, 1, &some, NULL) == 1 || errno == ETIMEDOUT);
        for (ssize_t n; (n = read(pair[1], bytes, sizeof bytes)) > 0; arrived += (unsigned long)n)
            for (ssize_t at = 0; at < n; at++)
                CHECK(bytes[at] == 7);
    }
    atomic_store(&stop, 1);
    thread_end(threads[0]);
    thread_end(threads[1]);
    CHECK_OK(ec_flush(ec));
    CHECK(arrived <= sent);
    CHECK_OK(sio_detach(pair[0]));
    CHECK_OK(sio_detach(peer[0]));
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, SIZE));
    return 0;
}
