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

/* The head of the response, whose body is [first, end) of a file of this size. Its length. */
static inline size_t http_head(char *out, const struct http_request *r, long long size, time_t now)
{
    static const char *const reasons[] = {
        [200] = "OK", [206] = "Partial Content", [400] = "Bad Request", [403] = "Forbidden",
        [404] = "Not Found", [405] = "Method Not Allowed", [414] = "URI Too Long",
        [416] = "Range Not Satisfiable", [431] = "Request Header Fields Too Large"};
    static const char *const types[][2] = {
        {".html", "text/html"}, {".css", "text/css"}, {".js", "text/javascript"},
        {".txt", "text/plain"}, {".svg", "image/svg+xml"}, {".png", "image/png"}};
    const char *suffix = strrchr(r->path, '.'), *type = "application/octet-stream";
    char extra[96] = "";

    for (size_t i = 0; suffix && i < sizeof types / sizeof types[0]; i++)
        type = strcasecmp(suffix, types[i][0]) == 0 ? types[i][1] : type;
    if (r->status == 206)
        sprintf(extra, "Content-Range: bytes %lld-%lld/%lld\r\n", r->first, r->end - 1, size);
    else if (r->status == 416)
        sprintf(extra, "Content-Range: bytes */%lld\r\n", size);
    return (size_t)snprintf(out, HTTP_RESPONSE_MAX, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: "
                            "%s\r\nContent-Length: %lld\r\n%s%sConnection: %s\r\n\r\n", r->status,
                            reasons[r->status], http_date(now), type, r->end - r->first, extra,
                            r->status == 405 ? "Allow: GET, HEAD\r\n" : "Accept-Ranges: bytes\r\n",
                            r->close ? "close" : "keep-alive");
}

#endif
