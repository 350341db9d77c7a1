/* A listening socket without an area: accepted sockets are ordinary ones. */
#include "check.h"

int main(void)
{
    check_start();
    ec_t ec = channel_new(0);
    int source, pair[2];
    struct sockaddr_storage address;
    struct sio_info info;
    socklen_t length;
    int listener = listener_open(TCP4, &address, &length);
    CHECK_SET(source, ec_add_accept(ec, listener, 0, 1));
    pair[0] = client_open(TCP4, &address, length);
    event_data_t event = event_wait(ec);
    CHECK(event.ev_source == source && event.ev_result >= 0);
    pair[1] = (int)event.ev_result;
    CHECK_ERR(sio_info(pair[1], &info, sizeof info), EINVAL);
    CHECK_ERR(sio_detach(pair[1]), EINVAL);
    write_pattern(pair[0], 100, 0);
    read_pattern(pair[1], 100, 0);
    CHECK_OK(ec_destroy(ec));
    return 0;
}
