/* What comes one by one, each time to a thread that sleeps, costs few system calls: with a ring of one
 * thread one that waits and one that sends, with one of several threads one more that receives; by
 * readiness one that waits, one that asks how much there is, and those that receive and send. A parent
 * counts the calls of a child. */
#include "calls.h"

enum { WARM_UP = 32, MESSAGES = 200, PAUSE_US = 1000 };

static void ask_one_by_one(int sock)
{
    char question = 'q', answer;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < WARM_UP + MESSAGES; i++) {
        usleep(PAUSE_US);
        if (send(sock, &question, 1, 0) != 1 || recv(sock, &answer, 1, 0) != 1 || answer != 'q')
            _exit(1);
    }
    _exit(0);
}

static void answer_one(ec_t ec)
{
    event_data_t events[8];
    void *block;

    CHECK_IS(ec_wait_events(ec, events, 8, NULL, NULL), 1);
    CHECK(events[0].ev_type == EC_EV_RECV && events[0].ev_errno == 0);
    CHECK_IS(sio_recv(events[0].ev_fd, &block, (size_t)events[0].ev_result, 0), 1);
    CHECK_IS(sio_send(events[0].ev_fd, block, 1, SIO_RELEASE | SIO_QUIET), 1);
}

static void serve(size_t size, unsigned flags)
{
    int pair[2], status;
    dma_mem_t area;
    pid_t child;
    ec_t ec;

    (void)size;
    pair_open(TCP4, pair);
    CHECK((child = fork()) >= 0);
    if (child == 0)
        ask_one_by_one(pair[1]);
    CHECK_SET(ec, ec_create(flags));
    CHECK_OK(dma_alloc(&area, 1 << 20, 0));
    CHECK_OK(dma_assoc(pair[0], area, 0, 0));
    CHECK(ec_add_socket(ec, pair[0], 0, 0) >= 0);
    for (int i = 0; i < WARM_UP; i++)
        answer_one(ec);
    calls_mark();
    for (int i = 0; i < MESSAGES; i++)
        answer_one(ec);
    CHECK_OK(ec_flush(ec));
    calls_mark();
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const char *engine = getenv("SIO_ENGINE");
    int by_ring = engine && strcmp(engine, "io_uring") == 0;

    check_start();
    for (int shared = 0; shared < 2; shared++) {
        long calls = calls_of(serve, 1, shared ? 0 : EC_SINGLE);
        /* A thread that was slow to fall asleep has looked in vain or found the next one. */
        long most = MESSAGES * (!by_ring ? 4 : shared ? 3 : 2) + MESSAGES / 5;
        if (calls > most)
            check_fail(__FILE__, __LINE__, "%ld calls for %d messages (%s)", calls, MESSAGES,
                       shared ? "shared" : "EC_SINGLE");
    }
    return 0;
}
