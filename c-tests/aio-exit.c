/*
 * A process may end with requests under way, by exit or by the end of main's thread, with and
 * without notifications: it does not hang and ends as it said.
 */
#include "aio.h"

static char buffers[8][200 * 1024];

static void begin(int told)
{
    static struct aiocb blocks[8];
    int pipes[2], file = aio_file(0);

    CHECK(signal(SIGRTMIN, SIG_IGN) != SIG_ERR);
    CHECK(pipe(pipes) == 0);
    for (int i = 0; i < 8; i++) {
        int fd = i % 2 ? file : pipes[0];
        blocks[i] = aio_block(fd, buffers[i], sizeof buffers[i], (off_t)i << 20);
        if (told)
            blocks[i] = aio_block_told(fd, buffers[i], sizeof buffers[i], 0, SIGRTMIN);
        CHECK_OK(i % 2 ? aio_write(&blocks[i]) : aio_read(&blocks[i]));
    }
}

static void *end_process(void *status)
{
    sleep_ms(2);
    exit((int)(long)status);
}

int main(void)
{
    int status;

    check_start();
    for (int way = 0; way < 6; way++) {
        pid_t child = child_start();
        if (child == 0) {
            begin(way % 2);
            if (way / 2 == 0)
                exit(7);
            if (way / 2 == 1)
                _exit(7);
            thread_start(end_process, (void *)7);
            pthread_exit(NULL);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    }
    return 0;
}
