/*
 * The first device that is opened needs a thread: EAGAIN if none is to be had. Nothing is opened
 * then, and the driver not asked. With one it works.
 */
#include "device.h"

int main(void)
{
    static struct holder holder;
    struct rlimit limit, none;
    char buffer[4];

    check_start();
    become_nobody();
    sio_device_t device = holder_new("held", &holder);
    int next = dup(0);
    CHECK(next >= 0 && close(next) == 0);
    CHECK(getrlimit(RLIMIT_NPROC, &limit) == 0);
    none = limit;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NPROC, &none) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0) {
        child_end(child);
        check_skip("no limit on threads here");
    }
    for (int i = 0; i < 3; i++)
        CHECK_ERR(sio_device_open("held", O_RDWR), EAGAIN);
    CHECK(holder.opened == 0);
    int again = dup(0);
    CHECK(again == next && close(again) == 0);

    CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    int fd = device_open("held", O_RDWR);
    struct aiocb block = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK(close(fd) == 0);
    CHECK_FAILED(&block, ECANCELED);
    AWAIT(holder.released == 1);
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
