/* events.h: what the programs that are given events have in common: the descriptors, the load, and
 * how the runner is told what it cost. A program says how it watches a descriptor and how it takes
 * events; everything else is the same for all.
 *
 * The descriptors are eventfds, the cheapest there are: what they cost themselves hides least of
 * what is compared. In a burst every active one is written to once, and has to be told of once.
 * There are two loads.
 *   own     The program itself writes a burst, then takes the events: it does not depend on chance
 *           how many there are at a time. What taking them costs is told, and apart from it what
 *           writing costs, where the kernel does its part of delivery: in turn with that the program
 *           writes to descriptors that nobody watches, and the bare cost of write(2) is subtracted.
 *   apart   Another process, on another processor, writes the bursts, each when all of the one
 *           before has arrived. The program waits and is woken; how many events it finds at a
 *           time depends on how fast it is. What write(2) costs its caller is measured too.
 * Where fewer descriptors are allowed than there are to be sources, idle ones are watched several
 * times, by programs that can do that.
 */
#include "../bench.h"
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum trigger {
    EDGE,  /* told of every write, nothing is read */
    LEVEL, /* told until it has been read, which the program does */
    DATA,  /* told of every write with the value read */
};

/* One of the programs that are compared. */
struct contestant {
    void (*start)(enum trigger trigger);
    void (*watch)(int fd);
    int (*take)(void); /* waits for events; how many there were */
};

/* What a program needs for itself. */
enum { DESCRIPTORS_BESIDE = 100 };

/* What the values add up to that were read: by the contestant, checked at the end. */
static uint64_t values_read;

static inline void read_value(int fd)
{
    uint64_t value;

    if (read(fd, &value, sizeof value) != sizeof value)
        err(1, "read");
    values_read += value;
}

struct load {
    enum trigger trigger;
    bool is_apart;
    int sources, active;
    double seconds;
    int processor; /* of the other process, -1: any */
    int *fds;
    int *bare; /* as many as are active, watched by nobody */
};

/* Between the program and the one that writes. */
struct shared {
    _Atomic uint64_t taken;
    atomic_bool is_over, has_ended;
    uint64_t cpu_ns;
};

/* Processor time, and what it was for. */
struct spent {
    uint64_t events, cpu_ns, write_ns, bare_ns;
};

/* Bursts until the clock is looked at. */
enum { SLICE_BURSTS = 16 };

static inline uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The memory of the process, in bytes. */
static inline unsigned long long memory_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long long size, resident;

    if (!file || fscanf(file, "%llu %llu", &size, &resident) != 2)
        err(1, "/proc/self/statm");
    fclose(file);
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

/* The memory of the kernel that nothing but a program can get back, in bytes. */
static inline unsigned long long kernel_bytes(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    unsigned long long kilobytes = 0;
    char line[256];

    if (!file)
        err(1, "/proc/meminfo");
    while (fgets(line, sizeof line, file) && sscanf(line, "SUnreclaim: %llu", &kilobytes) != 1)
        ;
    fclose(file);
    return kilobytes * 1024;
}

static inline void write_burst(const int *fds, int count, int step)
{
    uint64_t one = 1;

    for (int i = 0; i < count; i++)
        if (write(fds[i * step], &one, sizeof one) != sizeof one)
            err(1, "write");
}

static inline void burst(const struct load *load)
{
    write_burst(load->fds, load->active, load->sources / load->active);
}

static inline void take_burst(const struct contestant *contestant, int count)
{
    int taken = 0;

    while (taken < count)
        taken += contestant->take();
    if (taken != count)
        errx(1, "%d events of %d writes", taken, count);
}

/* What it costs to look at the clock: each interval has it once in it. */
static inline uint64_t clock_cost_ns(void)
{
    enum { LOOKS = 1000 };
    uint64_t start = cpu_ns(), end = start;

    for (int i = 0; i < LOOKS; i++)
        end = cpu_ns();
    return (end - start) / LOOKS;
}

/* The program writes, and takes what it has written; in turn with bare writes. */
static inline struct spent run_own(const struct load *load, const struct contestant *contestant,
                                   double seconds)
{
    struct spent spent = {0};
    uint64_t cost = clock_cost_ns();

    for (double end = now() + seconds; now() < end;) {
        uint64_t start = cpu_ns();

        for (int i = 0; i < SLICE_BURSTS; i++) {
            burst(load);
            uint64_t middle = cpu_ns();
            take_burst(contestant, load->active);
            uint64_t last = cpu_ns();
            write_burst(load->bare, load->active, 1);
            uint64_t next = cpu_ns();
            spent.write_ns += middle - start - cost;
            spent.cpu_ns += last - middle - cost;
            spent.bare_ns += next - last - cost;
            start = next;
        }
        spent.events += (uint64_t)load->active * SLICE_BURSTS;
    }
    return spent;
}

/* The process that writes, until it is told that the time is over. */
static inline _Noreturn void writer(const struct load *load, struct shared *shared, int go)
{
    uint64_t written = 0;
    cpu_set_t set;
    char byte;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    CPU_ZERO(&set);
    if (load->processor >= 0) {
        CPU_SET(load->processor, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    if (read(go, &byte, 1) != 1)
        exit(1);
    while (!atomic_load(&shared->is_over)) {
        uint64_t start = cpu_ns();

        burst(load);
        shared->cpu_ns += cpu_ns() - start;
        written += (uint64_t)load->active;
        while (atomic_load_explicit(&shared->taken, memory_order_acquire) < written)
            if (load->processor < 0)
                sched_yield();
    }
    atomic_store(&shared->has_ended, true);
    exit(0);
}

/* The program takes what the other process writes. */
static inline struct spent run_apart(const struct load *load, const struct contestant *contestant,
                                     struct shared *shared, int go)
{
    double end = now() + load->seconds;
    struct spent spent = {.cpu_ns = cpu_ns()};
    uint64_t events = 0;

    check((int)write(go, "g", 1), "write");
    for (bool is_over = false; !is_over;) {
        events += (uint64_t)contestant->take();
        if (events % (uint64_t)load->active == 0 && now() >= end) {
            is_over = true;
            atomic_store(&shared->is_over, true);
        }
        atomic_store_explicit(&shared->taken, events, memory_order_release);
    }
    spent.cpu_ns = cpu_ns() - spent.cpu_ns;
    spent.events = events;
    while (!atomic_load(&shared->has_ended))
        sched_yield();
    return spent;
}

/* As many descriptors as are wanted, or as are allowed. */
static inline int allow_descriptors(int count)
{
    struct rlimit limit, more;

    check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    more.rlim_cur = more.rlim_max = (rlim_t)count;
    if (limit.rlim_max >= (rlim_t)count)
        more.rlim_max = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return count;
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
    return (int)limit.rlim_cur;
}

static inline int *make_descriptors(int count)
{
    int *fds = malloc((size_t)count * sizeof *fds);

    if (!fds)
        err(1, "malloc");
    for (int i = 0; i < count; i++)
        fds[i] = check(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd");
    return fds;
}

/* One for each source; what is active is so once. */
static inline int *make_sources(int sources, int active, int different)
{
    int *fds = malloc((size_t)sources * sizeof *fds);
    int *made = make_descriptors(different);
    int step = sources / active, idle = active;

    if (!fds)
        err(1, "malloc");
    for (int i = 0; i < sources; i++) {
        bool is_active = i % step == 0 && i / step < active;
        fds[i] = made[is_active ? i / step : idle];
        if (!is_active && ++idle == different)
            idle = active;
    }
    free(made);
    return fds;
}

/* The arguments: edge|level|data own|apart SOURCES ACTIVE SECONDS PROCESSOR. */
static inline struct load make_load(char **arguments)
{
    struct load load = {.trigger = EDGE};

    for (int i = 0; i < 6; i++)
        if (!arguments[i])
            errx(2, "edge|level|data own|apart SOURCES ACTIVE SECONDS PROCESSOR");
    if (strcmp(arguments[0], "edge") != 0)
        load.trigger = strcmp(arguments[0], "level") == 0 ? LEVEL : DATA;
    load.is_apart = strcmp(arguments[1], "apart") == 0;
    load.sources = atoi(arguments[2]);
    load.active = atoi(arguments[3]);
    load.seconds = atof(arguments[4]);
    load.processor = atoi(arguments[5]);
    if (load.active < 1 || load.sources < load.active)
        errx(2, "no such number of sources");
    /* Some more for the program's own. */
    int beside = load.active + DESCRIPTORS_BESIDE;
    int allowed = allow_descriptors(load.sources + beside) - beside;
    if (allowed < load.active)
        errx(77, "too few descriptors are allowed");
    load.fds = make_sources(load.sources, load.active, allowed < load.sources ? allowed : load.sources);
    load.bare = make_descriptors(load.active);
    return load;
}

static inline int run_events(char **arguments, const struct contestant *contestant)
{
    struct load load = make_load(arguments);
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int go[2];

    if (shared == MAP_FAILED)
        err(1, "mmap");
    check(pipe2(go, O_CLOEXEC), "pipe2");
    alarm(60 + (unsigned)load.seconds); /* an event that does not come must not stop everything */
    if (load.is_apart && check(fork(), "fork") == 0)
        writer(&load, shared, go[0]);
    contestant->start(load.trigger);
    unsigned long long own = memory_bytes(), kernel = kernel_bytes();
    for (int i = 0; i < load.sources; i++)
        contestant->watch(load.fds[i]);
    struct spent warm = run_own(&load, contestant, 0.05);
    /* What was given back meanwhile does not count as less than nothing. */
    unsigned long long own_now = memory_bytes(), kernel_now = kernel_bytes();
    printf("memory %llu %llu\n", own_now > own ? own_now - own : 0,
           kernel_now > kernel ? kernel_now - kernel : 0);
    wait_for_go();
    struct spent spent = load.is_apart ? run_apart(&load, contestant, shared, go[1])
                                       : run_own(&load, contestant, load.seconds);
    if (load.trigger != EDGE && values_read != warm.events + spent.events)
        errx(1, "%llu was read, not %llu", (unsigned long long)values_read,
             (unsigned long long)(warm.events + spent.events));
    const struct spent *bare = load.is_apart ? &warm : &spent;
    uint64_t write_ns = load.is_apart ? shared->cpu_ns : spent.write_ns;
    /* Of the program; of write(2) where nobody watches; of write(2). */
    printf("cost %.3f %.3f %.3f\n", (double)spent.cpu_ns / (double)spent.events,
           (double)bare->bare_ns / (double)bare->events, (double)write_ns / (double)spent.events);
    done(spent.events, spent.events * sizeof(uint64_t));
    return 0;
}
