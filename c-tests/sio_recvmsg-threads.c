/* Threads that take messages of many lengths from one socket get each of them as a whole. */
#include "check.h"

#define THREADS 4
#define MESSAGES 4000
#define LENGTH_MAX 3000

static int sock, peer;
static dma_mem_t area;
static _Atomic int taken;

static size_t length_of(size_t number)
{
    return number * 7919 % LENGTH_MAX + 1;
}

static void *taker(void *argument)
{
    (void)argument;
    while (atomic_load(&taken) < MESSAGES) {
        const void *found;
        int count = sio_recvmsg(sock, &found, sizeof(struct msghdr), MSG_DONTWAIT);
        if (count < 0) {
            CHECK(errno == EAGAIN);
            sched_yield();
            continue;
        }
        const struct msghdr *message = found;
        CHECK(!(message->msg_flags & MSG_TRUNC));
        CHECK(message->msg_iov->iov_len == (size_t)count);
        CHECK_PATTERN(message->msg_iov->iov_base, (size_t)count, (size_t)count);
        CHECK_OK(sio_release(area, (void *)found, sizeof *message));
        atomic_fetch_add(&taken, 1);
    }
    return NULL;
}

static void run(enum pair_kind kind)
{
    static char data[LENGTH_MAX];
    int pair[2];
    pthread_t threads[THREADS];
    pair_open(kind, pair);
    sock = pair[0], peer = pair[1];
    struct endpoint end = endpoint_open(sock, 1 << 20, ALONE);
    area = end.area;
    atomic_store(&taken, 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(taker, NULL);
    for (size_t i = 0; i < MESSAGES; i++) {
        size_t length = length_of(i);
        pattern_fill(data, length, length);
        CHECK(send(peer, data, length, 0) == (ssize_t)length);
    }
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

int main(void)
{
    check_start();
    run(UNIX_DGRAM);
    run(UNIX_SEQPACKET);
    return 0;
}
