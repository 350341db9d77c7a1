/*
 * Helpers of the tests of asynchronous requests on sockets.
 */
#ifndef AIO_CB_H
#define AIO_CB_H

#include "aio_event.h"

/* A control block for a socket, without notification. */
static inline struct aio_cb cb_new(int sock, void *buffer, size_t size)
{
    struct aio_cb cb;
    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = sock;
    cb.aio_buf = buffer;
    cb.aio_nbytes = size;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    return cb;
}

/* One that a channel tells of. */
static inline struct aio_cb cb_told(ec_t ec, uintptr_t cookie, int sock, void *buffer, size_t size)
{
    struct aio_cb cb = cb_new(sock, buffer, size);
    cb.aio_sigevent = to_channel(ec, cookie);
    return cb;
}

#define CB_DONE(cb, result) CHECK_DONE(&(cb)->aiocb, result)
#define CB_FAILED(cb, error) CHECK_FAILED(&(cb)->aiocb, error)
#define CB_WAITS(cb) \
    do { \
        sleep_ms(10); \
        CHECK(aio_error(&(cb)->aiocb) == EINPROGRESS); \
    } while (0)

/* Little room between the two, so that large sends have to wait. */
static inline void make_narrow(const int pair[2])
{
    int size = 65536;
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
}

#endif
