/* Many sends on one socket cost few system calls: large datagrams that the kernel need not copy,
 * and small ones. A parent counts the calls of a child. */
#include "check.h"

#include <sys/ptrace.h>

enum { SENDS = 512, WINDOW = 64, MARK = 0x51011 };

static void run_child(size_t size, unsigned flags)
{
    struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(9) };
    event_data_t events[WINDOW];
    char *block;
    dma_mem_t area;
    ec_t ec;
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "198.51.100.2", &peer.sin_addr);
    CHECK(connect(sock, (struct sockaddr *)&peer, sizeof peer) == 0);
    CHECK_SET(ec, ec_create(flags));
    CHECK_OK(dma_alloc(&area, WINDOW * size, 0));
    CHECK_OK(dma_assoc(sock, area, 0, 0));
    CHECK(ec_add_socket(ec, sock, 0, 0) >= 0);
    CHECK_OK(sio_reserve(area, (void **)&block, WINDOW * size));
    memset(block, 'x', WINDOW * size);
    for (int sent = 0; sent < 2 * SENDS;) {
        if (sent == SENDS)
            syscall(SYS_getpgid, MARK);
        for (int i = 0; i < WINDOW; i++)
            CHECK_IS(sio_send(sock, block + i * size, size, 0), (int)size);
        for (int told = 0, n; told < WINDOW; told += n) {
            CHECK_SET(n, ec_wait_events(ec, events, WINDOW, NULL, NULL));
            for (int i = 0; i < n; i++)
                CHECK(events[i].ev_type == EC_EV_SENT && events[i].ev_errno == 0);
        }
        sent += WINDOW;
    }
    syscall(SYS_getpgid, MARK);
    _exit(0);
}

/* The calls of a child between two marks. */
static long count_calls(size_t size, unsigned flags)
{
    long calls = 0;
    int status, marks = 0, is_entry = 0;
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
            _exit(77);
        raise(SIGSTOP);
        run_child(size, flags);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        check_skip("no process may be traced here");
    CHECK(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0);
    for (int signal = 0;;) {
        CHECK(ptrace(PTRACE_SYSCALL, child, NULL, signal) == 0);
        CHECK(waitpid(child, &status, __WALL) == child);
        if (!WIFSTOPPED(status))
            break;
        signal = 0;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            signal = WSTOPSIG(status);
            continue;
        }
        is_entry = !is_entry;
        if (!is_entry)
            continue;
        struct __ptrace_syscall_info info;
        CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0);
        if (info.entry.nr == SYS_getpgid && info.entry.args[0] == MARK)
            marks++;
        else if (marks == 1)
            calls++;
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(marks == 2);
    return calls;
}

int main(void)
{
    static const char set_up[] =
        "{ ip link add hole0 type ifb || ip link add hole0 type dummy; } 2>/dev/null && "
        "ip link set hole0 mtu 65535 up && "
        "ip addr add 198.51.100.1/24 dev hole0 && "
        "ip neighbour replace 198.51.100.2 lladdr 02:00:00:00:00:01 dev hole0";
    static const size_t sizes[] = { 1472, 16384, 60000 };

    check_start();
    if (unshare(CLONE_NEWNET) != 0 || system(set_up) != 0)
        check_skip("no network namespace with a device that drops");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int shared = 0; shared < 2; shared++) {
            long calls = count_calls(sizes[i], shared ? 0 : EC_SINGLE);
            if (calls * 8 > SENDS)
                check_fail(__FILE__, __LINE__, "%ld calls for %d sends of %zu bytes (%s)", calls,
                           SENDS, sizes[i], shared ? "shared" : "EC_SINGLE");
        }
    return 0;
}
