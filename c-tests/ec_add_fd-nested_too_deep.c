/* Channels nest, but not without end and not in a circle: ELOOP. */
#include "check.h"

#define DEPTH 40

int main(void)
{
    check_start();
    ec_t ec[DEPTH];
    int depth = 1, source;
    ec[0] = channel_new(0);
    while (depth < DEPTH) {
        ec[depth] = channel_new(0);
        errno = ERRNO_KEPT;
        source = ec_add_fd(ec[depth], ec[depth - 1], POLLIN, 0, (uint64_t)depth);
        if (source == -1)
            break;
        CHECK(errno == ERRNO_KEPT);
        depth++;
    }
    CHECK(depth < DEPTH && errno == ELOOP);
    CHECK(depth >= 2);

    /* What was accepted works through all levels. */
    post_user(ec[0], 9);
    CHECK(event_wait(ec[depth - 1]).ev_fd == ec[depth - 2]);
    CHECK(event_wait(ec[0]).ev_cookie == 9);

    CHECK_ERR(ec_add_fd(ec[0], ec[1], POLLIN, 0, 0), ELOOP);
    for (int i = depth; i >= 0; i--)
        CHECK_OK(ec_destroy(ec[i]));
    return 0;
}
