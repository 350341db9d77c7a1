/*
 * Helpers of the tests of requests whose end a channel tells.
 */
#ifndef AIO_EVENT_H
#define AIO_EVENT_H

#include "aio.h"
#include "sigevent.h"

/* A control block for a transfer that a channel tells of. */
static inline struct aiocb aio_told(ec_t ec, uintptr_t cookie, int fd, void *buffer, size_t size)
{
    struct aiocb block = aio_block(fd, buffer, size, 0);
    block.aio_sigevent = to_channel(ec, cookie);
    return block;
}

/* An event that tells of this request, which has ended. Its result is -1 if it failed. */
static inline void check_told(const event_data_t *event, struct aiocb *block, int64_t result,
                              int error)
{
    CHECK(event->ev_type == EC_EV_AIO);
    CHECK(event->ev_ptr == block);
    CHECK(event->ev_fd == block->aio_fildes);
    CHECK(event->ev_cookie == (uintptr_t)block->aio_sigevent.sigev_value.sival_ptr);
    CHECK(event->ev_result == result);
    CHECK(event->ev_errno == error);
    CHECK(event->ev_flags == 0);
    CHECK(event->ev_len == 0);
    CHECK(event->ev_source == -1);
    CHECK(aio_error(block) == error);
    CHECK(aio_return(block) == result);
}

/* The next event has to tell of this request. */
static inline void check_next_told(ec_t ec, struct aiocb *block, int64_t result, int error)
{
    event_data_t event = event_wait(ec);
    check_told(&event, block, result, error);
}

static inline int count_threads(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/task");
    CHECK(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    CHECK(closedir(directory) == 0);
    return count;
}

#endif
