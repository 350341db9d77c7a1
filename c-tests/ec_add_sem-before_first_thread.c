/*
 * Semaphores and words that were sources before the process had a second thread go on telling:
 * since Linux 6.16 the kernel then moves those who wait elsewhere, and would leave a ring behind.
 */
#include "check.h"

#include <semaphore.h>

#define COUNT 20

static sem_t units[COUNT];
static uint32_t words[COUNT];

static void *first_thread(void *argument)
{
    (void)argument;
    for (int i = 0; i < COUNT; i++) {
        CHECK(sem_post(&units[i]) == 0);
        __atomic_store_n(&words[i], 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, &words[i], 1 | 128 /* FUTEX_WAKE, private */, INT_MAX);
    }
    return NULL;
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    event_data_t event;
    int source;
    for (int i = 0; i < COUNT; i++) {
        CHECK(sem_init(&units[i], 0, 0) == 0);
        CHECK_SET(source, ec_add_sem(ec, &units[i], 0, (uint64_t)i));
        CHECK_SET(source, ec_add_futex(ec, &words[i], 0, 0, (uint64_t)(COUNT + i)));
    }
    CHECK_ERR(ec_next_event(ec, &event), EAGAIN);
    pthread_t thread = thread_start(first_thread, NULL);
    int seen[2 * COUNT] = { 0 };
    for (int i = 0; i < 2 * COUNT; i++) {
        event = event_wait(ec);
        CHECK(event.ev_cookie < 2 * COUNT && seen[event.ev_cookie]++ == 0);
    }
    thread_end(thread);
    check_no_event(ec, 1);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
