/*
 * Many threads use the same files at the same time, each its own part of them: what each has
 * written it reads again, whatever way it waits, and cancellations of one do not reach another.
 */
#include "aio.h"

#define THREADS 8
#define TURNS 60
#define DEPTH 8
#define SIZE 4096

static int files[2];

static void *worker(void *place)
{
    size_t number = (size_t)place;
    char (*out)[SIZE] = malloc(DEPTH * SIZE), (*in)[SIZE] = malloc(DEPTH * SIZE);
    struct aiocb blocks[DEPTH], *list[DEPTH];
    int pipes[2];

    CHECK(out != NULL && in != NULL);
    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    for (int turn = 0; turn < TURNS; turn++) {
        int fd = files[turn % 2];
        char byte;
        struct aiocb waiting = aio_block(pipes[0], &byte, 1, 0);
        CHECK_OK(aio_read(&waiting));
        for (size_t i = 0; i < DEPTH; i++) {
            off_t offset = (off_t)((number * DEPTH + i) * SIZE);
            pattern_fill(out[i], SIZE, number * 1000003 + (size_t)turn * 7919 + i);
            blocks[i] = aio_block(fd, out[i], SIZE, offset);
            CHECK_OK(aio_write(&blocks[i]));
        }
        for (int i = 0; i < DEPTH; i++)
            CHECK_DONE(&blocks[i], SIZE);
        for (int i = 0; i < DEPTH; i++) {
            blocks[i].aio_buf = memset(in[i], 0, SIZE);
            blocks[i].aio_lio_opcode = LIO_READ;
            list[i] = &blocks[i];
        }
        CHECK(lio_listio(LIO_WAIT, list, DEPTH, NULL) == 0);
        CHECK(memcmp(in, out, DEPTH * SIZE) == 0);
        CHECK_IS(aio_cancel(pipes[0], NULL), AIO_CANCELED);
        CHECK_IS(aio_error(&waiting), ECANCELED);
        if ((size_t)turn % 8 == number % 8) {
            CHECK_OK(aio_fsync(O_DSYNC, &blocks[0]));
            CHECK_DONE(&blocks[0], 0);
        }
    }
    CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);
    free(out);
    free(in);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];

    check_start();
    files[0] = aio_file(0);
    CHECK((files[1] = memfd_create("aio", MFD_CLOEXEC)) >= 0);
    for (size_t i = 0; i < THREADS; i++)
        threads[i] = thread_start(worker, (void *)i);
    for (int i = 0; i < THREADS; i++)
        thread_end(threads[i]);
    return 0;
}
