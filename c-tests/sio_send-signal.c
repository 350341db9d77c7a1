/* On a socket in no channel a caught signal ends a sio_send that waits with EINTR, with SA_RESTART too.
 * Once a part has gone out it goes on, and all of it arrives. */
#include "check.h"

enum { SMALL_BYTES = 8 << 10, LARGE_BYTES = 4 << 20 };

static _Atomic int interruptions;

static void *read_later(void *argument)
{
    char buffer[1 << 16];
    long left = LARGE_BYTES;
    ssize_t count;

    while (atomic_load(&interruptions) < 5)
        sleep_ms(1);
    while (left > 0 && ((count = read(*(int *)argument, buffer, sizeof buffer)) > 0 || errno == EINTR))
        left -= count > 0 ? count : 0;
    CHECK_IS(left, 0);
    return NULL;
}

static void count_interruption(int number)
{
    (void)number;
    atomic_fetch_add(&interruptions, 1);
}

static void fill(int sock)
{
    char filler[4096] = { 0 };

    for (size_t bytes = sizeof filler; bytes > 0; bytes /= 2)
        while (send(sock, filler, bytes, MSG_DONTWAIT) > 0)
            ;
}

static void run(enum pair_kind kind, int flags)
{
    struct sigaction action = { .sa_handler = count_interruption, .sa_flags = flags };
    int pair[2], room = 1 << 16;
    void *block;
    dma_mem_t area;

    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    pair_open(kind, pair);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0);
    area = area_new(2 * LARGE_BYTES);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));

    CHECK_OK(sio_reserve(area, &block, LARGE_BYTES));
    atomic_store(&interruptions, 0);
    pthread_t reader = thread_start(read_later, &pair[1]);
    timer_t timer = signal_start();
    CHECK_IS(sio_send(pair[0], block, LARGE_BYTES, SIO_RELEASE), LARGE_BYTES);
    CHECK(atomic_load(&interruptions) >= 5);
    thread_end(reader);

    fill(pair[0]);
    CHECK_OK(sio_reserve(area, &block, SMALL_BYTES));
    CHECK_ERR(sio_send(pair[0], block, SMALL_BYTES, SIO_RELEASE), EINTR);
    CHECK(timer_delete(timer) == 0);
    CHECK_OK(sio_release(area, block, SMALL_BYTES));

    CHECK_OK(dma_disassoc(pair[0], area, 0));
    CHECK_OK(dma_free(area, 2 * LARGE_BYTES));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    for (int restarts = 0; restarts < 2; restarts++) {
        run(TCP4, restarts ? SA_RESTART : 0);
        run(UNIX_STREAM, restarts ? SA_RESTART : 0);
    }
    return 0;
}
