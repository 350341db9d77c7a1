/* 4 threads receive from one datagram socket: each message is got whole by exactly one of them. */
#include "check.h"

#define THREADS 4
#define MESSAGES 1000
#define STOP 0xffffffffu

static struct endpoint end;
static _Atomic unsigned char seen[MESSAGES];

static void *receiver(void *argument)
{
    (void)argument;
    for (;;) {
        void *piece;
        CHECK_IS(sio_recv(end.sock, &piece, 256, 0), 256);
        unsigned *word = piece, number = word[0];
        for (int i = 0; i < 64; i++)
            CHECK(word[i] == number);
        CHECK_OK(sio_release(end.area, piece, 256));
        if (number == STOP)
            return NULL;
        CHECK(number < MESSAGES && atomic_fetch_add(&seen[number], 1) == 0);
    }
}

static void run(enum pair_kind kind, enum attach attach)
{
    pthread_t threads[THREADS];
    int pair[2];
    pair_open(kind, pair);
    end = endpoint_open(pair[0], 1 << 18, attach);
    for (int i = 0; i < MESSAGES; i++)
        atomic_store(&seen[i], 0);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(receiver, NULL);
    for (unsigned i = 0; i < MESSAGES + THREADS; i++) {
        unsigned message[64];
        for (int word = 0; word < 64; word++)
            message[word] = i < MESSAGES ? i : STOP;
        CHECK(send(pair[1], message, sizeof message, 0) == sizeof message);
    }
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    for (int i = 0; i < MESSAGES; i++)
        CHECK(seen[i] == 1);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(1u << UNIX_DGRAM | 1u << UNIX_SEQPACKET, run);
    return 0;
}
