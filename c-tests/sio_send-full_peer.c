/* A Unix datagram socket sends more than its peer has room for: every message arrives, whole and in
 * order, to a peer that it is connected to and to one that it names. */
#include "check.h"

enum { MESSAGES = 200, BYTES = 100, BLOCK_BYTES = MESSAGES * BYTES };

static void run(int is_connected)
{
    struct sockaddr_storage address;
    socklen_t length;
    unsigned char in[2 * BYTES];
    int receiver = socket_new(UNIX_DGRAM);

    CHECK(socket_bind(receiver, UNIX_DGRAM, &address, &length) == 0);
    const struct sockaddr *to = is_connected ? NULL : (struct sockaddr *)&address;
    struct endpoint end = endpoint_open(socket_new(UNIX_DGRAM), 1 << 20, ATTACHED);
    if (is_connected)
        CHECK(connect(end.sock, (struct sockaddr *)&address, length) == 0);
    unsigned char *block = block_new(end.area, BLOCK_BYTES);
    pattern_fill(block, BLOCK_BYTES, 0);
    for (size_t i = 0; i < MESSAGES; i++) {
        CHECK_IS(sio_sendto(end.sock, block + i * BYTES, BYTES, SIO_QUIET, to, to ? length : 0), BYTES);
        if (i % 3 == 0)
            CHECK_OK(ec_flush(end.ec));
    }
    for (size_t i = 0; i < MESSAGES;) {
        /* Long enough for whatever sends to have begun to wait. */
        if (i % 8 == 0)
            sleep_ms(2);
        ssize_t got = recv(receiver, in, sizeof in, MSG_DONTWAIT);
        if (got == -1 && errno == EAGAIN) {
            CHECK_OK(ec_flush(end.ec));
            sleep_ms(1);
            continue;
        }
        CHECK(got == BYTES);
        CHECK_PATTERN(in, BYTES, i * BYTES);
        i++;
    }
    CHECK(recv(receiver, in, sizeof in, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK_OK(sio_release(end.area, block, BLOCK_BYTES));
    endpoint_close(&end);
    CHECK(close(receiver) == 0);
}

static struct endpoint blocked;
static struct sockaddr_storage there;
static socklen_t there_bytes;
static unsigned char *message;
static _Atomic int is_interrupted;

static void *send_two(void *argument)
{
    const struct sockaddr *to = (struct sockaddr *)&there;

    (void)argument;
    CHECK_ERR(sio_sendto(blocked.sock, message, BYTES, 0, to, there_bytes), EINTR);
    atomic_store(&is_interrupted, 1);
    int sent;
    while ((sent = sio_sendto(blocked.sock, message, BYTES, 0, to, there_bytes)) == -1)
        CHECK(errno == EINTR);
    CHECK(sent == BYTES);
    return NULL;
}

static void ignore(int number)
{
    (void)number;
}

/* In no channel the call waits, and can be interrupted. */
static void run_alone(void)
{
    unsigned char in[2 * BYTES];
    int receiver = socket_new(UNIX_DGRAM), sent = 0, got = 0;

    CHECK(socket_bind(receiver, UNIX_DGRAM, &there, &there_bytes) == 0);
    blocked = endpoint_open(socket_new(UNIX_DGRAM), 1 << 20, ALONE);
    message = block_new(blocked.area, BYTES);
    memset(message, 1, BYTES);
    while (sio_sendto(blocked.sock, message, BYTES, MSG_DONTWAIT, (struct sockaddr *)&there,
                      there_bytes) == BYTES)
        sent++;
    CHECK(errno == EAGAIN && sent > 0);
    struct sigaction action = { .sa_handler = ignore };
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    pthread_t thread = thread_start(send_two, NULL);
    while (!atomic_load(&is_interrupted)) {
        sleep_ms(1);
        CHECK_THREAD(pthread_kill(thread, SIGUSR1));
    }
    while (got <= sent) {
        CHECK(recv(receiver, in, sizeof in, 0) == BYTES);
        got++;
    }
    thread_end(thread);
    CHECK(recv(receiver, in, sizeof in, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    CHECK_OK(sio_release(blocked.area, message, BYTES));
    endpoint_close(&blocked);
    CHECK(close(receiver) == 0);
}

int main(void)
{
    check_start();
    run(1);
    run(0);
    run_alone();
    return 0;
}
