/*
 * A child has no requests of its parent's: whatever it does, the parent is told, once. The child
 * may have channels and requests of its own.
 */
#include "aio_event.h"

int main(void)
{
    check_start();
    char in[16], out[16] = "";
    int ends[2], own[2];
    ec_t ec = channel_new(0);
    pair_open(UNIX_STREAM, ends);
    struct aiocb block = aio_told(ec, 1, ends[0], in, sizeof in);
    CHECK_OK(aio_read(&block));
    pid_t child = child_start();
    if (child == 0) {
        event_data_t event;
        CHECK_ERR(ec_next_event(ec, &event), EPERM);
        ec_t other = channel_new(0);
        pair_open(UNIX_STREAM, own);
        struct aiocb request = aio_told(other, 2, own[0], out, sizeof out);
        CHECK_OK(aio_read(&request));
        CHECK(write(own[1], "child", 5) == 5);
        check_next_told(other, &request, 5, 0);
        check_no_event(other, 10);
        CHECK_OK(ec_destroy(other));
        exit(0);
    }
    child_end(child);
    check_no_event(ec, 10);
    CHECK(write(ends[1], "parent", 6) == 6);
    check_next_told(ec, &block, 6, 0);
    check_no_event(ec, 10);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
