/*
 * sio_device_open: EFAULT for a null name, ENOENT for one that no device has, EINVAL for flags that
 * mean nothing, EMFILE when descriptors run out, and what the driver's open function says. A failed
 * call opens nothing. What no errno value says is EIO.
 */
#include "device.h"

static int answer;

static int refuse(struct sio_file *file)
{
    (void)file;
    return answer;
}

static const struct sio_device_operations refusing = { .open = refuse };

int main(void)
{
    struct holder holder;
    struct rlimit few, limit;
    sio_device_t device = holder_new("held", &holder), other;
    int fd;

    check_start();
    other = device_new("refusing", &refusing, NULL);
    CHECK_ERR(sio_device_open(NULL, O_RDWR), EFAULT);
    CHECK_ERR(sio_device_open("", O_RDWR), ENOENT);
    CHECK_ERR(sio_device_open("hel", O_RDWR), ENOENT);
    CHECK_ERR(sio_device_open("held", O_RDWR | O_APPEND), EINVAL);
    CHECK_ERR(sio_device_open("held", O_RDWR | O_CREAT), EINVAL);
    CHECK_ERR(sio_device_open("held", O_WRONLY | O_RDWR), EINVAL);
    CHECK_ERR(sio_device_open("held", -1), EINVAL);
    CHECK(holder.opened == 0);

    answer = -EBUSY;
    CHECK_ERR(sio_device_open("refusing", O_RDWR), EBUSY);
    answer = -4711;
    CHECK_ERR(sio_device_open("refusing", O_RDWR), EIO);
    answer = 3;
    CHECK_ERR(sio_device_open("refusing", O_RDWR), EIO);
    answer = INT_MIN;
    CHECK_ERR(sio_device_open("refusing", O_RDWR), EIO);
    answer = 0;
    fd = device_open("refusing", O_RDWR);
    CHECK_OK(sio_device_close(fd));

    fd = device_open("held", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK_OK(sio_device_close(fd));
    fd = device_open("held", O_RDONLY);
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    few = limit;
    few.rlim_cur = (rlim_t)fd + 2;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK_ERR(sio_device_open("held", O_RDWR), EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(holder.opened == 2 && holder.released == 1);
    CHECK_OK(sio_device_close(fd));

    CHECK_OK(sio_device_unregister(device));
    CHECK_OK(sio_device_unregister(other));
    CHECK_ERR(sio_device_open("held", O_RDWR), ENOENT);
    return 0;
}
