/*
 * The layers of a root filesystem, and looking into them as overlayfs would show them: without mounting anything.
 *
 * Life cycle: 1. a zeroed object  2. kc_layers_add, uppermost first  3. kc_layers_open  4. kc_layers_release (idempotent).
 */
#ifndef KC_IMAGE_LAYERS_H
#define KC_IMAGE_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Those of published images are below thirty. What mounts them can name 80, sandbox/mounts.c. */
#define KC_LAYERS_MOST 64

struct kc_layers {
	char *trees[KC_LAYERS_MOST]; /* absolute, uppermost first */
	size_t count;
};

#define KC_CLEANUP_LAYERS KC_CLEANUP(kc_layers_release)

/* Below those that are there; the path is copied. -E2BIG: there are KC_LAYERS_MOST. */
int kc_layers_add(struct kc_layers *layers, const char *tree, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_layers_release(struct kc_layers *layers);

/* Opens the regular file at an absolute `path`, links followed as if the layers together were /. Nothing but a regular file is
 * opened, so that a FIFO holds nobody up. Its descriptor, or a negative errno: -ENOENT; -EINVAL: not a regular file; -ELOOP. */
int kc_layers_open(const struct kc_layers *layers, const char *path, struct stat *ret_status)
	__attribute__((warn_unused_result));

/* There is a regular file, perhaps behind links, and it is not empty. */
bool kc_layers_have_file(const struct kc_layers *layers, const char *path);

#endif
