/* The errors of the C library's mq_notify are unchanged. */
#include "queue.h"

int main(void)
{
    check_start();
    mqd_t queue = queue_open(O_RDWR);
    struct sigevent how;
    memset(&how, 0, sizeof how);
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = SIGUSR2;
    CHECK_ERR(mq_notify(-1, &how), EBADF);
    CHECK_ERR(mq_notify(12345, &how), EBADF);
    CHECK_ERR(mq_notify(STDERR_FILENO, &how), EBADF);
    CHECK_ERR(mq_notify(-1, NULL), EBADF);
    CHECK_ERR(mq_notify(STDERR_FILENO, NULL), EBADF);
    how.sigev_signo = 1000;
    CHECK_ERR(mq_notify(queue, &how), EINVAL);
    static const int kinds[] = { 3, 4, 5, 15, 17, 32, -1, 0x7fffffff };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        how.sigev_notify = kinds[i];
        CHECK_ERR(mq_notify(queue, &how), EINVAL);
    }
    CHECK_OK(mq_notify(queue, NULL));
    CHECK(mq_close(queue) == 0);
    return 0;
}
