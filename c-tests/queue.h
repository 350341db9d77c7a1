/* A message queue for a test: nameless, and gone with its last descriptor. */
#ifndef QUEUE_H
#define QUEUE_H

#include "check.h"

#include <mqueue.h>

#define MESSAGE_BYTES 16

static inline mqd_t queue_open(int flags)
{
    static int number;
    struct mq_attr attributes;
    char name[64];
    memset(&attributes, 0, sizeof attributes);
    attributes.mq_maxmsg = 4;
    attributes.mq_msgsize = MESSAGE_BYTES;
    snprintf(name, sizeof name, "/sio-test-%d-%d", (int)getpid(), number++);
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | O_CLOEXEC | flags, 0600, &attributes);
    if (queue == -1 && errno == ENOSYS)
        check_skip("no message queues here");
    CHECK(queue != -1);
    CHECK(mq_unlink(name) == 0);
    return queue;
}

/* The same queue, for sending. */
static inline mqd_t queue_writer(mqd_t queue)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", (int)queue);
    mqd_t writer = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(writer != -1);
    return writer;
}

static inline void queue_send(mqd_t queue)
{
    CHECK(mq_send(queue, "message", 8, 0) == 0);
}

static inline void queue_receive(mqd_t queue)
{
    char message[MESSAGE_BYTES];
    CHECK(mq_receive(queue, message, sizeof message, NULL) == 8);
}

#endif
