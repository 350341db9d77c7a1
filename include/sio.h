/* libsio: event channels and DMA memory for asynchronous, zero-copy network I/O.
 * Made by cbindgen from src/capi: see CONTRIBUTING.md. Read sio(7) first.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef SIO_H
#define SIO_H

#include <aio.h>
#include <mqueue.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
/* Events that a channel holds, as a power of two: a flag of ec_create. 0 is the default, 4096. */
#define EC_CAPACITY(log2) ((unsigned)(log2) << 24)

/* With SIGEV_EC, the channel: a member of struct sigevent, where glibc leaves room. */
#ifdef __GLIBC__
#define sigev_ec _sigev_un._pad[4]
#endif

/* The control block of aio_send and its relatives: a struct aiocb with a place for the message,
 * where glibc leaves room at its end. &cb.aiocb is what aio_error and the others take. */
#ifdef __GNUC__ /* some struct aiocb has an array of nothing */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
struct aio_cb {
  __extension__ union {
    struct aiocb aiocb;
    __extension__ struct {
      int aio_fildes;
      int aio_lio_opcode;
      int aio_reqprio;
      volatile void *aio_buf;
      size_t aio_nbytes;
      struct sigevent aio_sigevent;
      char aio_private[32];
      off_t aio_offset;
      struct msghdr *msg_hdr;
      char aio_reserved[24];
    };
  };
};
#ifdef __GNUC__
#pragma GCC diagnostic pop
#endif

struct itimerspec;

/**
 * The notification of aio_read, lio_listio, timer_create and mq_notify: an event for the channel
 * sigev_ec.
 */
#define SIGEV_EC 16

/**
 * ec_create: only the creating thread will use the channel and its sockets.
 */
#define EC_SINGLE 1

/**
 * ec_add_timer: the time is absolute; the value of TIMER_ABSTIME.
 */
#define EC_ABSTIME 1

/**
 * ec_add_timer: tell when the clock is set; the value of TFD_TIMER_CANCEL_ON_SET.
 */
#define EC_CANCEL_ON_SET 2

/**
 * One event for each change, not for each state.
 */
#define EC_EDGE 16

/**
 * One event, then nothing until ec_modify.
 */
#define EC_ONESHOT 32

/**
 * ec_add_accept: accepted sockets are attached to the channel.
 */
#define EC_ATTACH 64

/**
 * ec_add_accept: accepted sockets do not block.
 */
#define EC_NONBLOCK 128

/**
 * ec_add_fd: an eventfd or a timerfd, which the channel reads: the count is in ev_len.
 */
#define EC_COUNTER 512

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

/**
 * Some layer copied the bytes.
 */
#define EC_F_COPIED 1

/**
 * The peer sends no more.
 */
#define EC_F_EOF 2

/**
 * The connection is gone.
 */
#define EC_F_HUP 4

/**
 * More events of the same request follow.
 */
#define EC_F_MORE 8

/**
 * dma_alloc: huge pages if there are any.
 */
#define DMA_HUGE 1

/**
 * dma_alloc: huge pages or nothing.
 */
#define DMA_HUGE_ONLY 2

/**
 * dma_alloc, dma_assoc: this engine or none.
 */
#define DMA_ENGINE_IO_URING 256

/**
 * dma_alloc, dma_assoc: this engine or none.
 */
#define DMA_ENGINE_EPOLL 512

/**
 * dma_alloc, dma_assoc: this engine or none.
 */
#define DMA_ENGINE_AF_XDP 1024

/**
 * sio_open_ethernet: the descriptor does not block.
 */
#define SIO_ETHERNET_NONBLOCK 65536

/**
 * sio_open_ethernet: frames to others too.
 */
#define SIO_ETHERNET_PROMISCUOUS 131072

/**
 * sio_send: release the whole block with a successful call.
 */
#define SIO_RELEASE 4194304

/**
 * sio_send: no event on success.
 */
#define SIO_QUIET 8388608

/**
 * The last large send was not copied, as far as the kernel tells.
 */
#define SIO_INFO_ZC_SEND 1

/**
 * Received data is not copied. No engine of this version can say so.
 */
#define SIO_INFO_ZC_RECV 2

/**
 * The area is locked in memory.
 */
#define SIO_INFO_LOCKED 4

/**
 * The area is registered with the engine.
 */
#define SIO_INFO_REGISTERED 8

/**
 * An event channel: a file descriptor. The talk, "Event Handling Solutions"; its author later
 * found that it is better a descriptor.
 */
typedef int ec_t;

/**
 * One event. ec(7) tells what each member means for each type.
 */
struct event_data {
  /**
   * EC_EV_FD, EC_EV_RECV, ...
   */
  int32_t ev_type;
  /**
   * What identifies the source: descriptor, signal number, ...
   */
  int32_t ev_fd;
  /**
   * The program's, from registration.
   */
  uint64_t ev_cookie;
  /**
   * Bytes, readiness mask, count, status; -1 on failure.
   */
  int64_t ev_result;
  /**
   * 0 or the error.
   */
  int32_t ev_errno;
  /**
   * EC_F_COPIED, EC_F_EOF, ...
   */
  uint32_t ev_flags;
  /**
   * The buffer, the control block, ...
   */
  void *ev_ptr;
  /**
   * Its length in bytes.
   */
  size_t ev_len;
  /**
   * The source id, -1 where there is none.
   */
  int32_t ev_source;
  int32_t ev_pad;
  uint64_t ev_reserved;
};

/**
 * The talk's name of it.
 */
typedef struct event_data event_data_t;

/**
 * A DMA area: a handle, never a pointer; 0 is none. The talk, "Proposed Memory Interfaces".
 */
typedef uint64_t dma_mem_t;

/**
 * What a socket really uses, and what it has done so far. May grow: the size is passed along.
 */
struct sio_info {
  /**
   * Bytes that were filled in.
   */
  uint32_t si_size;
  /**
   * SIO_INFO_ZC_SEND, ...
   */
  uint32_t si_flags;
  /**
   * The engine in use: "io_uring", "epoll", ...
   */
  char si_engine[16];
  /**
   * Why the preferred engine is not, or "".
   */
  char si_reason[104];
  uint64_t si_sent_bytes;
  uint64_t si_received_bytes;
  uint64_t si_sent_copied_bytes;
  uint64_t si_received_copied_bytes;
  /**
   * Sends that have ended, pieces or messages that were received.
   */
  uint64_t si_sends;
  uint64_t si_receives;
  /**
   * Sends that were not accepted for want of room, and those that failed later.
   */
  uint64_t si_refused_sends;
  uint64_t si_failed_sends;
};

/**
 * Requests of POSIX AIO, counted as they are made. May grow: the size is passed along.
 */
struct sio_aio_counts {
  /**
   * Done in the call that made them.
   */
  uint64_t sc_at_once;
  /**
   * Given to the kernel's ring.
   */
  uint64_t sc_by_ring;
  /**
   * Given to threads of the library's.
   */
  uint64_t sc_by_threads;
  /**
   * What does those that are not done at once: "io_uring", "epoll" for threads, or "".
   */
  char sc_engine[16];
  /**
   * Why the preferred engine does not, or "".
   */
  char sc_reason[104];
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * A new event channel: its descriptor. See ec_create(3).
 */
ec_t ec_create(unsigned int flags);

/**
 * Destroys a channel. See ec_destroy(3).
 */
int ec_destroy(ec_t ec);

/**
 * Fetches one event; never blocks. See ec_next_event(3).
 *
 * `d` is null or points to room for an event.
 */
int ec_next_event(ec_t ec, event_data_t *d);

/**
 * The descriptor that is readable while an event is queued. See ec_to_fd(3).
 */
int ec_to_fd(ec_t ec);

/**
 * Waits until an event is queued, and leaves it there. See ec_delay(3).
 *
 * `tout` is null or points to a timespec.
 */
int ec_delay(ec_t ec, struct timespec *tout);

/**
 * Fetches up to `n` events; never blocks. See ec_next_events(3).
 *
 * `d` is null or points to room for `n` events.
 */
int ec_next_events(ec_t ec, event_data_t *d, int n);

/**
 * Waits for events and fetches up to `n`. See ec_wait_events(3).
 *
 * `d` points to room for `n` events; `tout` and `mask` are null or valid.
 */
int ec_wait_events(ec_t ec,
                   event_data_t *d,
                   int n,
                   const struct timespec *tout,
                   const sigset_t *mask);

/**
 * Queues an event of the program's own. See ec_post(3).
 *
 * `d` is null or points to an event.
 */
int ec_post(ec_t ec, const event_data_t *d);

/**
 * Wakes up to `n` waiting threads without an event. See ec_wake(3).
 */
int ec_wake(ec_t ec, int n);

/**
 * Sends out what was accepted. See ec_flush(3).
 */
int ec_flush(ec_t ec);

/**
 * A descriptor as a source. See ec_add_fd(3).
 */
int ec_add_fd(ec_t ec, int fd, unsigned int poll_events, unsigned int flags, uint64_t cookie);

/**
 * A timer as a source. See ec_add_timer(3).
 *
 * `when` is null or points to an itimerspec.
 */
int ec_add_timer(ec_t ec,
                 clockid_t clock,
                 const struct itimerspec *when,
                 unsigned int flags,
                 uint64_t cookie);

/**
 * A message queue as a source. See ec_add_mq(3).
 */
int ec_add_mq(ec_t ec, mqd_t mq, unsigned int flags, uint64_t cookie);

/**
 * Signals as a source. See ec_add_signal(3).
 *
 * `set` is null or points to a set of signals.
 */
int ec_add_signal(ec_t ec, const sigset_t *set, unsigned int flags, uint64_t cookie);

/**
 * A word of memory as a source. See ec_add_futex(3).
 *
 * `word` is null or points to a word that stays valid until the source is removed.
 */
int ec_add_futex(ec_t ec, uint32_t *word, uint32_t expected, unsigned int flags, uint64_t cookie);

/**
 * A semaphore as a source. See ec_add_sem(3).
 *
 * `sem` is null or points to a semaphore that is not destroyed before the source is removed.
 */
int ec_add_sem(ec_t ec, sem_t *sem, unsigned int flags, uint64_t cookie);

/**
 * The end of a process as a source. See ec_add_process(3).
 */
int ec_add_process(ec_t ec, int pidfd, unsigned int flags, uint64_t cookie);

/**
 * A listening socket as a source of connections. See ec_add_accept(3).
 */
int ec_add_accept(ec_t ec, int listen_fd, unsigned int flags, uint64_t cookie);

/**
 * An associated socket as a source. See ec_add_socket(3).
 */
int ec_add_socket(ec_t ec, int sock, unsigned int flags, uint64_t cookie);

/**
 * Changes what a source waits for, and arms it again. See ec_modify(3).
 */
int ec_modify(ec_t ec, int source, unsigned int poll_events, unsigned int flags);

/**
 * Removes a source and its events. See ec_remove(3).
 */
int ec_remove(ec_t ec, int source);

/**
 * Allocates an area. See dma_alloc(3).
 *
 * `handlep` is null or points to room for a handle.
 */
int dma_alloc(dma_mem_t *handlep, size_t size, unsigned int flags);

/**
 * Frees an area. See dma_free(3).
 */
int dma_free(dma_mem_t handle, size_t size);

/**
 * Where an area is mapped. See dma_base(3).
 *
 * `base` and `size` are null or point to room for what they are called.
 */
int dma_base(dma_mem_t mem, void **base, size_t *size);

/**
 * Claims a block. See sio_reserve(3).
 *
 * `memp` is null or points to room for a pointer.
 */
int sio_reserve(dma_mem_t dma, void **memp, size_t size);

/**
 * Gives a block back. See sio_release(3).
 */
int sio_release(dma_mem_t dma, void *mem, size_t size);

/**
 * Associates a socket with an area. See dma_assoc(3).
 */
int dma_assoc(int sock, dma_mem_t mem, size_t size, unsigned int flags);

/**
 * Undoes dma_assoc. See dma_disassoc(3).
 */
int dma_disassoc(int sock, dma_mem_t mem, size_t size);

/**
 * Cancels, disassociates and purges. See sio_detach(3).
 */
int sio_detach(int sock);

/**
 * Sends part of a block. See sio_send(3).
 */
int sio_send(int sock, const void *buf, size_t size, int flags);

/**
 * Sends part of a block to an address. See sio_sendto(3).
 *
 * `to` is null or points to `tolen` bytes.
 */
int sio_sendto(int sock,
               const void *buf,
               size_t size,
               int flags,
               const struct sockaddr *to,
               socklen_t tolen);

/**
 * Sends part of a file. See sio_sendfile(3).
 */
int sio_sendfile(int sock, int file, off_t offset, size_t size, int flags);

/**
 * Sends a message. See sio_sendmsg(3).
 *
 * `buf` is null or points to a `struct msghdr` whose pointers are valid.
 */
int sio_sendmsg(int sock, const void *buf, size_t size, int flags);

/**
 * Receives a block. See sio_recv(3).
 *
 * `buf` is null or points to room for a pointer.
 */
int sio_recv(int sock, void **buf, size_t size, int flags);

/**
 * Receives a block and the address of its sender. See sio_recvfrom(3).
 *
 * `buf` is null or points to room for a pointer, `to` is null or points to `tolen` bytes.
 */
int sio_recvfrom(int sock,
                 const void **buf,
                 size_t size,
                 int flags,
                 struct sockaddr *to,
                 socklen_t tolen);

/**
 * Receives a message with its header. See sio_recvmsg(3).
 *
 * `buf` is null or points to room for a pointer.
 */
int sio_recvmsg(int sock, const void **buf, size_t size, int flags);

/**
 * What the socket really uses. See sio_info(3).
 *
 * `info` is null or points to `size` bytes.
 */
int sio_info(int sock, struct sio_info *info, size_t size);

/**
 * Runs `io_complete` once when data has arrived, then interrupts the calling thread. See
 * async_io_notify(3).
 *
 * `io_complete` is null or a function that may be called from another thread.
 */
int async_io_notify(int fd, void (*io_complete)(int fd, void *context), void *context);

/**
 * Waits until a callback of the calling thread has run. See async_io_pause(3).
 */
int async_io_pause(void);

/**
 * Takes back what is registered for a descriptor. See async_io_cancel(3).
 */
int async_io_cancel(int fd);

/**
 * Counts requests of POSIX AIO there from now on. See sio_aio_count(3).
 *
 * `counts` points to `size` bytes that stay valid as long as the process lives.
 */
int sio_aio_count(struct sio_aio_counts *counts, size_t size);

/**
 * Begins to send. See aio_send(3).
 *
 * `aiocbp` points to a control block that stays valid, with its buffer, until the request has ended.
 */
int aio_send(struct aio_cb *aiocbp,
             int flags);

/**
 * Begins to send to an address. See aio_sendto(3).
 *
 * `aiocbp` is as aio_send has it; `to` is null or points to `tolen` bytes.
 */
int aio_sendto(struct aio_cb *aiocbp, int flags, const struct sockaddr *to, socklen_t tolen);

/**
 * Begins to send a message. See aio_sendmsg(3).
 *
 * `aiocbp` is as aio_send has it; its msg_hdr points to a `struct msghdr` that stays valid as long.
 */
int aio_sendmsg(struct aio_cb *aiocbp, int flags);

/**
 * Begins to receive. See aio_recv(3).
 *
 * `aiocbp` is as aio_send has it.
 */
int aio_recv(struct aio_cb *aiocbp, int flags);

/**
 * Begins to receive, with the sender's address. See aio_recvfrom(3).
 *
 * `aiocbp` is as aio_send has it; `from` is null or has the room that `fromlen` points to, and both
 * stay valid as long.
 */
int aio_recvfrom(struct aio_cb *aiocbp, int flags, struct sockaddr *from, socklen_t *fromlen);

/**
 * Begins to receive a message. See aio_recvmsg(3).
 *
 * `aiocbp` is as aio_sendmsg has it.
 */
int aio_recvmsg(struct aio_cb *aiocbp, int flags);

/**
 * Begins to accept a connection: the result is its descriptor. See aio_accept(3).
 *
 * `aiocbp` is as aio_send has it; `addr` and `addrlen` are as aio_recvfrom has them.
 */
int aio_accept(struct aio_cb *aiocbp, int flags, struct sockaddr *addr, socklen_t *addrlen);

/**
 * Begins to connect. See aio_connect(3).
 *
 * `aiocbp` is as aio_send has it; `addr` points to `addrlen` bytes.
 */
int aio_connect(struct aio_cb *aiocbp, const struct sockaddr *addr, socklen_t addrlen);

/**
 * A descriptor for whole frames of an interface. See sio_open_ethernet(3).
 *
 * `ifname` is null or a string.
 */
int sio_open_ethernet(const char *ifname, unsigned int flags);

/**
 * The same for the interface of this host. See sio_open_ethernet(3).
 */
int open_ethernet_device(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SIO_H */
