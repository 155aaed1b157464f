/*
 * Data files that are part of the program, so that one file is enough to run it: the definitions of images,
 * the policy, the Python sources of cases. CMakeLists.txt says which (kc_embed); each is known by its path in
 * the source tree ("images/centos7.json"). Read-only, and there as long as the program runs.
 */
#ifndef KC_BASE_EMBEDDED_H
#define KC_BASE_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>

/* *ret_length does not count the NUL that follows. False, and nothing changed, if there is no such file. */
bool kc_embedded_find(const char *name, const char **ret_bytes, size_t *ret_length);

/* The names, sorted; NULL from kc_embedded_count on. */
size_t kc_embedded_count(void);
const char *kc_embedded_name(size_t index);

#endif
