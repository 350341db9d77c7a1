/*
 * A large part of a file to a peer that reads it as fast as it comes: the thread that waits on the
 * channel need not do anything for it, with events told by level and by edges, on channels of one
 * thread and of many.
 */
#include "file.h"

#define BYTES (24 << 20)

static void *read_all(void *argument)
{
    static unsigned char chunk[1 << 20];
    const int sock = *(int *)argument;
    for (size_t done = 0; done < BYTES;) {
        ssize_t n = recv(sock, chunk, sizeof chunk, 0);
        CHECK(n > 0);
        CHECK_PATTERN(chunk, n < 1000 ? (size_t)n : 1000, done);
        done += (size_t)n;
    }
    return NULL;
}

static void run_once(enum pair_kind kind, unsigned channel_flags, unsigned source_flags)
{
    int pair[2];
    pthread_t reader;
    pair_open(kind, pair);
    set_nonblocking(pair[0], 1);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    CHECK_SET(end.ec, ec_create(channel_flags));
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], source_flags, ENDPOINT_COOKIE));
    int file = file_new(BYTES);
    CHECK_THREAD(pthread_create(&reader, NULL, read_all, &pair[1]));
    CHECK_IS(sio_sendfile(pair[0], file, 0, BYTES, 0), BYTES);
    CHECK(close(file) == 0);
    check_file_sent(end.ec, pair[0], BYTES, BYTES);
    CHECK_THREAD(pthread_join(reader, NULL));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind)
{
    run_once(kind, 0, 0);
    run_once(kind, 0, EC_EDGE);
    run_once(kind, EC_SINGLE, 0);
    run_once(kind, EC_SINGLE, EC_EDGE);
}

int main(void)
{
    check_start();
    each_pair(1u << TCP4 | 1u << UNIX_STREAM, run);
    return 0;
}
