/* Threads associate and attach a socket again and again, to one channel and to another, while another
 * thread detaches it, and none waits for another: each call does all of its work or none. In the end no
 * channel knows the socket. */
#include "check.h"

#define ROUNDS 3000

static int sock;
static dma_mem_t area;
static ec_t channels[2];
static atomic_int is_over;

static void *detach(void *argument)
{
    (void)argument;
    while (!is_over) {
        int answer = sio_detach(sock);
        CHECK(answer == 0 || errno == EINVAL);
        sched_yield();
    }
    return NULL;
}

static void *attach(void *ec)
{
    for (int i = 0; i < ROUNDS; i++) {
        int answer = dma_assoc(sock, area, 0, 0);
        CHECK(answer == 0 || errno == EBUSY);
        answer = ec_add_socket(*(ec_t *)ec, sock, 0, 0);
        CHECK(answer >= 0 || errno == EINVAL || errno == EBUSY);
    }
    return NULL;
}

int main(void)
{
    check_start();
    int pair[2];
    pthread_t threads[3];
    pair_open(UNIX_STREAM, pair);
    sock = pair[0];
    area = area_new(1 << 16);
    CHECK_THREAD(pthread_create(&threads[2], NULL, detach, NULL));
    for (int i = 0; i < 2; i++) {
        CHECK_SET(channels[i], ec_create(0));
        CHECK_THREAD(pthread_create(&threads[i], NULL, attach, &channels[i]));
    }
    for (int i = 0; i < 2; i++)
        CHECK_THREAD(pthread_join(threads[i], NULL));
    is_over = 1;
    CHECK_THREAD(pthread_join(threads[2], NULL));
    CHECK(sio_detach(sock) == 0 || errno == EINVAL);

    CHECK(write(pair[1], "nobody's", 8) == 8);
    for (int i = 0; i < 2; i++) {
        check_no_event(channels[i], 10);
        CHECK_OK(ec_destroy(channels[i]));
    }
    char text[8];
    CHECK(read(sock, text, 8) == 8);
    CHECK_OK(dma_free(area, 1 << 16));
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    return 0;
}
