/*
 * A head that is sent before a file is not kept back for what the file turns out not to have, or
 * cannot give: it has left when the event of the file comes.
 */
#include "file.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

static void check_left(int sock)
{
    int kept_back;
    CHECK(ioctl(sock, SIOCOUTQNSD, &kept_back) == 0);
    CHECK(kept_back == 0);
}

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    if (attach != ATTACHED)
        return; /* alone, a send does not know what comes after it */
    pair_open(kind, pair);
    set_nonblocking(pair[0], 1);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    int file = file_new(1000);
    for (int round = 0; round < 2; round++) {
        unsigned char *block = block_new(end.area, 500);
        pattern_fill(block, 500, 7);
        CHECK_IS(sio_send(pair[0], block, 500, SIO_RELEASE), 500);
        CHECK_IS(sio_sendfile(pair[0], file, 1000 + round, 10, 0), 10);
        event_wait_for(end.ec, EC_EV_SENT, pair[0]);
        check_file_sent(end.ec, pair[0], 10, 0);
        check_left(pair[0]);
        read_pattern(pair[1], 500, 7);
    }
    CHECK(close(file) == 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(TCP_PAIRS, run);
    return 0;
}
