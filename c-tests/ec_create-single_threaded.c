/* A channel and a socket in it need no thread and leave no child: what the engine is able to do is
 * found out without, and the C library goes on as in any program of one thread. */
#include "check.h"

#include <sys/single_threaded.h>
#include <sys/wait.h>

int main(void)
{
    int pair[2];

    check_start();
    if (!__libc_single_threaded)
        check_skip("something else has started a thread already");
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        check_skip("there is a child already");
    pair_open(UDP4, pair);
    struct endpoint end = endpoint_open(pair[0], 65536, ATTACHED);
    write_message(pair[1], 100, 0);
    endpoint_read_pattern(&end, 100, 0);
    CHECK(__libc_single_threaded);
    CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
    CHECK_ERR(waitpid(-1, NULL, WNOHANG | __WALL), ECHILD);
    endpoint_close(&end);
    CHECK(close(pair[1]) == 0);
    return 0;
}
