/*
 * The first ec_create finds out what the kernel can do. That interrupts no wait of the program's
 * afterwards: sigtimedwait(2) lasts as long as it was asked to.
 */
#include "check.h"

int main(void)
{
    struct timespec limit = milliseconds(300);
    sigset_t set;
    int ec;

    check_start();
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_THREAD(pthread_sigmask(SIG_BLOCK, &set, NULL));
    CHECK_SET(ec, ec_create(0));
    CHECK_ERR(sigtimedwait(&set, NULL, &limit), EAGAIN);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
