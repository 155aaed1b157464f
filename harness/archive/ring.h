/*
 * A thread that fills buffers while the caller works on the ones before.
 *
 * Bounded: a fixed number of slots, so that neither side runs ahead of memory. The thread is joined at stop;
 * it takes no signals, which stay with the caller's threads.
 *
 * Life cycle: 1. kc_ring_start  2. kc_ring_next until 0 or an error  3. kc_ring_stop, at any moment.
 */
#ifndef KC_ARCHIVE_RING_H
#define KC_ARCHIVE_RING_H

#include <sys/types.h>

#include "base/error.h"

#define KC_RING_SLOTS 12
#define KC_RING_SLOT_BYTES 262144u

/* Fills `buffer` with up to `size` bytes; 0 at the end, negative errno with `err` set. Called in the thread,
 * never again after 0 or a failure. */
typedef ssize_t kc_ring_fill(void *context, void *buffer, size_t size, struct kc_error *err);

struct kc_ring;

/* `context` belongs to the thread until kc_ring_stop. */
int kc_ring_start(struct kc_ring **ret_ring, kc_ring_fill *fill, void *context, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The next filled slot, borrowed until the next call. Its length, 0 at the end, or the failure of the
 * filler. */
ssize_t kc_ring_next(struct kc_ring *ring, const void **ret_bytes, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Waits for a fill that is under way. NULL-safe; sets the pointer to NULL. */
void kc_ring_stop(struct kc_ring **ring);

#endif
