/* Requests and heads of responses for the file servers: RFC 9110 and RFC 9112 as far as GET and
 * HEAD of files go. Pure functions: no system calls and no state. Needs _GNU_SOURCE.
 */
#ifndef HTTP_H
#define HTTP_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HTTP_REQUEST_MAX = 8192, HTTP_RESPONSE_MAX = 512, HTTP_PATH_MAX = 1024 };

struct http_request {
    int status;               /* what to answer: 200, or the error */
    bool head, close;         /* the method is HEAD; no further request after this one */
    long long first, end;     /* of the file, set by http_range: what to send */
    char range[64];           /* the field, for http_range */
    char path[HTTP_PATH_MAX]; /* decoded and relative; of a directory its index.html */
};

static inline int http_parse_path(const char *in, char *path)
{
    char *out = path;

    if (strncasecmp(in, "http://", 7) == 0) /* the form for proxies, which servers take too */
        in += 7 + strcspn(in + 7, "/?");
    else if (*in != '/')
        return 400;
    for (; *in != '\0' && *in != '?'; in++) {
        char byte = *in;
        if (byte == '%') {
            if (strspn(in + 1, "0123456789abcdefABCDEF") < 2 || strncmp(in, "%00", 3) == 0)
                return 400;
            byte = (char)strtol((char[]){in[1], in[2], '\0'}, NULL, 16);
            in += 2;
        }
        if (out - path > HTTP_PATH_MAX - (int)sizeof "index.html")
            return 414;
        if (byte != '/' || out > path) /* "//etc" and "/%2Fetc" do not become absolute */
            *out++ = byte;
    }
    strcpy(out, out == path || out[-1] == '/' ? "index.html" : "");
    for (char *dots = path; (dots = strstr(dots, "..")); dots++)
        if ((dots == path || dots[-1] == '/') && (dots[2] == '/' || dots[2] == '\0'))
            return 403;
    return 200;
}

/* Parses the request at the start of `in`. Returns its length, or 0 when more bytes are needed. */
static inline size_t http_parse(const char *in, size_t size, struct http_request *r)
{
    char text[HTTP_REQUEST_MAX], target[HTTP_REQUEST_MAX], method[32], minor, *line, *next, *value;
    const char *end = memmem(in, size, "\r\n\r\n", 4);
    bool bad = false, body = false;
    int hosts = 0, used = 0;

    *r = (struct http_request){.status = end ? 400 : 431, .close = true};
    if (!end)
        return size < HTTP_REQUEST_MAX ? 0 : size;
    size = (size_t)(end + 4 - in);
    *(char *)mempcpy(text, in, size - 2) = '\0'; /* of the empty line nothing is left */
    if (strlen(text) != size - 2 || !isupper((unsigned char)*text) ||
        sscanf(text, "%31[A-Z] %8191[^ \r\n] HTTP/1.%c%n", method, target, &minor, &used) != 3 ||
        !isdigit((unsigned char)minor) || strncmp(text + used, "\r\n", 2) != 0)
        return size;
    r->close = minor == '0';
    r->head = strcmp(method, "HEAD") == 0;
    for (line = text + used + 2; !bad && *line; line = next + 2) {
        next = strstr(line, "\r\n");
        *next = '\0';
        value = line + strcspn(line, ": \t\r\n"); /* folded lines and "Host :" are refused */
        bad = *value != ':' || value == line;
        *value++ = '\0';
        value += strspn(value, " \t");
        hosts += strcasecmp(line, "Host") == 0;
        body |= strcasecmp(line, "Transfer-Encoding") == 0;
        body |= strcasecmp(line, "Content-Length") == 0 && strcmp(value, "0") != 0;
        if (strcasecmp(line, "Connection") == 0)
            r->close = strcasestr(value, "close") || (r->close && !strcasestr(value, "keep-alive"));
        else if (strcasecmp(line, "Range") == 0 && !r->head && strlen(value) < sizeof r->range)
            strcpy(r->range, value);
    }
    if (!bad && (hosts == 1 || (hosts == 0 && minor == '0')))
        r->status = !r->head && strcmp(method, "GET") != 0 ? 405
                    : body ? 400 : http_parse_path(target, r->path);
    /* Where the next request begins is not known after a body, or after nonsense. */
    r->close |= r->status == 400 || r->status == 405;
    return size;
}

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
    char extra[96] = "", date[40];

    for (size_t i = 0; suffix && i < sizeof types / sizeof types[0]; i++)
        type = strcasecmp(suffix, types[i][0]) == 0 ? types[i][1] : type;
    strftime(date, sizeof date, "%a, %d %b %Y %T GMT", gmtime_r(&now, &(struct tm){0}));
    if (r->status == 206)
        sprintf(extra, "Content-Range: bytes %lld-%lld/%lld\r\n", r->first, r->end - 1, size);
    else if (r->status == 416)
        sprintf(extra, "Content-Range: bytes */%lld\r\n", size);
    return (size_t)snprintf(out, HTTP_RESPONSE_MAX, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: "
                            "%s\r\nContent-Length: %lld\r\n%s%sConnection: %s\r\n\r\n", r->status,
                            reasons[r->status], date, type, r->end - r->first, extra,
                            r->status == 405 ? "Allow: GET, HEAD\r\n" : "Accept-Ranges: bytes\r\n",
                            r->close ? "close" : "keep-alive");
}

#endif
