/*
 * The end of a list is told by a function in a thread, once, when every request has ended and has
 * been told in its own way. Several lists at the same time are each told once.
 */
#include "aio.h"

#include <semaphore.h>

#define LISTS 10
#define COUNT 4

static char bytes[LISTS][COUNT];
static struct aiocb blocks[LISTS][COUNT], *lists[LISTS][COUNT];
static _Atomic int own[LISTS], whole[LISTS];
static sem_t called;

static void one_ended(union sigval value)
{
    atomic_fetch_add(&own[value.sival_int], 1);
    sem_post(&called);
}

static void list_ended(union sigval value)
{
    for (int i = 0; i < COUNT; i++)
        CHECK(aio_error(&blocks[value.sival_int][i]) == 0);
    atomic_fetch_add(&whole[value.sival_int], 1);
    sem_post(&called);
}

static struct sigevent call(void (*function)(union sigval), int value)
{
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = function;
    event.sigev_value.sival_int = value;
    return event;
}

int main(void)
{
    int pipes[2], file = aio_file(0);

    check_start();
    CHECK(sem_init(&called, 0, 0) == 0);
    CHECK(pipe(pipes) == 0);
    CHECK(write(file, "text", 4) == 4);
    for (int i = 0; i < LISTS; i++) {
        for (int j = 0; j < COUNT; j++) {
            blocks[i][j] = aio_block(j == 0 ? file : pipes[0], &bytes[i][j], 1, 0);
            blocks[i][j].aio_lio_opcode = LIO_READ;
            blocks[i][j].aio_sigevent = call(one_ended, i);
            lists[i][j] = &blocks[i][j];
        }
        struct sigevent event = call(list_ended, i);
        CHECK_OK(lio_listio(LIO_NOWAIT, lists[i], COUNT, &event));
    }
    for (int i = 0; i < LISTS * (COUNT - 1); i++)
        CHECK(write(pipes[1], "x", 1) == 1);
    for (int i = 0; i < LISTS * (COUNT + 1); i++)
        while (sem_wait(&called) == -1)
            CHECK(errno == EINTR);
    sleep_ms(5);
    CHECK(sem_trywait(&called) == -1 && errno == EAGAIN);
    for (int i = 0; i < LISTS; i++) {
        CHECK(atomic_load(&own[i]) == COUNT);
        CHECK(atomic_load(&whole[i]) == 1);
    }
    return 0;
}
