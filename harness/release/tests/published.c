#include "release/tests/published.h"

#include <stdio.h>

#include "archive/store.h"
#include "net/index.h"

int kc_published_fetch(const struct kc_published *published, char ret_path[PATH_MAX], struct kc_error *err)
{
	KC_CLEANUP(kc_store_close) struct kc_store store = { .fd = -1 };
	struct kc_index_wheel wheel;
	struct kc_index_spec spec;
	char text[128];
	int status = kc_store_open(&store, err);

	(void)snprintf(text, sizeof(text), "%s==%s", published->package, published->version);
	if (status == 0)
		status = kc_index_spec_parse(text, &spec, err);
	if (status == 0)
		status = kc_index_fetch(&spec, published->architecture, store.path, NULL, &wheel, err);
	if (status == 0)
		(void)snprintf(ret_path, PATH_MAX, "%s", wheel.path);
	return status;
}
