/*
 * A peer that goes in the middle of a file raises no SIGPIPE, however much had been sent in the same
 * call before.
 */
#include "file.h"
#include "threads.h"

enum { ROUNDS = 400, FILE_BYTES = 1 << 20 };

static void *read_and_go(void *sock)
{
    static char room[1 << 16];
    int fd = *(int *)sock;
    /* All that is there, so that the end comes as one and not as a reset. */
    CHECK(recv(fd, room, sizeof room, 0) > 0);
    CHECK(close(fd) == 0);
    return NULL;
}

int main(void)
{
    check_start();
    int file = file_new(FILE_BYTES);
    for (int round = 0; round < ROUNDS; round++) {
        int pair[2];
        pair_open(TCP4, pair);
        set_nonblocking(pair[0], 1);
        struct endpoint end = endpoint_open(pair[0], 1 << 16, ATTACHED);
        pthread_t reader = thread_start(read_and_go, &pair[1]);
        for (int i = 0; i < 8; i++)
            if (sio_sendfile(pair[0], file, 0, FILE_BYTES, SIO_QUIET) < 0)
                break;
        thread_end(reader);
        endpoint_close(&end);
    }
    CHECK(close(file) == 0);
    return 0;
}
