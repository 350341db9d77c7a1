/* Sources that were added by a thread which has ended go on as those of any other. */
#include "sources.h"

static ec_t ec;
static struct sources all;

static void *adder(void *argument)
{
    (void)argument;
    sources_add(&all, ec);
    CHECK_OK(ec_flush(ec));
    return NULL;
}

static void *modifier(void *argument)
{
    (void)argument;
    word_set(&all.word, 0);
    CHECK_OK(ec_modify(ec, all.source[OF_FUTEX], 0, 0));
    CHECK_OK(ec_modify(ec, all.source[OF_EDGE], POLLIN, EC_EDGE));
    CHECK_OK(ec_modify(ec, all.source[OF_MQ_EDGE], 0, EC_EDGE));
    return NULL;
}

int main(void)
{
    check_start();
    for (int i = 0; i < 4; i++) {
        sources_make(&all);
        ec = channel_new(0);
        thread_end(thread_start(adder, NULL));
        if (i % 2)
            check_no_event(ec, 10);
        sources_tell(&all, ec);
        thread_end(thread_start(modifier, NULL));
        if (i % 2)
            check_no_event(ec, 10);
        int again[] = { OF_EDGE, OF_MQ_EDGE, OF_COUNTER, OF_FUTEX, OF_SEM };
        for (int j = 0; j < 5; j++) {
            source_fire(&all, again[j]);
            event_data_t event = event_wait(ec);
            CHECK(event.ev_cookie == (uint64_t)again[j]);
            source_take(&all, &event);
        }
        check_no_event(ec, 5);
        CHECK_OK(ec_destroy(ec));
        sources_end(&all);
    }
    return 0;
}
