/*
 * When all memory is used up, what makes something new fails with ENOMEM, or EAGAIN for requests, and
 * the process goes on: what there was before can be waited for and given up.
 */
#include "device.h"

#include <sys/eventfd.h>

static ec_t ec;
static int counter, pipes[2], file, sock[2];
static struct holder holder = { .lock = PTHREAD_MUTEX_INITIALIZER };
static sem_t sem;
static uint32_t word;
static struct aiocb blocks[20000];

static void called_back(int fd, void *context)
{
    (void)fd;
    (void)context;
}

static size_t used(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm == NULL || fscanf(statm, "%lu", &pages) != 1)
        check_skip("no /proc");
    CHECK(fclose(statm) == 0);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* So much is left, and with 0 nothing, not even of what has been given back to malloc(3). */
static void exhaust(size_t left)
{
    struct rlimit limit = { used() + left, RLIM_INFINITY };
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    for (size_t size = 1 << 20; left == 0 && size >= 16; size /= 2) {
        void *volatile memory;
        while ((memory = malloc(size)) != NULL)
            ;
    }
}

static int request(int fd, int i)
{
    static char buffer[1];
    blocks[i] = aio_block(fd, buffer, 1, 0);
    return aio_read(&blocks[i]);
}

static int make(int kind, int i)
{
    struct itimerspec late = { { 0, 0 }, { 1000, 0 } };
    event_data_t event = user_event(1);
    dma_mem_t area;
    switch (kind) {
    case 0: return ec_create(0);
    case 1: return ec_add_fd(ec, sock[0], POLLIN, 0, 1);
    case 2: return ec_add_timer(ec, CLOCK_MONOTONIC, &late, 0, 1);
    case 3: return ec_add_sem(ec, &sem, 0, 1);
    case 4: return ec_add_futex(ec, &word, 0, 0, 1);
    case 5: return ec_post(ec, &event);
    case 6: return request(pipes[0], i);
    case 7: return request(file, i);
    case 8: return async_io_notify(pipes[0], called_back, NULL);
    case 9: return dma_alloc(&area, 4096, 0);
    default: return sio_device_open("holder", O_RDWR);
    }
}

#define KINDS 11

static void run(int kind, size_t left)
{
    event_data_t event;
    struct timespec moment = milliseconds(1);
    int answer = 0, events = 0;

    ec = channel_new(0);
    CHECK((counter = eventfd(1, 0)) >= 0 && pipe(pipes) == 0 && sem_init(&sem, 0, 0) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sock) == 0);
    /* What a thread keeps for itself is made when it waits for the first time. */
    post_user(ec, 1);
    event_wait(ec);
    CHECK(ec_add_fd(ec, counter, POLLIN, EC_ONESHOT, 1) >= 0);
    sio_device_t device;
    struct sio_device_operations operations = { .read = holder_begin, .cancel = holder_cancel };
    CHECK_OK(sio_device_register(&device, "holder", &operations, sizeof operations, &holder));
    CHECK((file = sio_device_open("holder", O_RDWR)) >= 0);
    CHECK(request(pipes[0], 0) == 0);
    usleep(50000);    /* the library's threads have begun */
    exhaust(left);

    for (int i = 1; i < 20000 && answer >= 0; i++)
        answer = make(kind, i);
    int error = errno;
    /* Other limits may be reached first if there is some memory. */
    if (left == 0)
        CHECK(answer == -1 && (error == ENOMEM || error == EAGAIN));
    errno = error;
    while (ec_wait_events(ec, &event, 1, &moment, NULL) == 1)
        events++;
    CHECK(errno == ETIMEDOUT && events >= 1);
    CHECK(left == 0 || aio_cancel(pipes[0], &blocks[0]) >= 0);
    CHECK_OK(ec_destroy(ec));
    _exit(0);
}

int main(void)
{
    static const size_t left[] = { 0, 1 << 20 };
    check_start();
    for (int kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
            pid_t child = fork();
            CHECK(child >= 0);
            if (child == 0)
                run(kind, left[i]);
            child_end(child);
        }
    }
    return 0;
}
