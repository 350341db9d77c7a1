/* Errors of sio_aio_count; a call that fails leaves the counts where they were. */
#include "aio.h"

int main(void)
{
    static _Alignas(8) char room[sizeof(struct sio_aio_counts) + 8];
    struct sio_aio_counts *counts = (void *)room;
    char byte;
    struct aiocb block = aio_block(open("/dev/zero", O_RDONLY), &byte, 1, 0);

    check_start();
    CHECK_OK(sio_aio_count(counts, sizeof *counts));
    CHECK_ERR(sio_aio_count(NULL, sizeof *counts), EFAULT);
    CHECK_ERR(sio_aio_count(counts, 0), EINVAL);
    CHECK_ERR(sio_aio_count(counts, sizeof *counts - 1), EINVAL);
    CHECK_ERR(sio_aio_count((void *)(room + 4), sizeof *counts), EINVAL);
    CHECK_OK(aio_read(&block));
    CHECK_DONE(&block, 1);
    CHECK_IS(counts->sc_at_once, 1);
    /* More room than this version knows of. */
    CHECK_OK(sio_aio_count(counts, sizeof room));
    return 0;
}
