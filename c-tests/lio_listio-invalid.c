/*
 * A mode that is none, a negative number, a notification that is none: EINVAL; a list that is
 * none: EFAULT. Nothing of the list is begun.
 */
#include "aio.h"

int main(void)
{
    char buffer[4] = "same";
    struct aiocb block = aio_block(aio_file(0), buffer, 4, 0), *list[] = { &block };
    struct aiocb *const *volatile none = NULL;
    struct sigevent event;

    check_start();
    CHECK(pwrite(block.aio_fildes, "text", 4, 0) == 4);
    block.aio_lio_opcode = LIO_READ;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 99;
    CHECK_ERR(lio_listio(2, list, 1, NULL), EINVAL);
    CHECK_ERR(lio_listio(-1, list, 1, NULL), EINVAL);
    CHECK_ERR(lio_listio(LIO_WAIT, list, -1, NULL), EINVAL);
    CHECK_ERR(lio_listio(LIO_NOWAIT, list, INT_MIN, NULL), EINVAL);
    CHECK_ERR(lio_listio(LIO_NOWAIT, list, 1, &event), EINVAL);
    CHECK_ERR(lio_listio(LIO_WAIT, none, 1, NULL), EFAULT);
    CHECK(memcmp(buffer, "same", 4) == 0);
    /* Whoever waits needs no notification: it is not looked at. */
    CHECK_OK(lio_listio(LIO_WAIT, list, 1, &event));
    CHECK(memcmp(buffer, "text", 4) == 0);
    return 0;
}
