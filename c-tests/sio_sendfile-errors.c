/* Each error of sio_sendfile; a call that fails sends nothing. */
#include "file.h"

static void refused(enum pair_kind kind, enum attach attach)
{
    int pair[2], ends[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    int sock = pair[0], file = file_new(1000);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK_ERR(sio_sendfile(sock, file, -1, 10, 0), EINVAL);
    CHECK_ERR(sio_sendfile(sock, file, 0, 0, 0), EINVAL);
    CHECK_ERR(sio_sendfile(sock, file, 0, (size_t)INT_MAX + 1, 0), EINVAL);
    CHECK_ERR(sio_sendfile(sock, file, INT64_MAX - 5, 10, 0), EOVERFLOW);
    CHECK_ERR(sio_sendfile(sock, file, 0, 10, SIO_RELEASE), EINVAL);
    CHECK_ERR(sio_sendfile(sock, file, 0, 10, MSG_MORE), EINVAL);
    CHECK_ERR(sio_sendfile(sock, file, 0, 10, 1 << 20), EINVAL);
    CHECK_ERR(sio_sendfile(sock, -1, 0, 10, 0), EBADF);
    CHECK_ERR(sio_sendfile(-1, file, 0, 10, 0), EBADF);
    CHECK_ERR(sio_sendfile(pair[1], file, 0, 10, 0), EINVAL);
    CHECK_ERR(sio_sendfile(sock, ends[0], 0, 10, 0), ESPIPE);
    CHECK_ERR(sio_sendfile(sock, ends[1], 0, 10, 0), ESPIPE);
    CHECK_ERR(sio_sendfile(sock, pair[1], 0, 10, 0), ESPIPE);
    int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(directory >= 0);
    CHECK_ERR(sio_sendfile(sock, directory, 0, 10, 0), EISDIR);
    CHECK(close(directory) == 0);
    int unreadable = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(unreadable >= 0);
    CHECK_ERR(sio_sendfile(sock, unreadable, 0, 10, 0), EBADF);
    CHECK(close(unreadable) == 0);
    check_silent(pair[1], 10);
    if (attach == ATTACHED)
        check_no_event(end.ec, 10);
    CHECK(close(file) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

static void not_a_stream(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    int file = file_new(1000);
    CHECK_ERR(sio_sendfile(pair[0], file, 0, 10, 0), EOPNOTSUPP);
    CHECK(close(file) == 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

/* No SIGPIPE, and one that waits for the program is left to it. */
static void broken_pipe(enum pair_kind kind, enum attach attach)
{
    for (int nonblocking = 0; nonblocking <= 1; nonblocking++) {
        int pair[2];
        CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
        pair_open(kind, pair);
        set_nonblocking(pair[0], nonblocking);
        struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
        int file = file_new(1000);
        CHECK(shutdown(pair[0], SHUT_WR) == 0);
        if (attach == ATTACHED) {
            CHECK_IS(sio_sendfile(pair[0], file, 0, 1000, SIO_QUIET), 1000);
            event_data_t event = event_wait_for(end.ec, EC_EV_SENT, pair[0]);
            CHECK(event.ev_result == -1 && event.ev_errno == EPIPE && event.ev_ptr == NULL);
        } else {
            CHECK_ERR(sio_sendfile(pair[0], file, 0, 1000, 0), EPIPE);
        }
        CHECK(close(file) == 0);
        endpoint_close(&end);
        CHECK(close(pair[1]) == 0);
    }
}

static void full_channel(void)
{
    int pair[2];
    pair_open(TCP4, pair);
    set_nonblocking(pair[0], 1);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    ec_t ec = channel_new(EC_CAPACITY(6));
    int source, accepted = 0, file = file_new(1000);
    CHECK_SET(source, ec_add_socket(ec, pair[0], 0, ENDPOINT_COOKIE));
    while (accepted < 10000 && sio_sendfile(pair[0], file, 0, 1000, 0) == 1000)
        accepted++;
    CHECK(errno == EAGAIN && accepted >= 32 && accepted < 10000);
    for (int i = 0; i < accepted; i++) {
        check_file_sent(ec, pair[0], 1000, 1000);
        read_pattern(pair[1], 1000, 0);
    }
    check_silent(pair[1], 10);
    CHECK(close(file) == 0);
    endpoint_close(&end);
    CHECK_OK(ec_destroy(ec));
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(STREAM_PAIRS, refused);
    each_pair_attached(MESSAGE_PAIRS, not_a_stream);
    each_pair_attached(STREAM_PAIRS, broken_pipe);
    full_channel();
    return 0;
}
