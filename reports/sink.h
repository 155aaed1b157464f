/*
 * Text that is put together piece by piece; the first failure sticks, so that it is asked for once, at the end.
 *
 * Life cycle: 1. KC_SINK_INIT(limit)  2. add  3. read `text` if `status` is 0  4. kc_sink_release (idempotent). After a failure
 * (-E2BIG past the limit, -ENOMEM) nothing more is added: what is there is a beginning.
 */
#ifndef KC_REPORTS_SINK_H
#define KC_REPORTS_SINK_H

#include "base/buffer.h"

struct kc_sink {
	struct kc_buffer text;
	int status;
};

#define KC_SINK_INIT(limit_bytes)                                                                            \
	{                                                                                                    \
		.text = KC_BUFFER_INIT(limit_bytes)                                                          \
	}

static inline void kc_sink_release(struct kc_sink *sink)
{
	kc_buffer_release(&sink->text);
}
#define KC_CLEANUP_SINK KC_CLEANUP(kc_sink_release)

static inline void kc_sink_add(struct kc_sink *sink, const char *bytes, size_t length)
{
	if (sink->status == 0)
		sink->status = kc_buffer_append(&sink->text, bytes, length);
}

static inline void kc_sink_string(struct kc_sink *sink, const char *string)
{
	if (sink->status == 0)
		sink->status = kc_buffer_append_string(&sink->text, string);
}

#define kc_sink_printf(sink, ...)                                                                            \
	do {                                                                                                 \
		if ((sink)->status == 0)                                                                     \
			(sink)->status = kc_buffer_printf(&(sink)->text, __VA_ARGS__);                       \
	} while (0)

/* What `status` says of a text that was made in another way. */
static inline void kc_sink_check(struct kc_sink *sink, int status)
{
	if (sink->status == 0 && status < 0)
		sink->status = status;
}

#endif
