/*
 * Which volume the agent mounts into a container, by the name of the container's distribution.
 *
 * The rule is the agent's own (PyPI package backend.ai-agent 23.9, `match_distro_data`), restated: a name is a prefix and a
 * version of dotted numbers at its end ("centos7.9", "alpine3.8", "ubuntu22.04"). A static volume for the distribution's C
 * library wins ("static-musl" for alpine, "static-gnu" for all others). Else, among the keys that start with the prefix, the
 * newest one that is not newer than the container; without a version in the name, the newest; if all are newer, the oldest.
 */
#ifndef KC_COMPAT_DISTRO_H
#define KC_COMPAT_DISTRO_H

#include <stdbool.h>
#include <stddef.h>

/* Most numbers of a version; a name with more has no version. */
#define KC_DISTRO_MAX_PARTS 8

struct kc_distro {
	char prefix[64];
	unsigned int parts[KC_DISTRO_MAX_PARTS];
	size_t part_count; /* 0: no version */
};

/* False for a name that is empty or too long. */
bool kc_distro_parse(const char *name, struct kc_distro *ret_distro);

/* Negative, 0 or positive, number by number; a version is older than itself with more numbers behind. */
int kc_distro_compare(const struct kc_distro *left, const struct kc_distro *right);

/* The index of the key that the agent would choose for `distro` among the volumes it has; false if it would refuse. */
bool kc_distro_match(const char *const keys[], size_t count, const char *distro, size_t *ret_index);

#endif
