/* Files in DMA memory, for httpd: each is read once, into one block, and this block is what all
 * clients are sent. They are found by their path; the least recently used give way to others.
 * What does not fit is left open, to be sent in pieces.
 */
#ifndef HTTPD_FILES_H
#define HTTPD_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <sio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* COPIED_BYTES_MAX: up to here copying costs less than one more piece to be sent. */
enum { FILES = 1024, COPIED_BYTES_MAX = 4096 };

struct file {
    char *path, *block;
    long long size;
    struct timespec modified;
    time_t checked; /* looked at again once in a second */
    unsigned users; /* bodies of which a part is still to be handed over */
    unsigned long used;
};

/* What is left to be sent of a response: of a file in memory, or of an open one. */
struct body {
    struct file *file;
    int fd;
    long long at, end;
};

static struct file files[FILES]; /* by a hash of the path */
static dma_mem_t area;
static long long files_bytes, files_bytes_max, files_bytes_read;
static unsigned long files_used;

static bool files_read(int fd, char *to, size_t size, long long from)
{
    ssize_t n = 1;

    files_bytes_read += (long long)size;
    for (size_t done = 0; done < size && n > 0; done += (size_t)n)
        n = pread(fd, to + done, size - done, (off_t)(from + (long long)done));
    return n > 0; /* not when the file has become shorter meanwhile */
}

/* A block may be released while it is sent: it is free when the last send has completed. */
static void files_drop(struct file *f)
{
    sio_release(area, f->block, (size_t)f->size);
    files_bytes -= f->size;
    free(f->path);
    memset(f, 0, sizeof *f);
}

static bool files_load(struct file *f, const char *path, int fd, const struct stat *st)
{
    void *block;

    if (f->path)
        files_drop(f);
    if (st->st_size == 0 || st->st_size > files_bytes_max)
        return false;
    while (files_bytes + st->st_size > files_bytes_max) { /* the least recently used has to go */
        struct file *oldest = NULL;
        for (struct file *i = files; i < files + FILES; i++)
            if (i->path && i->users == 0 && (!oldest || i->used < oldest->used))
                oldest = i;
        if (!oldest)
            return false;
        files_drop(oldest);
    }
    if (sio_reserve(area, &block, (size_t)st->st_size) < 0)
        return false;
    char *copy = strdup(path);
    if (!copy || !files_read(fd, block, (size_t)st->st_size, 0)) {
        free(copy);
        sio_release(area, block, (size_t)st->st_size);
        return false;
    }
    *f = (struct file){copy, block, st->st_size, st->st_mtim, 0, 0, 0};
    files_bytes += f->size;
    return true;
}

/* Finds a file for `body`. Returns the status of the response and the size of the file. */
static int files_open(struct body *body, const char *path, long long *size)
{
    struct stat st;
    unsigned hash = 0;

    for (const char *c = path; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    struct file *f = &files[hash % FILES];
    bool known = f->path && strcmp(f->path, path) == 0;
    if (!known || f->checked != time(NULL)) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is not to be waited for */
        if (fd < 0)
            return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG ? 404 : 403;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
            close(fd);
            return 403;
        }
        known = known && f->size == st.st_size &&
                memcmp(&st.st_mtim, &f->modified, sizeof st.st_mtim) == 0;
        if (!known && (f->users > 0 || !files_load(f, path, fd, &st))) {
            body->fd = fd;
            *size = st.st_size;
            return 200;
        }
        close(fd);
        f->checked = time(NULL);
    }
    body->file = f;
    f->users++;
    f->used = ++files_used;
    *size = f->size;
    return 200;
}

/* Puts a small body in memory to where its head ends. Returns how many bytes that were. */
static size_t files_copy(struct body *body, char *to)
{
    size_t size = (size_t)(body->end - body->at);

    if (!body->file || size > COPIED_BYTES_MAX)
        return 0;
    memcpy(to, body->file->block + body->at, size);
    body->at = body->end;
    return size;
}

static void files_close(struct body *body)
{
    if (body->file)
        body->file->users--;
    if (body->fd >= 0)
        close(body->fd);
    *body = (struct body){.fd = -1};
}

#endif
