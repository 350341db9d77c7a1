/* Files in memory, with the pattern in them. */
#ifndef FILE_H
#define FILE_H

#include "check.h"

#include <sys/mman.h>

static inline int file_new(size_t size)
{
    unsigned char chunk[4096];
    int file = memfd_create("file", MFD_CLOEXEC);
    CHECK(file >= 0);
    for (size_t done = 0; done < size;) {
        size_t part = size - done < sizeof chunk ? size - done : sizeof chunk;
        pattern_fill(chunk, part, done);
        CHECK(write(file, chunk, part) == (ssize_t)part);
        done += part;
    }
    return file;
}

/* What tells of a file that was sent. */
static inline void check_file_sent(ec_t ec, int sock, size_t asked, long long sent)
{
    event_data_t event = event_wait_for(ec, EC_EV_SENT, sock);
    CHECK(event.ev_errno == 0 && event.ev_result == sent);
    CHECK(event.ev_ptr == NULL && event.ev_len == asked);
    CHECK(event.ev_cookie == ENDPOINT_COOKIE);
}

#endif
