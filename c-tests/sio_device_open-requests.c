/*
 * A driver that ends requests at once: aio_read, aio_write, aio_fsync and lio_listio reach it with
 * position, buffer and contexts, and give what it answers, also at offsets beyond 4 GiB. Errors are
 * the negative of errno values; what is no result is EIO. A descriptor that is not open for it is
 * EBADF, an operation that the driver does not have EINVAL.
 */
#include "device.h"

#define BASE ((int64_t)5 << 30)

static char memory[64];
static ssize_t answer;
static int answers;    /* what it answers does not come from the memory */
static struct sio_kiocb seen;
static struct iovec piece;

static ssize_t transfer(struct sio_kiocb *kiocb)
{
    size_t at = (size_t)(kiocb->ki_pos - BASE);
    seen = *kiocb;
    if (kiocb->ki_iovcnt)
        piece = kiocb->ki_iov[0];
    errno = EPERM;    /* means nothing */
    if (answers)
        return answer;
    if (kiocb->ki_operation == SIO_KI_READ)
        memcpy(piece.iov_base, memory + at, kiocb->ki_bytes);
    else if (kiocb->ki_operation == SIO_KI_WRITE)
        memcpy(memory + at, piece.iov_base, kiocb->ki_bytes);
    return (ssize_t)kiocb->ki_bytes;
}

static int opening(struct sio_file *file)
{
    file->sf_private = file;
    return file->sf_device == memory && !(file->sf_flags & O_CLOEXEC) ? 0 : -EINVAL;
}

static const struct sio_device_operations all = {
    .read = transfer, .write = transfer, .fsync = transfer, .open = opening,
};
static const struct sio_device_operations no_reads = { .write = transfer };

static void check_transfers(int fd)
{
    char in[8] = "", out[8] = "written";
    struct aiocb block = aio_block(fd, out, 8, BASE + 5);

    CHECK_OK(aio_write(&block));
    CHECK(aio_error(&block) == 0);
    CHECK_DONE(&block, 8);
    CHECK(memcmp(memory + 5, "written", 8) == 0);
    CHECK(seen.ki_operation == SIO_KI_WRITE && seen.ki_pos == BASE + 5 && seen.ki_bytes == 8);
    CHECK(seen.ki_iovcnt == 1 && piece.iov_base == out && piece.iov_len == 8);
    CHECK(seen.ki_device == memory && seen.ki_flags == 0);
    CHECK(seen.ki_file && seen.ki_file->sf_private == seen.ki_file);
    for (int i = 0; i < 8; i++)
        CHECK(seen.ki_private[i] == NULL);

    block = aio_block(fd, in, 7, BASE + 6);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 7);
    CHECK(memcmp(in, "ritten", 7) == 0);
    CHECK(seen.ki_operation == SIO_KI_READ);

    CHECK_OK(aio_fsync(O_SYNC, &block));
    CHECK_DONE(&block, 0);
    CHECK(seen.ki_operation == SIO_KI_FSYNC && seen.ki_flags == 0);
    CHECK(seen.ki_iovcnt == 0 && seen.ki_bytes == 0);
    CHECK_OK(aio_fsync(O_DSYNC, &block));
    CHECK_DONE(&block, 0);
    CHECK(seen.ki_flags == SIO_KI_DATASYNC);

    block = aio_block(fd, in, 0, BASE);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 0);
    CHECK(seen.ki_iovcnt == 1 && seen.ki_bytes == 0);
    block = aio_block(fd, in, 8, -1);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EINVAL);
}

static void check_answers(int fd)
{
    static const struct { ssize_t answer; int error; } cases[] = {
        { 8, 0 }, { 3, 0 }, { 0, 0 }, { -EIO, EIO }, { -1, EPERM }, { -ENOSPC, ENOSPC },
        { -ECANCELED, ECANCELED }, { 9, EIO }, { -EINPROGRESS, EIO }, { -4711, EIO },
        { SSIZE_MAX, EIO }, { -SSIZE_MAX - 1, EIO },
    };
    char in[8];

    answers = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct aiocb block = aio_block(fd, in, 8, BASE);
        answer = cases[i].answer;
        CHECK_OK(aio_read(&block));
        if (cases[i].error)
            CHECK_FAILED(&block, cases[i].error);
        else
            CHECK_DONE(&block, answer);
    }
    answers = 0;
}

int main(void)
{
    char in[8];
    struct aiocb block, *list[] = { &block };
    sio_device_t device, other;
    int fd;

    check_start();
    device = device_new("memory", &all, memory);
    other = device_new("no reads", &no_reads, NULL);
    fd = device_open("memory", O_RDWR);
    check_transfers(fd);
    check_answers(fd);
    block = aio_block(fd, in, 8, BASE);
    block.aio_lio_opcode = LIO_READ;
    CHECK_OK(lio_listio(LIO_WAIT, list, 1, NULL));
    CHECK_DONE(&block, 8);
    CHECK_OK(sio_device_close(fd));

    fd = device_open("memory", O_RDONLY);
    block = aio_block(fd, in, 8, BASE);
    CHECK_OK(aio_write(&block));
    CHECK_FAILED(&block, EBADF);
    CHECK_OK(sio_device_close(fd));
    fd = device_open("memory", O_WRONLY);
    block = aio_block(fd, in, 8, BASE);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EBADF);
    CHECK_OK(sio_device_close(fd));
    fd = device_open("no reads", O_RDWR);
    block = aio_block(fd, in, 8, BASE);
    CHECK_OK(aio_read(&block));
    CHECK_FAILED(&block, EINVAL);
    CHECK_OK(aio_fsync(O_SYNC, &block));
    CHECK_FAILED(&block, EINVAL);
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(device));
    CHECK_OK(sio_device_unregister(other));
    return 0;
}
