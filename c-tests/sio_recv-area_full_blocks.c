/* A blocking sio_recv with a full area waits until another thread releases a block. */
#include "check.h"

#define AREA 16384

static struct endpoint end;
static void *kept[AREA + 1];
static int size[AREA + 1], count;
static _Atomic pid_t receiver_id;
static _Atomic int released;

static void *receiver(void *argument)
{
    void *piece;
    int n;
    (void)argument;
    atomic_store(&receiver_id, thread_id());
    CHECK_SET(n, sio_recv(end.sock, &piece, 100, 0));
    CHECK(n > 0 && atomic_load(&released));
    CHECK_OK(sio_release(end.area, piece, (size_t)n));
    return NULL;
}

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    end = endpoint_open(pair[0], AREA, attach);
    count = 0;
    atomic_store(&receiver_id, 0);
    atomic_store(&released, 0);
    write_pattern(pair[1], 2 * AREA, 0);
    for (int idle = 0; idle < 20; idle++) {
        int n = sio_recv(pair[0], &kept[count], AREA, MSG_DONTWAIT);
        if (n > 0) {
            size[count++] = n;
            idle = 0;
            continue;
        }
        CHECK(n == -1 && errno == EAGAIN);
        if (attach == ATTACHED)
            CHECK(ec_delay(end.ec, &(struct timespec){ 0, 0 }) == 0 || errno == ETIMEDOUT);
        sleep_ms(2);
    }
    CHECK(count > 0);
    pthread_t thread = thread_start(receiver, NULL);
    wait_asleep(&receiver_id);
    atomic_store(&released, 1);
    for (int i = 0; i < count; i++)
        CHECK_OK(sio_release(end.area, kept[i], (size_t)size[i]));
    thread_end(thread);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(STREAM_PAIRS, run);
    return 0;
}
