/*
 * sio_device_ready needs a descriptor for a moment to make others unreadable: EMFILE if there is
 * none; and it needs proc(5): EOPNOTSUPP without. Nothing is changed then. To make them readable,
 * or to say what is so already, needs neither.
 */
#include "device.h"

static short polled(int fd)
{
    struct pollfd one = { fd, POLLIN, 0 };
    CHECK(poll(&one, 1, 0) >= 0);
    return one.revents;
}

int main(void)
{
    static struct holder holder;
    struct rlimit limit, few;
    char directory[] = "/tmp/sio-no-proc-XXXXXX";

    check_start();
    sio_device_t device = holder_new("held", &holder);
    int fd = device_open("held", O_RDWR);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    few = limit;
    few.rlim_cur = 3;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK_OK(sio_device_ready(device, NULL, 0));
    CHECK_OK(sio_device_ready(device, NULL, POLLIN));
    CHECK_ERR(sio_device_ready(device, NULL, 0), EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(polled(fd) == POLLIN);
    CHECK_OK(sio_device_ready(device, NULL, 0));
    CHECK(polled(fd) == 0);

    CHECK(mkdtemp(directory) != NULL);
    if (chroot(directory) == -1) {
        CHECK(rmdir(directory) == 0);
        check_skip("not tested without /proc: not root");
    }
    CHECK_OK(sio_device_ready(device, NULL, 0));
    CHECK_OK(sio_device_ready(device, NULL, POLLIN));
    CHECK_ERR(sio_device_ready(device, NULL, 0), EOPNOTSUPP);
    CHECK(polled(fd) == POLLIN);
    CHECK_OK(sio_device_close(fd));
    CHECK(holder.released == 1);
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
