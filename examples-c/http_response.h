/* Heads of responses for the file servers, and the range of a file that a request asks for:
 * RFC 9110. No system calls. Needs _GNU_SOURCE.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <stdio.h>
#include <time.h>

#include "http.h"

enum { HTTP_RESPONSE_MAX = 512 };

/* What of a file of this size is asked for: sets first, end and, for a range, the status. What is
 * not understood, and several ranges at once, count as no range, as the standard allows. */
static inline void http_range(struct http_request *r, long long size)
{
    char *at = r->range + 6;
    long long first, last;

    r->end = size;
    if (strncasecmp(r->range, "bytes=", 6) != 0)
        return;
    first = isdigit((unsigned char)*at) ? strtoll(at, &at, 10) : -1;
    if (*at++ != '-')
        return;
    last = isdigit((unsigned char)*at) ? strtoll(at, &at, 10) : -1;
    if (*at != '\0' || (first < 0 && last < 0) || (last >= 0 && last < first))
        return;
    if (first < 0) { /* the final bytes of the file, as many as there are */
        first = last < size ? size - last : 0;
        last = size;
    }
    r->status = first < size ? 206 : 416;
    r->first = first < size ? first : size;
    r->end = last >= 0 && last < size && first < size ? last + 1 : size;
}

/* The date of a response. It is written once in a second, and not for each response. */
static inline const char *http_date(time_t now)
{
    static _Thread_local char text[40];
    static _Thread_local time_t second = -1;

    if (second != now) {
        strftime(text, sizeof text, "%a, %d %b %Y %T GMT", gmtime_r(&now, &(struct tm){0}));
        second = now;
    }
    return text;
}

/* Writes a number that is not negative, without printf's ways. Returns the end. */
static inline char *http_number(char *out, long long number)
{
    char digits[20];
    int count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

/* The head of the response, whose body is [first, end) of a file of this size. Its length. */
static inline size_t http_head(char *out, const struct http_request *r, long long size, time_t now)
{
    static const char *const reasons[] = {
        [200] = "200 OK", [206] = "206 Partial Content", [400] = "400 Bad Request",
        [403] = "403 Forbidden", [404] = "404 Not Found", [405] = "405 Method Not Allowed",
        [414] = "414 URI Too Long", [416] = "416 Range Not Satisfiable",
        [431] = "431 Request Header Fields Too Large"};
    static const char *const types[][2] = {
        {".html", "text/html"}, {".css", "text/css"}, {".js", "text/javascript"},
        {".txt", "text/plain"}, {".svg", "image/svg+xml"}, {".png", "image/png"}};
    const char *suffix = strrchr(r->path, '.'), *type = "application/octet-stream";
    char *end = stpcpy(stpcpy(out, "HTTP/1.1 "), reasons[r->status]);

    for (size_t i = 0; suffix && i < sizeof types / sizeof types[0]; i++)
        type = strcasecmp(suffix, types[i][0]) == 0 ? types[i][1] : type;
    end = stpcpy(stpcpy(end, "\r\nDate: "), http_date(now));
    end = stpcpy(stpcpy(end, "\r\nContent-Type: "), type);
    end = http_number(stpcpy(end, "\r\nContent-Length: "), r->end - r->first);
    if (r->status == 206)
        end += sprintf(end, "\r\nContent-Range: bytes %lld-%lld/%lld", r->first, r->end - 1, size);
    else if (r->status == 416)
        end += sprintf(end, "\r\nContent-Range: bytes */%lld", size);
    end = stpcpy(end, r->status == 405 ? "\r\nAllow: GET, HEAD" : "\r\nAccept-Ranges: bytes");
    end = stpcpy(end, r->close ? "\r\nConnection: close" : "\r\nConnection: keep-alive");
    return (size_t)(stpcpy(end, "\r\n\r\n") - out);
}

#endif
