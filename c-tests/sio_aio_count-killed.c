/* Counts in memory that is shared with another process outlive the one that is killed. */
#include "aio.h"

#include <sys/wait.h>

int main(void)
{
    struct sio_aio_counts *counts;
    pid_t child;
    int status;

    check_start();
    counts = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(counts != MAP_FAILED);
    CHECK_OK(sio_aio_count(counts, sizeof *counts));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        char byte;
        int pipes[2], zero = open("/dev/zero", O_RDONLY);
        struct aiocb waiting, done = aio_block(zero, &byte, 1, 0);
        CHECK(pipe(pipes) == 0);
        waiting = aio_block(pipes[0], &byte, 1, 0);
        CHECK_OK(aio_read(&waiting));
        CHECK_OK(aio_read(&done));
        CHECK_DONE(&done, 1);
        raise(SIGKILL);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_IS(counts->sc_at_once, 1);
    CHECK_IS(counts->sc_by_ring + counts->sc_by_threads, 1);
    CHECK(counts->sc_engine[0] != 0);
    return 0;
}
