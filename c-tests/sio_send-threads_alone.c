/* What several threads send on a stream in no channel arrives as it was sent, one message after the other,
 * whether the calls may wait or not, and also if the socket is attached meanwhile. */
#include "check.h"

enum { THREADS = 4, MESSAGES = 12, BYTES = 300000 };

static struct endpoint end;

static void *sender(void *argument)
{
    int number = *(int *)argument;
    int flags = SIO_RELEASE | SIO_QUIET | (number % 2 == 0 ? MSG_DONTWAIT : 0);

    for (int i = 0; i < MESSAGES; i++) {
        unsigned char *block = block_new(end.area, BYTES);
        memset(block, number * MESSAGES + i, BYTES);
        while (sio_send(end.sock, block, BYTES, flags) != BYTES) {
            CHECK(errno == EAGAIN);
            sched_yield();
        }
    }
    return NULL;
}

static void check_message(int sock, ec_t ec)
{
    static unsigned char message[BYTES];
    size_t got = 0;

    while (got < BYTES) {
        while (!is_readable(sock, 1))
            CHECK_OK(ec_flush(ec));
        ssize_t count = recv(sock, message + got, BYTES - got, 0);
        CHECK(count > 0);
        got += (size_t)count;
    }
    for (int i = 1; i < BYTES; i++)
        CHECK(message[i] == message[0]);
}

static void run_until(enum pair_kind kind, int attached_after)
{
    static int numbers[THREADS] = { 0, 1, 2, 3 };
    pthread_t threads[THREADS];
    int pair[2];
    ec_t ec;

    pair_open(kind, pair);
    end = endpoint_open(pair[0], 32 << 20, ALONE);
    CHECK_SET(ec, ec_create(0));
    for (int i = 0; i < THREADS; i++)
        threads[i] = thread_start(sender, &numbers[i]);
    for (int i = 0; i < THREADS * MESSAGES; i++) {
        if (i == attached_after)
            CHECK(ec_add_socket(ec, end.sock, 0, 0) >= 0);
        check_message(pair[1], ec);
    }
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    CHECK(!is_readable(pair[1], 0));
    endpoint_close(&end);
    CHECK_OK(ec_destroy(ec));
    CHECK(close(pair[1]) == 0);
}

static void run(enum pair_kind kind)
{
    run_until(kind, -1);
    for (int round = 0; round < 5; round++)
        run_until(kind, 3 + round * 2);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
