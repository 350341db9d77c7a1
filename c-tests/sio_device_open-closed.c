/*
 * close(2) is noticed: when no descriptor of an opening is left, whether it was the first or came
 * from dup(2) or dup3(2), what is pending is cancelled through the driver, as its notification
 * tells, and the driver's release function is called. The number that means something else then is
 * not the device's.
 */
#include "device.h"

static struct holder holder;
static char buffer[4];

static void check_end(int fd, struct aiocb *block)
{
    *block = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(block));
}

int main(void)
{
    struct aiocb block, other;
    sigset_t set;
    siginfo_t info;
    sio_device_t device;
    int fd, same, file = aio_file(0);

    check_start();
    CHECK(pwrite(file, "file", 4, 0) == 4);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    device = holder_new("held", &holder);

    fd = device_open("held", O_RDWR);
    check_end(fd, &block);
    CHECK(close(fd) == 0);
    CHECK_FAILED(&block, ECANCELED);
    AWAIT(holder.released == 1);

    /* A duplicate keeps it open. */
    fd = device_open("held", O_RDWR);
    CHECK((same = fcntl(fd, F_DUPFD_CLOEXEC, 100)) >= 100);
    check_end(fd, &block);
    CHECK(close(fd) == 0);
    sleep_ms(10);
    CHECK(aio_error(&block) == EINPROGRESS && holder.released == 1);
    check_end(same, &other);
    CHECK(close(same) == 0);
    CHECK_FAILED(&block, ECANCELED);
    CHECK_FAILED(&other, ECANCELED);
    AWAIT(holder.released == 2);

    /* Another file takes the number, and the signal comes without a call. */
    fd = device_open("held", O_RDWR);
    block = aio_block(fd, buffer, 4, 0);
    block.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    block.aio_sigevent.sigev_signo = SIGRTMIN + 1;
    CHECK_OK(aio_read(&block));
    CHECK(dup3(file, fd, O_CLOEXEC) == fd);
    other = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&other));
    CHECK_DONE(&other, 4);
    CHECK(memcmp(buffer, "file", 4) == 0);
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
    CHECK_FAILED(&block, ECANCELED);
    AWAIT(holder.released == 3);
    CHECK_ERR(sio_device_close(fd), EINVAL);
    CHECK(close(fd) == 0);

    /* A pipe does, which is what a device's descriptor looks like. */
    int pair[2];
    fd = device_open("held", O_RDWR);
    CHECK(pipe(pair) == 0);
    CHECK(dup2(pair[0], fd) == fd);
    other = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&other));
    CHECK(write(pair[1], "pipe", 4) == 4);
    CHECK_DONE(&other, 4);
    CHECK(close(fd) == 0);
    AWAIT(holder.released == 4);
    CHECK(holder_count(&holder) == 0);
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
