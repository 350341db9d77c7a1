/*
 * Two threads of a server share a channel and an area; a client has its own. Blocks that one
 * thread gives back are another's next ones: their contents are nobody else's meanwhile. The thread
 * sanitizer and valgrind see it so too (tests/sanitizers.rs).
 */
#include "check.h"

#define SIZE 512
#define ROUNDS 60
#define CLIENTS 2
#define AREA (1 << 17)

static ec_t ec;
static dma_mem_t server_area, client_area;

static void send_back(int sock)
{
    void *piece;
    ssize_t n = sio_recv(sock, &piece, SIZE, MSG_DONTWAIT);
    if (n == -1) {
        CHECK(errno == EAGAIN);     /* the other thread was faster */
        return;
    }
    CHECK(n > 0);
    for (ssize_t i = 0; i < n; i++)
        ((unsigned char *)piece)[i] ^= 0xff;
    CHECK_IS(sio_send(sock, piece, (size_t)n, SIO_RELEASE | SIO_QUIET), n);
}

static void *server(void *argument)
{
    (void)argument;
    for (;;) {
        event_data_t event;
        CHECK_IS(ec_wait_events(ec, &event, 1, NULL, NULL), 1);
        if (event.ev_type == EC_EV_USER)
            return NULL;
        CHECK(event.ev_type == EC_EV_RECV);
        if (event.ev_result > 0)
            send_back(event.ev_fd);
    }
}

static void *client(void *argument)
{
    int sock = *(int *)argument;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char *block = block_new(client_area, SIZE);
        memset(block, i, SIZE);
        CHECK_IS(sio_send(sock, block, SIZE, SIO_RELEASE), SIZE);
        for (size_t got = 0; got < SIZE;) {
            void *piece;
            int n;
            CHECK_SET(n, sio_recv(sock, &piece, SIZE - got, 0));
            CHECK(n > 0);
            for (int at = 0; at < n; at++)
                CHECK(((unsigned char *)piece)[at] == (unsigned char)(i ^ 0xff));
            CHECK_OK(sio_release(client_area, piece, (size_t)n));
            got += (size_t)n;
        }
    }
    return NULL;
}

int main(void)
{
    check_start();
    int pairs[CLIENTS][2];
    pthread_t servers[2], clients[CLIENTS];
    ec = channel_new(0);
    server_area = area_new(AREA);
    client_area = area_new(AREA);
    for (int i = 0; i < CLIENTS; i++) {
        pair_open(i % 2 == 0 ? TCP4 : UNIX_STREAM, pairs[i]);
        CHECK_OK(dma_assoc(pairs[i][0], server_area, 0, 0));
        CHECK_OK(dma_assoc(pairs[i][1], client_area, 0, 0));
        int source;
        CHECK_SET(source, ec_add_socket(ec, pairs[i][0], 0, 0));
    }
    for (int i = 0; i < 2; i++)
        servers[i] = thread_start(server, NULL);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = thread_start(client, &pairs[i][1]);
    for (int i = 0; i < CLIENTS; i++)
        thread_end(clients[i]);
    post_user(ec, 0);
    post_user(ec, 0);
    for (int i = 0; i < 2; i++)
        thread_end(servers[i]);
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_OK(sio_detach(pairs[i][0]));
        CHECK_OK(sio_detach(pairs[i][1]));
        CHECK(close(pairs[i][0]) == 0);
        CHECK(close(pairs[i][1]) == 0);
    }
    CHECK_OK(ec_destroy(ec));
    CHECK_OK(dma_free(server_area, AREA));
    CHECK_OK(dma_free(client_area, AREA));
    return 0;
}
