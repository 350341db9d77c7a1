/* The callback of a thread that has ended runs all the same, and nobody is interrupted. */
#include "callback.h"

static int ends[2];

static void *registering(void *argument)
{
    CHECK_OK(async_io_notify(ends[0], complete_byte, argument));
    return NULL;
}

/* Sleeps through: a signal for another thread would end it early. */
static void *sleeper(void *argument)
{
    struct timespec time = milliseconds(20);
    CHECK(nanosleep(&time, NULL) == 0);
    return argument;
}

int main(void)
{
    check_start();
    CHECK(pipe(ends) == 0);
    for (int i = 0; i < 20; i++) {
        pthread_t threads[4];
        thread_end(thread_start(registering, NULL));
        for (int k = 0; k < 4; k++)
            threads[k] = thread_start(sleeper, NULL);
        CHECK(write(ends[1], "x", 1) == 1);
        while (atomic_load(&runs) <= i)
            sleep_ms(1);
        for (int k = 0; k < 4; k++)
            thread_end(threads[k]);
    }
    return 0;
}
