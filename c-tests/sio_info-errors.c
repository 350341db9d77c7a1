/* sio_info refuses sizes under 8 and null pointers. */
#include "check.h"

int main(void)
{
    check_start();
    int pair[2];
    struct sio_info info;
    pair_open(TCP4, pair);
    CHECK_ERR(sio_info(pair[0], &info, sizeof info), EINVAL);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    for (size_t size = 0; size < 8; size++)
        CHECK_ERR(sio_info(pair[0], &info, size), EINVAL);
    CHECK_ERR(sio_info(pair[0], NULL, sizeof info), EFAULT);
    CHECK_ERR(sio_info(-1, &info, sizeof info), EBADF);
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    endpoint_close(&end);
    return 0;
}
