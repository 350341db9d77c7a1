/* all_sources: one loop for everything that a server may have to wait for: datagrams, a message
 * queue, a signal, a timer, a semaphore, a word of memory, and a child. The program is its own
 * partner: each source gets something once, and the loop ends when all have been heard of.
 *
 *     cc all_sources.c $(pkg-config --cflags --libs sio) -o all_sources && ./all_sources
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AREA_BYTES = 4 << 20, MESSAGE_BYTES = 64, TIMER_NS = 1000000 };
enum { ALL = 127, DATAGRAM = 1, MESSAGE = 2, SIGNAL = 4, TIMER = 8, UNIT = 16, WORD = 32, CHILD = 64 };

static dma_mem_t area;
static sem_t semaphore;
static uint32_t word;

static int check(int result, const char *call)
{
    if (result >= 0)
        return result;
    perror(call);
    exit(1);
}

/* A socket that will receive a datagram of its own. */
static int socket_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int sock = check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check(bind(sock, (struct sockaddr *)&address, size), "bind");
    check(getsockname(sock, (struct sockaddr *)&address, &size), "getsockname");
    check(connect(sock, (struct sockaddr *)&address, size), "connect");
    return sock;
}

static mqd_t queue_open(void)
{
    struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = MESSAGE_BYTES};
    char name[32];

    snprintf(name, sizeof name, "/all_sources.%d", (int)getpid());
    int how = O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK;
    mqd_t queue = check(mq_open(name, how, 0600, &attributes), "mq_open");
    check(mq_unlink(name), "mq_unlink");
    return queue;
}

/* What others would do: something for each source. */
static void make_events(int sock, mqd_t queue)
{
    union sigval value = {.sival_int = 42};

    check((int)send(sock, "a datagram", 10, 0), "send");
    check(mq_send(queue, "a message", 9, 0), "mq_send");
    check(sigqueue(getpid(), SIGRTMIN, value), "sigqueue");
    check(sem_post(&semaphore), "sem_post");
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    check((int)syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), "futex");
}

/* Takes what the event is about; tells which source it was. */
static int handle(const event_data_t *event)
{
    char text[MESSAGE_BYTES];
    void *block;
    int size;

    switch (event->ev_type) {
    case EC_EV_RECV:
        size = check(sio_recv(event->ev_fd, &block, MESSAGE_BYTES, MSG_DONTWAIT), "sio_recv");
        printf("socket: %.*s\n", size, (char *)block);
        check(sio_release(area, block, (size_t)size), "sio_release");
        break;
    case EC_EV_MQ:
        size = check((int)mq_receive(event->ev_fd, text, sizeof text, NULL), "mq_receive");
        printf("queue: %.*s\n", size, text);
        break;
    case EC_EV_SIGNAL:
        printf("signal %d from %d\n", event->ev_fd, (int)event->ev_len);
        break;
    case EC_EV_TIMER:
        printf("timer: %d expirations\n", (int)event->ev_result);
        break;
    case EC_EV_SEM: /* the unit is ours now, as if sem_wait had returned */
        printf("semaphore: a unit\n");
        break;
    case EC_EV_FUTEX:
        printf("word: %u\n", *(uint32_t *)event->ev_ptr);
        break;
    case EC_EV_PROCESS: /* the child is reaped already */
        printf("child: status %d\n", WEXITSTATUS((int)event->ev_result));
    }
    return (int)event->ev_cookie;
}

int main(void)
{
    struct itimerspec when = {.it_value.tv_nsec = TIMER_NS};
    event_data_t event;
    sigset_t signals;
    int seen = 0, sock = socket_open();
    mqd_t queue = queue_open();
    pid_t child = check(fork(), "fork");
    if (child == 0) /* before the channel and the area are made: a child has none of ours */
        _exit(7);
    ec_t ec = check(ec_create(0), "ec_create");

    sigemptyset(&signals);
    sigaddset(&signals, SIGRTMIN);
    check(sigprocmask(SIG_BLOCK, &signals, NULL), "sigprocmask"); /* before there are threads */
    check(sem_init(&semaphore, 0, 0), "sem_init");
    check(dma_alloc(&area, AREA_BYTES, 0), "dma_alloc");
    check(dma_assoc(sock, area, 0, 0), "dma_assoc");

    check(ec_add_socket(ec, sock, 0, DATAGRAM), "ec_add_socket");
    check(ec_add_mq(ec, queue, 0, MESSAGE), "ec_add_mq");
    check(ec_add_signal(ec, &signals, 0, SIGNAL), "ec_add_signal");
    check(ec_add_timer(ec, CLOCK_MONOTONIC, &when, 0, TIMER), "ec_add_timer");
    check(ec_add_sem(ec, &semaphore, 0, UNIT), "ec_add_sem");
    check(ec_add_futex(ec, &word, 0, 0, WORD), "ec_add_futex");
    int pidfd = check((int)syscall(SYS_pidfd_open, child, 0), "pidfd_open");
    check(ec_add_process(ec, pidfd, 0, CHILD), "ec_add_process");
    make_events(sock, queue);

    while (seen != ALL) {
        check(ec_wait_events(ec, &event, 1, NULL, NULL), "ec_wait_events");
        seen |= handle(&event);
    }
    check(sio_detach(sock), "sio_detach"); /* before close: the library does not see close */
    close(sock);
    check(ec_destroy(ec), "ec_destroy");
    return check(dma_free(area, AREA_BYTES), "dma_free");
}
