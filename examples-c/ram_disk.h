/* A driver: a disk in memory, which can be slow and have a bad place. Small requests are done at
 * once; others wait in a queue for their time, and a thread of the driver's ends them. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sio_driver.h>

struct ram_disk {
    char *memory;
    int64_t bytes;
    size_t immediate_bytes;       /* larger requests are queued */
    long latency_us;              /* and take so long */
    int64_t bad_first, bad_end;   /* what touches this place fails */
    /* From here on the driver's own. */
    sio_device_t device;
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct sio_kiocb *first, **last;
    bool is_ending;
    long queued, cancelled;
};

enum { NEXT, DUE_US };    /* what the driver keeps in a request */

static struct sio_kiocb **next_of(struct sio_kiocb *kiocb)
{
    return (struct sio_kiocb **)&kiocb->ki_private[NEXT];
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Does a request: its result. */
static ssize_t ram_disk_transfer(struct sio_kiocb *kiocb)
{
    struct ram_disk *disk = kiocb->ki_device;
    int64_t at = kiocb->ki_pos, end = disk->bytes;
    ssize_t done = 0;

    if (at >= end)
        return kiocb->ki_operation == SIO_KI_READ ? 0 : -ENOSPC;
    for (size_t i = 0; i < kiocb->ki_iovcnt && at < end; i++) {
        size_t some = kiocb->ki_iov[i].iov_len;
        if (end - at < (int64_t)some)
            some = (size_t)(end - at);
        if (at < disk->bad_end && at + (int64_t)some > disk->bad_first)
            return -EIO;
        if (kiocb->ki_operation == SIO_KI_READ)
            memcpy(kiocb->ki_iov[i].iov_base, disk->memory + at, some);
        else
            memcpy(disk->memory + at, kiocb->ki_iov[i].iov_base, some);
        at += (int64_t)some;
        done += (ssize_t)some;
    }
    return done;
}

static ssize_t ram_disk_begin(struct sio_kiocb *kiocb)
{
    struct ram_disk *disk = kiocb->ki_device;

    if (kiocb->ki_bytes <= disk->immediate_bytes)
        return ram_disk_transfer(kiocb);
    pthread_mutex_lock(&disk->lock);
    kiocb->ki_private[DUE_US] = (void *)(intptr_t)(now_us() + disk->latency_us);
    *disk->last = kiocb;
    disk->last = next_of(kiocb);
    disk->queued++;
    pthread_cond_signal(&disk->changed);
    pthread_mutex_unlock(&disk->lock);
    return SIO_QUEUED;
}

/* What is still in the queue can be taken back; what the worker has cannot. */
static int ram_disk_cancel(struct sio_kiocb *kiocb)
{
    struct ram_disk *disk = kiocb->ki_device;
    int answer = -EBUSY;

    pthread_mutex_lock(&disk->lock);
    for (struct sio_kiocb **place = &disk->first; *place; place = next_of(*place)) {
        if (*place != kiocb)
            continue;
        *place = *next_of(kiocb);
        if (disk->last == next_of(kiocb))
            disk->last = place;
        disk->cancelled++;
        answer = 0;
        break;
    }
    pthread_mutex_unlock(&disk->lock);
    return answer;
}

static void *ram_disk_work(void *argument)
{
    struct ram_disk *disk = argument;

    pthread_mutex_lock(&disk->lock);
    while (!disk->is_ending) {
        struct sio_kiocb *kiocb = disk->first;
        int64_t due = kiocb ? (int64_t)(intptr_t)kiocb->ki_private[DUE_US] : INT64_MAX;
        struct timespec until = { due / 1000000, due % 1000000 * 1000 };
        if (!kiocb) {
            pthread_cond_wait(&disk->changed, &disk->lock);
        } else if (due > now_us()) {
            pthread_cond_timedwait(&disk->changed, &disk->lock, &until);
        } else {
            disk->first = *next_of(kiocb);
            if (!disk->first)
                disk->last = &disk->first;
            pthread_mutex_unlock(&disk->lock);
            sio_complete(kiocb, ram_disk_transfer(kiocb));
            pthread_mutex_lock(&disk->lock);
        }
    }
    pthread_mutex_unlock(&disk->lock);
    return NULL;
}

static const struct sio_device_operations ram_disk_operations = {
    .read = ram_disk_begin,
    .write = ram_disk_begin,
    .cancel = ram_disk_cancel,
};
