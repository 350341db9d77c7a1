/* libsio: devices in the program, whose requests are done by functions of a driver.
 * Made by cbindgen from src/capi: see CONTRIBUTING.md. Read sio_driver(7) first.
 * SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef SIO_DRIVER_H
#define SIO_DRIVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/**
 * ki_operation: into the buffer.
 */
#define SIO_KI_READ 0

/**
 * ki_operation: from the buffer.
 */
#define SIO_KI_WRITE 1

/**
 * ki_operation: what was written before is to last; there is no buffer.
 */
#define SIO_KI_FSYNC 256

/**
 * ki_flags: with SIO_KI_FSYNC, the data alone.
 */
#define SIO_KI_DATASYNC 1

/**
 * What read, write and fsync return when the request ends later, with sio_complete. It is the
 * negative of no errno value.
 */
#define SIO_QUEUED -529

/**
 * A device that is registered: a handle, never a pointer; 0 is none.
 */
typedef uint64_t sio_device_t;

/**
 * One opening of a device. It stays where it is from open until release.
 */
struct sio_file {
  /**
   * The driver's, from registration.
   */
  void *sf_device;
  /**
   * For the driver, which sets it in open; NULL before.
   */
  void *sf_private;
  /**
   * As sio_device_open was given them.
   */
  int sf_flags;
};

/**
 * One request, in the hands of the driver until that has ended it.
 */
struct sio_kiocb {
  /**
   * SIO_KI_READ, SIO_KI_WRITE, SIO_KI_FSYNC
   */
  int ki_operation;
  /**
   * SIO_KI_DATASYNC
   */
  uint32_t ki_flags;
  /**
   * Where in the device: aio_offset.
   */
  int64_t ki_pos;
  /**
   * The buffer, in pieces.
   */
  const struct iovec *ki_iov;
  size_t ki_iovcnt;
  /**
   * The length of all pieces.
   */
  size_t ki_bytes;
  /**
   * The driver's, from registration.
   */
  void *ki_device;
  /**
   * By which opening of the device it comes.
   */
  struct sio_file *ki_file;
  /**
   * For the driver: NULL when the request comes.
   */
  void *ki_private[8];
};

/**
 * The driver's functions, each NULL if there is none. read, write and fsync return what
 * sio_complete takes, or SIO_QUEUED; cancel and open 0, or the negative of an errno value.
 */
struct sio_device_operations {
  ssize_t (*read)(struct sio_kiocb *kiocb);
  ssize_t (*write)(struct sio_kiocb *kiocb);
  ssize_t (*fsync)(struct sio_kiocb *kiocb);
  /**
   * Takes back a request that the driver has not ended: 0 if it will not touch it any more.
   */
  int (*cancel)(struct sio_kiocb *kiocb);
  int (*open)(struct sio_file *file);
  /**
   * All descriptors are closed, and all requests have ended.
   */
  void (*release)(struct sio_file *file);
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Registers a device. See sio_driver(7) and sio_device_register(3).
 *
 * `devicep` is valid for writing, `name` a string; `operations` points to `size` bytes, and
 * `size` is sizeof(struct sio_device_operations).
 */
int sio_device_register(sio_device_t *devicep,
                        const char *name,
                        const struct sio_device_operations *operations,
                        size_t size,
                        void *context);

/**
 * Takes a device away. See sio_driver(7) and sio_device_unregister(3).
 */
int sio_device_unregister(sio_device_t device);

/**
 * Opens a device: a descriptor. See sio_driver(7) and sio_device_open(3).
 *
 * `name` is a string.
 */
int sio_device_open(const char *name, int flags);

/**
 * Closes a descriptor of a device. See sio_driver(7) and sio_device_close(3).
 */
int sio_device_close(int fd);

/**
 * Says whether descriptors of a device are readable. See sio_driver(7) and sio_device_ready(3).
 *
 * `file` is any pointer: the library knows its own.
 */
int sio_device_ready(sio_device_t device, struct sio_file *file, uint32_t poll_events);

/**
 * Ends a request. See sio_driver(7) and sio_complete(3).
 *
 * `kiocb` is any pointer: the library knows its own.
 */
int sio_complete(struct sio_kiocb *kiocb, ssize_t result);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SIO_DRIVER_H */
