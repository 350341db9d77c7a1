/*
 * A socket in no channel. One that may block: the call returns when the kernel has all. One that may
 * not: all is accepted or nothing, what the kernel does not take at once arrives all the same, although
 * the file is closed, and until then sends are refused.
 */
#include "file.h"

#define BYTES (8 << 20)

static void *read_all(void *argument)
{
    sleep_ms(20);
    read_pattern(*(int *)argument, BYTES, 0);
    return NULL;
}

static void blocking(enum pair_kind kind)
{
    int pair[2];
    pthread_t reader;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    int file = file_new(BYTES);
    CHECK_THREAD(pthread_create(&reader, NULL, read_all, &pair[1]));
    CHECK_IS(sio_sendfile(pair[0], file, 0, BYTES, 0), BYTES);
    CHECK_THREAD(pthread_join(reader, NULL));
    CHECK(close(file) == 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void nonblocking(enum pair_kind kind, int flags)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    void *block = block_new(end.area, 10);
    set_nonblocking(pair[0], flags == 0);
    int file = file_new(BYTES), n, accepted = 0;
    while ((errno = 0, n = sio_sendfile(pair[0], file, 0, BYTES, flags)) != -1) {
        CHECK(n == BYTES && accepted < 100);
        accepted++;
    }
    CHECK(errno == EAGAIN && accepted > 0);
    CHECK_ERR(sio_send(pair[0], block, 10, flags), EAGAIN);
    CHECK(close(file) == 0);
    for (int i = 0; i < accepted; i++)
        read_pattern(pair[1], BYTES, 0);
    check_silent(pair[1], 20);
    CHECK_OK(sio_release(end.area, block, 10));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind)
{
    blocking(kind);
    nonblocking(kind, 0);
    nonblocking(kind, MSG_DONTWAIT);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
