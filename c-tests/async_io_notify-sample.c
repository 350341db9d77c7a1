/* The sample of the document works as written: only its pseudo-calls are filled in. */
#include "check.h"

static int arrived;
static int context[1];
static int writer;

/* A descriptor that gets data while the program does something else, or already has. */
static int open_stand_in(void)
{
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    writer = pair[1];
    return pair[0];
}

static void *send_frame(void *argument)
{
    sleep_ms((long)(intptr_t)argument);
    CHECK(write(writer, "frame", 5) == 5);
    return NULL;
}

/* Callback function */
static void io_complete(int fd, void *at)
{
    /* Signal main process to continue */
    char frame[16];
    CHECK(at == context);
    CHECK(read(fd, frame, sizeof frame) == 5);
    arrived++;
}

int main(void)
{
    check_start();
    for (int i = 0; i < 20; i++) {
        int fd = open_stand_in();
        pthread_t sender = thread_start(send_frame, (void *)(intptr_t)(i % 4 * 5));
        async_io_notify(fd, io_complete, context);
        pause(); /* Wait for completion */
        CHECK(arrived == i + 1);
        close(fd);
        thread_end(sender);
        close(writer);
    }
    return 0;
}
