/* After ec_remove and after ec_destroy the memory of words and semaphores may go. */
#include "check.h"
#include "futex.h"

#include <sys/mman.h>

#define ROUNDS 200

int main(void)
{
    check_start();
    ec_t lasting = channel_new(0);
    for (int i = 0; i < ROUNDS; i++) {
        ec_t ec = i % 2 ? channel_new(0) : lasting;
        int word_source, sem_source;
        char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(page != MAP_FAILED);
        uint32_t *word = (uint32_t *)(void *)page;
        sem_t *sem = (sem_t *)(void *)(page + 1024);
        CHECK(sem_init(sem, 0, 0) == 0);
        CHECK_SET(word_source, ec_add_futex(ec, word, 0, 0, 1));
        CHECK_SET(sem_source, ec_add_sem(ec, sem, 0, 2));
        if (i % 4 / 2) {
            futex_wake(word, 1);
            CHECK(sem_post(sem) == 0);
        }
        if (i % 2 == 0) {
            CHECK_OK(ec_remove(ec, sem_source));
            CHECK_OK(ec_remove(ec, word_source));
        } else {
            CHECK_OK(ec_destroy(ec));
        }
        CHECK(sem_destroy(sem) == 0);
        CHECK(munmap(page, 4096) == 0);
    }
    check_no_event(lasting, 5);
    CHECK_OK(ec_destroy(lasting));
    return 0;
}
