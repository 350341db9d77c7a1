/*
 * sio_device_ready makes the descriptors of one file of a device, or of all and of those that are
 * opened later, readable or not: poll(2) tells it, and so does a channel, with EC_EV_FD, level or
 * edge. Unregistering the device makes them readable. Closing is seen as before, also of a
 * descriptor that is a source still.
 */
#include "device.h"

static struct holder holder;
static struct sio_file *last_file;
static sio_device_t device;
static unsigned ready_when_opened;

static int opening(struct sio_file *file)
{
    holder.opened++;
    last_file = file;
    if (ready_when_opened)
        CHECK_OK(sio_device_ready(device, file, ready_when_opened));
    return 0;
}

static short polled(int fd)
{
    struct pollfd one = { fd, POLLIN | POLLOUT, 0 };
    CHECK(poll(&one, 1, 0) >= 0);
    return one.revents;
}

static void check_errors(struct sio_file *file)
{
    struct sio_file none;
    sio_device_t other = device_new("other", &holder_operations, &holder);

    CHECK_ERR(sio_device_ready(0, file, POLLIN), EINVAL);
    CHECK_ERR(sio_device_ready(device + 1000, NULL, POLLIN), EINVAL);
    CHECK_ERR(sio_device_ready(device, &none, POLLIN), EINVAL);
    CHECK_ERR(sio_device_ready(other, file, POLLIN), EINVAL);
    CHECK_ERR(sio_device_ready(device, file, POLLOUT), EINVAL);
    CHECK_ERR(sio_device_ready(device, file, POLLIN | POLLPRI), EINVAL);
    CHECK_OK(sio_device_unregister(other));
    CHECK_ERR(sio_device_ready(other, NULL, POLLIN), EINVAL);
}

int main(void)
{
    struct sio_device_operations operations = holder_operations;
    struct sio_file *files[2];
    event_data_t event;
    ec_t ec;
    int fds[3], source, edge;

    check_start();
    device = holder_new("held", &holder);
    CHECK_OK(sio_device_unregister(device));
    operations.open = opening;
    device = device_new("held", &operations, &holder);
    CHECK_SET(ec, ec_create(0));
    for (int i = 0; i < 2; i++) {
        fds[i] = device_open("held", O_RDWR);
        files[i] = last_file;
        CHECK(polled(fds[i]) == 0);
    }
    check_errors(files[0]);
    CHECK_SET(source, ec_add_fd(ec, fds[0], POLLIN, 0, 7));
    CHECK_SET(edge, ec_add_fd(ec, fds[1], POLLIN, EC_EDGE, 8));
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);

    for (int i = 0; i < 3; i++)
        CHECK_OK(sio_device_ready(device, files[0], POLLIN));
    CHECK(polled(fds[0]) == POLLIN && polled(fds[1]) == 0 && polled(ec) == POLLIN);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(ec_next_event(ec, &event));
        CHECK(event.ev_type == EC_EV_FD && event.ev_fd == fds[0] && event.ev_source == source);
        CHECK(event.ev_result == POLLIN && event.ev_cookie == 7);
    }
    CHECK_OK(sio_device_ready(device, files[0], 0));
    CHECK(polled(fds[0]) == 0);
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(sio_device_ready(device, NULL, POLLIN));
        CHECK_OK(sio_device_ready(device, files[0], 0));
        do
            CHECK(ec_wait_events(ec, &event, 1, NULL, NULL) == 1);
        while (event.ev_source == source);
        CHECK(event.ev_source == edge && event.ev_fd == fds[1] && event.ev_result == POLLIN);
        CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
        CHECK_OK(sio_device_ready(device, NULL, 0));
    }
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(ec_remove(ec, edge));

    /* What is opened later; and what the driver says while it opens. */
    CHECK_OK(sio_device_ready(device, NULL, POLLIN));
    fds[2] = device_open("held", O_RDONLY);
    CHECK(polled(fds[2]) == POLLIN);
    CHECK(close(fds[2]) == 0);
    CHECK_OK(sio_device_ready(device, NULL, 0));
    AWAIT(holder.released == 1);
    CHECK_ERR(sio_device_ready(device, last_file, 0), EINVAL);
    ready_when_opened = POLLIN;
    fds[2] = device_open("held", O_RDONLY);
    CHECK(polled(fds[2]) == POLLIN && polled(fds[1]) == 0);
    CHECK_OK(sio_device_close(fds[2]));
    CHECK(holder.released == 2);

    ready_when_opened = 0;
    fds[2] = device_open("held", O_RDONLY);
    CHECK_SET(source, ec_add_fd(ec, fds[2], POLLIN, 0, 0));
    CHECK_SET(edge, ec_add_fd(ec, fds[2], POLLIN, EC_EDGE, 0));
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    CHECK(close(fds[2]) == 0);
    AWAIT(holder.released == 3);
    CHECK_OK(ec_remove(ec, source));
    CHECK_OK(ec_remove(ec, edge));

    /* What nobody can read any more raises no signal. */
    for (int i = 0; i < 200; i++) {
        fds[2] = device_open("held", O_RDONLY);
        CHECK(close(fds[2]) == 0);
        CHECK_OK(sio_device_ready(device, NULL, i % 2 ? 0 : POLLIN));
    }
    AWAIT(holder.released == 203);
    CHECK_OK(sio_device_unregister(device));
    for (int i = 0; i < 2; i++) {
        CHECK(polled(fds[i]) == POLLIN);
        CHECK(close(fds[i]) == 0);
    }
    CHECK(holder.released == 205);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
