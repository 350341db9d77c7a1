/*
 * What comes while a thread waits is told, also where more comes at the same moment than it has room
 * for: words of memory, which a queue holds, and changes of descriptors, which are told once.
 */
#include "check.h"

#include <sys/eventfd.h>

enum { WORDS = 3, DESCRIPTORS = 20, ROUNDS = 3000, ROOM = 2 };

static uint32_t words[WORDS];
static int descriptors[DESCRIPTORS], written;
static _Atomic int rounds_begun;

static void *cause(void *argument)
{
    uint64_t one = 1;

    (void)argument;
    for (int round = 0; round < ROUNDS; round++) {
        while (atomic_load(&rounds_begun) <= round)
            sleep_ms(0);
        for (int i = 0; i < WORDS; i++) {
            __atomic_add_fetch(&words[i], 1, __ATOMIC_SEQ_CST);
            syscall(SYS_futex, &words[i], 1 /* FUTEX_WAKE */, INT_MAX);
            if (i == round % WORDS)
                CHECK(write(descriptors[written], &one, sizeof one) == sizeof one);
        }
    }
    return NULL;
}

static void take_all(unsigned flags)
{
    event_data_t events[ROOM];
    int sources[WORDS];
    ec_t ec = channel_new(flags);

    for (int i = 0; i < WORDS; i++)
        CHECK_SET(sources[i], ec_add_futex(ec, &words[i], words[i], 0, (uint64_t)i));
    for (int i = 0; i < DESCRIPTORS; i++) {
        CHECK((descriptors[i] = eventfd(0, 0)) >= 0);
        CHECK(ec_add_fd(ec, descriptors[i], POLLIN, EC_EDGE, WORDS) >= 0);
    }
    atomic_store(&rounds_begun, 0);
    pthread_t thread = thread_start(cause, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        int told[WORDS + 1] = { 0 };
        written = round % DESCRIPTORS;
        atomic_store(&rounds_begun, round + 1);
        for (int count = 0, n; count < WORDS + 1; count += n) {
            CHECK_SET(n, ec_wait_events(ec, events, ROOM, NULL, NULL));
            for (int i = 0; i < n; i++)
                told[events[i].ev_cookie]++;
        }
        for (int i = 0; i <= WORDS; i++)
            CHECK_IS(told[i], 1);
        for (int i = 0; i < WORDS; i++)
            CHECK_OK(ec_modify(ec, sources[i], words[i], 0));
    }
    thread_end(thread);
    for (int i = 0; i < DESCRIPTORS; i++)
        CHECK(close(descriptors[i]) == 0);
    CHECK_OK(ec_destroy(ec));
}

int main(void)
{
    check_start();
    take_all(EC_SINGLE);
    take_all(0);
    return 0;
}
