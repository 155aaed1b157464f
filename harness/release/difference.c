#include "release/difference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/pep440.h"

const char *kc_change_name(enum kc_change change)
{
	static const char *const names[] = {
		[KC_CHANGE_ADDED] = "added", [KC_CHANGE_REMOVED] = "removed", [KC_CHANGE_CHANGED] = "changed"
	};

	return names[change];
}

static int out_of_memory(struct kc_error *err)
{
	return kc_error_errno(err, ENOMEM, "compare the volumes");
}

/* --- Facts --- */

static void compare_fact(struct kc_difference *difference, const char *name, const char *before,
			 const char *after)
{
	if (strcmp(before, after) != 0)
		difference->facts[difference->fact_count++] =
			(struct kc_difference_fact){ .name = name, .before = before, .after = after };
}

static void compare_facts(struct kc_difference *difference)
{
	const struct kc_contents *before = difference->before, *after = difference->after;

	compare_fact(difference, "package", before->package, after->package);
	compare_fact(difference, "package version", before->package_version, after->package_version);
	compare_fact(difference, "volume version", before->volume_version, after->volume_version);
	compare_fact(difference, "distribution", before->distro, after->distro);
	compare_fact(difference, "architecture", before->arch, after->arch);
	compare_fact(difference, "Python", before->python, after->python);
	for (size_t i = 0; i < KC_ELF_FAMILIES; i++)
		compare_fact(difference, before->floors[i].family, before->floors[i].version,
			     after->floors[i].version);
}

/* --- Packages and components --- */

/* One of them, as it is compared. */
struct part {
	char key[KC_METADATA_NAME_SIZE]; /* of one name there may be several */
	const char *name, *version, *license;
};

struct parts {
	struct part *items;
	size_t count;
};

static void release_parts(struct parts *parts)
{
	free(parts->items);
}

static int compare_parts(const void *a, const void *b)
{
	const struct part *left = a, *right = b;
	int order = strcmp(left->key, right->key);

	if (order == 0)
		order = strcmp(left->version, right->version);
	return order ? order : strcmp(left->license, right->license);
}

static int make_room(struct parts *parts, size_t count, struct kc_error *err)
{
	parts->items = calloc(count + 1, sizeof(*parts->items));
	return parts->items ? 0 : out_of_memory(err);
}

static int list_packages(const struct kc_contents *contents, struct parts *parts, struct kc_error *err)
{
	int status = make_room(parts, contents->package_count, err);

	for (size_t i = 0; status == 0 && i < contents->package_count; i++) {
		const struct kc_contents_package *package = &contents->packages[i];
		struct part *part = &parts->items[parts->count++];

		*part = (struct part){ .name = package->name,
				       .version = package->version,
				       .license = package->license };
		/* One package whatever tool wrote its name down, PEP 503. */
		if (kc_name_normalize(package->name, strlen(package->name), part->key) < 0)
			(void)snprintf(part->key, sizeof(part->key), "%s", package->name);
	}
	return status;
}

static int list_components(const struct kc_contents *contents, struct parts *parts, struct kc_error *err)
{
	int status = make_room(parts, contents->component_count, err);

	for (size_t i = 0; status == 0 && i < contents->component_count; i++) {
		const struct kc_component *component = &contents->components[i].component;
		struct part *part = &parts->items[parts->count++];

		*part = (struct part){ .name = component->name,
				       .version = *component->version ? component->version : "unknown",
				       .license = component->license ? component->license : "" };
		(void)snprintf(part->key, sizeof(part->key), "%s", component->name);
	}
	return status;
}

/* Those of one name. */
struct group {
	const struct part *items;
	size_t count;
};

static const char *version_of(const struct part *part)
{
	return part->version;
}

static const char *license_of(const struct part *part)
{
	return part->license;
}

typedef const char *part_value(const struct part *part);

static bool has(const struct group *group, size_t count, part_value *value, const char *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(value(&group->items[i]), wanted) == 0)
			return true;
	return false;
}

/* As sets. Groups are small, and where a hostile volume has large ones KC_CONTENTS_MAX bounds them. */
static bool is_within(const struct group *left, const struct group *right, part_value *value)
{
	for (size_t i = 0; i < left->count; i++)
		if (!has(right, right->count, value, value(&left->items[i])))
			return false;
	return true;
}

static bool is_same(const struct group *left, const struct group *right, part_value *value)
{
	return is_within(left, right, value) && is_within(right, left, value);
}

/* "1.2.11, 1.3.1" */
static void join(const struct group *group, part_value *value, char text[KC_DIFFERENCE_TEXT_SIZE])
{
	static const char cut[] = ", ...";
	size_t length = 0;

	for (size_t i = 0; i < group->count; i++) {
		const char *one = value(&group->items[i]);

		if (!*one || has(group, i, value, one))
			continue;
		if (length + strlen(one) + 2 + sizeof(cut) > KC_DIFFERENCE_TEXT_SIZE) {
			(void)snprintf(text + length, sizeof(cut), "%s", length ? cut : cut + 2);
			return;
		}
		length += (size_t)snprintf(text + length, KC_DIFFERENCE_TEXT_SIZE - length, "%s%s",
					   length ? ", " : "", one);
	}
}

static void compare_groups(const struct group *before, const struct group *after,
			   struct kc_difference_parts *parts)
{
	bool is_version_same = is_same(before, after, version_of);
	struct kc_difference_part *part = &parts->items[parts->count];

	if (is_version_same && is_same(before, after, license_of))
		return;
	parts->count++;
	*part = (struct kc_difference_part){ .change = !before->count  ? KC_CHANGE_ADDED
						       : !after->count ? KC_CHANGE_REMOVED
								       : KC_CHANGE_CHANGED,
					     .is_version_same = is_version_same };
	(void)snprintf(part->name, sizeof(part->name), "%s", (after->count ? after : before)->items->name);
	join(before, version_of, part->before);
	join(after, version_of, part->after);
	join(before, license_of, part->license_before);
	join(after, license_of, part->license_after);
}

/* The group at `*at`, if it is that of `key`; moves on behind it. */
static struct group take_group(const struct parts *parts, size_t *at, const char *key)
{
	struct group group = { .items = parts->items + *at };

	while (*at < parts->count && strcmp(parts->items[*at].key, key) == 0) {
		(*at)++;
		group.count++;
	}
	return group;
}

static void compare_lists(struct parts *before, struct parts *after, struct kc_difference_parts *ret_parts)
{
	size_t left = 0, right = 0;

	qsort(before->items, before->count, sizeof(*before->items), compare_parts);
	qsort(after->items, after->count, sizeof(*after->items), compare_parts);
	while (left < before->count || right < after->count) {
		const char *one = left < before->count ? before->items[left].key : NULL;
		const char *other = right < after->count ? after->items[right].key : NULL;
		const char *key = !one || (other && strcmp(other, one) < 0) ? other : one;
		struct group old = take_group(before, &left, key), new = take_group(after, &right, key);

		compare_groups(&old, &new, ret_parts);
	}
}

typedef int part_lister(const struct kc_contents *contents, struct parts *parts, struct kc_error *err);

static int compare_kind(const struct kc_difference *difference, part_lister *list,
			struct kc_difference_parts *ret_parts, struct kc_error *err)
{
	KC_CLEANUP(release_parts) struct parts before = { 0 }, after = { 0 };
	int status = list(difference->before, &before, err);

	if (status == 0)
		status = list(difference->after, &after, err);
	if (status < 0)
		return status;
	ret_parts->items = calloc(before.count + after.count + 1, sizeof(*ret_parts->items));
	if (!ret_parts->items)
		return out_of_memory(err);
	compare_lists(&before, &after, ret_parts);
	return 0;
}

/* --- Files --- */

static bool is_empty(const struct kc_entries *entries, const char *directory)
{
	size_t length = strlen(directory), low = 0, high = entries->count;

	/* The first entry that sorts at or behind "DIRECTORY/": with anything in it, that is in it. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *name = entries->items[middle].name;
		int order = strncmp(name, directory, length);

		if (order == 0)
			order = (unsigned char)name[length] - '/';
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low == entries->count || strncmp(entries->items[low].name, directory, length) != 0 ||
	       entries->items[low].name[length] != '/';
}

static bool is_text_same(const char *left, const char *right)
{
	return left == right || (left && right && strcmp(left, right) == 0);
}

static bool is_entry_same(const struct kc_entry *left, const struct kc_entry *right)
{
	return left->type == right->type && left->mode == right->mode && left->bytes == right->bytes &&
	       is_text_same(left->sha256, right->sha256) && is_text_same(left->target, right->target);
}

/* A directory comes and goes with what is in it. */
static bool is_implied(const struct kc_difference *difference, const struct kc_entry *before,
		       const struct kc_entry *after)
{
	if (before && after)
		return false;
	if (before)
		return before->type == 'd' && !is_empty(&difference->before->entries, before->name);
	return after->type == 'd' && !is_empty(&difference->after->entries, after->name);
}

static void add_file(struct kc_difference *difference, const struct kc_entry *before,
		     const struct kc_entry *after)
{
	enum kc_change change = !before ? KC_CHANGE_ADDED : !after ? KC_CHANGE_REMOVED : KC_CHANGE_CHANGED;

	if ((before && after && is_entry_same(before, after)) || is_implied(difference, before, after))
		return;
	difference->files[difference->file_count++] =
		(struct kc_difference_file){ .change = change, .before = before, .after = after };
	difference->changes[change]++;
}

static int compare_files(struct kc_difference *difference, struct kc_error *err)
{
	const struct kc_entries *before = &difference->before->entries, *after = &difference->after->entries;
	size_t left = 0, right = 0;

	difference->files = calloc(before->count + after->count + 1, sizeof(*difference->files));
	if (!difference->files)
		return out_of_memory(err);
	while (left < before->count || right < after->count) {
		const struct kc_entry *one = left < before->count ? &before->items[left] : NULL;
		const struct kc_entry *other = right < after->count ? &after->items[right] : NULL;
		int order = !one ? 1 : !other ? -1 : strcmp(one->name, other->name);

		add_file(difference, order <= 0 ? one : NULL, order >= 0 ? other : NULL);
		left += order <= 0;
		right += order >= 0;
	}
	return 0;
}

/* --- All of it --- */

int kc_difference_make(const struct kc_contents *before, const struct kc_contents *after,
		       struct kc_difference *ret_difference, struct kc_error *err)
{
	int status;

	*ret_difference = (struct kc_difference){ .before = before, .after = after };
	compare_facts(ret_difference);
	status = compare_kind(ret_difference, list_packages, &ret_difference->packages, err);
	if (status == 0)
		status = compare_kind(ret_difference, list_components, &ret_difference->components, err);
	if (status == 0)
		status = compare_files(ret_difference, err);
	if (status < 0)
		kc_difference_release(ret_difference);
	return status;
}

void kc_difference_release(struct kc_difference *difference)
{
	free(difference->packages.items);
	free(difference->components.items);
	free(difference->files);
	*difference = (struct kc_difference){ 0 };
}

bool kc_difference_is_any(const struct kc_difference *difference)
{
	return difference->fact_count || difference->packages.count || difference->components.count ||
	       difference->file_count;
}

void kc_difference_title(const struct kc_contents *contents, char *ret_title, size_t size)
{
	if (*contents->package)
		(void)snprintf(ret_title, size, "%s %s", contents->package, contents->package_version);
	else
		(void)snprintf(ret_title, size, "%s", contents->name);
}
