/*
 * A growing byte buffer that knows its limit.
 *
 * Life cycle: 1. KC_BUFFER_INIT(limit) or kc_buffer_init  2. append  3. kc_buffer_release (or
 * kc_buffer_steal). Invariant: `data` is NULL or holds `length` bytes and a terminating NUL, which `length`
 * does not count. The content may hold NULs; whoever reads it as a string decides what that means. Release is
 * idempotent and accepts a zeroed object. After a failed append the content is as it was before.
 */
#ifndef KC_BASE_BUFFER_H
#define KC_BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

struct kc_buffer {
	char *data;
	size_t length;
	size_t capacity;
	size_t limit; /* most bytes it will hold; an append beyond fails with -E2BIG */
};

#define KC_BUFFER_INIT(limit_bytes)                                                                          \
	{                                                                                                    \
		.limit = (limit_bytes)                                                                       \
	}
#define KC_CLEANUP_BUFFER KC_CLEANUP(kc_buffer_release)

void kc_buffer_init(struct kc_buffer *buffer, size_t limit);
void kc_buffer_release(struct kc_buffer *buffer);

/* Forgets the content, keeps the memory. */
void kc_buffer_clear(struct kc_buffer *buffer);

/* 0, -E2BIG or -ENOMEM. `bytes` is copied. */
int kc_buffer_append(struct kc_buffer *buffer, const void *bytes, size_t length)
	__attribute__((warn_unused_result));
int kc_buffer_append_string(struct kc_buffer *buffer, const char *string) __attribute__((warn_unused_result));
int kc_buffer_printf(struct kc_buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3), warn_unused_result));

/* The content as a NUL-terminated string, "" when empty; borrowed until the next change. */
const char *kc_buffer_string(const struct kc_buffer *buffer);

/* The caller frees what it gets; NULL when empty. The buffer is empty afterwards. */
char *kc_buffer_steal(struct kc_buffer *buffer);

/*
 * The head and the tail of a stream of any length, for the output of programs under test (which may print
 * gigabytes). Fixed size, nothing to release. `dropped` counts the bytes between the two.
 */
struct kc_excerpt {
	char head[4096];
	char tail[61440]; /* a ring; read it with kc_excerpt_append_to */
	size_t head_length;
	size_t tail_length;
	size_t tail_start;
	unsigned long long dropped;
};

void kc_excerpt_add(struct kc_excerpt *excerpt, const void *bytes, size_t length);

/* Appends head, a line that says how much is missing (if anything), and tail. */
int kc_excerpt_append_to(const struct kc_excerpt *excerpt, struct kc_buffer *buffer)
	__attribute__((warn_unused_result));

#endif
