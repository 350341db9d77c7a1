/*
 * Memory goes from thread to thread with an event: what was written before ec_post is there for
 * whoever fetches, without any other synchronization. The thread sanitizer and valgrind see it so
 * too (tests/sanitizers.rs).
 */
#include "check.h"

#define POSTERS 4
#define FETCHERS 4
#define JOBS 50     /* of each poster */

struct job {
    unsigned poster, number;
    char text[40];
    unsigned long result;
};

static ec_t jobs, results;

static void post_pointer(ec_t ec, struct job *job)
{
    event_data_t event = user_event(0);
    event.ev_ptr = job;
    CHECK_OK(ec_post(ec, &event));
}

static void *poster(void *argument)
{
    for (unsigned i = 0; i < JOBS; i++) {
        struct job *job = calloc(1, sizeof *job);
        CHECK(job != NULL);
        job->poster = *(unsigned *)argument;
        job->number = i;
        snprintf(job->text, sizeof job->text, "job %u of poster %u", i, job->poster);
        post_pointer(jobs, job);
    }
    return NULL;
}

/* Each fetcher waits in another way. */
static int fetch(unsigned style, event_data_t *events)
{
    int n;
    struct timespec limit = milliseconds(1);
    switch (style) {
    case 0:
        CHECK_SET(n, ec_wait_events(jobs, events, 4, NULL, NULL));
        return n;
    case 1:
        n = ec_wait_events(jobs, events, 4, &limit, NULL);
        CHECK(n > 0 || errno == ETIMEDOUT);
        return n;
    case 2:
        CHECK_IS(ec_wait_events(jobs, events, 1, NULL, NULL), 1);
        return 1;
    default:
        CHECK_OK(ec_delay(jobs, NULL));
        return ec_next_event(jobs, events) == 0;
    }
}

static void *fetcher(void *argument)
{
    for (;;) {
        event_data_t events[4];
        int n = fetch(*(unsigned *)argument, events);
        for (int i = 0; i < n; i++) {
            struct job *job = events[i].ev_ptr;
            if (job == NULL)
                return NULL;
            char text[40];
            snprintf(text, sizeof text, "job %u of poster %u", job->number, job->poster);
            CHECK(strcmp(text, job->text) == 0);
            memset(job->text, 0, sizeof job->text);
            job->result = job->poster * JOBS + job->number;
            post_pointer(results, job);
        }
    }
}

int main(void)
{
    check_start();
    static unsigned number[] = { 0, 1, 2, 3 };
    pthread_t posters[POSTERS], fetchers[FETCHERS];
    jobs = channel_new(0);
    results = channel_new(0);
    for (int i = 0; i < FETCHERS; i++)
        fetchers[i] = thread_start(fetcher, &number[i]);
    for (int i = 0; i < POSTERS; i++)
        posters[i] = thread_start(poster, &number[i]);
    unsigned long sum = 0;
    for (int i = 0; i < POSTERS * JOBS; i++) {
        event_data_t event = event_wait(results);
        struct job *job = event.ev_ptr;
        sum += job->result;
        free(job);
    }
    CHECK(sum == POSTERS * JOBS * (POSTERS * JOBS - 1) / 2);
    for (int i = 0; i < POSTERS; i++)
        thread_end(posters[i]);
    /* One at a time: a fetcher that takes several would keep the others' end to itself. */
    for (int i = 0; i < FETCHERS; i++) {
        post_pointer(jobs, NULL);
        while (ec_to_fd(jobs) >= 0 && is_readable(jobs, 0))
            sched_yield();
    }
    for (int i = 0; i < FETCHERS; i++)
        thread_end(fetchers[i]);
    CHECK_OK(ec_destroy(jobs));
    CHECK_OK(ec_destroy(results));
    return 0;
}
