/* 4 threads send on one datagram socket at once: every message arrives whole. */
#include "check.h"

#define THREADS 4
#define MESSAGES 500

static struct endpoint end;

static void *sender(void *argument)
{
    unsigned number = *(unsigned *)argument;
    for (unsigned i = 0; i < MESSAGES;) {
        unsigned *block = block_new(end.area, 256);
        for (int word = 0; word < 64; word += 2) {
            block[word] = number;
            block[word + 1] = i;
        }
        errno = 0;
        if (sio_send(end.sock, block, 256, SIO_RELEASE | SIO_QUIET) == 256) {
            i++;
        } else {
            CHECK(errno == EAGAIN);
            CHECK_OK(sio_release(end.area, block, 256));
            sched_yield();
        }
        if (end.ec != -1)
            CHECK_OK(ec_flush(end.ec));
    }
    return NULL;
}

static void run(enum pair_kind kind, enum attach attach)
{
    static unsigned numbers[THREADS] = { 0, 1, 2, 3 };
    unsigned next[THREADS] = { 0 }, message[64];
    pthread_t threads[THREADS];
    int pair[2];
    pair_open(kind, pair);
    end = endpoint_open(pair[0], 4 << 20, attach);
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(sender, &numbers[i]);
    for (int i = 0; i < THREADS * MESSAGES; i++) {
        while (!is_readable(pair[1], 10))
            if (attach == ATTACHED)
                CHECK_OK(ec_flush(end.ec));
        CHECK(recv(pair[1], message, sizeof message, 0) == sizeof message);
        CHECK(message[0] < THREADS && message[1] == next[message[0]]++);
        for (int word = 2; word < 64; word++)
            CHECK(message[word] == message[word % 2]);
    }
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    /* Unix sockets lose nothing: UDP may, when the reader is slow. */
    each_pair_attached(1u << UNIX_DGRAM | 1u << UNIX_SEQPACKET, run);
    return 0;
}
