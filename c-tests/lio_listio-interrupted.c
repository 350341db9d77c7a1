/*
 * A signal that is handled ends LIO_WAIT with EINTR; no request is cancelled by that.
 */
#include "aio.h"

int main(void)
{
    char bytes[2];
    struct aiocb blocks[2], *list[] = { &blocks[0], &blocks[1] };
    int pipes[2];

    check_start();
    CHECK(pipe(pipes) == 0);
    for (int i = 0; i < 2; i++) {
        blocks[i] = aio_block(pipes[0], &bytes[i], 1, 0);
        blocks[i].aio_lio_opcode = LIO_READ;
    }
    signal_catch();
    timer_t timer = signal_start();
    CHECK_ERR(lio_listio(LIO_WAIT, list, 2, NULL), EINTR);
    CHECK(timer_delete(timer) == 0);
    CHECK_IS(aio_error(&blocks[0]), EINPROGRESS);
    CHECK_IS(aio_error(&blocks[1]), EINPROGRESS);
    CHECK(write(pipes[1], "xy", 2) == 2);
    CHECK_DONE(&blocks[0], 1);
    CHECK_DONE(&blocks[1], 1);
    CHECK(bytes[0] == 'x' && bytes[1] == 'y');
    return 0;
}
