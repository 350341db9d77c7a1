/*
 * aio_cancel asks the driver: AIO_CANCELED for what it gives back, which ends with ECANCELED,
 * AIO_NOTCANCELED for what it keeps, which goes on, AIO_ALLDONE for what has ended meanwhile. All
 * of a descriptor are those that were asked for by its number. A driver without a function for it
 * keeps everything.
 */
#include "device.h"

#define COUNT 6

static struct holder holder;
static char buffer[4];

static void check_cancelled(int fd)
{
    struct aiocb blocks[COUNT];
    int other = dup(fd);

    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(i == 5 ? other : fd, buffer, 4, i);
        CHECK_OK(i % 2 ? aio_read(&blocks[i]) : aio_write(&blocks[i]));
    }
    CHECK_ERR(aio_cancel(other, &blocks[0]), EINVAL);
    CHECK_IS(aio_cancel(fd, &blocks[2]), AIO_CANCELED);
    CHECK_FAILED(&blocks[2], ECANCELED);
    CHECK_IS(aio_cancel(fd, &blocks[2]), AIO_ALLDONE);
    CHECK(holder_count(&holder) == COUNT - 1 && holder.cancels == 1);
    CHECK_OK(sio_complete(holder_next(&holder), 4));
    CHECK_DONE(&blocks[0], 4);
    CHECK_IS(aio_cancel(fd, NULL), AIO_CANCELED);
    for (int i = 1; i < COUNT - 1; i++) {
        if (i != 2)
            CHECK_FAILED(&blocks[i], ECANCELED);
    }
    CHECK_IS(aio_cancel(fd, NULL), AIO_ALLDONE);
    CHECK(aio_error(&blocks[5]) == EINPROGRESS);
    CHECK_IS(aio_cancel(other, NULL), AIO_CANCELED);
    CHECK_FAILED(&blocks[5], ECANCELED);
    CHECK(holder_count(&holder) == 0);
    CHECK(close(other) == 0);
}

static void check_kept(int fd)
{
    struct aiocb blocks[2];
    static const int answers[] = { -EBUSY, SIO_QUEUED, 1 };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        blocks[0] = aio_block(fd, buffer, 4, 0);
        blocks[1] = aio_block(fd, buffer, 4, 0);
        CHECK_OK(aio_read(&blocks[0]));
        CHECK_OK(aio_write(&blocks[1]));
        holder.refuses_cancel = answers[i];
        CHECK_IS(aio_cancel(fd, &blocks[0]), AIO_NOTCANCELED);
        CHECK_IS(aio_cancel(fd, NULL), AIO_NOTCANCELED);
        CHECK(aio_error(&blocks[0]) == EINPROGRESS);
        /* A driver may have said that it will see to it. */
        CHECK_OK(sio_complete(holder_next(&holder), -ECANCELED));
        CHECK_FAILED(&blocks[0], ECANCELED);
        CHECK_OK(sio_complete(holder_next(&holder), 2));
        CHECK_DONE(&blocks[1], 2);
        holder.refuses_cancel = 0;
    }
}

/* Ended by the driver while it is asked for it. */
static ssize_t last_result;
static int last_answer;

static int end_it(struct sio_kiocb *kiocb)
{
    CHECK_OK(sio_complete(holder_take(&holder, kiocb), last_result));
    return last_answer;
}

static void check_ended_meanwhile(void)
{
    static const struct { ssize_t result; int answer, fate; } cases[] = {
        { 4, -EBUSY, AIO_ALLDONE }, { 4, 0, AIO_ALLDONE }, { -EIO, 0, AIO_ALLDONE },
        { -ECANCELED, 0, AIO_CANCELED }, { -ECANCELED, -EBUSY, AIO_CANCELED },
    };
    struct sio_device_operations operations = holder_operations;
    operations.cancel = end_it;
    sio_device_t device = device_new("ends", &operations, &holder);
    int fd = device_open("ends", O_RDWR);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct aiocb block = aio_block(fd, buffer, 4, 0);
        last_result = cases[i].result;
        last_answer = cases[i].answer;
        CHECK_OK(aio_read(&block));
        CHECK_IS(aio_cancel(fd, &block), cases[i].fate);
        CHECK(aio_return(&block) == (last_result < 0 ? -1 : last_result));
    }
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(device));
}

static void check_no_function(void)
{
    struct sio_device_operations operations = holder_operations;
    operations.cancel = NULL;
    sio_device_t device = device_new("keeps", &operations, &holder);
    int fd = device_open("keeps", O_RDWR);
    struct aiocb block = aio_block(fd, buffer, 4, 0);

    CHECK_OK(aio_read(&block));
    CHECK_IS(aio_cancel(fd, NULL), AIO_NOTCANCELED);
    CHECK_OK(sio_complete(holder_next(&holder), 4));
    CHECK_DONE(&block, 4);
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(device));
}

int main(void)
{
    check_start();
    sio_device_t device = holder_new("held", &holder);
    int fd = device_open("held", O_RDWR);
    check_cancelled(fd);
    check_kept(fd);
    check_ended_meanwhile();
    check_no_function();
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(device));
    return 0;
}
