/* events_sio: events with libsio.
 *
 *     events_sio single|shared|kinds edge|level|data own|apart SOURCES ACTIVE SECONDS PROCESSOR
 *
 * kinds: as single, with a source of every other kind in the channel besides.
 */
#include "events.h"
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <sio.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static unsigned channel_flags;
static bool has_every_kind;
static ec_t ec;
static enum trigger trigger;

/* Nothing of this happens while the program runs. */
static void watch_every_kind(void)
{
    static const struct itimerspec hour = {.it_value = {.tv_sec = 3600}};
    static uint32_t word;
    static sem_t semaphore;
    struct sockaddr_in address = {.sin_family = AF_INET};
    dma_mem_t area;
    char name[32];
    sigset_t set;
    int fd, pair[2];

    check(ec_add_timer(ec, CLOCK_MONOTONIC, &hour, 0, 0), "ec_add_timer");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    check(ec_add_signal(ec, &set, 0, 0), "ec_add_signal");
    snprintf(name, sizeof name, "/events_sio.%d", (int)getpid());
    mqd_t queue = mq_open(name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, NULL);
    check((int)queue, "mq_open");
    mq_unlink(name);
    check(ec_add_mq(ec, queue, 0, 0), "ec_add_mq");
    check(ec_add_futex(ec, &word, 0, 0, 0), "ec_add_futex");
    check(sem_init(&semaphore, 0, 0), "sem_init");
    check(ec_add_sem(ec, &semaphore, 0, 0), "ec_add_sem");

    pid_t child = check(fork(), "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    fd = check((int)syscall(SYS_pidfd_open, child, 0), "pidfd_open");
    check(ec_add_process(ec, fd, 0, 0), "ec_add_process");

    fd = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    check(listen(fd, 16), "listen");
    check(ec_add_accept(ec, fd, 0, 0), "ec_add_accept");
    fd = check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    check(bind(fd, (struct sockaddr *)&address, sizeof address), "bind");
    check(dma_alloc(&area, 1 << 20, 0), "dma_alloc");
    check(dma_assoc(fd, area, 0, 0), "dma_assoc");
    check(ec_add_socket(ec, fd, 0, 0), "ec_add_socket");

    /* Descriptors in every other way. */
    check(pipe2(pair, O_CLOEXEC), "pipe2");
    check(ec_add_fd(ec, pair[0], POLLIN, 0, 0), "ec_add_fd");
    check(pipe2(pair, O_CLOEXEC), "pipe2");
    check(ec_add_fd(ec, pair[0], POLLIN, EC_ONESHOT, 0), "ec_add_fd");
    check(pipe2(pair, O_CLOEXEC), "pipe2");
    check(ec_add_fd(ec, pair[0], POLLIN, EC_EDGE, 0), "ec_add_fd");
    fd = check(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
    check(timerfd_settime(fd, 0, &hour, NULL), "timerfd_settime");
    check(ec_add_fd(ec, fd, POLLIN, EC_COUNTER, 0), "ec_add_fd");
}

static void start(enum trigger wanted)
{
    trigger = wanted;
    ec = check(ec_create(channel_flags), "ec_create");
    if (has_every_kind)
        watch_every_kind();
}

static void watch(int fd)
{
    static const unsigned flags[] = {[EDGE] = EC_EDGE, [LEVEL] = 0, [DATA] = EC_COUNTER};

    check(ec_add_fd(ec, fd, POLLIN, flags[trigger], 0), "ec_add_fd");
}

static int take(void)
{
    event_data_t events[BATCH];
    int n = check(ec_wait_events(ec, events, BATCH, NULL, NULL), "ec_wait_events");

    for (int i = 0; i < n; i++) {
        if (events[i].ev_type != EC_EV_FD || events[i].ev_errno)
            errx(1, "event %d: %s", events[i].ev_type, strerror(events[i].ev_errno));
        if (trigger == DATA)
            values_read += events[i].ev_len;
        else if (trigger == LEVEL)
            read_value(events[i].ev_fd);
    }
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 8)
        return 2;
    has_every_kind = strcmp(argv[1], "kinds") == 0;
    channel_flags = strcmp(argv[1], "shared") == 0 ? 0 : EC_SINGLE;
    return run_events(argv + 2, &(struct contestant){start, watch, take});
}
