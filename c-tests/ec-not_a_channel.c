/* Every call on a number that is no channel of this process fails with EBADF. */
#include "check.h"

static void all_refuse(ec_t ec, int fd, int listener)
{
    event_data_t event = user_event(0);
    struct timespec zero = { 0, 0 };
    struct itimerspec when = { { 0, 0 }, { 1, 0 } };
    CHECK_ERR(ec_next_event(ec, &event), EBADF);
    CHECK_ERR(ec_next_events(ec, &event, 1), EBADF);
    CHECK_ERR(ec_wait_events(ec, &event, 1, &zero, NULL), EBADF);
    CHECK_ERR(ec_wait_events(ec, &event, 1, NULL, NULL), EBADF);
    CHECK_ERR(ec_delay(ec, &zero), EBADF);
    CHECK_ERR(ec_delay(ec, NULL), EBADF);
    CHECK_ERR(ec_to_fd(ec), EBADF);
    CHECK_ERR(ec_post(ec, &event), EBADF);
    CHECK_ERR(ec_wake(ec, 1), EBADF);
    CHECK_ERR(ec_flush(ec), EBADF);
    CHECK_ERR(ec_add_fd(ec, fd, POLLIN, 0, 0), EBADF);
    CHECK_ERR(ec_add_timer(ec, CLOCK_MONOTONIC, &when, 0, 0), EBADF);
    CHECK_ERR(ec_add_accept(ec, listener, 0, 0), EBADF);
    CHECK_ERR(ec_add_socket(ec, fd, 0, 0), EBADF);
    CHECK_ERR(ec_modify(ec, 0, POLLIN, 0), EBADF);
    CHECK_ERR(ec_remove(ec, 0), EBADF);
    CHECK_ERR(ec_destroy(ec), EBADF);
}

int main(void)
{
    check_start();
    int pair[2], pipes[2];
    struct sockaddr_storage address;
    socklen_t length;
    pair_open(UNIX_STREAM, pair);
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    int listener = listener_open(TCP4, &address, &length);
    dma_mem_t area = area_new(1 << 16);
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));

    all_refuse(-1, pair[0], listener);
    all_refuse(INT_MIN, pair[0], listener);
    all_refuse(INT_MAX, pair[0], listener);
    all_refuse(1 << 20, pair[0], listener);
    all_refuse(pipes[0], pair[0], listener);
    all_refuse(pair[0], pair[0], listener);

    ec_t ec = channel_new(0);
    int copy = dup(ec);
    CHECK(copy >= 0);
    CHECK_OK(ec_destroy(ec));
    all_refuse(ec, pair[0], listener);
    CHECK(close(copy) == 0);
    CHECK_OK(sio_detach(pair[0]));
    CHECK_OK(dma_free(area, 1 << 16));
    return 0;
}
