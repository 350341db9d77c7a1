/* sio_info fills in at most `size` bytes, says how many, and leaves the rest alone. */
#include "check.h"

int main(void)
{
    check_start();
    int pair[2];
    struct sio_info whole;
    unsigned char bytes[sizeof whole + 64];
    pair_open(TCP4, pair);
    struct endpoint end = endpoint_open(pair[0], 1 << 16, ALONE);
    CHECK_OK(sio_info(pair[0], &whole, sizeof whole));
    CHECK(whole.si_size == sizeof whole);
    for (size_t size = 8; size <= sizeof bytes; size++) {
        const size_t filled = size < sizeof whole ? size : sizeof whole;
        uint32_t told;
        memset(bytes, 0xcc, sizeof bytes);
        CHECK_OK(sio_info(pair[0], (struct sio_info *)(void *)bytes, size));
        memcpy(&told, bytes, sizeof told);
        CHECK(told == filled);
        CHECK(memcmp(bytes + 4, (unsigned char *)&whole + 4, filled - 4) == 0);
        for (size_t i = filled; i < sizeof bytes; i++)
            CHECK(bytes[i] == 0xcc);
    }
    endpoint_close(&end);
    return 0;
}
