/* A message queue for a test: nameless, and gone with its last descriptor. */
#ifndef QUEUE_H
#define QUEUE_H

#include "check.h"

#include <mqueue.h>

#define MESSAGE_BYTES 16
#define MESSAGES_MAX 4

/* A new queue, opened in each of these ways. */
static inline void queue_open_ends(mqd_t *queues, const int *how, int count)
{
    static int number;
    struct mq_attr attributes;
    char name[64];
    memset(&attributes, 0, sizeof attributes);
    attributes.mq_maxmsg = MESSAGES_MAX;
    attributes.mq_msgsize = MESSAGE_BYTES;
    snprintf(name, sizeof name, "/sio-test-%d-%d", (int)getpid(), number++);
    for (int i = 0; i < count; i++) {
        queues[i] = mq_open(name, O_CREAT | O_CLOEXEC | how[i], 0600, &attributes);
        if (queues[i] == -1 && errno == ENOSYS)
            check_skip("no message queues here");
        CHECK(queues[i] != -1);
    }
    CHECK(mq_unlink(name) == 0);
}

static inline mqd_t queue_open(int flags)
{
    mqd_t queue;
    queue_open_ends(&queue, &flags, 1);
    return queue;
}

static inline mqd_t queue_new(void)
{
    return queue_open(O_RDWR | O_NONBLOCK);
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

static inline void queue_send_byte(mqd_t queue, char byte)
{
    CHECK(mq_send(queue, &byte, 1, 0) == 0);
}

static inline char queue_receive_byte(mqd_t queue)
{
    char message[MESSAGE_BYTES];
    CHECK(mq_receive(queue, message, sizeof message, NULL) == 1);
    return message[0];
}

#endif
