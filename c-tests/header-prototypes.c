/* Every function has exactly the promised type; those of the talk come first. */
#include "check.h"

/* An assignment of a pointer to another type of function is an error under -pedantic -Werror. */
static ec_t (*const p_ec_create)(unsigned flags) = ec_create;
static int (*const p_ec_destroy)(ec_t ec) = ec_destroy;
static int (*const p_ec_next_event)(ec_t ec, event_data_t *d) = ec_next_event;
static int (*const p_ec_to_fd)(ec_t ec) = ec_to_fd;
static int (*const p_ec_delay)(ec_t ec, struct timespec *tout) = ec_delay;
static int (*const p_dma_alloc)(dma_mem_t *handlep, size_t size, unsigned int flags) = dma_alloc;
static int (*const p_dma_free)(dma_mem_t handle, size_t size) = dma_free;
static int (*const p_dma_assoc)(int sock, dma_mem_t mem, size_t size, unsigned flags) = dma_assoc;
static int (*const p_dma_disassoc)(int sock, dma_mem_t mem, size_t size) = dma_disassoc;
static int (*const p_sio_reserve)(dma_mem_t dma, void **memp, size_t size) = sio_reserve;
static int (*const p_sio_release)(dma_mem_t dma, void *mem, size_t size) = sio_release;
static int (*const p_sio_send)(int sock, const void *buf, size_t size, int flags) = sio_send;
static int (*const p_sio_sendto)(int sock, const void *buf, size_t size, int flags,
                                 const struct sockaddr *to, socklen_t tolen) = sio_sendto;
static int (*const p_sio_sendmsg)(int sock, const void *buf, size_t size, int flags) = sio_sendmsg;
static int (*const p_sio_recv)(int sock, void **buf, size_t size, int flags) = sio_recv;
static int (*const p_sio_recvfrom)(int sock, const void **buf, size_t size, int flags,
                                   struct sockaddr *to, socklen_t tolen) = sio_recvfrom;
static int (*const p_sio_recvmsg)(int sock, const void **buf, size_t size,
                                  int flags) = sio_recvmsg;

static int (*const p_ec_next_events)(ec_t ec, event_data_t *d, int n) = ec_next_events;
static int (*const p_ec_wait_events)(ec_t ec, event_data_t *d, int n, const struct timespec *tout,
                                     const sigset_t *mask) = ec_wait_events;
static int (*const p_ec_post)(ec_t ec, const event_data_t *d) = ec_post;
static int (*const p_ec_wake)(ec_t ec, int n) = ec_wake;
static int (*const p_ec_flush)(ec_t ec) = ec_flush;
static int (*const p_ec_add_fd)(ec_t ec, int fd, unsigned poll_events, unsigned flags,
                                uint64_t cookie) = ec_add_fd;
static int (*const p_ec_add_timer)(ec_t ec, clockid_t clock, const struct itimerspec *when,
                                   unsigned flags, uint64_t cookie) = ec_add_timer;
static int (*const p_ec_add_accept)(ec_t ec, int listen_fd, unsigned flags,
                                    uint64_t cookie) = ec_add_accept;
static int (*const p_ec_add_socket)(ec_t ec, int sock, unsigned flags,
                                    uint64_t cookie) = ec_add_socket;
static int (*const p_ec_modify)(ec_t ec, int source, unsigned poll_events,
                                unsigned flags) = ec_modify;
static int (*const p_ec_remove)(ec_t ec, int source) = ec_remove;
static int (*const p_dma_base)(dma_mem_t mem, void **base, size_t *size) = dma_base;
static int (*const p_sio_detach)(int sock) = sio_detach;
static int (*const p_sio_info)(int sock, struct sio_info *info, size_t size) = sio_info;
static int (*const p_aio_send)(struct aio_cb *aiocbp, int flags) = aio_send;
static int (*const p_aio_sendto)(struct aio_cb *aiocbp, int flags, const struct sockaddr *to,
                                 socklen_t tolen) = aio_sendto;
static int (*const p_aio_sendmsg)(struct aio_cb *aiocbp, int flags) = aio_sendmsg;
static int (*const p_aio_recv)(struct aio_cb *aiocbp, int flags) = aio_recv;
static int (*const p_aio_recvfrom)(struct aio_cb *aiocbp, int flags, struct sockaddr *from,
                                   socklen_t *fromlen) = aio_recvfrom;
static int (*const p_aio_recvmsg)(struct aio_cb *aiocbp, int flags) = aio_recvmsg;
static int (*const p_aio_accept)(struct aio_cb *aiocbp, int flags, struct sockaddr *addr,
                                 socklen_t *addrlen) = aio_accept;
static int (*const p_aio_connect)(struct aio_cb *aiocbp, const struct sockaddr *addr,
                                  socklen_t addrlen) = aio_connect;
static int (*const p_sio_open_ethernet)(const char *ifname, unsigned flags) = sio_open_ethernet;
static int (*const p_open_ethernet_device)(void) = open_ethernet_device;

int main(void)
{
    check_start();
    CHECK(p_ec_create && p_ec_destroy && p_ec_next_event && p_ec_to_fd && p_ec_delay);
    CHECK(p_dma_alloc && p_dma_free && p_dma_assoc && p_dma_disassoc);
    CHECK(p_sio_reserve && p_sio_release && p_sio_send && p_sio_sendto && p_sio_sendmsg);
    CHECK(p_sio_recv && p_sio_recvfrom && p_sio_recvmsg);
    CHECK(p_ec_next_events && p_ec_wait_events && p_ec_post && p_ec_wake && p_ec_flush);
    CHECK(p_ec_add_fd && p_ec_add_timer && p_ec_add_accept && p_ec_add_socket);
    CHECK(p_ec_modify && p_ec_remove && p_dma_base && p_sio_detach && p_sio_info);
    CHECK(p_aio_send && p_aio_sendto && p_aio_sendmsg && p_aio_recv && p_aio_recvfrom);
    CHECK(p_aio_recvmsg && p_aio_accept && p_aio_connect);
    CHECK(p_sio_open_ethernet && p_open_ethernet_device);
    return 0;
}
