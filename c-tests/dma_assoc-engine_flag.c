/* A socket that insists on the epoll engine gets it, in any channel, and says that it copies. */
#include "check.h"

static void run(enum pair_kind kind)
{
    int pair[2];
    struct sio_info info;
    pair_open(kind, pair);
    struct endpoint end = { pair[0], area_new(1 << 18), 1 << 18, channel_new(0), -1 };
    CHECK_OK(dma_assoc(pair[0], end.area, 0, DMA_ENGINE_EPOLL));
    CHECK_SET(end.source, ec_add_socket(end.ec, pair[0], 0, 1));
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK(strcmp(info.si_engine, "epoll") == 0);
    CHECK((info.si_flags & (SIO_INFO_ZC_SEND | SIO_INFO_ZC_RECV)) == 0);

    void *block = block_new(end.area, 1000);
    pattern_fill(block, 1000, 0);
    CHECK_IS(sio_send(pair[0], block, 1000, 0), 1000);
    event_data_t event = event_wait(end.ec);
    CHECK(event.ev_type == EC_EV_SENT && event.ev_result == 1000);
    CHECK(event.ev_flags & EC_F_COPIED);
    read_message(pair[1], 1000, 0);
    CHECK_OK(sio_info(pair[0], &info, sizeof info));
    CHECK(info.si_sent_bytes == 1000 && info.si_sent_copied_bytes == 1000);
    write_message(pair[1], 900, 1);
    endpoint_wait(&end);
    endpoint_read_pattern(&end, 900, 1);
    CHECK_OK(sio_release(end.area, block, 1000));
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
}

int main(void)
{
    check_start();
    each_pair(ALL_PAIRS, run);
    return 0;
}
