/* The address is cut to the room that is given; with no room at all none is wanted. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int peer = socket_new(kind), sock = socket_new(kind);
    struct sockaddr_storage address, own;
    socklen_t length, own_length;
    CHECK(socket_bind(sock, kind, &own, &own_length) == 0);
    CHECK(socket_bind(peer, kind, &address, &length) == 0);
    CHECK(connect(peer, (struct sockaddr *)&own, own_length) == 0);
    struct endpoint end = endpoint_open(sock, 1 << 16, attach);
    for (socklen_t room = 0; room <= length; room++) {
        unsigned char from[sizeof address];
        const void *piece;
        write_message(peer, 10, room);
        memset(from, 0xee, sizeof from);
        CHECK_IS(sio_recvfrom(sock, &piece, 10, 0, (struct sockaddr *)(void *)from, room), 10);
        CHECK_PATTERN(piece, 10, room);
        CHECK_OK(sio_release(end.area, (void *)(uintptr_t)piece, 10));
        CHECK(memcmp(from, &address, room) == 0);
        for (size_t i = room; i < sizeof from; i++)
            CHECK(from[i] == 0xee);
    }
    const void *piece;
    write_message(peer, 10, 0);
    CHECK_IS(sio_recvfrom(sock, &piece, 10, 0, NULL, 0), 10);
    CHECK_OK(sio_release(end.area, (void *)(uintptr_t)piece, 10));
    endpoint_close(&end);
    CHECK(close(peer) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(DATAGRAM_PAIRS, run);
    return 0;
}
