/* A process that becomes another program is registered no more, although the queue lives on. */
#include "queue.h"
#include "sigevent.h"

int main(int count, char **arguments)
{
    check_start();
    if (count > 1) {
        sleep(HANG_SECONDS);
        return 1;
    }
    mqd_t queue = queue_open(O_RDWR);
    int gone[2];
    char byte;
    CHECK(pipe2(gone, O_CLOEXEC) == 0);
    pid_t child = child_start();
    if (child == 0) {
        char *again[] = { arguments[0], (char *)"again", NULL };
        struct sigevent how = to_channel(channel_new(0), 1);
        CHECK_OK(mq_notify(queue, &how));
        execv("/proc/self/exe", again);
        _exit(1);
    }
    CHECK(close(gone[1]) == 0);
    CHECK(read(gone[0], &byte, 1) == 0);
    ec_t ec = channel_new(0);
    struct sigevent how = to_channel(ec, 2);
    /* The pipe may be closed a moment before the queue. */
    while (mq_notify(queue, &how) == -1) {
        CHECK(errno == EBUSY);
        sleep_ms(1);
    }
    queue_send(queue);
    CHECK(event_wait(ec).ev_cookie == 2);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
    CHECK(mq_close(queue) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
