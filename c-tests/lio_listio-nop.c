/*
 * LIO_NOP and null entries are passed over, whatever else the block says, and nothing of the block
 * changes. A list of nothing else has ended at once.
 */
#include "aio.h"
#include "signals.h"

int main(void)
{
    struct aiocb nop, before, *list[] = { NULL, &nop, NULL };
    struct sigevent event;

    check_start();
    sigset_t set = SIGNALS(SIGRTMIN);
    memset(&nop, 0x5a, sizeof nop);
    nop.aio_lio_opcode = LIO_NOP;
    nop.aio_fildes = -1;
    nop.aio_reqprio = -7;
    before = nop;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMIN;
    CHECK_OK(lio_listio(LIO_WAIT, list, 3, NULL));
    CHECK_OK(lio_listio(LIO_NOWAIT, list, 3, NULL));
    CHECK(signal_take(&set) == 0);
    CHECK_OK(lio_listio(LIO_NOWAIT, list, 3, &event));
    CHECK(sigwaitinfo(&set, NULL) == SIGRTMIN);
    CHECK(signal_take(&set) == 0);
    CHECK(memcmp(&nop, &before, sizeof nop) == 0);
    return 0;
}
