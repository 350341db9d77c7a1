/* A socket that was closed while it had something to send, and whose number is another's by now, is no
 * hindrance to the others of its channel. */
#include "check.h"

int main(void)
{
    check_start();
    int pair[2], gone[2], full[2];
    pair_open(UNIX_STREAM, pair);
    pair_open(UNIX_STREAM, gone);
    pair_open(UNIX_STREAM, full);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
    CHECK_OK(dma_assoc(gone[0], end.area, 0, 0));
    int source;
    CHECK_SET(source, ec_add_socket(end.ec, gone[0], 0, 0));
    CHECK_OK(ec_flush(end.ec));

    /* Whatever has the number now takes nothing. */
    char text[256] = { 0 };
    while (send(full[0], text, sizeof text, MSG_DONTWAIT) > 0)
        continue;

    void *block = block_new(end.area, 256);
    pattern_fill(block, 256, 11);
    CHECK_IS(sio_send(gone[0], block, 256, 0), 256);
    CHECK(dup2(full[0], gone[0]) == gone[0]);
    CHECK_IS(sio_send(pair[0], block, 256, 0), 256);
    CHECK_OK(ec_flush(end.ec));
    CHECK(is_readable(pair[1], WAIT_MS));
    read_message(pair[1], 256, 11);

    CHECK_OK(ec_remove(end.ec, source));
    CHECK(event_wait_for(end.ec, EC_EV_SENT, pair[0]).ev_result == 256);
    CHECK_ERR(sio_detach(gone[0]), EINVAL);
    CHECK_OK(sio_release(end.area, block, 256));
    endpoint_close(&end);
    for (int i = 0; i < 2; i++)
        CHECK(close(full[i]) == 0 && close(gone[i]) == 0);
    CHECK(close(pair[1]) == 0);
    return 0;
}
