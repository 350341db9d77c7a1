/* aio_loop: reads or writes blocks at random places of a file for some seconds, so many at a time.
 * Built twice: with the C library's asynchronous requests, and with libsio's.
 *
 *     aio_loop aio|sync FILE read|write direct|buffered DEPTH SECONDS
 *
 * sync: with pread(2) and pwrite(2), one at a time.
 */
#include "../bench.h"

#include <aio.h>

enum { BLOCK_BYTES = 4096, DEPTH_MAX = 1024, LOOK_AT_CLOCK = 64 };

static int file, is_write;
static unsigned long long blocks, place = 88172645463325252u;

/* Xorshift: where the next one goes. */
static off_t next_offset(void)
{
    place ^= place << 13;
    place ^= place >> 7;
    place ^= place << 17;
    return (off_t)(place % blocks * BLOCK_BYTES);
}

static void begin(struct aiocb *request)
{
    request->aio_offset = next_offset();
    check(is_write ? aio_write(request) : aio_read(request), "aio_read or aio_write");
}

static unsigned long long with_requests(char *buffers, int depth, double seconds)
{
    static struct aiocb requests[DEPTH_MAX];
    static const struct aiocb *list[DEPTH_MAX];
    unsigned long long count = 0;

    for (int i = 0; i < depth; i++) {
        requests[i].aio_fildes = file;
        requests[i].aio_buf = buffers + (size_t)i * BLOCK_BYTES;
        requests[i].aio_nbytes = BLOCK_BYTES;
        requests[i].aio_sigevent.sigev_notify = SIGEV_NONE;
        list[i] = &requests[i];
        begin(&requests[i]);
    }
    double end = now() + seconds;
    for (bool running = true; running;) {
        bool found = false;
        for (int i = 0; i < depth; i++) {
            int error = aio_error(&requests[i]);
            if (error == EINPROGRESS)
                continue;
            if (error != 0 || aio_return(&requests[i]) != BLOCK_BYTES)
                errx(1, "a request has failed: %s", strerror(error));
            found = true;
            if (++count % LOOK_AT_CLOCK == 0 && now() >= end)
                running = false;
            begin(&requests[i]);
        }
        if (!found)
            check(aio_suspend(list, depth, NULL), "aio_suspend");
    }
    for (int i = 0; i < depth; i++)
        while (aio_error(&requests[i]) == EINPROGRESS)
            check(aio_suspend(&list[i], 1, NULL), "aio_suspend");
    return count;
}

static unsigned long long with_calls(char *buffer, double seconds)
{
    unsigned long long count = 0;

    for (double end = now() + seconds; count % LOOK_AT_CLOCK != 0 || now() < end; count++) {
        off_t offset = next_offset();
        ssize_t n = is_write ? pwrite(file, buffer, BLOCK_BYTES, offset)
                             : pread(file, buffer, BLOCK_BYTES, offset);
        if (n != BLOCK_BYTES)
            err(1, "pread or pwrite");
    }
    return count;
}

int main(int argc, char **argv)
{
    if (argc < 7)
        errx(2, "usage: aio_loop aio|sync FILE read|write direct|buffered DEPTH SECONDS");
    int depth = atoi(argv[5]), flags = strcmp(argv[4], "direct") == 0 ? O_DIRECT : 0;
    double seconds = atof(argv[6]);
    if (depth < 1 || depth > DEPTH_MAX)
        errx(2, "a depth of 1 to %d", DEPTH_MAX);
    is_write = strcmp(argv[3], "write") == 0;
    file = check(open(argv[2], O_RDWR | O_CLOEXEC | flags), argv[2]);
    blocks = (unsigned long long)lseek(file, 0, SEEK_END) / BLOCK_BYTES;
    char *buffers = aligned_alloc(BLOCK_BYTES, (size_t)depth * BLOCK_BYTES);
    if (buffers == NULL || blocks == 0)
        errx(1, "no memory, or an empty file");
    memset(buffers, 'x', (size_t)depth * BLOCK_BYTES);
    wait_for_go();
    bool sync = strcmp(argv[1], "sync") == 0;
    unsigned long long count =
        sync ? with_calls(buffers, seconds) : with_requests(buffers, depth, seconds);
    done(count, count * BLOCK_BYTES);
}
