/*
 * The end of a socket or a channel with a file on its way: sio_detach and ec_destroy cancel it,
 * dma_disassoc tells it as failed. No descriptor stays.
 */
#include "file.h"

#define BYTES (16 << 20)

static struct endpoint begin(int pair[2])
{
    pair_open(TCP4, pair);
    set_nonblocking(pair[0], 1);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    end.ec = channel_new(0);
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, ENDPOINT_COOKIE));
    int file = file_new(BYTES);
    CHECK_IS(sio_sendfile(pair[0], file, 0, BYTES, 0), BYTES);
    CHECK(close(file) == 0);
    check_no_event(end.ec, 1);
    return end;
}

static void detached(void)
{
    int pair[2];
    struct endpoint end = begin(pair);
    CHECK_OK(sio_detach(pair[0]));
    check_no_event(end.ec, 1);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    CHECK_OK(ec_destroy(end.ec));
    CHECK_OK(dma_free(end.area, end.size));
}

static void disassociated(void)
{
    int pair[2];
    struct endpoint end = begin(pair);
    CHECK_OK(dma_disassoc(pair[0], end.area, 0));
    event_data_t event = event_wait(end.ec);
    CHECK(event.ev_type == EC_EV_SENT && event.ev_result == -1 && event.ev_errno == ECANCELED);
    CHECK(event.ev_ptr == NULL && event.ev_len == BYTES);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
    CHECK_OK(ec_destroy(end.ec));
    CHECK_OK(dma_free(end.area, end.size));
}

static void destroyed(void)
{
    int pair[2];
    struct endpoint end = begin(pair);
    CHECK_OK(ec_destroy(end.ec));
    end.ec = -1;
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    for (int round = 0, descriptors = 0; round < 4; round++) {
        detached();
        disassociated();
        destroyed();
        if (round == 0)
            descriptors = count_descriptors();
        CHECK(count_descriptors() == descriptors);
    }
    return 0;
}
