#ifndef SIO_H
#define SIO_H

#include <sys/select.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* DRAFT: to be generated. ec_create flags */
#define EC_SINGLE 0x1u
#define EC_CAPACITY(log2) ((unsigned)(log2) << 24)   /* log2 1..20; 0: default (4096) */

/* source flags */
#define EC_ABSTIME 0x1u         /* timers: equal to TIMER_ABSTIME */
#define EC_CANCEL_ON_SET 0x2u   /* timers: equal to TFD_TIMER_CANCEL_ON_SET; event with ev_errno ECANCELED */
#define EC_EDGE 0x10u
#define EC_ONESHOT 0x20u
#define EC_ATTACH 0x40u         /* ec_add_accept: attach accepted sockets too */
#define EC_NONBLOCK 0x80u       /* ec_add_accept: accepted sockets are O_NONBLOCK */

#define EC_EV_FD 1
#define EC_EV_MQ 2
#define EC_EV_SIGNAL 3
#define EC_EV_TIMER 4
#define EC_EV_FUTEX 5
#define EC_EV_SEM 6
#define EC_EV_PROCESS 7
#define EC_EV_AIO 8
#define EC_EV_LIO 9
#define EC_EV_RECV 10
#define EC_EV_SENT 11
#define EC_EV_ACCEPT 12
#define EC_EV_USER 13

#define EC_F_COPIED 0x1u
#define EC_F_EOF 0x2u
#define EC_F_HUP 0x4u
#define EC_F_MORE 0x8u

#define DMA_HUGE 0x1u
#define DMA_HUGE_ONLY 0x2u
#define DMA_ENGINE_IO_URING 0x100u   /* dma_alloc, dma_assoc: insist on this engine */
#define DMA_ENGINE_EPOLL 0x200u

#define SIO_RELEASE 0x00400000   /* sio_send* flag */
#define SIO_QUIET 0x00800000     /* sio_send* flag */

#define SIO_INFO_ZC_SEND 0x1u
#define SIO_INFO_ZC_RECV 0x2u
#define SIO_INFO_LOCKED 0x4u       /* the area is locked in memory */
#define SIO_INFO_REGISTERED 0x8u   /* the area is registered with the engine */

struct itimerspec;
typedef int ec_t;
typedef uint64_t dma_mem_t;

typedef struct event_data {
  int32_t ev_type;
  int32_t ev_fd;
  uint64_t ev_cookie;
  int64_t ev_result;
  int32_t ev_errno;
  uint32_t ev_flags;
  void *ev_ptr;
  size_t ev_len;
  int32_t ev_source;
  int32_t ev_pad;
  uint64_t ev_reserved;
} event_data_t;

struct sio_info {
  uint32_t si_size;
  uint32_t si_flags;
  char si_engine[16];
  char si_reason[104];
  uint64_t si_sent_bytes;
  uint64_t si_received_bytes;
  uint64_t si_sent_copied_bytes;
  uint64_t si_received_copied_bytes;
};

ec_t ec_create(unsigned flags);
int ec_destroy(ec_t ec);
int ec_next_event(ec_t ec, event_data_t *d);
int ec_to_fd(ec_t ec);
int ec_delay(ec_t ec, struct timespec *tout);
int ec_next_events(ec_t ec, event_data_t *d, int n);
int ec_wait_events(ec_t ec, event_data_t *d, int n, const struct timespec *tout, const sigset_t *mask);
int ec_post(ec_t ec, const event_data_t *d);
int ec_wake(ec_t ec, int n);
int ec_flush(ec_t ec);

int ec_add_fd(ec_t ec, int fd, unsigned poll_events, unsigned flags, uint64_t cookie);
int ec_add_timer(ec_t ec, clockid_t clock, const struct itimerspec *when, unsigned flags, uint64_t cookie);
int ec_add_accept(ec_t ec, int listen_fd, unsigned flags, uint64_t cookie);
int ec_add_socket(ec_t ec, int sock, unsigned flags, uint64_t cookie);
int ec_modify(ec_t ec, int source, unsigned poll_events, unsigned flags);
int ec_remove(ec_t ec, int source);

int dma_alloc(dma_mem_t *handlep, size_t size, unsigned int flags);
int dma_free(dma_mem_t handle, size_t size);
int dma_assoc(int sock, dma_mem_t mem, size_t size, unsigned flags);
int dma_disassoc(int sock, dma_mem_t mem, size_t size);
int dma_base(dma_mem_t mem, void **base, size_t *size);

int sio_reserve(dma_mem_t dma, void **memp, size_t size);
int sio_release(dma_mem_t dma, void *mem, size_t size);
int sio_send(int sock, const void *buf, size_t size, int flags);
int sio_sendto(int sock, const void *buf, size_t size, int flags, const struct sockaddr *to, socklen_t tolen);
int sio_sendmsg(int sock, const void *buf, size_t size, int flags);
int sio_recv(int sock, void **buf, size_t size, int flags);
int sio_recvfrom(int sock, const void **buf, size_t size, int flags, struct sockaddr *to, socklen_t tolen);
int sio_recvmsg(int sock, const void **buf, size_t size, int flags);
int sio_detach(int sock);
int sio_info(int sock, struct sio_info *info, size_t size);

#ifdef __cplusplus
}
#endif
#endif
