/* Of threads that detach or disassociate the same socket at once one does, and the others are told EINVAL. */
#include "check.h"

#define THREADS 3
#define ROUNDS 2000

static pthread_barrier_t start, end;
static dma_mem_t area;
static int sock;
static int (*way)(void);
static _Atomic int undone;

static int detach(void)
{
    return sio_detach(sock);
}

static int disassociate(void)
{
    return dma_disassoc(sock, area, 0);
}

static void *worker(void *argument)
{
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&start);
        if (way() == 0)
            atomic_fetch_add(&undone, 1);
        else
            CHECK(errno == EINVAL);
        pthread_barrier_wait(&end);
    }
    return NULL;
}

int main(void)
{
    check_start();
    pthread_t threads[THREADS];
    int pair[2], source;
    area = area_new(1 << 16);
    ec_t ec = channel_new(0);
    pair_open(UNIX_STREAM, pair);
    sock = pair[0];
    CHECK_THREAD(pthread_barrier_init(&start, NULL, THREADS + 1));
    CHECK_THREAD(pthread_barrier_init(&end, NULL, THREADS + 1));
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(worker, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(dma_assoc(sock, area, 0, 0));
        if (i / 2 % 2)
            CHECK_SET(source, ec_add_socket(ec, sock, 0, 1));
        way = i % 2 ? detach : disassociate;
        atomic_store(&undone, 0);
        pthread_barrier_wait(&start);
        pthread_barrier_wait(&end);
        CHECK(atomic_load(&undone) == 1);
    }
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    return 0;
}
