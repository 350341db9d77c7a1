/*
 * A channel tells of the ends of requests to devices (SIGEV_EC): of those that the driver ends at
 * once, of those that another thread ends while a thread waits on the channel, of those that are
 * cancelled because the descriptor is closed, and of lists.
 */
#include "device.h"

#define COUNT 20

static struct holder holder;
static char buffer[8];

static struct sigevent channel_event(ec_t ec, uint64_t cookie)
{
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_EC;
    event.sigev_ec = ec;
    event.sigev_value.sival_ptr = (void *)(uintptr_t)cookie;
    return event;
}

static void begin(struct aiocb *block, int fd, ec_t ec, uint64_t cookie)
{
    *block = aio_block(fd, buffer, 8, 0);
    block->aio_sigevent = channel_event(ec, cookie);
    CHECK_OK(aio_read(block));
}

static void check_event(ec_t ec, struct aiocb *block, uint64_t cookie, long result, int error)
{
    struct timespec patience = { 10, 0 };
    event_data_t event;
    CHECK(ec_wait_events(ec, &event, 1, &patience, NULL) == 1);
    CHECK(event.ev_type == EC_EV_AIO && event.ev_fd == block->aio_fildes);
    CHECK(event.ev_ptr == block && event.ev_cookie == cookie);
    CHECK(event.ev_result == result && event.ev_errno == error);
    CHECK(aio_error(block) == error && aio_return(block) == result);
}

static void *end_all(void *unused)
{
    for (int i = 0; i < COUNT; i++) {
        sleep_ms(2);
        CHECK_OK(sio_complete(holder_next(&holder), i % 2 ? -EIO : 5));
    }
    return unused;
}

static ssize_t at_once(struct sio_kiocb *kiocb)
{
    return (ssize_t)kiocb->ki_bytes;
}

static const struct sio_device_operations immediate = { .read = at_once };

int main(void)
{
    struct aiocb block, blocks[COUNT], *list[COUNT];
    struct sigevent told;
    event_data_t event;
    pthread_t thread;
    sio_device_t device, other;
    ec_t ec;
    int fd;

    check_start();
    CHECK_SET(ec, ec_create(0));
    device = holder_new("held", &holder);
    other = device_new("immediate", &immediate, NULL);
    fd = device_open("immediate", O_RDONLY);
    begin(&block, fd, ec, 1);
    check_event(ec, &block, 1, 8, 0);
    CHECK_OK(sio_device_close(fd));

    fd = device_open("held", O_RDWR);
    CHECK_THREAD(pthread_create(&thread, NULL, end_all, NULL));
    for (int i = 0; i < COUNT; i++) {
        begin(&block, fd, ec, 2);
        check_event(ec, &block, 2, i % 2 ? -1 : 5, i % 2 ? EIO : 0);
    }
    CHECK_THREAD(pthread_join(thread, NULL));

    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(fd, buffer, 8, 0);
        blocks[i].aio_lio_opcode = i % 2 ? LIO_READ : LIO_WRITE;
        list[i] = &blocks[i];
    }
    told = channel_event(ec, 3);
    CHECK_THREAD(pthread_create(&thread, NULL, end_all, NULL));
    CHECK_OK(lio_listio(LIO_NOWAIT, list, COUNT, &told));
    CHECK(ec_wait_events(ec, &event, 1, NULL, NULL) == 1);
    CHECK(event.ev_type == EC_EV_LIO && event.ev_result == COUNT && event.ev_cookie == 3);
    CHECK_THREAD(pthread_join(thread, NULL));

    begin(&block, fd, ec, 4);
    CHECK(close(fd) == 0);
    check_event(ec, &block, 4, -1, ECANCELED);
    AWAIT(holder.released == 1);
    fd = device_open("held", O_RDWR);
    begin(&block, fd, ec, 5);
    CHECK_OK(sio_device_unregister(device));
    check_event(ec, &block, 5, -1, ECANCELED);
    CHECK_OK(sio_device_close(fd));
    CHECK_OK(sio_device_unregister(other));
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
