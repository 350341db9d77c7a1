/*
 * A thread of the library's, started when the program has had threads already, does not keep the
 * process from changing its user and group: the C library asks every thread to do so.
 */
#include "aio.h"

static void *nothing(void *argument)
{
    return argument;
}

static void told(union sigval value)
{
    (void)value;
}

static void change_user(void)
{
    CHECK(setgid(getgid()) == 0);
    CHECK(setuid(getuid()) == 0);
}

int main(void)
{
    char text[4] = "text", buffer[4];
    int pipes[2];
    pthread_t thread;

    check_start();
    CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pipe(pipes) == 0);

    struct aiocb block = aio_block(pipes[0], buffer, 4, 0);
    block.aio_sigevent.sigev_notify = SIGEV_THREAD;
    block.aio_sigevent.sigev_notify_function = told;
    CHECK_OK(aio_read(&block));
    change_user();
    CHECK(write(pipes[1], text, 4) == 4);
    CHECK_DONE(&block, 4);
    change_user();
    return 0;
}
