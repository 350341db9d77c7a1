/*
 * A channel made with EC_SINGLE, and the sockets in it, are the creating thread's: any other gets
 * EPERM from every call, and nothing happens.
 */
#include "check.h"

static struct endpoint end;
static int listener, other, source;
static void *block;

static void *intruder(void *argument)
{
    event_data_t event = user_event(0);
    struct timespec zero = { 0, 0 };
    struct itimerspec when = { { 0, 0 }, { 1, 0 } };
    struct msghdr message = { 0 };
    struct iovec part = { block, 1 };
    const void *constant = NULL;
    void *piece = NULL;
    (void)argument;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    CHECK_ERR(ec_next_event(end.ec, &event), EPERM);
    CHECK_ERR(ec_next_events(end.ec, &event, 1), EPERM);
    CHECK_ERR(ec_wait_events(end.ec, &event, 1, &zero, NULL), EPERM);
    CHECK_ERR(ec_delay(end.ec, &zero), EPERM);
    CHECK_ERR(ec_to_fd(end.ec), EPERM);
    CHECK_ERR(ec_post(end.ec, &event), EPERM);
    CHECK_ERR(ec_wake(end.ec, 1), EPERM);
    CHECK_ERR(ec_flush(end.ec), EPERM);
    CHECK_ERR(ec_add_fd(end.ec, other, POLLIN, 0, 0), EPERM);
    CHECK_ERR(ec_add_timer(end.ec, CLOCK_MONOTONIC, &when, 0, 0), EPERM);
    CHECK_ERR(ec_add_accept(end.ec, listener, 0, 0), EPERM);
    CHECK_ERR(ec_add_socket(end.ec, end.sock, 0, 0), EPERM);
    CHECK_ERR(ec_modify(end.ec, source, POLLIN, 0), EPERM);
    CHECK_ERR(ec_remove(end.ec, source), EPERM);
    CHECK_ERR(ec_destroy(end.ec), EPERM);
    CHECK_ERR(sio_send(end.sock, block, 1, 0), EPERM);
    CHECK_ERR(sio_sendto(end.sock, block, 1, 0, NULL, 0), EPERM);
    CHECK_ERR(sio_sendmsg(end.sock, &message, sizeof message, 0), EPERM);
    CHECK_ERR(sio_recv(end.sock, &piece, 1, MSG_DONTWAIT), EPERM);
    CHECK_ERR(sio_recvfrom(end.sock, &constant, 1, MSG_DONTWAIT, NULL, 0), EPERM);
    CHECK_ERR(sio_recvmsg(end.sock, &constant, sizeof message, MSG_DONTWAIT), EPERM);
    CHECK_ERR(dma_disassoc(end.sock, end.area, 0), EPERM);
    CHECK_ERR(sio_detach(end.sock), EPERM);
    return NULL;
}

int main(void)
{
    check_start();
    int pair[2];
    struct sockaddr_storage address;
    socklen_t length;
    pair_open(UNIX_STREAM, pair);
    other = pair[1];
    listener = listener_open(TCP4, &address, &length);
    end = endpoint_open(pair[0], 1 << 16, ALONE);
    end.ec = channel_new(EC_SINGLE);
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 1));
    CHECK_SET(source, ec_add_fd(end.ec, listener, POLLIN, 0, 2));
    block = block_new(end.area, 64);
    pattern_fill(block, 64, 0);

    thread_end(thread_start(intruder, NULL));

    /* Nothing happened, and the creator goes on. */
    check_silent(other, 0);
    post_user(end.ec, 3);
    CHECK(event_wait(end.ec).ev_cookie == 3);
    endpoint_send(&end, block, 64, 0);
    read_pattern(other, 64, 0);
    CHECK_OK(sio_release(end.area, block, 64));
    endpoint_close(&end);
    return 0;
}
