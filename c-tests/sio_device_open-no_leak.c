/*
 * Opening and closing devices leaves nothing behind: no descriptor, and no thread once a moment
 * has passed; also where the driver refuses, and with requests under way.
 */
#include "device.h"

static struct holder holder;

static int count(const char *directory)
{
    DIR *entries = opendir(directory);
    int number = 0;
    CHECK(entries != NULL);
    while (readdir(entries))
        number++;
    closedir(entries);
    return number;
}

static int refuse(struct sio_file *file)
{
    (void)file;
    return -EBUSY;
}

int main(void)
{
    static const struct sio_device_operations refusing = { .open = refuse };
    char buffer[4];
    sio_device_t device, other;
    struct aiocb block;
    int before = 0;

    check_start();
    device = holder_new("held", &holder);
    other = device_new("refusing", &refusing, NULL);
    for (int i = 0; i < 200; i++) {
        int fd = device_open("held", O_RDWR);
        block = aio_block(fd, buffer, 4, 0);
        CHECK_OK(aio_read(&block));
        CHECK_ERR(sio_device_open("refusing", O_RDWR), EBUSY);
        if (i % 2) {
            CHECK_OK(sio_device_close(fd));
        } else {
            CHECK(close(fd) == 0);
            AWAIT(holder.released == i + 1);
        }
        CHECK_FAILED(&block, ECANCELED);
        AWAIT(i < 10 || count("/proc/self/fd") == before);
        before = count("/proc/self/fd");
    }
    CHECK(holder.released == 200);
    AWAIT(count("/proc/self/task") == 3);
    CHECK_OK(sio_device_unregister(device));
    CHECK_OK(sio_device_unregister(other));
    return 0;
}
