/* ram_disk: a driver in the program, and what can become of a request to it. It is done at once, or
 * queued and done later by a thread of the driver's; it fails; it is cancelled because the
 * descriptor is closed; and many threads ask at the same time.
 *
 *     cc ram_disk.c $(pkg-config --cflags --libs sio) -o ram_disk && SIO_LOG=debug ./ram_disk
 */
#include <aio.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>

#include "ram_disk.h"

enum { DISK_BYTES = 1 << 20, SMALL = 512, LARGE = 4096, THREADS = 4, ROUNDS = 250 };

static struct ram_disk disk = {
    .bytes = DISK_BYTES, .immediate_bytes = SMALL, .latency_us = 200,
    .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
};

static void load(void)
{
    disk.last = &disk.first;
    disk.memory = calloc(1, DISK_BYTES);
    if (!disk.memory || pthread_create(&disk.worker, NULL, ram_disk_work, &disk) != 0)
        errx(1, "no memory or no thread for the driver");
    if (sio_device_register(&disk.device, "ram", &ram_disk_operations,
                            sizeof ram_disk_operations, &disk) < 0)
        err(1, "sio_device_register");
}

/* The driver's thread first: what it has not ended then, the library ends. */
static void unload(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.is_ending = true;
    pthread_cond_signal(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
    pthread_join(disk.worker, NULL);
    if (sio_device_unregister(disk.device) < 0)
        err(1, "sio_device_unregister");
    free(disk.memory);
}

static int open_disk(void)
{
    int fd = sio_device_open("ram", O_RDWR);
    if (fd < 0)
        err(1, "sio_device_open");
    return fd;
}

static void begin(struct aiocb *request, int fd, int operation, void *data, size_t size, off_t at)
{
    *request = (struct aiocb){ .aio_fildes = fd, .aio_buf = data, .aio_nbytes = size,
                               .aio_offset = at, .aio_sigevent.sigev_notify = SIGEV_NONE };
    if ((operation == LIO_READ ? aio_read(request) : aio_write(request)) < 0)
        err(1, "a request");
}

/* Waits for its end: 0 or the error. */
static int await(const struct aiocb *request)
{
    const struct aiocb *list[] = { request };
    while (aio_error(request) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    return aio_error(request);
}

static void show(const char *what, struct aiocb *request)
{
    int is_late = aio_error(request) == EINPROGRESS;
    int error = await(request);
    printf("%s: %zd, %s, %s\n", what, aio_return(request), is_late ? "later" : "at once",
           error ? strerror(error) : "no error");
}

/* Each thread has a part of the disk, writes it and reads it again. */
static void *exercise(void *number)
{
    size_t share = DISK_BYTES / THREADS, first = (size_t)(intptr_t)number * share;
    int fd = open_disk();
    char out[2 * LARGE], in[sizeof out];
    struct aiocb request;

    for (size_t round = 0; round < ROUNDS; round++) {
        size_t size = round % 2 ? SMALL - round : LARGE + round;
        off_t at = (off_t)(first + round * 997 % (share - sizeof out));
        memset(out, (int)(first + round), size);
        begin(&request, fd, LIO_WRITE, out, size, at);
        if (await(&request) != 0 || aio_return(&request) != (ssize_t)size)
            errx(1, "a write");
        begin(&request, fd, LIO_READ, in, size, at);
        if (await(&request) != 0 || memcmp(in, out, size) != 0)
            errx(1, "a read");
    }
    if (sio_device_close(fd) < 0)
        err(1, "sio_device_close");
    return NULL;
}

int main(void)
{
    static char data[8][LARGE];
    struct aiocb requests[8];
    pthread_t threads[THREADS];
    int cancelled = 0, fd;

    load();
    fd = open_disk();
    begin(&requests[0], fd, LIO_WRITE, data[0], SMALL, 0);
    show("immediate", &requests[0]);
    disk.latency_us = 20000;
    begin(&requests[0], fd, LIO_READ, data[0], LARGE, DISK_BYTES - 100);
    show("queued", &requests[0]);
    disk.bad_first = 8192;
    disk.bad_end = 8193;
    begin(&requests[0], fd, LIO_READ, data[0], LARGE, 8000);
    show("error", &requests[0]);
    begin(&requests[0], fd, LIO_WRITE, data[0], SMALL, DISK_BYTES);
    show("full", &requests[0]);

    disk.latency_us = 60 * 1000000;
    for (int i = 0; i < 8; i++)
        begin(&requests[i], fd, LIO_READ, data[i], LARGE, i * LARGE);
    if (sio_device_close(fd) < 0)
        err(1, "sio_device_close");
    for (int i = 0; i < 8; i++)
        cancelled += await(&requests[i]) == ECANCELED;
    printf("closed: %d cancelled\n", cancelled);

    disk.bad_end = 0;
    disk.latency_us = 200;
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, exercise, (void *)(intptr_t)i) != 0)
            errx(1, "no thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("threads: %ld queued, %ld cancelled\n", disk.queued, disk.cancelled);
    unload();
    return 0;
}
