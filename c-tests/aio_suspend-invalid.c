/*
 * A number that is negative is EINVAL, a list that is none EFAULT. A list without a request has
 * nothing to wait for.
 */
#include "aio.h"

int main(void)
{
    const struct aiocb *list[3] = { NULL };
    const struct aiocb *const *volatile none = NULL;
    struct aiocb block;

    check_start();
    memset(&block, 0, sizeof block);
    CHECK_ERR(aio_suspend(list, -1, NULL), EINVAL);
    CHECK_ERR(aio_suspend(none, 1, NULL), EFAULT);
    CHECK_OK(aio_suspend(list, 0, NULL));
    CHECK_OK(aio_suspend(none, 0, NULL));
    CHECK_OK(aio_suspend(list, 3, NULL));
    list[1] = &block;
    CHECK_OK(aio_suspend(list, 3, NULL));
    return 0;
}
