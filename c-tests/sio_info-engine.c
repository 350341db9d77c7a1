/* sio_info names the engine in use; when it is not the preferred one it says why. */
#include "check.h"

static void run(enum pair_kind kind, enum attach attach)
{
    int pair[2];
    struct sio_info info;
    const char *wanted = getenv("SIO_ENGINE");
    pair_open(kind, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, attach);
    memset(&info, 0xff, sizeof info);
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK(memchr(info.si_engine, '\0', sizeof info.si_engine) != NULL);
    CHECK(memchr(info.si_reason, '\0', sizeof info.si_reason) != NULL);
    CHECK(strcmp(info.si_engine, "io_uring") == 0 || strcmp(info.si_engine, "epoll") == 0);
    const unsigned known = SIO_INFO_ZC_SEND | SIO_INFO_ZC_RECV | SIO_INFO_LOCKED |
                           SIO_INFO_REGISTERED;
    CHECK((info.si_flags & ~known) == 0);
    if (wanted != NULL && strcmp(wanted, "epoll") == 0) {
        CHECK(strcmp(info.si_engine, "epoll") == 0);
        CHECK(info.si_reason[0] == '\0');
    } else if (wanted == NULL || strcmp(wanted, "io_uring") == 0) {
        CHECK((strcmp(info.si_engine, "io_uring") == 0) == (info.si_reason[0] == '\0'));
    }
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair_attached(ALL_PAIRS, run);
    return 0;
}
