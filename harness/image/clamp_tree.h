/* Clamping every ELF file of a tree, in place; elf/clamp.h says what that is. */
#ifndef KC_IMAGE_CLAMP_TREE_H
#define KC_IMAGE_CLAMP_TREE_H

#include "base/error.h"
#include "elf/clamp.h"

/* Walks the tree without following links; files that are not ELF stay as they are, but for the release that
 * the script ldd prints. Files keep owner and mode. After a failure the tree is of no use. */
int kc_clamp_tree(int tree_fd, const struct kc_elf_ceilings *ceilings, struct kc_elf_clamp_stats *stats,
		  struct kc_error *err) __attribute__((warn_unused_result));

#endif
