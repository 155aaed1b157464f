#include "archive/ring.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

/* The slots [taken, filled) hold data; the numbers only grow, a slot is its number modulo KC_RING_SLOTS. The
 * caller works on slot `taken`, if `borrowed`. */
struct kc_ring {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	kc_ring_fill *fill;
	void *context;
	unsigned long filled, taken;
	bool borrowed, ended, stopping;
	struct kc_error error; /* of the filler; code 0 for none */
	ssize_t lengths[KC_RING_SLOTS];
	unsigned char slots[KC_RING_SLOTS][KC_RING_SLOT_BYTES];
};

/* True when slot `ring->filled` is free to be filled. */
static bool wait_for_room(struct kc_ring *ring)
{
	bool go;

	(void)pthread_mutex_lock(&ring->mutex); /* a plain mutex that is initialised: cannot fail */
	while (ring->filled - ring->taken == KC_RING_SLOTS && !ring->stopping)
		(void)pthread_cond_wait(&ring->changed, &ring->mutex);
	go = !ring->stopping;
	(void)pthread_mutex_unlock(&ring->mutex);
	return go;
}

static void *run(void *argument)
{
	struct kc_ring *ring = argument;
	ssize_t length = 1;

	while (length > 0 && wait_for_room(ring)) {
		struct kc_error error = { 0 };
		size_t slot = ring->filled % KC_RING_SLOTS;

		length = ring->fill(ring->context, ring->slots[slot], KC_RING_SLOT_BYTES, &error);
		(void)pthread_mutex_lock(&ring->mutex);
		ring->lengths[slot] = length;
		ring->error = error;
		if (length > 0)
			ring->filled++;
		else
			ring->ended = true;
		(void)pthread_cond_signal(&ring->changed);
		(void)pthread_mutex_unlock(&ring->mutex);
	}
	return NULL;
}

static int start_thread(struct kc_ring *ring)
{
	sigset_t all, before;
	int status;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	status = pthread_create(&ring->thread, NULL, run, ring);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return status;
}

int kc_ring_start(struct kc_ring **ret_ring, kc_ring_fill *fill, void *context, struct kc_error *err)
{
	struct kc_ring *ring = calloc(1, sizeof(*ring));
	int status;

	if (!ring)
		return kc_error_errno(err, ENOMEM, "start a decoder");
	ring->fill = fill;
	ring->context = context;
	(void)pthread_mutex_init(&ring->mutex, NULL); /* glibc: always 0 for default attributes */
	(void)pthread_cond_init(&ring->changed, NULL);
	status = start_thread(ring);
	if (status != 0) {
		free(ring);
		return kc_error_errno(err, status, "start a decoder thread");
	}
	*ret_ring = ring;
	return 0;
}

ssize_t kc_ring_next(struct kc_ring *ring, const void **ret_bytes, struct kc_error *err)
{
	ssize_t length = 0;

	(void)pthread_mutex_lock(&ring->mutex);
	if (ring->borrowed) {
		ring->taken++;
		ring->borrowed = false;
		(void)pthread_cond_signal(&ring->changed);
	}
	while (ring->filled == ring->taken && !ring->ended)
		(void)pthread_cond_wait(&ring->changed, &ring->mutex);
	if (ring->filled != ring->taken) {
		*ret_bytes = ring->slots[ring->taken % KC_RING_SLOTS];
		length = ring->lengths[ring->taken % KC_RING_SLOTS];
		ring->borrowed = true;
	} else if (ring->error.code < 0) {
		if (err)
			*err = ring->error;
		length = ring->error.code;
	}
	(void)pthread_mutex_unlock(&ring->mutex);
	return length;
}

void kc_ring_stop(struct kc_ring **ring)
{
	if (!*ring)
		return;
	(void)pthread_mutex_lock(&(*ring)->mutex);
	(*ring)->stopping = true;
	(void)pthread_cond_signal(&(*ring)->changed);
	(void)pthread_mutex_unlock(&(*ring)->mutex);
	(void)pthread_join((*ring)->thread, NULL);
	(void)pthread_cond_destroy(&(*ring)->changed);
	(void)pthread_mutex_destroy(&(*ring)->mutex);
	free(*ring);
	*ring = NULL;
}
