/*
 * O_DIRECT: many reads and writes of one file at the same time, each at its place. A buffer that
 * is not aligned is EINVAL where read(2) says so.
 */
#include "aio.h"

#define COUNT 200
#define SIZE 4096

static int file_open(void)
{
    char path[] = "/var/tmp/sio-aio-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC | O_DIRECT);
    if (fd < 0) {
        unlink(path);
        check_skip("no O_DIRECT in /var/tmp: %s", strerror(errno));
    }
    CHECK(unlink(path) == 0);
    return fd;
}

int main(void)
{
    char *area, *other;
    struct aiocb blocks[COUNT];
    int fd;

    check_start();
    fd = file_open();
    CHECK(posix_memalign((void **)&area, SIZE, COUNT * SIZE) == 0);
    CHECK(posix_memalign((void **)&other, SIZE, COUNT * SIZE) == 0);
    pattern_fill(area, COUNT * SIZE, 0);
    if (pwrite(fd, area, SIZE, 0) != SIZE)
        check_skip("no O_DIRECT in /var/tmp: %s", strerror(errno));
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = aio_block(fd, area + i * SIZE, SIZE, (off_t)i * SIZE);
        CHECK_OK(aio_write(&blocks[i]));
    }
    for (int i = COUNT; i-- > 0;)
        CHECK_DONE(&blocks[i], SIZE);
    for (int i = 0; i < COUNT; i++) {
        /* In another order than they lie. */
        int place = i * 77 % COUNT;
        blocks[place] = aio_block(fd, other + place * SIZE, SIZE, (off_t)place * SIZE);
        CHECK_OK(aio_read(&blocks[place]));
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_DONE(&blocks[i], SIZE);
    CHECK_PATTERN(other, COUNT * SIZE, 0);

    if (pread(fd, other + 1, SIZE, 0) == -1 && errno == EINVAL) {
        blocks[0] = aio_block(fd, other + 1, SIZE, 0);
        CHECK_OK(aio_read(&blocks[0]));
        CHECK_FAILED(&blocks[0], EINVAL);
    }
    blocks[0] = aio_block(fd, other, SIZE, COUNT * SIZE);
    CHECK_OK(aio_read(&blocks[0]));
    CHECK_DONE(&blocks[0], 0);
    free(area);
    free(other);
    return 0;
}
