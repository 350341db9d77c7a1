/* A received block is the program's until it is released, once, with the size that was received. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    void *first, *second;
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    write_message(pair[1], 200, 0);
    CHECK_IS(sio_recv(pair[0], &first, 200, 0), 200);
    write_message(pair[1], 200, 5);
    CHECK_IS(sio_recv(pair[0], &second, 200, 0), 200);
    CHECK(first != second);
    CHECK_PATTERN(first, 200, 0);
    CHECK_PATTERN(second, 200, 5);

    CHECK_ERR(sio_release(end.area, first, 100), EINVAL);
    CHECK_ERR(sio_release(end.area, first, 201), EINVAL);
    CHECK_ERR(sio_release(end.area, (char *)first + 1, 199), EINVAL);
    CHECK_OK(sio_release(end.area, first, 200));
    CHECK_ERR(sio_release(end.area, first, 200), EINVAL);
    CHECK_PATTERN(second, 200, 5);
    memset(second, 0, 200);
    CHECK_OK(sio_release(end.area, second, 200));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
