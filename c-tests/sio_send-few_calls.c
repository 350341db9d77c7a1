/* Many sends on one socket cost few system calls: large datagrams that the kernel need not copy,
 * and small ones. A parent counts the calls of a child. */
#include "calls.h"

enum { SENDS = 512, WINDOW = 64 };

static void run_child(size_t size, unsigned flags)
{
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(9) };
    event_data_t events[WINDOW];
    char *block;
    dma_mem_t area;
    ec_t ec;
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "198.51.100.2", &peer.sin_addr);
    CHECK(connect(sock, (struct sockaddr *)&peer, sizeof peer) == 0);
    CHECK_SET(ec, ec_create(flags));
    CHECK_OK(dma_alloc(&area, WINDOW * size, 0));
    CHECK_OK(dma_assoc(sock, area, 0, 0));
    CHECK(ec_add_socket(ec, sock, 0, 0) >= 0);
    CHECK_OK(sio_reserve(area, (void **)&block, WINDOW * size));
    memset(block, 'x', WINDOW * size);
    for (int sent = 0; sent < 2 * SENDS;) {
        if (sent == SENDS)
            calls_mark();
        for (int i = 0; i < WINDOW; i++)
            CHECK_IS(sio_send(sock, block + i * size, size, 0), (int)size);
        for (int told = 0, n; told < WINDOW; told += n) {
            CHECK_SET(n, ec_wait_events(ec, events, WINDOW, NULL, NULL));
            for (int i = 0; i < n; i++)
                CHECK(events[i].ev_type == EC_EV_SENT && events[i].ev_errno == 0);
        }
        sent += WINDOW;
    }
    calls_mark();
}

int main(void)
{
    static const char set_up[] =
        "{ ip link add hole0 type ifb || ip link add hole0 type dummy; } 2>/dev/null && "
        "ip link set hole0 mtu 65535 up && "
        "ip addr add 198.51.100.1/24 dev hole0 && "
        "ip neighbour replace 198.51.100.2 lladdr 02:00:00:00:00:01 dev hole0";
    static const size_t sizes[] = { 1472, 16384, 60000 };

    check_start();
    if (unshare(CLONE_NEWNET) != 0 || system(set_up) != 0)
        check_skip("no network namespace with a device that drops");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int shared = 0; shared < 2; shared++) {
            long calls = calls_of(run_child, sizes[i], shared ? 0 : EC_SINGLE);
            if (calls * 8 > SENDS)
                check_fail(__FILE__, __LINE__, "%ld calls for %d sends of %zu bytes (%s)", calls,
                           SENDS, sizes[i], shared ? "shared" : "EC_SINGLE");
        }
    return 0;
}
