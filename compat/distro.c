#include "compat/distro.h"

#include <stdlib.h>
#include <string.h>

/* Where the version at the end of a name starts; the name's end if it has none. */
static size_t version_start(const char *name)
{
	size_t end = strlen(name), start = end;

	while (start && strchr("0123456789.", name[start - 1]))
		start--;
	/* Single dots between numbers: "x1..2" has the version "2", "x.2" as well. */
	for (size_t i = start; i < end; i++)
		if (name[i] == '.' && (i == start || name[i - 1] == '.'))
			start = i + 1;
	return start < end && name[end - 1] != '.' ? start : end;
}

bool kc_distro_parse(const char *name, struct kc_distro *ret_distro)
{
	size_t length = version_start(name);
	const char *next = name + length;
	struct kc_distro distro = { 0 };

	if (!*name || length >= sizeof(distro.prefix))
		return false;
	memcpy(distro.prefix, name, length);
	while (*next) {
		char *end;

		if (distro.part_count == KC_DISTRO_MAX_PARTS)
			return false;
		distro.parts[distro.part_count++] = (unsigned int)strtoul(next, &end, 10);
		next = *end == '.' ? end + 1 : end;
	}
	*ret_distro = distro;
	return true;
}

int kc_distro_compare(const struct kc_distro *left, const struct kc_distro *right)
{
	for (size_t i = 0; i < left->part_count && i < right->part_count; i++)
		if (left->parts[i] != right->parts[i])
			return left->parts[i] < right->parts[i] ? -1 : 1;
	return (left->part_count > right->part_count) - (left->part_count < right->part_count);
}

static bool find(const char *const keys[], size_t count, const char *key, size_t *ret_index)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i], key) == 0) {
			*ret_index = i;
			return true;
		}
	return false;
}

/* Is `candidate` the better answer to `wanted` than `best`? Fitting before too new; of those that fit the newest, of those that
 * are too new the oldest. */
static bool is_better(const struct kc_distro *wanted, const struct kc_distro *candidate,
		      const struct kc_distro *best)
{
	bool any = wanted->part_count == 0;
	bool candidate_fits = any || kc_distro_compare(wanted, candidate) >= 0;
	bool best_fits = any || kc_distro_compare(wanted, best) >= 0;
	int order = kc_distro_compare(candidate, best);

	if (candidate_fits != best_fits)
		return candidate_fits;
	return candidate_fits ? order > 0 : order < 0;
}

bool kc_distro_match(const char *const keys[], size_t count, const char *name, size_t *ret_index)
{
	struct kc_distro wanted, candidate, best = { 0 };
	bool found = false;

	if (!kc_distro_parse(name, &wanted))
		return false;
	if (find(keys, count, strcmp(wanted.prefix, "alpine") == 0 ? "static-musl" : "static-gnu", ret_index))
		return true;
	for (size_t i = 0; i < count; i++) {
		if (strncmp(keys[i], wanted.prefix, strlen(wanted.prefix)) != 0 ||
		    !kc_distro_parse(keys[i], &candidate))
			continue;
		if (found && !is_better(&wanted, &candidate, &best))
			continue;
		best = candidate;
		*ret_index = i;
		found = true;
	}
	return found;
}
