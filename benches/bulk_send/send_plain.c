/* send_plain: sends with send(2) for some seconds.
 *
 *     send_plain tcp|udp HOST PORT BYTES SECONDS
 */
#include "../bench.h"

int main(int argc, char **argv)
{
    unsigned long long requests = 0, bytes = 0;

    if (argc < 6)
        errx(2, "usage: send_plain tcp|udp HOST PORT BYTES SECONDS");
    int sock = connect_to(argv[1], argv[2], argv[3]);
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
                ssize_t n = send(sock, from, size - part, MSG_NOSIGNAL);
                check(n < 0 ? -1 : 0, "send");
                part += (size_t)n;
            }
            requests++;
            bytes += size;
            at += size;
            if (at + size > SEND_BLOCK_BYTES) {
                at = 0;
                block = (block + SEND_BLOCK_BYTES) % SEND_AREA_BYTES;
            }
        }
    }
    done(requests, bytes);
}
