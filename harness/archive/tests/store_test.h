/* A store of a test's own: XDG_CACHE_HOME points into a scratch directory for as long as it lives. */
#ifndef KC_ARCHIVE_TESTS_STORE_TEST_H
#define KC_ARCHIVE_TESTS_STORE_TEST_H

#include <stdbool.h>

#include "archive/store.h"
#include "fixtures/sentinel.h"

struct kc_test_store {
	struct kc_sentinel scratch;
	struct kc_store store;
	char *cache_before;
};

#define KC_CLEANUP_TEST_STORE KC_CLEANUP(kc_test_store_release)

bool kc_test_store_make(struct kc_test_store *test);
void kc_test_store_release(struct kc_test_store *test);

/* How many entries a directory of the store has: "tmp", "trees". */
unsigned int kc_test_store_count(const struct kc_test_store *test, const char *directory);

#endif
