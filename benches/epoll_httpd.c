/* epoll_httpd: what examples-c/httpd.c does, written with epoll, read and writev, to be compared
 * with it: the same requests and the same output. All files are sent from memory.
 *
 * Every socket is registered once, edge-triggered, for both directions; a short read and a short
 * write say that the next event is to be waited for, which spares the call that would fail with
 * EAGAIN. Head and body leave in one writev.
 *
 *     cc -O2 epoll_httpd.c -o epoll_httpd && ./epoll_httpd /usr/share/doc 8080
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../examples-c/http_response.h"

enum {
    DESCRIPTORS = 65536,
    BATCH = 64,
    FILES = 1024,
    PIECE_BYTES = 256 << 10,
    CACHE_MIB = 64,
    SPARE_BYTES = 16 << 20 /* of the memory that HTTPD_AREA_MIB allows, what is not for files */
};

struct file {
    char *path, *content;
    long long size;
    struct timespec modified;
    time_t checked;       /* looked at again once in a second */
    unsigned users;       /* responses of which a part is still to be written */
    unsigned long used;
};

struct connection {
    struct file *file;    /* the body: a file in memory, ... */
    int fd;               /* ... or an open one, read in pieces */
    char *piece;
    long long piece_at;   /* of the file, where the piece begins */
    size_t piece_size;
    long long at, end;    /* of the file, what is left of the body */
    size_t head_at, head_size, request_size;
    bool last;            /* the response is the last one: more requests are not looked at */
    bool ended;           /* the client sends no more */
    bool readable;        /* a read may find something */
    bool hung_up;         /* the end is in sight: a short read does not mean that all is read */
    char head[HTTP_RESPONSE_MAX], request[HTTP_REQUEST_MAX];
};

static struct connection *connections[DESCRIPTORS]; /* by descriptor */
static struct file files[FILES];                    /* by a hash of the path */
static long long files_bytes, files_bytes_max;
static unsigned long files_used;
static unsigned long long requests, accepted, bytes_written, bytes_read;

static int check(int result, const char *call)
{
    if (result < 0)
        err(1, "%s", call);
    return result;
}

static bool read_file(int fd, char *to, size_t size, long long from)
{
    ssize_t n = 1;

    bytes_read += size;
    for (size_t done = 0; done < size && n > 0; done += (size_t)n)
        n = pread(fd, to + done, size - done, (off_t)(from + (long long)done));
    return n > 0; /* not when the file has become shorter meanwhile */
}

static void drop_file(struct file *f)
{
    files_bytes -= f->size;
    free(f->path);
    free(f->content);
    memset(f, 0, sizeof *f);
}

static bool load_file(struct file *f, const char *path, int fd, const struct stat *st)
{
    if (f->path)
        drop_file(f);
    if (st->st_size == 0 || st->st_size > files_bytes_max)
        return false;
    while (files_bytes + st->st_size > files_bytes_max) { /* the least recently used has to go */
        struct file *oldest = NULL;
        for (struct file *i = files; i < files + FILES; i++)
            if (i->path && i->users == 0 && (!oldest || i->used < oldest->used))
                oldest = i;
        if (!oldest)
            return false;
        drop_file(oldest);
    }
    char *content = malloc((size_t)st->st_size), *copy = strdup(path);
    if (!content || !copy || !read_file(fd, content, (size_t)st->st_size, 0)) {
        free(content);
        free(copy);
        return false;
    }
    *f = (struct file){copy, content, st->st_size, st->st_mtim, 0, 0, 0};
    files_bytes += f->size;
    return true;
}

/* Finds a file for the connection. Returns the status of the response and the size of the file. */
static int open_file(struct connection *c, const char *path, long long *size)
{
    struct stat st;
    unsigned hash = 0;

    for (const char *p = path; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
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
        if (!known && (f->users > 0 || !load_file(f, path, fd, &st))) {
            c->fd = fd;
            *size = st.st_size;
            return 200;
        }
        close(fd);
        f->checked = time(NULL);
    }
    c->file = f;
    f->users++;
    f->used = ++files_used;
    *size = f->size;
    return 200;
}

static void close_file(struct connection *c)
{
    if (c->file)
        c->file->users--;
    if (c->fd >= 0)
        close(c->fd);
    c->file = NULL;
    c->fd = -1;
    c->piece_at = 0;
    c->piece_size = 0;
}

static void drop(int sock)
{
    struct connection *c = connections[sock];

    close_file(c);
    close(sock); /* which takes it out of the epoll set */
    free(c->piece);
    free(c);
    connections[sock] = NULL;
}

/* Sees to it that the piece at c->at is in memory. */
static bool fill_piece(struct connection *c)
{
    long long left = c->end - c->at;

    if (c->at < c->piece_at + (long long)c->piece_size)
        return true;
    if (!c->piece && !(c->piece = malloc(PIECE_BYTES)))
        return false;
    c->piece_at = c->at;
    c->piece_size = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
    return read_file(c->fd, c->piece, c->piece_size, c->at);
}

/* Writes what is left of the response. Returns 1 when all is written, 0 when the socket is full,
 * -1 on failure. */
static int write_response(int sock, struct connection *c)
{
    while (c->head_at < c->head_size || c->at < c->end) {
        struct iovec iov[2] = {{c->head + c->head_at, c->head_size - c->head_at}, {NULL, 0}};
        if (c->at < c->end && c->file) {
            iov[1].iov_base = c->file->content + c->at;
            iov[1].iov_len = (size_t)(c->end - c->at);
        } else if (c->at < c->end) {
            if (!fill_piece(c))
                return -1;
            iov[1].iov_base = c->piece + (c->at - c->piece_at);
            iov[1].iov_len = c->piece_size - (size_t)(c->at - c->piece_at);
        }
        ssize_t n = iov[0].iov_len ? writev(sock, iov, 2)
                                   : write(sock, iov[1].iov_base, iov[1].iov_len);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        bytes_written += (size_t)n;
        size_t of_head = (size_t)n < iov[0].iov_len ? (size_t)n : iov[0].iov_len;
        c->head_at += of_head;
        c->at += n - (ssize_t)of_head;
        if ((size_t)n < iov[0].iov_len + iov[1].iov_len)
            return 0; /* full: EPOLLOUT tells when it is no more */
    }
    return 1;
}

/* Prepares the response to the next request; false when that has not come yet. */
static bool answer(struct connection *c)
{
    struct http_request r;
    long long size = 0;
    size_t used = http_parse(c->request, c->request_size, &r);

    if (used == 0)
        return false;
    if (r.status == 200 && (r.status = open_file(c, r.path, &size)) == 200)
        http_range(&r, size);
    c->head_at = 0;
    c->head_size = http_head(c->head, &r, size, time(NULL));
    c->at = r.first;
    c->end = r.head ? r.first : r.end;
    c->last = r.close;
    c->request_size -= used;
    memmove(c->request, c->request + used, c->request_size);
    requests++;
    return true;
}

/* Returns false when there is nothing to be read now. */
static bool read_request(int sock, struct connection *c)
{
    size_t room = HTTP_REQUEST_MAX - c->request_size;
    ssize_t n = c->readable ? read(sock, c->request + c->request_size, room) : -1;

    if (!c->readable || (n < 0 && errno == EAGAIN)) {
        c->readable = false;
        return false;
    }
    c->ended = n <= 0;
    c->readable = (size_t)n == room || c->hung_up;
    c->request_size += n > 0 && !c->last ? (size_t)n : 0;
    return true;
}

/* Goes on after any event. False when the connection is to be closed. */
static bool go_on(int sock, struct connection *c)
{
    while (!c->ended) {
        int written = write_response(sock, c);
        if (written <= 0)
            return written == 0;
        close_file(c);
        if (c->last)
            shutdown(sock, SHUT_WR); /* closing at once could destroy what is under way */
        else if (answer(c))
            continue;
        if (!read_request(sock, c))
            return true;
    }
    return false;
}

static void accept_all(int set, int listener)
{
    int sock;

    while ((sock = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
        struct connection *c = sock < DESCRIPTORS ? malloc(sizeof *c) : NULL;
        e.data.fd = sock;
        if (!c || epoll_ctl(set, EPOLL_CTL_ADD, sock, &e) < 0) {
            free(c);
            close(sock);
            continue;
        }
        *c = (struct connection){.fd = -1};
        connections[sock] = c;
        accepted++;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t address_size = sizeof address;
    const char *mib = getenv("HTTPD_AREA_MIB");
    struct epoll_event events[BATCH], e = {.events = EPOLLIN};
    sigset_t stop;
    bool running = true;

    if (argc < 2)
        errx(2, "usage: epoll_httpd DIRECTORY [PORT]");
    files_bytes_max = (mib && atoi(mib) > 0 ? atoi(mib) : CACHE_MIB) * (1LL << 20);
    files_bytes_max -= files_bytes_max / 2 < SPARE_BYTES ? files_bytes_max / 2 : SPARE_BYTES;
    check(chdir(argv[1]), argv[1]);
    address.sin_port = htons((uint16_t)(argc > 2 ? atoi(argv[2]) : 8080));
    int listener = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
    check(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), "setsockopt");
    check(setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), "setsockopt");
    check(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    check(listen(listener, SOMAXCONN), "listen");
    check(getsockname(listener, (struct sockaddr *)&address, &address_size), "getsockname");

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    check(sigprocmask(SIG_BLOCK, &stop, NULL), "sigprocmask");
    int stopped = check(signalfd(-1, &stop, SFD_CLOEXEC), "signalfd");
    int set = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    e.data.fd = listener;
    check(epoll_ctl(set, EPOLL_CTL_ADD, listener, &e), "epoll_ctl");
    e.data.fd = stopped;
    check(epoll_ctl(set, EPOLL_CTL_ADD, stopped, &e), "epoll_ctl");
    printf("listening on port %d\n", ntohs(address.sin_port));
    fflush(stdout);

    while (running) {
        int n = epoll_wait(set, events, BATCH, -1);
        check(n < 0 && errno != EINTR ? -1 : 0, "epoll_wait");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            struct connection *c = connections[fd];
            if (fd == stopped)
                running = false;
            else if (fd == listener)
                accept_all(set, listener);
            else if (c) {
                c->hung_up |= (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
                c->readable |= c->hung_up || (events[i].events & EPOLLIN);
                if (!go_on(fd, c))
                    drop(fd);
            }
        }
    }
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        if (connections[fd])
            drop(fd);
    for (struct file *f = files; f < files + FILES; f++)
        if (f->path)
            drop_file(f);
    close(listener);
    close(stopped);
    close(set);
    printf("{\"engine\": \"epoll and writev\", \"requests\": %llu, \"bytes\": %llu, "
           "\"copied_bytes\": %llu, \"connections\": %llu, \"read_bytes\": %llu}\n",
           requests, bytes_written, bytes_written, accepted, bytes_read);
    return 0;
}
