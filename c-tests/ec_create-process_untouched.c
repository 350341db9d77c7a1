/* Using the library prints nothing, installs no signal handler and changes no signal mask. */
#include "check.h"

int main(void)
{
    check_start();
    int output[2], saved[2], pair[2];
    sigset_t before, after;
    CHECK(unsetenv("SIO_LOG") == 0);
    CHECK(pipe2(output, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &before) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK((saved[i] = dup(i + 1)) >= 0);
        CHECK(dup2(output[1], i + 1) == i + 1);
    }

    pair_open(TCP4, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 20, ATTACHED);
    void *block = block_new(end.area, 100);
    memset(block, 1, 100);
    endpoint_send(&end, block, 100, 0);
    CHECK_ERR(sio_send(pair[0], &pair, 1, 0), EFAULT);
    CHECK_ERR(ec_flush(-1), EBADF);
    CHECK_OK(sio_release(end.area, block, 100));
    endpoint_close(&end);

    char text[1];
    for (int i = 0; i < 2; i++)
        CHECK(dup2(saved[i], i + 1) == i + 1);
    CHECK(read(output[0], text, 1) == -1 && errno == EAGAIN);
    for (int number = 1; number < 32; number++) {
        struct sigaction action;
        CHECK(sigaction(number, NULL, &action) == 0);
        CHECK(action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN);
    }
    CHECK(pthread_sigmask(SIG_BLOCK, NULL, &after) == 0);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    return 0;
}
