/*
 * A driver for the tests of devices in the program: it keeps what it is asked for until the test
 * says what is to become of it.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include "aio.h"

#include <sio_driver.h>

#define HELD_MAX 4096

struct holder {
    pthread_mutex_t lock;
    struct sio_kiocb *held[HELD_MAX];    /* in the order in which they came */
    int count;
    _Atomic int opened, released, cancels;
    _Atomic int refuses_cancel;          /* what the driver answers, if not 0 */
};

static inline ssize_t holder_begin(struct sio_kiocb *kiocb)
{
    struct holder *holder = kiocb->ki_device;
    pthread_mutex_lock(&holder->lock);
    CHECK(holder->count < HELD_MAX);
    holder->held[holder->count++] = kiocb;
    pthread_mutex_unlock(&holder->lock);
    return SIO_QUEUED;
}

/* Takes one out: the request, or NULL if it is not there. */
static inline struct sio_kiocb *holder_take(struct holder *holder, struct sio_kiocb *kiocb)
{
    struct sio_kiocb *found = NULL;
    pthread_mutex_lock(&holder->lock);
    for (int i = 0; i < holder->count && !found; i++) {
        if (!kiocb || holder->held[i] == kiocb) {
            found = holder->held[i];
            memmove(&holder->held[i], &holder->held[i + 1],
                    (size_t)(holder->count - i - 1) * sizeof *holder->held);
            holder->count--;
        }
    }
    pthread_mutex_unlock(&holder->lock);
    return found;
}

/* The request that came first, which is the test's now. */
static inline struct sio_kiocb *holder_next(struct holder *holder)
{
    struct sio_kiocb *kiocb;
    while (!(kiocb = holder_take(holder, NULL)))
        sched_yield();
    return kiocb;
}

static inline int holder_count(struct holder *holder)
{
    pthread_mutex_lock(&holder->lock);
    int count = holder->count;
    pthread_mutex_unlock(&holder->lock);
    return count;
}

static inline int holder_cancel(struct sio_kiocb *kiocb)
{
    struct holder *holder = kiocb->ki_device;
    holder->cancels++;
    if (holder->refuses_cancel)
        return holder->refuses_cancel;
    return holder_take(holder, kiocb) ? 0 : -EBUSY;
}

static inline int holder_open(struct sio_file *file)
{
    struct holder *holder = file->sf_device;
    holder->opened++;
    return 0;
}

static inline void holder_release(struct sio_file *file)
{
    struct holder *holder = file->sf_device;
    holder->released++;
}

static const struct sio_device_operations holder_operations = {
    .read = holder_begin,
    .write = holder_begin,
    .fsync = holder_begin,
    .cancel = holder_cancel,
    .open = holder_open,
    .release = holder_release,
};

static inline sio_device_t device_new(const char *name,
                                      const struct sio_device_operations *operations,
                                      void *context)
{
    sio_device_t device = 0;
    CHECK_OK(sio_device_register(&device, name, operations, sizeof *operations, context));
    CHECK(device != 0);
    return device;
}

static inline sio_device_t holder_new(const char *name, struct holder *holder)
{
    memset(holder, 0, sizeof *holder);
    holder->lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    return device_new(name, &holder_operations, holder);
}

static inline int device_open(const char *name, int flags)
{
    int fd;
    CHECK_SET(fd, sio_device_open(name, flags));
    return fd;
}

/* Waits until something is so that another thread brings about. */
#define AWAIT(condition) \
    do { \
        while (!(condition)) \
            sleep_ms(1); \
    } while (0)

#endif
