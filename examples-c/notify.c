/* notify: a callback when data has arrived in DMA memory, and pause(2) until it has run. The main
 * function and io_complete are the sample of the document that async_io_notify comes from, with
 * nothing but its pseudo-calls filled in.
 *
 *     cc notify.c $(pkg-config --cflags --libs sio) -o notify && ./notify
 */
#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AREA_BYTES = 1 << 20, FRAME_BYTES = 2048 };

static int card; /* the other end of the cable */

struct buffer {
    dma_mem_t area;
    ec_t channel;
} shared;

/* Every call of the library fails as a system call does: -1 and errno. */
static int check(int result, const char *call)
{
    if (result >= 0)
        return result;
    perror(call);
    exit(1);
}

/* A descriptor whose data arrives in a buffer that the engine and the program share. Here it is a
 * datagram socket that gets one frame, so that anybody can run this. For a real card, which takes
 * a privilege, it is open_ethernet_device(3). Any other descriptor that poll(2) understands, such
 * as a tap device, can be given to async_io_notify too. */
static int open_stand_in(void)
{
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), "socketpair");
    card = pair[1];
    shared.channel = check(ec_create(0), "ec_create");
    check(dma_alloc(&shared.area, AREA_BYTES, 0), "dma_alloc");
    check(dma_assoc(pair[0], shared.area, 0, 0), "dma_assoc");
    check(ec_add_socket(shared.channel, pair[0], 0, 0), "ec_add_socket");
    check((int)write(card, "a frame", 7), "write");
    return pair[0];
}

/* Callback function. It runs in a thread of the library's. */
static void io_complete(int fd, void *context)
{
    struct buffer *buffer = context;
    void *frame;
    int length = check(sio_recv(fd, &frame, FRAME_BYTES, 0), "sio_recv");
    printf("%d bytes: %.*s\n", length, length, (char *)frame);
    check(sio_release(buffer->area, frame, (size_t)length), "sio_release");
}

int main(void)
{
    int fd = open_stand_in();
    check(async_io_notify(fd, io_complete, &shared), "async_io_notify");
    pause(); /* Wait for completion */
    sio_detach(fd); /* before close: close is not seen */
    close(fd);

    close(card);
    check(ec_destroy(shared.channel), "ec_destroy");
    return check(dma_free(shared.area, AREA_BYTES), "dma_free");
}
