/* Descriptors as control data of messages: SCM_RIGHTS, unix(7). */
#ifndef RIGHTS_H
#define RIGHTS_H

#include "check.h"

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static inline void put_descriptor(struct msghdr *message, union control *control, int fd)
{
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    message->msg_controllen = sizeof control->bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
}

static inline int take_descriptor(struct msghdr *message)
{
    int fd;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    CHECK(header != NULL && header->cmsg_level == SOL_SOCKET);
    CHECK(header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof fd));
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

/* Sends ten bytes of the pattern, and a descriptor with them. */
static inline void pass_descriptor(int sock, int fd, size_t at)
{
    char data[10];
    union control control;
    struct iovec part = { data, sizeof data };
    struct msghdr message;
    memset(&message, 0, sizeof message);
    pattern_fill(data, sizeof data, at);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    put_descriptor(&message, &control, fd);
    CHECK(sendmsg(sock, &message, 0) == sizeof data);
}

#endif
