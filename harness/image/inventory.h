/*
 * What is in the store for the sake of images, and removing it.
 *
 * An image's items are what its opening depends on: entries, records, packages, downloads, as paths below the store. Items are
 * shared: what one image needs stays when another goes. Nothing here is to be done while runs are under way.
 */
#ifndef KC_IMAGE_INVENTORY_H
#define KC_IMAGE_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>

#include "archive/store.h"
#include "base/cleanup.h"
#include "base/error.h"

/* A set of items. Zeroed, it is empty. */
struct kc_inventory {
	char **items;
	size_t count;
	bool is_out_of_memory;
};

#define KC_CLEANUP_INVENTORY KC_CLEANUP(kc_inventory_release)
void kc_inventory_release(struct kc_inventory *inventory);

/* What `image` for `architecture` is made of, by what the store says and without verifying it. -ENOENT: it is not in the store;
 * ret_inventory, which may be NULL, then holds what there is of it. */
int kc_inventory_of(struct kc_store *store, const char *image, const char *architecture,
		    struct kc_inventory *ret_inventory, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Removes what `image` is made of, for any architecture, and nothing else is. -ENOENT: it is not in the store. *ret_count: how many
 * items went. */
int kc_inventory_remove(struct kc_store *store, const char *image, size_t *ret_count, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Removes what belongs to images and is needed by none: neither one of images/ nor one that was pulled. The user's own tars and
 * archives are unpacked again when they are used next. */
int kc_inventory_prune(struct kc_store *store, size_t *ret_count, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
