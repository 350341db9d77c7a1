/*
 * Threads send from an area and receive into it while another one takes the socket into channels and
 * out of them, detaches and closes it, and frees the area: each call comes before or after. Of a
 * socket that is not associated it says EINVAL, of a closed one EBADF; it never says anything else, and
 * no block is given out of an area that was freed.
 */
#include "check.h"

#define AREA (1u << 20)
#define SENT 512
#define ROUNDS 700
#define CHANNELS 2

static atomic_int is_over, sock;
static _Atomic dma_mem_t area;
static enum pair_kind kind_now;
static int peer;

static unsigned next(unsigned *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static void check_errno(int error)
{
    CHECK(error == EAGAIN || error == EINVAL || error == EBADF);
}

static void *receiver(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    while (!atomic_load(&is_over)) {
        void *data;
        int n = sio_recv(atomic_load(&sock), &data, 4096, next(&state) % 3 ? MSG_DONTWAIT : 0);
        if (n == -1) {
            check_errno(errno);
            sched_yield();
            continue;
        }
        if (n == 0)
            continue;
        /* While it is out nobody frees the area. */
        CHECK(pair_is_stream(kind_now) || ((unsigned char *)data)[0] == n % 251);
        CHECK_PATTERN((char *)data + 1, pair_is_stream(kind_now) ? 0 : (size_t)n - 1, 1);
        CHECK_OK(sio_release(atomic_load(&area), data, (size_t)n));
    }
    return NULL;
}

static void *sender(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    while (!atomic_load(&is_over)) {
        dma_mem_t from = atomic_load(&area);
        void *block;
        if (sio_reserve(from, &block, SENT) == -1) {
            CHECK(errno == ENOBUFS || errno == EINVAL);
            sched_yield();
            continue;
        }
        memset(block, 0, SENT);
        int release = next(&state) % 2 ? SIO_RELEASE : 0;
        int flags = release | (next(&state) % 2 ? MSG_DONTWAIT : 0) | SIO_QUIET;
        int n = sio_send(atomic_load(&sock), block, SENT, flags);
        if (n == -1)
            check_errno(errno);
        if (n == -1 || !release)
            CHECK_OK(sio_release(from, block, SENT));
    }
    return NULL;
}

static void *other_end(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    static unsigned char message[1200], received[65536];
    pattern_fill(message + 1, sizeof message - 1, 1);
    while (!atomic_load(&is_over)) {
        size_t size = 2 + next(&state) % 1000;
        message[0] = (unsigned char)(size % 251);
        send(peer, message, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (recv(peer, received, sizeof received, MSG_DONTWAIT) > 0)
            continue;
        if (size % 4 == 0)
            sched_yield();
    }
    return NULL;
}

static void *waiter(void *channel)
{
    event_data_t events[16];
    while (!atomic_load(&is_over)) {
        struct timespec limit = milliseconds(2);
        CHECK(ec_wait_events(*(ec_t *)channel, events, 16, &limit, NULL) > 0 || errno == ETIMEDOUT);
    }
    return NULL;
}

static void move_about(int fd, const ec_t *channels)
{
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, 0), is_open = 1, is_associated = 0, source = -1, in = 0;
    unsigned state = 12345;
    for (int round = 0; round < ROUNDS; round++) {
        dma_mem_t handle = atomic_load(&area);
        switch (is_open ? next(&state) % 9 : 8) {
        case 0:
            CHECK(dma_assoc(fd, handle, 0, 0) == 0 || (is_associated && errno == EBUSY));
            is_associated = 1;
            break;
        case 1:
        case 2:
            if (is_associated && source == -1) {
                in = next(&state) % CHANNELS;
                CHECK_SET(source, ec_add_socket(channels[in], fd, 0, 0));
            }
            break;
        case 3:
            if (source != -1)
                CHECK_OK(ec_remove(channels[in], source));
            source = -1;
            break;
        case 4:
            CHECK(sio_detach(fd) == 0 || (!is_associated && errno == EINVAL));
            is_associated = 0;
            source = -1;
            break;
        case 5:
            if (dma_disassoc(fd, handle, 0) == 0) {
                is_associated = 0;
                source = -1;
            } else {
                CHECK(errno == (is_associated ? EBUSY : EINVAL));
            }
            break;
        case 6:
            if (is_associated)
                CHECK_OK(sio_detach(fd));
            source = -1;
            if (dma_free(handle, AREA) == 0)
                atomic_store(&area, area_new(AREA));
            else
                CHECK(errno == EBUSY);
            CHECK_OK(dma_assoc(fd, atomic_load(&area), 0, 0));
            is_associated = 1;
            break;
        case 7:
            if (is_associated)
                CHECK_OK(sio_detach(fd));
            is_associated = 0;
            source = -1;
            CHECK(close(fd) == 0);
            is_open = 0;
            break;
        default:
            if (!is_open)
                CHECK(dup2(kept, fd) == fd);
            is_open = 1;
        }
        if (next(&state) % 3 == 0)
            usleep(next(&state) % 200);
    }
    if (is_associated)
        CHECK_OK(sio_detach(fd));
    CHECK(close(kept) == 0 && close(fd) == 0);
}

static void run(enum pair_kind kind)
{
    pthread_t threads[6];
    int pair[2], count = 0;
    ec_t channels[CHANNELS];
    struct timeval limit = { 0, 20000 };
    atomic_store(&is_over, 0);
    kind_now = kind;
    pair_open(kind, pair);
    peer = pair[1];
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    atomic_store(&sock, pair[0]);
    atomic_store(&area, area_new(AREA));
    for (int i = 0; i < CHANNELS; i++)
        channels[i] = channel_new(0);
    for (size_t i = 0; i < 2; i++)
        CHECK_THREAD(pthread_create(&threads[count++], NULL, receiver, (void *)(i + 1)));
    CHECK_THREAD(pthread_create(&threads[count++], NULL, sender, (void *)3));
    CHECK_THREAD(pthread_create(&threads[count++], NULL, other_end, (void *)4));
    for (int i = 0; i < CHANNELS; i++)
        CHECK_THREAD(pthread_create(&threads[count++], NULL, waiter, &channels[i]));
    move_about(pair[0], channels);
    atomic_store(&is_over, 1);
    for (int i = 0; i < count; i++)
        CHECK_THREAD(pthread_join(threads[i], NULL));
    for (int i = 0; i < CHANNELS; i++)
        CHECK_OK(ec_destroy(channels[i]));
    CHECK_OK(dma_free(atomic_load(&area), AREA));
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(1u << TCP4 | 1u << UDP4 | 1u << UNIX_DGRAM, run);
    return 0;
}
