/*
 * One source of each kind, armed, with something that makes each of them tell. Signals are
 * blocked, so this belongs before the first thread of a test.
 */
#ifndef SOURCES_H
#define SOURCES_H

#include "check.h"
#include "futex.h"
#include "process.h"
#include "queue.h"
#include "signals.h"

#include <sys/eventfd.h>

enum kind { OF_EDGE, OF_COUNTER, OF_MQ, OF_MQ_EDGE, OF_SIGNAL, OF_FUTEX, OF_SEM, OF_PROCESS, KINDS };

struct sources {
    int pipe[2], counter;
    mqd_t queue, edge_queue;
    sigset_t set;
    uint32_t word;
    sem_t sem;
    pid_t child;
    int pidfd, lifeline;
    int source[KINDS];
};

static inline void source_add(struct sources *all, ec_t ec, int kind)
{
    int *source = &all->source[kind];
    uint64_t cookie = (uint64_t)kind;
    switch (kind) {
    case OF_EDGE:
        CHECK_SET(*source, ec_add_fd(ec, all->pipe[0], POLLIN, EC_EDGE, cookie));
        break;
    case OF_COUNTER:
        CHECK_SET(*source, ec_add_fd(ec, all->counter, POLLIN, EC_COUNTER, cookie));
        break;
    case OF_MQ:
        CHECK_SET(*source, ec_add_mq(ec, all->queue, 0, cookie));
        break;
    case OF_MQ_EDGE:
        CHECK_SET(*source, ec_add_mq(ec, all->edge_queue, EC_EDGE, cookie));
        break;
    case OF_SIGNAL:
        CHECK_SET(*source, ec_add_signal(ec, &all->set, 0, cookie));
        break;
    case OF_FUTEX:
        CHECK_SET(*source, ec_add_futex(ec, &all->word, 0, 0, cookie));
        break;
    case OF_SEM:
        CHECK_SET(*source, ec_add_sem(ec, &all->sem, 0, cookie));
        break;
    case OF_PROCESS:
        CHECK_SET(*source, ec_add_process(ec, all->pidfd, 0, cookie));
    }
}

static inline void sources_make(struct sources *all)
{
    CHECK(pipe2(all->pipe, O_CLOEXEC | O_NONBLOCK) == 0);
    CHECK((all->counter = eventfd(0, EFD_CLOEXEC)) >= 0);
    all->queue = queue_new();
    all->edge_queue = queue_new();
    all->set = SIGNALS(SIGRTMIN + 5);
    all->word = 0;
    CHECK(sem_init(&all->sem, 0, 0) == 0);
    all->child = child_running(&all->lifeline);
    all->pidfd = pidfd_open_of(all->child);
}

static inline void sources_add(struct sources *all, ec_t ec)
{
    for (int kind = 0; kind < KINDS; kind++)
        source_add(all, ec, kind);
}

/* Gives the source something to tell. */
static inline void source_fire(struct sources *all, int kind)
{
    uint64_t one = 1;
    switch (kind) {
    case OF_EDGE:
        CHECK(write(all->pipe[1], "x", 1) == 1);
        break;
    case OF_COUNTER:
        CHECK(write(all->counter, &one, sizeof one) == sizeof one);
        break;
    case OF_MQ:
        queue_send_byte(all->queue, 'x');
        break;
    case OF_MQ_EDGE:
        queue_send_byte(all->edge_queue, 'x');
        break;
    case OF_SIGNAL:
        signal_send(SIGRTMIN + 5, 1);
        break;
    case OF_FUTEX:
        word_set(&all->word, 1);
        futex_wake(&all->word, 1);
        break;
    case OF_SEM:
        CHECK(sem_post(&all->sem) == 0);
        break;
    case OF_PROCESS:
        CHECK(kill(all->child, SIGKILL) == 0);
    }
}

/* Takes what was told, where it lies outside of the channel: its level is gone then. */
static inline void source_take(struct sources *all, const event_data_t *event)
{
    char byte;
    int kind = (int)event->ev_cookie;
    CHECK(kind >= 0 && kind < KINDS && event->ev_source == all->source[kind]);
    CHECK(event->ev_errno == 0);
    switch (kind) {
    case OF_EDGE:
        CHECK(event->ev_type == EC_EV_FD && read(all->pipe[0], &byte, 1) == 1);
        break;
    case OF_COUNTER:
        CHECK(event->ev_type == EC_EV_FD && event->ev_len == 1);
        break;
    case OF_MQ:
    case OF_MQ_EDGE:
        CHECK(event->ev_type == EC_EV_MQ && queue_receive_byte(event->ev_fd) == 'x');
        break;
    case OF_SIGNAL:
        CHECK(event->ev_type == EC_EV_SIGNAL && event->ev_fd == SIGRTMIN + 5);
        break;
    case OF_FUTEX:
        CHECK(event->ev_type == EC_EV_FUTEX && event->ev_ptr == &all->word);
        break;
    case OF_SEM:
        CHECK(event->ev_type == EC_EV_SEM && event->ev_ptr == &all->sem);
        break;
    case OF_PROCESS:
        CHECK(event->ev_type == EC_EV_PROCESS && event->ev_result == SIGKILL);
    }
}

/* Fires all of them, and fetches what each has to tell. */
static inline void sources_tell(struct sources *all, ec_t ec)
{
    int told[KINDS] = { 0 };
    for (int kind = 0; kind < KINDS; kind++)
        source_fire(all, kind);
    for (int count = 0; count < KINDS; count++) {
        event_data_t event = event_wait(ec);
        source_take(all, &event);
        CHECK(told[event.ev_cookie]++ == 0);
    }
    check_no_event(ec, 5);
}

/* Gives up what the sources were made of; the channel is gone, or they are removed from it. */
static inline void sources_end(struct sources *all)
{
    kill(all->child, SIGKILL);
    waitpid(all->child, NULL, 0);
    while (signal_take(&all->set) != 0)
        continue;
    CHECK(sem_destroy(&all->sem) == 0);
    CHECK(mq_close(all->queue) == 0 && mq_close(all->edge_queue) == 0);
    CHECK(close(all->pipe[0]) == 0 && close(all->pipe[1]) == 0 && close(all->counter) == 0);
    CHECK(close(all->pidfd) == 0 && close(all->lifeline) == 0);
}

#endif
