/* Each error of the manual page: names, flags, privileges, and frames that are too long. */
#include "network.h"

int main(void)
{
    check_start();
    network_new();
    CHECK_ERR(sio_open_ethernet(NULL, 0), EFAULT);
    CHECK_ERR(sio_open_ethernet("none", 0), ENODEV);
    CHECK_ERR(sio_open_ethernet("", 0), ENODEV);
    CHECK_ERR(sio_open_ethernet("a-name-that-is-longer-than-any", 0), ENODEV);
    CHECK_ERR(sio_open_ethernet("\xff", 0), ENODEV);
    CHECK_ERR(sio_open_ethernet("va", 0x5ff), EINVAL);
    CHECK_ERR(sio_open_ethernet("va", 1), EINVAL);
    for (int bit = 18; bit < 32; bit++)
        CHECK_ERR(sio_open_ethernet("va", 1u << bit), EINVAL);
    if (system("ip tuntap add dev tun0 mode tun 2>/dev/null && ip link set tun0 up") == 0)
        CHECK_ERR(sio_open_ethernet("tun0", 0), EOPNOTSUPP);

    /* Two interfaces, and none leads anywhere. */
    CHECK(unsetenv("SIO_ETHERNET") == 0);
    CHECK_ERR(open_ethernet_device(), ENODEV);
    CHECK(setenv("SIO_ETHERNET", "none", 1) == 0);
    CHECK_ERR(open_ethernet_device(), ENODEV);

    int fd;
    CHECK_SET(fd, sio_open_ethernet("va", 0));
    dma_mem_t area = area_new(1 << 16);
    CHECK_OK(dma_assoc(fd, area, 0, 0));
    struct frame *frame = block_new(area, 3000);
    frame_fill(frame, FRAME_TYPE, 1500, 0);
    CHECK_ERR(sio_send(fd, frame, 3000, 0), EMSGSIZE);
    CHECK(system("ip link set va down") == 0);
    /* That it went down is told once; sending goes on to fail. */
    void *got;
    CHECK_ERR(sio_recv(fd, &got, 2000, MSG_DONTWAIT), ENETDOWN);
    CHECK_ERR(sio_send(fd, frame, 100, 0), ENETDOWN);
    CHECK_OK(sio_release(area, frame, 3000));
    CHECK_OK(sio_detach(fd));
    CHECK(close(fd) == 0);

    if (setresuid(65534, 65534, 65534) == 0)
        CHECK_ERR(sio_open_ethernet("va", 0), EPERM);
    return 0;
}
