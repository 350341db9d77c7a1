/* The sample of the document on a real interface: a callback when a frame has arrived. */
#include "network.h"

static int arrived;
static int context[1];

/* Callback function */
static void io_complete(int fd, void *at)
{
    /* Signal main process to continue */
    struct frame frame;
    CHECK(at == context);
    CHECK(read(fd, &frame, sizeof frame) == 14 + 100);
    CHECK(frame.header.ether_type == htons(FRAME_TYPE));
    CHECK_PATTERN(frame.data, 100, 3);
    arrived++;
}

static int far;

static void *send_frame(void *argument)
{
    struct frame frame;
    size_t length = frame_fill(&frame, FRAME_TYPE, 100, 3);
    sleep_ms((long)(intptr_t)argument);
    CHECK(send(far, &frame, length, 0) == (ssize_t)length);
    return NULL;
}

int main(void)
{
    check_start();
    network_new();
    CHECK_SET(far, sio_open_ethernet("vb", 0));
    /* By name, and by the way to the rest of the world. */
    for (int i = 0; i < 2; i++) {
        if (i == 0) {
            CHECK(setenv("SIO_ETHERNET", "va", 1) == 0);
        } else {
            CHECK(unsetenv("SIO_ETHERNET") == 0);
            CHECK(system("ip addr add 10.1.1.1/24 dev va && "
                         "ip route add default via 10.1.1.2") == 0);
        }
        int fd = open_ethernet_device();
        CHECK(fd >= 0);
        pthread_t sender = thread_start(send_frame, (void *)(intptr_t)(i * 20));
        async_io_notify(fd, io_complete, context);
        pause(); /* Wait for completion */
        CHECK(arrived == i + 1);
        close(fd);
        thread_end(sender);
    }
    return 0;
}
