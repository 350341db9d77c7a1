/* A source of each kind comes and goes while other threads wait: nobody gets an event of it then. */
#include "sources.h"

#define FETCHERS 3
#define ROUNDS 160

static ec_t ec;
static struct sources all;
static _Atomic uint64_t gone;   /* sources of rounds up to this one */
static _Atomic int stop;

static void *fetcher(void *argument)
{
    (void)argument;
    while (!atomic_load(&stop)) {
        event_data_t event;
        struct timespec some = milliseconds(50);
        uint64_t before = atomic_load(&gone);
        if (ec_wait_events(ec, &event, 1, &some, NULL) == -1) {
            CHECK(errno == ETIMEDOUT);
            continue;
        }
        CHECK(event.ev_cookie > before);
    }
    return NULL;
}

static int add(uint64_t round)
{
    int source;
    switch (round % 5) {
    case 0:
        CHECK_SET(source, ec_add_mq(ec, all.queue, round % 2 ? EC_EDGE : 0, round));
        break;
    case 1:
        CHECK_SET(source, ec_add_fd(ec, all.counter, POLLIN, EC_COUNTER, round));
        break;
    case 2:
        CHECK_SET(source, ec_add_futex(ec, &all.word, (uint32_t)round % 2, 0, round));
        break;
    case 3:
        CHECK_SET(source, ec_add_sem(ec, &all.sem, 0, round));
        break;
    default:
        CHECK_SET(source, ec_add_signal(ec, &all.set, 0, round));
    }
    return source;
}

static void fire(uint64_t round)
{
    static const int kinds[] = { OF_MQ, OF_COUNTER, OF_FUTEX, OF_SEM, OF_SIGNAL };
    char text[MESSAGE_BYTES];
    source_fire(&all, kinds[round % 5]);
    if (kinds[round % 5] == OF_MQ)
        mq_receive(all.queue, text, sizeof text, NULL);
}

int main(void)
{
    check_start();
    pthread_t threads[FETCHERS];
    sources_make(&all);   /* blocks the signals before there are threads */
    ec = channel_new(0);
    for (int i = 0; i < FETCHERS; i++)
        threads[i] = thread_start(fetcher, NULL);
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        int source = add(round);
        if (round % 3)
            fire(round);
        for (uint64_t spin = 0; spin < round % 8; spin++)
            sched_yield();
        CHECK_OK(ec_remove(ec, source));
        atomic_store(&gone, round);
        if (round % 3 == 0)
            fire(round);
        while (sem_trywait(&all.sem) == 0 || signal_take(&all.set) != 0)
            continue;
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < FETCHERS; i++)
        thread_end(threads[i]);
    CHECK_OK(ec_destroy(ec));
    sources_end(&all);
    return 0;
}
