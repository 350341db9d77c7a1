/*
 * Threads that wait on different channels are all woken for a connection of a listening socket that
 * blocks. One of them takes it; for the others it is as if there had been none, and their channels
 * can be used at once.
 */
#include "check.h"

#define CHANNELS 3
#define ROUNDS 300

static ec_t channels[CHANNELS];
static _Atomic int connections, answers;

static void *server(void *argument)
{
    ec_t ec = *(ec_t *)argument;
    for (;;) {
        event_data_t event = event_wait(ec);
        if (event.ev_type == EC_EV_ACCEPT) {
            CHECK(event.ev_result >= 0 && event.ev_errno == 0);
            CHECK(close((int)event.ev_result) == 0);
            atomic_fetch_add(&connections, 1);
            continue;
        }
        CHECK(event.ev_type == EC_EV_USER);
        atomic_fetch_add(&answers, 1);
        if (event.ev_cookie == ROUNDS)
            return NULL;
    }
}

int main(void)
{
    check_start();
    struct sockaddr_storage address;
    socklen_t length;
    pthread_t threads[CHANNELS];
    int listener = listener_open(TCP4, &address, &length);
    CHECK(!(fcntl(listener, F_GETFL) & O_NONBLOCK));
    for (int i = 0; i < CHANNELS; i++) {
        channels[i] = channel_new(0);
        CHECK(ec_add_accept(channels[i], listener, 0, 1) >= 0);
        threads[i] = thread_start(server, &channels[i]);
    }
    for (int round = 1; round <= ROUNDS; round++) {
        char byte;
        int client = client_open(TCP4, &address, length);
        CHECK(recv(client, &byte, 1, 0) == 0);
        CHECK(close(client) == 0);
        /* Nobody waits for a connection that another channel has. */
        for (int i = 0; i < CHANNELS; i++)
            post_user(channels[i], (uint64_t)round);
        while (atomic_load(&answers) < round * CHANNELS)
            sched_yield();
        CHECK(atomic_load(&connections) == round);
    }
    for (int i = 0; i < CHANNELS; i++) {
        thread_end(threads[i]);
        CHECK_OK(ec_destroy(channels[i]));
    }
    CHECK(close(listener) == 0);
    return 0;
}
