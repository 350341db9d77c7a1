/*
 * SIGEV_EC with what is no channel of this process or thread refuses the request; the block tells
 * the same error.
 */
#include "aio_event.h"

static ec_t single;

static void refused(ec_t ec, int error)
{
    char buffer[10] = "";
    int file = memfd_create("aio", MFD_CLOEXEC);
    CHECK(file >= 0);
    struct aiocb block = aio_told(ec, 1, file, buffer, sizeof buffer);
    struct aiocb *list[] = { &block };
    struct sigevent how = to_channel(ec, 2);
    CHECK_ERR(aio_read(&block), error);
    CHECK(aio_error(&block) == error);
    CHECK(aio_return(&block) == -1);
    CHECK_ERR(aio_write(&block), error);
    CHECK_ERR(aio_fsync(O_SYNC, &block), error);
    block.aio_lio_opcode = LIO_WRITE;
    CHECK_ERR(lio_listio(LIO_NOWAIT, list, 1, NULL), error);
    CHECK_ERR(lio_listio(LIO_WAIT, list, 1, NULL), error);
    CHECK(aio_error(&block) == error);
    /* The list's own: nothing of it is begun. */
    block.aio_sigevent.sigev_notify = SIGEV_NONE;
    CHECK_ERR(lio_listio(LIO_NOWAIT, list, 1, &how), error);
    struct stat status;
    CHECK(fstat(file, &status) == 0 && status.st_size == 0);
    /* Nobody is told when the caller waits. */
    CHECK_OK(lio_listio(LIO_WAIT, list, 1, &how));
    CHECK(fstat(file, &status) == 0 && status.st_size == sizeof buffer);
    CHECK(close(file) == 0);
}

static void *intruder(void *nothing)
{
    refused(single, EPERM);
    return nothing;
}

int main(void)
{
    check_start();
    static const int numbers[] = { -1, INT_MIN, INT_MAX, STDERR_FILENO, 12345 };
    ec_t ec = channel_new(0);
    single = channel_new(EC_SINGLE);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        refused(numbers[i], EBADF);
    thread_end(thread_start(intruder, NULL));
    pid_t child = child_start();
    if (child == 0) {
        refused(ec, EPERM);
        exit(0);
    }
    child_end(child);
    check_no_event(ec, 10);
    check_no_event(single, 10);
    CHECK_OK(ec_destroy(single));
    CHECK_OK(ec_destroy(ec));
    refused(ec, EBADF);
    return 0;
}
