/* accept_sio: a server that is given connections by libsio, and closes them.
 *
 *     accept_sio single|shared
 */
#include "../bench.h"
#include <sio.h>

int main(int argc, char **argv)
{
    unsigned flags = argc > 1 && strcmp(argv[1], "single") == 0 ? EC_SINGLE : 0;
    event_data_t events[BATCH];
    ec_t ec = check(ec_create(flags), "ec_create");
    int listener = listen_and_tell(SOCK_NONBLOCK);

    check(ec_add_accept(ec, listener, EC_NONBLOCK, 0), "ec_add_accept");
    for (;;) {
        int n = check(ec_wait_events(ec, events, BATCH, NULL, NULL), "ec_wait_events");
        for (int i = 0; i < n; i++) {
            if (events[i].ev_errno)
                errx(1, "accept: %s", strerror(events[i].ev_errno));
            close((int)events[i].ev_result);
        }
    }
}
