/* send_zerocopy: sends with send(2) and MSG_ZEROCOPY for some seconds. What is under way is bounded
 * by a window; the notices that memory is free again are fetched in batches, and only when the window
 * is full. The area is as large as many windows, so that no part is sent again before its notice.
 *
 *     send_zerocopy tcp|udp HOST PORT BYTES SECONDS
 */
#include "../bench.h"
#include <linux/errqueue.h>
#include <poll.h>

static int sock;
static unsigned long long freed; /* sends whose memory the kernel no longer reads */

/* One notice is about a range of sends; several may have come. */
static void fetch_notices(bool wait)
{
    char control[128];
    struct msghdr message = {.msg_control = control};

    if (wait && poll(&(struct pollfd){.fd = sock}, 1, 1000) < 1)
        errx(1, "no notice that memory is free");
    for (;;) {
        message.msg_controllen = sizeof control;
        if (recvmsg(sock, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            check(errno == EAGAIN ? 0 : -1, "recvmsg");
            return;
        }
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (!header)
            errx(1, "a notice of nothing");
        struct sock_extended_err *notice = (void *)CMSG_DATA(header);
        if (notice->ee_origin != SO_EE_ORIGIN_ZEROCOPY || notice->ee_errno)
            errx(1, "notice: %s", strerror((int)notice->ee_errno));
        freed += notice->ee_data - notice->ee_info + 1;
    }
}

int main(int argc, char **argv)
{
    unsigned long long requests = 0, bytes = 0, calls = 0;

    if (argc < 6)
        errx(2, "usage: send_zerocopy tcp|udp HOST PORT BYTES SECONDS");
    sock = connect_to(argv[1], argv[2], argv[3]);
    check(setsockopt(sock, SOL_SOCKET, SO_ZEROCOPY, &(int){1}, sizeof(int)), "SO_ZEROCOPY");
    size_t size = (size_t)atol(argv[4]), at = 0, block = 0;
    char *area = mmap(NULL, SEND_AREA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        err(1, "mmap");
    memset(area, 'x', SEND_AREA_BYTES);
    wait_for_go();
    for (double end = now() + atof(argv[5]); now() < end;) {
        for (int i = 0; i < SEND_WINDOW; i++) {
            size_t part = 0;
            while (part < size) {
                char *from = area + block + at + part;
                ssize_t n = send(sock, from, size - part, MSG_NOSIGNAL | MSG_ZEROCOPY);
                if (n < 0 && errno == ENOBUFS) { /* too many notices to come */
                    fetch_notices(true);
                    continue;
                }
                check(n < 0 ? -1 : 0, "send");
                calls++;
                part += (size_t)n;
            }
            requests++;
            bytes += size;
            at += size;
            if (at + size > SEND_BLOCK_BYTES) {
                at = 0;
                block = (block + SEND_BLOCK_BYTES) % SEND_AREA_BYTES;
            }
            if (calls - freed >= SEND_WINDOW)
                fetch_notices(false);
            while (calls - freed >= 2 * SEND_WINDOW)
                fetch_notices(true);
        }
    }
    while (freed < calls)
        fetch_notices(true);
    done(requests, bytes);
}
