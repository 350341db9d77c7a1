/*
 * Helpers of the tests of asynchronous requests.
 */
#ifndef AIO_H
#define AIO_H

#include "check.h"

#include <aio.h>
#include <sys/mman.h>

/* A file without a name, that anybody may read and write, opened with these flags too. */
static inline int aio_file(int flags)
{
    char path[] = "/tmp/sio-aio-XXXXXX";
    int fd = mkostemp(path, flags);
    CHECK(fd >= 0);
    CHECK(unlink(path) == 0);
    return fd;
}

/* A control block for a transfer, without notification. */
static inline struct aiocb aio_block(int fd, void *buffer, size_t size, off_t offset)
{
    struct aiocb block;
    memset(&block, 0, sizeof block);
    block.aio_fildes = fd;
    block.aio_buf = buffer;
    block.aio_nbytes = size;
    block.aio_offset = offset;
    block.aio_sigevent.sigev_notify = SIGEV_NONE;
    return block;
}

/* The same, with a signal that carries the block's address. */
static inline struct aiocb aio_block_told(int fd, void *buffer, size_t size, off_t offset,
                                          int number)
{
    struct aiocb block = aio_block(fd, buffer, size, offset);
    block.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    block.aio_sigevent.sigev_signo = number;
    return block;
}

/* Whether requests go to a ring: not if io_uring is refused, nor with the other engine. */
static inline int aio_has_ring(void)
{
    const char *engine = getenv("SIO_ENGINE");
    return engine != NULL && strcmp(engine, "io_uring") == 0;
}

/* Threads of this process. */
static inline int aio_threads(void)
{
    DIR *directory = opendir("/proc/self/task");
    int count = 0;
    if (directory == NULL)
        check_skip("no /proc");
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    CHECK(closedir(directory) == 0);
    return count;
}

/* Waits for the end of a request. */
static inline int aio_await(const struct aiocb *block)
{
    const struct aiocb *list[] = { block };
    int error;
    while ((error = aio_error(block)) == EINPROGRESS)
        CHECK(aio_suspend(list, 1, NULL) == 0 || errno == EINTR);
    return error;
}

/* A request that has to end well, with this result. */
#define CHECK_DONE(block, result) \
    do { \
        CHECK((errno = aio_await(block)) == 0); \
        CHECK_IS(aio_return(block), (result)); \
    } while (0)

/* A request that has to fail like this. */
#define CHECK_FAILED(block, error) \
    do { \
        CHECK((errno = aio_await(block)) == (error)); \
        CHECK(aio_return(block) == -1); \
    } while (0)

#endif
