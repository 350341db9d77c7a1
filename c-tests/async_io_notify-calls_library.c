/* No lock is held while a callback runs: it may call any function of the library, and fork. */
#include "check.h"

static int first[2], second[2];
static struct endpoint end;
static _Atomic int runs;

static void never(int fd, void *context)
{
    (void)context;
    check_fail(__FILE__, __LINE__, "%d was taken back", fd);
}

static void use_everything(int fd, void *context)
{
    event_data_t event;
    void *piece;
    (void)context;
    CHECK(fd == end.sock);
    CHECK_OK(async_io_notify(second[0], never, NULL));
    CHECK_OK(async_io_cancel(second[0]));
    CHECK_ERR(async_io_cancel(fd), EALREADY);
    CHECK_ERR(async_io_pause(), EDEADLK);

    CHECK(event_wait_for(end.ec, EC_EV_RECV, fd).ev_result == 5);
    CHECK_IS(sio_recv(fd, &piece, 100, MSG_DONTWAIT), 5);
    CHECK_IS(sio_send(fd, piece, 5, SIO_RELEASE), 5);
    CHECK(event_wait_for(end.ec, EC_EV_SENT, fd).ev_result == 5);
    ec_t own = channel_new(0);
    post_user(own, 7);
    CHECK(event_wait(own).ev_cookie == 7);
    CHECK_OK(ec_destroy(own));

    pid_t child = child_start();
    if (child == 0) {
        CHECK_ERR(ec_next_event(end.ec, &event), EPERM);
        CHECK_ERR(async_io_cancel(second[0]), ENOENT);
        own = channel_new(0);
        CHECK_OK(ec_destroy(own));
        /* Its only thread ends: so does the process. */
        return;
    }
    child_end(child);
    CHECK_OK(ec_destroy(end.ec));
    end.ec = -1;
    atomic_fetch_add(&runs, 1);
}

int main(void)
{
    check_start();
    pair_open(TCP4, first);
    CHECK(pipe(second) == 0);
    CHECK(write(second[1], "x", 1) == 1);
    end = endpoint_open(first[0], 1 << 20, ATTACHED);
    CHECK_OK(async_io_notify(first[0], use_everything, NULL));
    write_pattern(first[1], 5, 0);
    CHECK_OK(async_io_pause());
    CHECK(atomic_load(&runs) == 1);
    read_pattern(first[1], 5, 0);
    endpoint_close(&end);
    return 0;
}
