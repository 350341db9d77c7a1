/* The constants of the header have the values that programs have been compiled with. */
#include "check.h"

#include <sys/timerfd.h>

#define IS(name, value) _Static_assert((name) == (value), #name " has another value")

IS(SIGEV_EC, 16);
IS(EC_SINGLE, 0x1u);
IS(EC_CAPACITY(0), 0u);
IS(EC_CAPACITY(12), 0x0c000000u);
IS(EC_CAPACITY(20), 0x14000000u);
IS(EC_ABSTIME, TIMER_ABSTIME);
IS(EC_ABSTIME, TFD_TIMER_ABSTIME);
IS(EC_CANCEL_ON_SET, TFD_TIMER_CANCEL_ON_SET);
IS(EC_EDGE, 0x10u);
IS(EC_ONESHOT, 0x20u);
IS(EC_ATTACH, 0x40u);
IS(EC_NONBLOCK, 0x80u);
IS(EC_EV_FD, 1);
IS(EC_EV_MQ, 2);
IS(EC_EV_SIGNAL, 3);
IS(EC_EV_TIMER, 4);
IS(EC_EV_FUTEX, 5);
IS(EC_EV_SEM, 6);
IS(EC_EV_PROCESS, 7);
IS(EC_EV_AIO, 8);
IS(EC_EV_LIO, 9);
IS(EC_EV_RECV, 10);
IS(EC_EV_SENT, 11);
IS(EC_EV_ACCEPT, 12);
IS(EC_EV_USER, 13);
IS(EC_F_COPIED, 0x1u);
IS(EC_F_EOF, 0x2u);
IS(EC_F_HUP, 0x4u);
IS(EC_F_MORE, 0x8u);
IS(DMA_HUGE, 0x1u);
IS(DMA_HUGE_ONLY, 0x2u);
IS(DMA_ENGINE_IO_URING, 0x100u);
IS(DMA_ENGINE_EPOLL, 0x200u);
IS(DMA_ENGINE_AF_XDP, 0x400u);
IS(SIO_RELEASE, 0x00400000);
IS(SIO_QUIET, 0x00800000);
IS(SIO_INFO_ZC_SEND, 0x1u);
IS(SIO_INFO_ZC_RECV, 0x2u);
IS(SIO_INFO_LOCKED, 0x4u);
IS(SIO_INFO_REGISTERED, 0x8u);

/* No notification of the C library's has the number. */
_Static_assert(SIGEV_EC != SIGEV_SIGNAL && SIGEV_EC != SIGEV_NONE && SIGEV_EC != SIGEV_THREAD &&
               SIGEV_EC != SIGEV_THREAD_ID, "a notification means two things");

/* The library's flags share the int with the kernel's: no bit may mean two things. */
#define KERNEL_FLAGS (MSG_OOB | MSG_PEEK | MSG_DONTROUTE | MSG_CTRUNC | MSG_TRUNC | MSG_DONTWAIT | \
                      MSG_EOR | MSG_WAITALL | MSG_CONFIRM | MSG_ERRQUEUE | MSG_NOSIGNAL | \
                      MSG_MORE | MSG_WAITFORONE | MSG_ZEROCOPY | MSG_FASTOPEN | MSG_CMSG_CLOEXEC)
_Static_assert(((SIO_RELEASE | SIO_QUIET) & KERNEL_FLAGS) == 0, "a bit means two things");

int main(void)
{
    return 0;
}
