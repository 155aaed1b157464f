#include "archive/tests/store_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool kc_test_store_make(struct kc_test_store *test)
{
	const char *before = getenv("XDG_CACHE_HOME");
	char path[PATH_MAX];

	*test = (struct kc_test_store){ .store = { .fd = -1 } };
	test->cache_before = before ? strdup(before) : NULL;
	if (!kc_sentinel_make(&test->scratch))
		return false;
	(void)snprintf(path, sizeof(path), "%s/dest", test->scratch.path);
	return setenv("XDG_CACHE_HOME", path, 1) == 0 && kc_store_open(&test->store, NULL) == 0;
}

void kc_test_store_release(struct kc_test_store *test)
{
	if (test->cache_before)
		(void)setenv("XDG_CACHE_HOME", test->cache_before, 1);
	else
		(void)unsetenv("XDG_CACHE_HOME");
	free(test->cache_before);
	kc_store_close(&test->store);
	kc_sentinel_remove(&test->scratch);
}

unsigned int kc_test_store_count(const struct kc_test_store *test, const char *directory)
{
	return kc_count_names(test->store.fd, directory);
}
