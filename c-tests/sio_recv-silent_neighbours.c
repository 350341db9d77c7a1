/*
 * Memory that is kept ready for sockets that are silent is room for others that are not: sockets of
 * the same channel, of another one, and of none.
 */
#include "check.h"

#define AREA (2u << 20)
#define MESSAGE 20000
#define KEPT 15    /* more than there is without what is kept ready */

enum where { SAME, OTHER, NOWHERE };

static void run_with(enum pair_kind kind, enum pair_kind silent_kind, enum where where)
{
    void *data[1];
    static struct { void *data; int size; } kept[KEPT * 64];
    int silent[2], pair[2], ec[2] = { channel_new(0), channel_new(0) }, count = 0;
    dma_mem_t area = area_new(AREA);
    void *most;
    pair_open(silent_kind, silent);
    pair_open(kind, pair);
    CHECK_OK(dma_assoc(silent[0], area, 0, 0));
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK(ec_add_socket(ec[0], silent[0], 0, 0) >= 0);
    if (where != NOWHERE)
        CHECK(ec_add_socket(ec[where], pair[0], 0, 0) >= 0);
    struct timeval limit = { WAIT_MS / 1000, 0 };
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK_OK(sio_reserve(area, &most, AREA / 4 * 3));
    write_message(silent[1], 100, 1);
    event_wait_for(ec[0], EC_EV_RECV, silent[0]);
    CHECK_IS(sio_recv(silent[0], data, 100, 0), 100);
    CHECK_OK(sio_release(area, data[0], 100));

    for (size_t i = 0; i < KEPT; i++) {
        if (pair_is_stream(kind))
            write_pattern(pair[1], MESSAGE, i);
        else
            write_message(pair[1], MESSAGE, i);
        for (size_t done = 0; done < MESSAGE;) {
            void *piece;
            int n;
            if (where != NOWHERE)
                event_wait_for(ec[where], EC_EV_RECV, pair[0]);
            CHECK_SET(n, sio_recv(pair[0], &piece, MESSAGE - done, 0));
            CHECK(n > 0 && (pair_is_stream(kind) || n == MESSAGE));
            CHECK_PATTERN(piece, (size_t)n, i + done);
            kept[count].data = piece;
            kept[count++].size = n;
            CHECK(count < KEPT * 64);
            done += (size_t)n;
        }
    }
    /* The silent one is served when it speaks again. */
    write_message(silent[1], 100, 2);
    event_wait_for(ec[0], EC_EV_RECV, silent[0]);
    CHECK_IS(sio_recv(silent[0], data, 100, 0), 100);
    CHECK_PATTERN(data[0], 100, 2);
    CHECK_OK(sio_release(area, data[0], 100));

    while (count-- > 0)
        CHECK_OK(sio_release(area, kept[count].data, (size_t)kept[count].size));
    CHECK_OK(sio_release(area, most, AREA / 4 * 3));
    CHECK_OK(sio_detach(silent[0]));
    CHECK_OK(sio_detach(pair[0]));
    for (int i = 0; i < 2; i++)
        CHECK(close(pair[i]) == 0 && close(silent[i]) == 0);
    CHECK_OK(dma_free(area, AREA));
    CHECK_OK(ec_destroy(ec[0]));
    CHECK_OK(ec_destroy(ec[1]));
}

static void run(enum pair_kind kind)
{
    char text[96];
    static const enum pair_kind silent[] = { UDP4, TCP4, UNIX_DGRAM };
    static const char *const places[] = { "the same channel", "another channel", "no channel" };
    for (int i = 0; i < 3; i++)
        for (int where = SAME; where <= NOWHERE; where++) {
            if (check_has_network(kind) || check_has_network(silent[i]))
                continue;
            snprintf(text, sizeof text, "%s beside %s in %s", pair_name(kind),
                     pair_name(silent[i]), places[where]);
            check_context = text;
            run_with(kind, silent[i], (enum where)where);
        }
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
