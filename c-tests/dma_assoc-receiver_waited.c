/* What was detached can be associated again at once, though threads that had waited for frames from the
 * wire are on their way out still. */
#include "network.h"

enum { AREA = 1 << 20, ROUNDS = 40, THREADS = 2 };

static _Atomic int is_over;
static int sock;

static void *receive(void *argument)
{
    (void)argument;
    while (!atomic_load(&is_over)) {
        void *block;
        CHECK_ERR(sio_recv(sock, &block, 2048, 0), EINVAL);
    }
    return NULL;
}

int main(void)
{
    check_start();
    network_new();
    dma_mem_t area = area_of_frames(AREA);
    CHECK_SET(sock, sio_open_ethernet("va", FRAME_TYPE));
    CHECK_OK(dma_assoc(sock, area, 0, DMA_ENGINE_AF_XDP));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(receive, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        sleep_ms(i % 3);
        CHECK_OK(sio_detach(sock));
        CHECK_OK(dma_assoc(sock, area, 0, DMA_ENGINE_AF_XDP));
    }
    atomic_store(&is_over, 1);
    CHECK_OK(sio_detach(sock));
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    CHECK_OK(dma_free(area, AREA));
    return 0;
}
