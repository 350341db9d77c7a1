/*
 * A control block that is null is EFAULT, and so is none to aio_cancel all of a descriptor.
 */
#include "aio.h"

int main(void)
{
    struct aiocb *volatile none = NULL;

    check_start();
    CHECK_ERR(aio_read(none), EFAULT);
    CHECK_ERR(aio_write(none), EFAULT);
    CHECK_ERR(aio_fsync(O_SYNC, none), EFAULT);
    CHECK_ERR(aio_error(none), EFAULT);
    CHECK_ERR(aio_return(none), EFAULT);
    CHECK_IS(aio_cancel(0, NULL), AIO_ALLDONE);
    return 0;
}
