/* Files for httpd, found by their path: small ones in memory, to be copied behind the head of a
 * response, others open, to be sent from the page cache. Who is answering from one keeps it.
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

/* SMALL_BYTES: up to here copying costs less than the calls that spare it. */
enum { FILES = 256, SMALL_BYTES = 16 << 10 };

struct file {
    char *path, *content; /* content: of a small one */
    int fd;               /* of another one */
    unsigned users;       /* the table, and bodies of which a part is still to be handed over */
    time_t checked;       /* looked at again once in a second */
    struct stat status;
};

/* What is left to be sent of a response. */
struct body {
    struct file *file;
    long long at, end;
};

static struct file *files[FILES]; /* by a hash of the path */
static long long files_bytes_read;

static void files_let_go(struct file *f)
{
    if (!f || --f->users > 0)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->content);
    free(f->path);
    free(f);
}

static bool files_read(int fd, char *to, size_t size)
{
    ssize_t n = 1;

    files_bytes_read += (long long)size;
    for (size_t done = 0; done < size && n > 0; done += (size_t)n)
        n = pread(fd, to + done, size - done, (off_t)done);
    return n > 0; /* not when the file has become shorter meanwhile */
}

/* Takes over an open file. */
static struct file *files_new(const char *path, int fd, const struct stat *status)
{
    struct file *f = calloc(1, sizeof *f);
    const size_t size = (size_t)status->st_size;

    if (!f) {
        close(fd);
        return NULL;
    }
    *f = (struct file){.path = strdup(path), .fd = fd, .users = 1, .status = *status};
    bool good = f->path;
    if (good && size > 0 && size <= SMALL_BYTES) {
        f->content = malloc(size);
        good = f->content && files_read(fd, f->content, size);
        close(fd);
        f->fd = -1;
    }
    if (good)
        return f;
    files_let_go(f);
    return NULL;
}

static bool files_is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
           memcmp(&a->st_mtim, &b->st_mtim, sizeof a->st_mtim) == 0;
}

/* Finds a file for `body`. Returns the status of the response and the size of the file. */
static int files_open(struct body *body, const char *path, long long *size)
{
    struct stat status;
    unsigned hash = 0;

    for (const char *c = path; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    struct file **place = &files[hash % FILES];
    bool known = *place && strcmp((*place)->path, path) == 0;
    if (!known || (*place)->checked != time(NULL)) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is not to be waited for */
        if (fd < 0)
            return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG ? 404 : 403;
        if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
            close(fd);
            return 403;
        }
        if (known && files_is_same(&status, &(*place)->status)) {
            close(fd);
        } else {
            files_let_go(*place);
            if (!(*place = files_new(path, fd, &status)))
                return 403;
        }
        (*place)->checked = time(NULL);
    }
    body->file = *place;
    body->file->users++;
    *size = body->file->status.st_size;
    return 200;
}

/* Puts a small body to where its head ends. Returns how many bytes that were. */
static size_t files_copy(struct body *body, char *to)
{
    size_t size = (size_t)(body->end - body->at);

    if (size == 0 || !body->file->content)
        return 0;
    memcpy(to, body->file->content + body->at, size);
    body->at = body->end;
    return size;
}

static void files_close(struct body *body)
{
    files_let_go(body->file);
    *body = (struct body){0};
}

#endif
