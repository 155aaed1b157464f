/* Wheels as upstream published them, from the package index, for tests. */
#ifndef KC_RELEASE_TESTS_PUBLISHED_H
#define KC_RELEASE_TESTS_PUBLISHED_H

#include <limits.h>

#include "base/error.h"

struct kc_published {
	const char *package, *version, *architecture;
};

/* Gets it into the user's own store, or finds it there; nobody may write into it. */
int kc_published_fetch(const struct kc_published *published, char ret_path[PATH_MAX], struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
