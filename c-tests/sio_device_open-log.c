/*
 * SIO_LOG=debug tells what becomes of each request: received, queued, completed, failed, cancelled,
 * with the request's address, the operation, the bytes and the position. Without it nothing is
 * said.
 */
#include "device.h"

static struct holder holder;

static void make_requests(void)
{
    char buffer[16];
    struct aiocb block;
    sio_device_t device = holder_new("held", &holder);
    int fd = device_open("held", O_RDWR);

    block = aio_block(fd, buffer, 16, 4096);
    CHECK_OK(aio_read(&block));
    printf("%p\n", (void *)holder.held[0]);
    CHECK_OK(sio_complete(holder_next(&holder), 12));
    block = aio_block(fd, buffer, 8, 1);
    CHECK_OK(aio_write(&block));
    CHECK_OK(sio_complete(holder_next(&holder), -EIO));
    CHECK_OK(aio_fsync(O_SYNC, &block));
    CHECK_IS(aio_cancel(fd, NULL), AIO_CANCELED);
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(device));
}

/* Runs this program again: what it writes to standard output, then to standard error. */
static void run(const char *self, const char *level, char *text, size_t size)
{
    int pair[2], status;
    size_t count = 0;
    ssize_t some;

    CHECK(pipe(pair) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(dup2(pair[1], 1) == 1 && dup2(pair[1], 2) == 2);
        CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
        CHECK(setenv("SIO_LOG", level, 1) == 0);
        execl(self, self, "requests", (char *)NULL);
        _exit(1);
    }
    CHECK(close(pair[1]) == 0);
    while ((some = read(pair[0], text + count, size - count - 1)) > 0)
        count += (size_t)some;
    text[count] = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(close(pair[0]) == 0);
}

int main(int argc, char **argv)
{
    static const char *const told[] = {
        ": read, 16 bytes at 4096: received\n", ": read, 16 bytes at 4096: queued\n",
        ": read, 16 bytes at 4096: completed: 12\n", ": write, 8 bytes at 1: received\n",
        ": write, 8 bytes at 1: queued\n", ": write, 8 bytes at 1: failed: EIO",
        ": fsync, 0 bytes at 0: received\n", ": fsync, 0 bytes at 0: queued\n",
        ": fsync, 0 bytes at 0: cancelled\n",
    };
    char text[4096], start[64];
    void *address;

    check_start();
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1) {
        make_requests();
        return 0;
    }
    run(argv[0], "info", text, sizeof text);
    CHECK(strstr(text, "device") == NULL);
    run(argv[0], "debug", text, sizeof text);
    CHECK(sscanf(strstr(text, "\n0x") + 1, "%p", &address) == 1);
    snprintf(start, sizeof start, "libsio: debug: device held: kiocb %p: read, 16", address);
    CHECK(strstr(text, start) != NULL);
    const char *rest = text;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        rest = strstr(rest, told[i]);
        if (!rest)
            check_fail(__FILE__, __LINE__, "no \"%s\" in\n%s", told[i], text);
    }
    return 0;
}
