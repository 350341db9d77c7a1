/*
 * A channel is destroyed while the peer has not acknowledged what was sent to it without a copy:
 * the memory is nobody else's until that is so, and comes back then.
 */
#include "check.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#define AREA (4u << 20)
#define BLOCK (128u << 10)
#define BLOCKS (AREA / BLOCK)
#define SENDS (BLOCKS / 2)

/* The far end is not on this host, as far as the near one knows. */
static int far_connected(const struct sockaddr_in *address)
{
    int bytes = 4096, near = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    CHECK(near >= 0 && check_enter(check_far) == 0);
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(sock >= 0 && setns(near, CLONE_NEWNET) == 0 && close(near) == 0);
    CHECK(setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0);
    CHECK(connect(sock, (const struct sockaddr *)address, sizeof *address) == 0);
    return sock;
}

static void pair_between(int pair[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof address;
    int bytes = 1 << 20, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(inet_pton(AF_INET, "10.9.0.1", &address.sin_addr) == 1);
    CHECK(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    pair[1] = far_connected(&address);
    CHECK((pair[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0 && close(listener) == 0);
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes) == 0);
}

/* Until something was sent, and nothing more is taken. */
static void send_until_full(ec_t ec, int sock)
{
    int waiting = 0, before;
    do {
        before = waiting;
        CHECK_OK(ec_flush(ec));
        sleep_ms(20);
        CHECK(ioctl(sock, SIOCOUTQ, &waiting) == 0);
    } while (waiting == 0 || waiting != before);
}

/* Writes to all that is free, and gives it back: how many blocks that was. */
static int overwrite(dma_mem_t area)
{
    void *block[BLOCKS];
    int count = 0;
    while (count < (int)BLOCKS && sio_reserve(area, &block[count], BLOCK) == 0)
        memset(block[count++], 0xee, BLOCK);
    for (int i = 0; i < count; i++)
        CHECK_OK(sio_release(area, block[i], BLOCK));
    return count;
}

int main(void)
{
    check_start();
    CHECK(setenv("SIO_C_TEST_NETWORK", "1", 1) == 0);
    CHECK(check_has_network(UDP4));
    static unsigned char in[SENDS * BLOCK];
    size_t got = 0;
    int pair[2];
    ssize_t n;

    pair_between(pair);
    dma_mem_t area = area_new(AREA);
    ec_t ec = channel_new(0);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK(ec_add_socket(ec, pair[0], 0, 0) >= 0);
    for (size_t i = 0; i < SENDS; i++) {
        void *block = block_new(area, BLOCK);
        pattern_fill(block, BLOCK, i * BLOCK);
        CHECK_IS(sio_send(pair[0], block, BLOCK, SIO_RELEASE | SIO_QUIET), (int)BLOCK);
    }
    send_until_full(ec, pair[0]);
    CHECK_OK(ec_destroy(ec));
    overwrite(area);

    CHECK_OK(sio_detach(pair[0]));
    CHECK(close(pair[0]) == 0);
    while ((n = recv(pair[1], in + got, sizeof in - got, 0)) > 0)
        got += (size_t)n;
    CHECK(n == 0 && got > 0);
    CHECK_PATTERN(in, got, 0);
    CHECK(close(pair[1]) == 0);
    while (overwrite(area) < (int)BLOCKS)
        sleep_ms(10);
    CHECK_OK(dma_free(area, AREA));
    return 0;
}
