/* A named semaphore, and one in memory that processes share, posted by a child. */
#include "check.h"

#include <sys/mman.h>

static void child_posts(sem_t *sem, ec_t ec, int source)
{
    for (int i = 0; i < 5; i++) {
        pid_t child = child_start();
        if (child == 0) {
            for (int j = 0; j < 4; j++)
                CHECK(sem_post(sem) == 0);
            _exit(0);
        }
        for (int j = 0; j < 4; j++) {
            event_data_t event = event_wait(ec);
            CHECK(event.ev_source == source && event.ev_ptr == sem);
        }
        child_end(child);
        check_no_event(ec, 2);
    }
}

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    char name[64];
    int source;
    snprintf(name, sizeof name, "/sio-test-%d", (int)getpid());
    sem_t *named = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    if (named == SEM_FAILED)
        check_skip("no named semaphores here: %s", strerror(errno));
    CHECK(sem_unlink(name) == 0);
    CHECK_SET(source, ec_add_sem(ec, named, 0, 1));
    child_posts(named, ec, source);
    CHECK_OK(ec_remove(ec, source));
    CHECK(sem_close(named) == 0);

    sem_t *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                         -1, 0);
    CHECK(shared != MAP_FAILED && sem_init(shared, 1, 0) == 0);
    CHECK_SET(source, ec_add_sem(ec, shared, 0, 2));
    child_posts(shared, ec, source);
    CHECK_OK(ec_remove(ec, source));
    CHECK(sem_destroy(shared) == 0);
    CHECK(munmap(shared, sizeof *shared) == 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
