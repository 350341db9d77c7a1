/* Requests to the file servers: RFC 9110 and RFC 9112 as far as GET and HEAD of files go. Pure
 * functions: no system calls and no state. Needs _GNU_SOURCE.
 */
#ifndef HTTP_H
#define HTTP_H

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HTTP_REQUEST_MAX = 8192, HTTP_PATH_MAX = 1024 };

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
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char text[HTTP_REQUEST_MAX], *target, *version, *line, *next, *value, minor;
    const char *end = memmem(in, size, "\r\n\r\n", 4);
    bool bad = false, body = false;
    int hosts = 0;

    *r = (struct http_request){.status = end ? 400 : 431, .close = true};
    if (!end)
        return size < HTTP_REQUEST_MAX ? 0 : size;
    size = (size_t)(end + 4 - in);
    *(char *)mempcpy(text, in, size - 2) = '\0'; /* of the empty line nothing is left */
    target = text + strspn(text, letters);
    if (strlen(text) != size - 2 || target == text || *target != ' ')
        return size;
    *target++ = '\0'; /* the method ends here */
    version = target + strcspn(target, " \r\n");
    if (version == target || strncmp(version, " HTTP/1.", 8) != 0)
        return size;
    *version = '\0'; /* and the target here */
    minor = version[8];
    if (!isdigit((unsigned char)minor) || strncmp(version + 9, "\r\n", 2) != 0)
        return size;
    r->close = minor == '0';
    r->head = strcmp(text, "HEAD") == 0;
    for (line = version + 11; !bad && *line; line = next + 2) {
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
        r->status = !r->head && strcmp(text, "GET") != 0 ? 405
                    : body ? 400 : http_parse_path(target, r->path);
    /* Where the next request begins is not known after a body, or after nonsense. */
    r->close |= r->status == 400 || r->status == 405;
    return size;
}

#endif
