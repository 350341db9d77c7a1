/* What comes for a socket of a channel does not interrupt the thread that has added it, wherever that
 * is: epoll_wait(2) would end with EINTR. */
#include "endpoint.h"
#include "threads.h"
#include <sys/epoll.h>

enum { PIECES = 50 };

static _Atomic pid_t sleeper;

static void *write_pieces(void *argument)
{
    const int *sock = argument;

    wait_asleep(&sleeper);
    for (int i = 0; i < PIECES; i++) {
        write_pattern(*sock, 100, (size_t)i * 100);
        sleep_ms(1);
    }
    return NULL;
}

static void look(enum pair_kind kind)
{
    int pair[2], set = epoll_create1(EPOLL_CLOEXEC), pipe_ends[2];
    struct epoll_event event = { .events = EPOLLIN };

    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 18, ATTACHED);
    CHECK(set >= 0 && pipe2(pipe_ends, O_CLOEXEC) == 0);
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, pipe_ends[0], &event) == 0);
    /* The first piece has the channel make room, the others find that. */
    write_pattern(pair[1], 100, 0);
    endpoint_read_pattern(&end, 100, 0);

    pthread_t writer = thread_start(write_pieces, &pair[1]);
    atomic_store(&sleeper, thread_id());
    CHECK(epoll_wait(set, &event, 1, 500) == 0);
    atomic_store(&sleeper, 0);
    thread_end(writer);
    for (int i = 0; i < PIECES; i++)
        endpoint_read_pattern(&end, 100, (size_t)i * 100);

    CHECK(close(pipe_ends[0]) == 0 && close(pipe_ends[1]) == 0 && close(set) == 0);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

/* In a process of its own: a thread is interrupted, too, when a ring goes that it has used. */
static void run(enum pair_kind kind)
{
    run_in_child(look, kind);
}

int main(void)
{
    check_start();
    each_pair(STREAM_PAIRS, run);
    return 0;
}
