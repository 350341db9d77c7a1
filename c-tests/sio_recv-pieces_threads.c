/*
 * Several threads receive on one socket while free room lies in small pieces: each message comes
 * once and whole, however long the one is that another thread has just taken.
 */
#include "check.h"

#define AREA (1u << 20)
#define BLOCK 3000
#define BLOCKS (AREA / BLOCK)
#define THREADS 3
#define MESSAGES 3000

static struct endpoint end;
static atomic_int received;
static atomic_char seen[MESSAGES];

static size_t length_of(unsigned number)
{
    return number % 5 == 0 ? 4 + number % 7 : 100 + number * 37 % 1200;
}

static void *receiver(void *unused)
{
    (void)unused;
    for (;;) {
        void *data;
        unsigned number;
        int n = sio_recv(end.sock, &data, 65536, 0);
        CHECK(n >= (int)sizeof number);
        memcpy(&number, data, sizeof number);
        if (number == MESSAGES) {
            CHECK_OK(sio_release(end.area, data, (size_t)n));
            return NULL;
        }
        CHECK(number < MESSAGES && n == (int)length_of(number));
        CHECK_PATTERN((char *)data + 4, (size_t)n - 4, number);
        CHECK(atomic_exchange(&seen[number], 1) == 0);
        CHECK_OK(sio_release(end.area, data, (size_t)n));
        atomic_fetch_add(&received, 1);
    }
}

static void run(enum pair_kind kind, enum attach attach)
{
    static void *blocks[BLOCKS];
    static unsigned char message[2048];
    pthread_t threads[THREADS];
    int pair[2], count = 0;
    pair_open(kind, pair);
    end = endpoint_open(pair[0], AREA, attach);
    atomic_store(&received, 0);
    memset((char *)seen, 0, sizeof seen);
    while (sio_reserve(end.area, &blocks[count], BLOCK) == 0)
        count++;
    for (int i = 0; i < count; i += 2)
        CHECK_OK(sio_release(end.area, blocks[i], BLOCK));
    for (int i = 0; i < THREADS; i++)
        CHECK_THREAD(pthread_create(&threads[i], NULL, receiver, NULL));
    for (unsigned number = 0; number < MESSAGES; number++) {
        /* No more than the kernel keeps. */
        while ((int)number - atomic_load(&received) > 60)
            sched_yield();
        memcpy(message, &number, sizeof number);
        pattern_fill(message + 4, length_of(number) - 4, number);
        CHECK(send(pair[1], message, length_of(number), 0) == (ssize_t)length_of(number));
    }
    while (atomic_load(&received) < MESSAGES)
        sched_yield();
    for (int i = 0; i < THREADS; i++) {
        CHECK(send(pair[1], &(unsigned){ MESSAGES }, sizeof(unsigned), 0) == sizeof(unsigned));
        sleep_ms(1);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_THREAD(pthread_join(threads[i], NULL));
    for (int i = 1; i < count; i += 2)
        CHECK_OK(sio_release(end.area, blocks[i], BLOCK));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(MESSAGE_PAIRS, run);
    return 0;
}
