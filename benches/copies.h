/* copies.h: of programs that use libsio: what some layer has copied, as the library tells. The
 * runner is told "copies SENT OF-THAT-COPIED RECEIVED OF-THAT-COPIED", in bytes.
 */
#include <sio.h>

static struct sio_info copies;

/* To be called before the socket is detached. */
static inline void count_copies(int sock)
{
    struct sio_info info;

    if (sio_info(sock, &info, sizeof info) < 0)
        return;
    copies.si_sent_bytes += info.si_sent_bytes;
    copies.si_sent_copied_bytes += info.si_sent_copied_bytes;
    copies.si_received_bytes += info.si_received_bytes;
    copies.si_received_copied_bytes += info.si_received_copied_bytes;
}

static inline void tell_copies(void)
{
    printf("copies %llu %llu %llu %llu\n", (unsigned long long)copies.si_sent_bytes,
           (unsigned long long)copies.si_sent_copied_bytes,
           (unsigned long long)copies.si_received_bytes,
           (unsigned long long)copies.si_received_copied_bytes);
    fflush(stdout);
}
