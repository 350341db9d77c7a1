/*
 * A terminal: a read waits for a line and gets one line; two reads get their lines in order; a read
 * that waits can be cancelled; what is written comes out at the other side.
 */
#include "aio.h"

static int terminal_open(int *master)
{
    int slave;
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0)
        check_skip("no pseudoterminals: %s", strerror(errno));
    CHECK(grantpt(*master) == 0 && unlockpt(*master) == 0);
    CHECK((slave = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC)) >= 0);
    return slave;
}

int main(void)
{
    char first[100], second[100], out[] = "hello";
    int master, terminal;

    check_start();
    terminal = terminal_open(&master);
    struct aiocb reading = aio_block(terminal, first, sizeof first, 0);
    struct aiocb behind = aio_block(terminal, second, sizeof second, 0);
    struct aiocb writing = aio_block(terminal, out, 5, 0);

    CHECK_OK(aio_read(&reading));
    CHECK_OK(aio_read(&behind));
    CHECK(write(master, "li", 2) == 2);
    sleep_ms(5);
    CHECK_IS(aio_error(&reading), EINPROGRESS);
    CHECK(write(master, "ne\nnext\n", 8) == 8);
    CHECK_DONE(&reading, 5);
    CHECK(memcmp(first, "line\n", 5) == 0);
    CHECK_DONE(&behind, 5);
    CHECK(memcmp(second, "next\n", 5) == 0);

    CHECK_OK(aio_read(&reading));
    CHECK_IS(aio_cancel(terminal, &reading), AIO_CANCELED);
    CHECK_IS(aio_error(&reading), ECANCELED);
    CHECK(write(master, "kept\n", 5) == 5);
    CHECK(read(terminal, first, sizeof first) == 5);

    CHECK_OK(aio_write(&writing));
    CHECK_DONE(&writing, 5);
    return 0;
}
