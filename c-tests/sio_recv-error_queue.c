/* While the error queue has something poll(2) tells of an error. A call that waits for data sleeps none
 * the less, and is woken by data. */
#include "check.h"

static int sock;
static dma_mem_t area;
static _Atomic pid_t receiver;

static void *receive(void *argument)
{
    void *piece;

    (void)argument;
    atomic_store(&receiver, thread_id());
    for (int i = 0; i < 3; i++) {
        CHECK_IS(sio_recv(sock, &piece, 10, 0), 7);
        CHECK_OK(sio_release(area, piece, 7));
    }
    return NULL;
}

static int peer_open(struct sockaddr_in *address)
{
    socklen_t length = sizeof *address;
    int peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(peer >= 0 && bind(peer, (struct sockaddr *)address, length) == 0);
    CHECK(getsockname(peer, (struct sockaddr *)address, &length) == 0);
    return peer;
}

static void run(enum attach attach)
{
    struct sockaddr_in address = { .sin_family = AF_INET }, own;
    socklen_t length = sizeof own;
    int wanted = 1;
    void *piece;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int peer = peer_open(&address);
    sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(setsockopt(sock, IPPROTO_IP, IP_RECVERR, &wanted, sizeof wanted) == 0);
    CHECK(connect(sock, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(sock, (struct sockaddr *)&own, &length) == 0);
    struct endpoint end = endpoint_open(sock, 8 << 20, attach);
    area = end.area;
    CHECK(close(peer) == 0);
    CHECK(send(sock, "nobody", 6, 0) == 6);
    CHECK_ERR(sio_recv(sock, &piece, 10, 0), ECONNREFUSED);
    CHECK(poll(&(struct pollfd){ sock, POLLIN, 0 }, 1, 0) == 1);

    atomic_store(&receiver, 0);
    pthread_t thread = thread_start(receive, NULL);
    peer = peer_open(&address);
    for (int i = 0; i < 3; i++) {
        wait_asleep(&receiver);
        CHECK(sendto(peer, "message", 7, 0, (struct sockaddr *)&own, length) == 7);
    }
    thread_end(thread);
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

int main(void)
{
    check_start();
    run(ALONE);
    run(ATTACHED);
    return 0;
}
