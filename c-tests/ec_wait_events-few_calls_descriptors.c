/* A thread that waits for many descriptors is told by the system call that waits, or, of the first few of
 * a shared channel on a ring, by one more. One that has made such a ring is interrupted for it, and asks
 * after it has waited. A parent counts the calls of a child. */
#include "calls.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

enum { DESCRIPTORS = 40, WARM_UP = 64, MESSAGES = 200, PAUSE_US = 200 };

/* How many were taken. The one that writes waits for that. */
static _Atomic int *taken;

static void write_one_by_one(const int *descriptors)
{
    uint64_t one = 1;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < WARM_UP + MESSAGES; i++) {
        do
            usleep(PAUSE_US);
        while (atomic_load(taken) < i);
        usleep(PAUSE_US);
        if (write(descriptors[i % DESCRIPTORS], &one, sizeof one) != sizeof one)
            _exit(1);
    }
    _exit(0);
}

static void take(ec_t ec, int number)
{
    event_data_t events[8];

    CHECK_IS(ec_wait_events(ec, events, 8, NULL, NULL), 1);
    CHECK(events[0].ev_type == EC_EV_FD && events[0].ev_cookie == (uint64_t)number % DESCRIPTORS);
    atomic_store(taken, number + 1);
}

static void *make_shared(void *ec)
{
    CHECK_SET(*(ec_t *)ec, ec_create(0));
    return NULL;
}

static void watch(size_t count, unsigned flags)
{
    int descriptors[DESCRIPTORS], status;
    pid_t child;
    ec_t ec;

    if (flags & EC_SINGLE)
        CHECK_SET(ec, ec_create(flags));
    else
        thread_end(thread_start(make_shared, &ec));
    for (size_t i = 0; i < count; i++) {
        CHECK_SET(descriptors[i], eventfd(0, 0));
        CHECK(ec_add_fd(ec, descriptors[i], POLLIN, EC_EDGE, i) >= 0);
    }
    atomic_store(taken, 0);
    CHECK((child = fork()) >= 0);
    if (child == 0)
        write_one_by_one(descriptors);
    for (int i = 0; i < WARM_UP; i++)
        take(ec, i);
    calls_mark();
    for (int i = 0; i < MESSAGES; i++)
        take(ec, WARM_UP + i);
    calls_mark();
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    check_start();
    taken = mmap(NULL, sizeof *taken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(taken != MAP_FAILED);
    for (int shared = 0; shared < 2; shared++) {
        long calls = calls_of(watch, DESCRIPTORS, shared ? 0 : EC_SINGLE);
        if (calls > MESSAGES + MESSAGES / 2)
            check_fail(__FILE__, __LINE__, "%ld calls for %d events (%s)", calls, MESSAGES,
                       shared ? "shared" : "EC_SINGLE");
    }
    return 0;
}
