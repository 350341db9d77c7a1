/*
 * sio_device_register: EFAULT for null pointers, EINVAL for a name that is empty or too long, a
 * size that no version has, or something behind the operations that is not zero; EEXIST for a name
 * that is taken, EMFILE where descriptors run out. A failed call registers nothing.
 * sio_device_unregister: EINVAL for a handle that is none, or none any more.
 */
#include "device.h"

int main(void)
{
    struct holder holder;
    struct { struct sio_device_operations operations; void *later[4]; } longer = { 0 };
    const struct sio_device_operations *operations = &longer.operations;
    size_t size = sizeof *operations;
    char name[257];
    struct rlimit limit, few;
    sio_device_t device = 0, other = 0;

    check_start();
    longer.operations = holder_operations;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    few = limit;
    for (rlim_t count = 3; count < 6; count++) {
        few.rlim_cur = count;
        CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
        if (sio_device_register(&other, "few", operations, size, &holder) == 0)
            CHECK_OK(sio_device_unregister(other));
        else
            CHECK(errno == EMFILE && other == 0);
        CHECK(count > 3 || other == 0);
        other = 0;
    }
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    memset(name, 'x', 256);
    name[256] = 0;
    CHECK_ERR(sio_device_register(NULL, "held", operations, size, &holder), EFAULT);
    CHECK_ERR(sio_device_register(&other, NULL, operations, size, &holder), EFAULT);
    CHECK_ERR(sio_device_register(&other, "held", NULL, size, &holder), EFAULT);
    CHECK_ERR(sio_device_register(&other, "", operations, size, &holder), EINVAL);
    CHECK_ERR(sio_device_register(&other, name, operations, size, &holder), EINVAL);
    CHECK_ERR(sio_device_register(&other, "held", operations, 0, &holder), EINVAL);
    CHECK_ERR(sio_device_register(&other, "held", operations, 8, &holder), EINVAL);
    CHECK_ERR(sio_device_register(&other, "held", operations, 1 << 20, &holder), EINVAL);
    longer.later[3] = &holder;
    CHECK_ERR(sio_device_register(&other, "held", operations, sizeof longer, &holder), EINVAL);
    longer.later[3] = NULL;
    CHECK_ERR(sio_device_unregister(0), EINVAL);
    CHECK_ERR(sio_device_unregister(12345), EINVAL);

    device = holder_new("held", &holder);
    CHECK_ERR(sio_device_register(&other, "held", operations, size, &holder), EEXIST);
    CHECK(other == 0);
    CHECK_OK(sio_device_unregister(device));
    CHECK_ERR(sio_device_unregister(device), EINVAL);

    /* A later header, of which nothing new is used; the longest name; and the name again. */
    CHECK_OK(sio_device_register(&device, "held", operations, sizeof longer, &holder));
    CHECK_OK(sio_device_register(&other, name + 1, operations, size, &holder));
    CHECK(device != other);
    CHECK_OK(sio_device_unregister(device));
    CHECK_OK(sio_device_unregister(other));
    return 0;
}
