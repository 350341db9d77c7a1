/* The types of the header have the promised sizes, offsets and signedness. */
#include "check.h"

#define AT(type, field, offset, size) \
    _Static_assert(offsetof(type, field) == (offset), #field " is elsewhere"); \
    _Static_assert(sizeof(((type *)0)->field) == (size), #field " has another size")
#define SIGNED(type, field) _Static_assert(_Generic(((type *)0)->field, int32_t: 1, int64_t: 1, \
                                                    default: 0), #field " is not signed")

_Static_assert(sizeof(event_data_t) == 64, "an event has 64 bytes");
_Static_assert(_Alignof(event_data_t) == 8, "an event is aligned to 8 bytes");
_Static_assert(sizeof(struct event_data) == sizeof(event_data_t), "one type, two names");
AT(event_data_t, ev_type, 0, 4);
AT(event_data_t, ev_fd, 4, 4);
AT(event_data_t, ev_cookie, 8, 8);
AT(event_data_t, ev_result, 16, 8);
AT(event_data_t, ev_errno, 24, 4);
AT(event_data_t, ev_flags, 28, 4);
AT(event_data_t, ev_ptr, 32, 8);
AT(event_data_t, ev_len, 40, 8);
AT(event_data_t, ev_source, 48, 4);
AT(event_data_t, ev_pad, 52, 4);
AT(event_data_t, ev_reserved, 56, 8);
SIGNED(event_data_t, ev_type);
SIGNED(event_data_t, ev_fd);
SIGNED(event_data_t, ev_result);
SIGNED(event_data_t, ev_errno);
SIGNED(event_data_t, ev_source);

AT(struct sigevent, sigev_ec, 32, sizeof(ec_t));
SIGNED(struct sigevent, sigev_ec);
_Static_assert(sizeof(struct sigevent) == 64, "no layout changes");

_Static_assert(sizeof(struct sio_info) == 192, "grows at its end only");
AT(struct sio_info, si_size, 0, 4);
AT(struct sio_info, si_flags, 4, 4);
AT(struct sio_info, si_engine, 8, 16);
AT(struct sio_info, si_reason, 24, 104);
AT(struct sio_info, si_sent_bytes, 128, 8);
AT(struct sio_info, si_received_bytes, 136, 8);
AT(struct sio_info, si_sent_copied_bytes, 144, 8);
AT(struct sio_info, si_received_copied_bytes, 152, 8);
AT(struct sio_info, si_sends, 160, 8);
AT(struct sio_info, si_receives, 168, 8);
AT(struct sio_info, si_refused_sends, 176, 8);
AT(struct sio_info, si_failed_sends, 184, 8);

_Static_assert(_Generic((ec_t)0, int: 1, default: 0), "a channel is a descriptor");
_Static_assert(_Generic((dma_mem_t)0, uint64_t: 1, default: 0), "a handle is a number");

int main(void)
{
    return 0;
}
