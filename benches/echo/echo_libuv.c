/* echo_libuv: a TCP echo server with libuv: one buffer for all connections, uv_try_write at once,
 * and uv_write with a copy for what a socket does not take.
 *
 *     echo_libuv
 */
#include "../bench.h"
#include <uv.h>

enum { BUFFER_BYTES = 64 << 10 };

static char buffer[BUFFER_BYTES];

/* What waits to be written. */
struct rest {
    uv_write_t request;
    char bytes[];
};

static void expect(int result, const char *call)
{
    if (result < 0)
        errx(1, "%s: %s", call, uv_strerror(result));
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *given)
{
    (void)handle;
    (void)suggested;
    *given = uv_buf_init(buffer, BUFFER_BYTES);
}

static void closed(uv_handle_t *handle)
{
    free(handle);
}

static void drop(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, closed);
}

static void arrived(uv_stream_t *stream, ssize_t size, const uv_buf_t *bytes);

static void written(uv_write_t *request, int status)
{
    if (status < 0)
        drop((uv_handle_t *)request->handle);
    else
        uv_read_start(request->handle, give_buffer, arrived);
    free(request->data);
}

static void arrived(uv_stream_t *stream, ssize_t size, const uv_buf_t *bytes)
{
    if (size < 0) {
        drop((uv_handle_t *)stream);
        return;
    }
    uv_buf_t out = uv_buf_init(bytes->base, (unsigned)size);
    int n = size > 0 ? uv_try_write(stream, &out, 1) : 0;
    if (n < 0 && n != UV_EAGAIN) {
        drop((uv_handle_t *)stream);
        return;
    }
    n = n < 0 ? 0 : n;
    if (n < size) {
        size_t left = (size_t)(size - n);
        struct rest *rest = malloc(sizeof *rest + left);
        if (!rest)
            err(1, "malloc");
        memcpy(rest->bytes, bytes->base + n, left);
        rest->request.data = rest;
        out = uv_buf_init(rest->bytes, (unsigned)left);
        uv_read_stop(stream); /* one who does not read is not read from */
        expect(uv_write(&rest->request, stream, &out, 1, written), "uv_write");
    }
}

static void came(uv_stream_t *listener, int status)
{
    uv_tcp_t *connection = malloc(sizeof *connection);

    expect(status, "listen");
    if (!connection)
        err(1, "malloc");
    expect(uv_tcp_init(listener->loop, connection), "uv_tcp_init");
    expect(uv_accept(listener, (uv_stream_t *)connection), "uv_accept");
    expect(uv_read_start((uv_stream_t *)connection, give_buffer, arrived), "uv_read_start");
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;

    expect(uv_tcp_init(loop, &listener), "uv_tcp_init");
    expect(uv_tcp_open(&listener, listen_and_tell(SOCK_NONBLOCK)), "uv_tcp_open");
    expect(uv_listen((uv_stream_t *)&listener, 4096, came), "uv_listen");
    return uv_run(loop, UV_RUN_DEFAULT);
}
