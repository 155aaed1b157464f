/*
 * Scope-bound clean-up of heap memory.
 *
 * Declare an owning pointer with KC_CLEANUP_FREE and initialise it at the declaration; it is freed when the
 * scope ends. KC_STEAL hands ownership over and leaves NULL behind.
 */
#ifndef KC_BASE_CLEANUP_H
#define KC_BASE_CLEANUP_H

#include <stdlib.h>

static inline void kc_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

#define KC_CLEANUP(function) __attribute__((cleanup(function)))
#define KC_CLEANUP_FREE KC_CLEANUP(kc_cleanup_free)

#define KC_STEAL(pointer)                                                                                    \
	({                                                                                                   \
		__typeof__(pointer) *kc_from = &(pointer);                                                   \
		__typeof__(pointer) kc_stolen = *kc_from;                                                    \
		*kc_from = NULL;                                                                             \
		kc_stolen;                                                                                   \
	})

#define KC_ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

#endif
