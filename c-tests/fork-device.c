/*
 * In a child the parent's devices do not exist: EPERM from every call on them, also for the
 * requests of the parent, which goes on. The child can have devices of its own, under the same
 * name. As long as it has the descriptor, closing it in the parent is not seen.
 */
#include "device.h"

static struct holder holder;

static void check_child(sio_device_t device, int fd, struct sio_kiocb *kiocb)
{
    char buffer[4];
    struct holder own;
    ec_t ec = ec_create(0);
    struct aiocb block = aio_block(fd, buffer, 4, 0), *list[] = { &block };

    CHECK_ERR(sio_device_open("held", O_RDWR), EPERM);
    CHECK_ERR(sio_device_close(fd), EPERM);
    CHECK_ERR(sio_device_unregister(device), EPERM);
    CHECK_ERR(sio_device_ready(device, NULL, POLLIN), EPERM);
    CHECK_ERR(sio_complete(kiocb, 4), EPERM);
    CHECK_ERR(aio_read(&block), EPERM);
    CHECK(aio_error(&block) == EPERM && aio_return(&block) == -1);
    CHECK_ERR(aio_write(&block), EPERM);
    CHECK_ERR(aio_fsync(O_SYNC, &block), EPERM);
    CHECK_ERR(aio_cancel(fd, NULL), EPERM);
    CHECK_ERR(ec_add_fd(ec, fd, POLLIN, EC_EDGE, 0), EPERM);
    CHECK_ERR(ec_add_fd(ec, fd, POLLIN, 0, 0), EPERM);
    CHECK_OK(ec_destroy(ec));
    block.aio_lio_opcode = LIO_READ;
    CHECK_ERR(lio_listio(LIO_WAIT, list, 1, NULL), EIO);
    CHECK(aio_error(&block) == EPERM);

    sio_device_t mine = holder_new("held", &own);
    CHECK(mine != device);
    int other = device_open("held", O_RDWR);
    CHECK_ERR(aio_read(&block), EPERM);
    block.aio_fildes = other;
    CHECK_OK(aio_read(&block));
    CHECK_OK(sio_complete(holder_next(&own), 4));
    CHECK_DONE(&block, 4);
    CHECK_OK(aio_read(&block));
    CHECK(close(other) == 0);
    CHECK_FAILED(&block, ECANCELED);
    AWAIT(own.released == 1);
    CHECK_OK(sio_device_unregister(mine));
    CHECK_ERR(sio_device_open("held", O_RDWR), EPERM);
}

int main(void)
{
    char buffer[4];
    int gate[2], status;
    struct aiocb block;
    pid_t child;

    check_start();
    CHECK(pipe(gate) == 0);
    sio_device_t device = holder_new("held", &holder);
    int fd = device_open("held", O_RDWR);
    block = aio_block(fd, buffer, 4, 0);
    CHECK_OK(aio_read(&block));
    CHECK((child = fork()) >= 0);
    if (child == 0) {
        check_start();
        check_child(device, fd, holder.held[0]);
        CHECK(close(gate[1]) == 0);
        CHECK(read(gate[0], buffer, 1) == 0);
        _exit(0);
    }
    CHECK(close(fd) == 0);
    sleep_ms(20);
    CHECK(aio_error(&block) == EINPROGRESS && holder.released == 0);
    CHECK(close(gate[1]) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK_FAILED(&block, ECANCELED);
    AWAIT(holder.released == 1);
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
