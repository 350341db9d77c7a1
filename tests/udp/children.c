/* A thread that somebody has cancelled makes children while another one finds out whether a socket can
 * be moved, which takes long: fork is no cancellation point. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN 50

static int sock;
static struct sockaddr_in address;

static void *receiver(void *unused)
{
    char byte = 0;
    for (;;) {
        if (sendto(sock, &byte, 1, 0, (struct sockaddr *)&address, sizeof address) != 1
            || recv(sock, &byte, 1, 0) != 1)
            exit(2);
    }
    return unused;
}

static void *parent(void *unused)
{
    (void)unused;
    pthread_cancel(pthread_self());
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0)
            _exit(0);
    }
    _exit(0);
}

int main(int count, char **words)
{
    socklen_t length = sizeof address;
    int lifeline[2];
    char byte;
    pthread_t threads[2];
    if (count != 2)
        return 6;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = inet_addr(words[1]);
    sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(sock, (struct sockaddr *)&address, length) != 0
        || getsockname(sock, (struct sockaddr *)&address, &length) != 0 || pipe(lifeline) != 0)
        return 1;
    /* Who has the socket as well: so it is asked again with each datagram. */
    if (fork() == 0) {
        close(lifeline[1]);
        _exit(read(lifeline[0], &byte, 1) == 0 ? 0 : 1);
    }
    if (pthread_create(&threads[0], NULL, receiver, NULL) != 0
        || pthread_create(&threads[1], NULL, parent, NULL) != 0)
        return 3;
    pthread_join(threads[1], NULL);
    return 4;
}
