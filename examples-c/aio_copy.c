/* aio_copy: copies a file with lio_listio(3). Each list of requests writes the blocks that the list
 * before has read, and reads the next ones. At the end it compares the two files.
 *
 *     cc aio_copy.c $(pkg-config --cflags --libs sio) -o aio_copy && ./aio_copy FROM TO
 *
 * There is nothing of libsio's in it: the same program works without, with the C library's threads.
 */
#define _GNU_SOURCE
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCKS = 16, BLOCK_BYTES = 64 * 1024 };

/* Blocks that are read together, and then written together. */
struct batch {
    struct aiocb requests[BLOCKS];
    int count;
    char data[BLOCKS][BLOCK_BYTES];
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int check(int result, const char *call)
{
    if (result < 0)
        fail(call);
    return result;
}

/* Asks for the next blocks from *place on: none at the end. */
static void plan_reads(struct batch *batch, int fd, off_t *place, off_t end)
{
    for (batch->count = 0; batch->count < BLOCKS && *place < end; batch->count++) {
        struct aiocb *request = &batch->requests[batch->count];
        memset(request, 0, sizeof *request);
        request->aio_fildes = fd;
        request->aio_lio_opcode = LIO_READ;
        request->aio_buf = batch->data[batch->count];
        request->aio_nbytes = end - *place < BLOCK_BYTES ? (size_t)(end - *place) : BLOCK_BYTES;
        request->aio_offset = *place;
        request->aio_sigevent.sigev_notify = SIGEV_NONE;
        *place += (off_t)request->aio_nbytes;
    }
}

/* What has been read is written to the same place of the other file. */
static void plan_writes(struct batch *batch, int fd)
{
    for (int i = 0; i < batch->count; i++) {
        batch->requests[i].aio_fildes = fd;
        batch->requests[i].aio_lio_opcode = LIO_WRITE;
    }
}

/* Does both batches at once. */
static void run(struct batch *first, struct batch *second)
{
    struct aiocb *list[2 * BLOCKS];
    int count = 0;

    for (int i = 0; i < first->count; i++)
        list[count++] = &first->requests[i];
    for (int i = 0; i < second->count; i++)
        list[count++] = &second->requests[i];
    /* EIO says that one of them has failed, and each of them tells why. */
    if (lio_listio(LIO_WAIT, list, count, NULL) < 0 && errno != EIO)
        fail("lio_listio");
    for (int i = 0; i < count; i++) {
        errno = aio_error(list[i]);
        if (errno != 0)
            fail("a request");
        if (aio_return(list[i]) != (ssize_t)list[i]->aio_nbytes) {
            fputs("the file has changed, or the disk is full\n", stderr);
            exit(1);
        }
    }
}

/* Waits until the copy is on the disk. */
static void synchronize(int fd)
{
    struct aiocb request = { .aio_fildes = fd, .aio_sigevent.sigev_notify = SIGEV_NONE };
    const struct aiocb *list[] = { &request };

    check(aio_fsync(O_SYNC, &request), "aio_fsync");
    while (aio_error(&request) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    errno = aio_error(&request);
    /* Some files cannot be synchronized. */
    if (aio_return(&request) < 0 && errno != EINVAL)
        fail("aio_fsync");
}

static void compare(int from, int to, off_t end)
{
    static char left[BLOCK_BYTES], right[BLOCK_BYTES];

    for (off_t place = 0; place < end;) {
        ssize_t count = pread(from, left, sizeof left, place);
        if (count <= 0 || pread(to, right, (size_t)count, place) != count
            || memcmp(left, right, (size_t)count) != 0) {
            fprintf(stderr, "the copy differs after byte %lld\n", (long long)place);
            exit(1);
        }
        place += count;
    }
}

int main(int count, char **words)
{
    static struct batch batches[2];
    struct batch *written = &batches[0], *read = &batches[1];
    struct stat status;
    off_t place = 0;

    if (count != 3) {
        fputs("usage: aio_copy FROM TO\n", stderr);
        return 2;
    }
    int from = check(open(words[1], O_RDONLY | O_CLOEXEC), words[1]);
    int to = check(open(words[2], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), words[2]);
    check(fstat(from, &status), "fstat");
    do {
        plan_reads(read, from, &place, status.st_size);
        run(written, read);
        struct batch *next = written;
        written = read;
        read = next;
        plan_writes(written, to);
    } while (written->count > 0);
    synchronize(to);
    compare(from, to, status.st_size);
    printf("%lld bytes\n", (long long)status.st_size);
    return 0;
}
