/* "Did you mean": the word of a set that is nearest to one that was typed. */
#ifndef KC_NEAREST_H
#define KC_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

struct kc_nearest {
	const char *typed;
	const char *word; /* the nearest so far, borrowed; NULL while none is near enough */
	size_t distance;
};

#define KC_NEAREST_INIT(typed_word)                                                                          \
	{                                                                                                    \
		.typed = (typed_word)                                                                        \
	}

/* True if `word` is near enough to be a typing mistake, and nearer than all before. */
bool kc_nearest_try(struct kc_nearest *nearest, const char *word);

#endif
