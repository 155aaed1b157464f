/*
 * What the kinds of sources and additions have in common, image/definition.h: each gets layers into the store and says where they
 * came from. Internal to harness/image; image.c chooses among them.
 */
#ifndef KC_IMAGE_SOURCE_H
#define KC_IMAGE_SOURCE_H

#include <cjson/cJSON.h>

#include "archive/store.h"
#include "base/digest.h"
#include "base/error.h"
#include "image/definition.h"
#include "image/image.h"
#include "image/layers.h"

struct kc_source_request {
	struct kc_store *store;
	const struct kc_image_request *options; /* what may be asked, and how */
	const struct kc_definition *definition;
	const struct kc_image_source *source;
	size_t architecture; /* its number in the source */
	unsigned int number; /* among the definition's: 0 for a source, from 1 on for an addition */
};

/* What a source has made. Zeroed, nothing. */
struct kc_source_result {
	struct kc_layers layers;
	char digest[KC_SHA256_HEX_SIZE]; /* of all that the layers depend on */
	cJSON *packages; /* array of {"name", "version", "file", "sha256"}; NULL: not made of packages */
};

#define KC_CLEANUP_SOURCE_RESULT KC_CLEANUP(kc_source_result_release)
void kc_source_result_release(struct kc_source_result *result);

/* Of -EINTR, a full disk and the like no other source would do better. */
bool kc_source_failure_is_final(int status);

/* Each fills *result, which the caller releases, whatever comes back. */
typedef int kc_source_opener(const struct kc_source_request *request, struct kc_source_result *result,
			     struct kc_error *err);
kc_source_opener kc_source_open_packages, kc_source_open_wheel_archive, kc_source_open_wheel_files,
	kc_source_open_registry;

#endif
