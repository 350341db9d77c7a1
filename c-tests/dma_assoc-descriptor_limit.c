/*
 * Everything that can run out of descriptors, one more allowed each time: the call that lacks one
 * fails with EMFILE and leaves nothing behind; when there are enough, all of it works.
 */
#include "check.h"

/* 0, or the errno of the call that failed; everything is taken down again. */
static int attempt(int sock)
{
    dma_mem_t area = 0;
    int error = 0, source, associated = 0;
    ec_t ec = ec_create(0);
    if (ec == -1)
        return errno;
    if (dma_alloc(&area, 1 << 16, 0) == -1)
        error = errno;
    else if (dma_assoc(sock, area, 0, 0) == -1)
        error = errno;
    else
        associated = 1;
    if (error == 0) {
        source = ec_add_socket(ec, sock, 0, 1);
        if (source == -1)
            error = errno;
    }
    if (associated)
        CHECK_OK(sio_detach(sock));
    if (area != 0)
        CHECK_OK(dma_free(area, 1 << 16));
    CHECK_OK(ec_destroy(ec));
    return error;
}

int main(void)
{
    check_start();
    int pair[2];
    struct rlimit limit;
    pair_open(TCP4, pair);
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int before = count_descriptors();
    int next = dup(0), error = -1;
    CHECK(next >= 0 && close(next) == 0);
    for (int extra = 0; error != 0; extra++) {
        struct rlimit tight = { (rlim_t)(next + extra), limit.rlim_max };
        CHECK(extra < 64);
        CHECK(setrlimit(RLIMIT_NOFILE, &tight) == 0);
        error = attempt(pair[0]);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK(error == 0 || error == EMFILE);
        CHECK(count_descriptors() == before);
    }
    return 0;
}
