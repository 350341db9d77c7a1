/*
 * fork with every kind of source armed: children that do nothing, that make a channel with sources
 * of their own, and that execute another program disturb nothing, and the parent goes on.
 */
#include "sources.h"

static void refused(ec_t ec, struct sources *all)
{
    CHECK_ERR(ec_add_mq(ec, all->queue, 0, 0), EPERM);
    CHECK_ERR(ec_add_signal(ec, &all->set, 0, 0), EPERM);
    CHECK_ERR(ec_add_futex(ec, &all->word, 0, 0, 0), EPERM);
    CHECK_ERR(ec_add_sem(ec, &all->sem, 0, 0), EPERM);
    CHECK_ERR(ec_add_process(ec, all->pidfd, 0, 0), EPERM);
    CHECK_ERR(ec_add_fd(ec, all->counter, POLLIN, EC_COUNTER, 0), EPERM);
    for (int kind = 0; kind < KINDS; kind++) {
        CHECK_ERR(ec_modify(ec, all->source[kind], 0, 0), EPERM);
        CHECK_ERR(ec_remove(ec, all->source[kind]), EPERM);
    }
    CHECK_ERR(ec_destroy(ec), EPERM);
}

static void child_with_own(void)
{
    struct sources all;
    ec_t ec = channel_new(0);
    sources_make(&all);
    sources_add(&all, ec);
    check_no_event(ec, 5);
    sources_tell(&all, ec);
    CHECK_OK(ec_destroy(ec));
    sources_end(&all);
}

int main(int argc, char **argv)
{
    check_start();
    if (argc == 2) {
        /* Nothing of the sources is inherited but what the test itself has left open: nothing. */
        CHECK(count_descriptors() == atoi(argv[1]));
        child_with_own();
        return 0;
    }
    char before[16];
    snprintf(before, sizeof before, "%d", count_descriptors());
    for (int i = 0; i < 4; i++) {
        struct sources all;
        ec_t ec = channel_new(0);
        sources_make(&all);
        sources_add(&all, ec);
        CHECK_OK(ec_flush(ec));
        pid_t child = child_start();
        if (child == 0) {
            if (i == 0)
                _exit(0);
            if (i == 1)
                refused(ec, &all);
            if (i == 3)
                execv("/proc/self/exe", (char *[]){ argv[0], before, NULL });
            child_with_own();
            exit(i == 3);
        }
        child_end(child);
        check_no_event(ec, 5);
        sources_tell(&all, ec);
        CHECK_OK(ec_destroy(ec));
        sources_end(&all);
    }
    return 0;
}
