/* Checks of what a wheel is called, and of WHEEL, which says it again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "release/agreement.h"
#include "release/wheel_check_internal.h"

#define TEXT_LIMIT_BYTES 4096u
#define MOST_TAGS 32u

/* The parts of "a.b.c". */
struct tag_set {
	char text[512];
	const char *items[MOST_TAGS];
	size_t count;
};

static void split(const char *text, struct tag_set *ret_set)
{
	char *rest = ret_set->text, *tag;

	ret_set->count = 0;
	(void)snprintf(ret_set->text, sizeof(ret_set->text), "%s", text);
	while (ret_set->count < MOST_TAGS && (tag = strsep(&rest, ".")))
		ret_set->items[ret_set->count++] = tag;
}

static bool contains(const char *const *items, size_t count, const char *tag)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(items[i], tag) == 0)
			return true;
	return false;
}

static int out_of_memory(struct kc_wheel_case *wheel, int status, struct kc_error *err)
{
	return status < 0 ? kc_error_errno(err, status, "check wheel `%s`", wheel->file_name) : 0;
}

/* --- The file's name --- */

static int check_package(struct kc_wheel_case *wheel, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer escaped = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	int status;

	if (!wheel->has_distribution) {
		kc_finding_add(wheel->findings, "", "the name of a krunner package", wheel->name.package);
		return 0;
	}
	status = kc_wheel_append_escaped(wheel->choice.distribution.package, &escaped);
	if (status == 0 && strcmp(kc_buffer_string(&escaped), wheel->name.package) != 0)
		kc_finding_add(wheel->findings, "", kc_buffer_string(&escaped), wheel->name.package);
	return out_of_memory(wheel, status, err);
}

static int check_tag_start(struct kc_wheel_case *wheel, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer expected = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	char found[160];
	int status = kc_wheels_append_tag_start(wheel->wheels, &expected);

	(void)snprintf(found, sizeof(found), "%s-%s-", wheel->name.python, wheel->name.abi);
	if (status == 0 && strcmp(kc_buffer_string(&expected), found) != 0)
		kc_finding_add(wheel->findings, "", kc_buffer_string(&expected), found);
	return out_of_memory(wheel, status, err);
}

static int check_dist_info(struct kc_wheel_case *wheel, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer expected = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	int status =
		kc_buffer_printf(&expected, "%s-%s.dist-info/", wheel->name.package, wheel->name.version);

	if (status == 0 && wheel->is_readable &&
	    strcmp(kc_buffer_string(&expected), kc_buffer_string(&wheel->dist_info)) != 0)
		kc_finding_add(wheel->findings, "", kc_buffer_string(&expected),
			       wheel->dist_info.length ? kc_buffer_string(&wheel->dist_info)
						       : "no dist-info directory");
	return out_of_memory(wheel, status, err);
}

int kc_wheel_check_file_name(struct kc_wheel_case *wheel, struct kc_error *err)
{
	char canonical[KC_VERSION_TEXT_SIZE];
	const char *expected = kc_agreement_expected_version(wheel->name.version, canonical);
	int status;

	if (!wheel->name.package[0]) {
		kc_finding_add(wheel->findings, "", "NAME-VERSION-PYTHON-ABI-PLATFORM.whl", wheel->file_name);
		return 0;
	}
	if (expected)
		kc_finding_add(wheel->findings, "", expected, wheel->name.version);
	status = check_package(wheel, err);
	if (status == 0)
		status = check_tag_start(wheel, err);
	return status < 0 ? status : check_dist_info(wheel, err);
}

/* --- Tags --- */

/* Appends those of `items` that `others` has not. */
static int append_missing(const char *const *items, size_t count, const char *const *others,
			  size_t other_count, struct kc_buffer *text)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < count; i++)
		if (!contains(others, other_count, items[i]))
			status = kc_buffer_printf(text, "%s%s", text->length ? ", " : "", items[i]);
	return status;
}

/* As sets: what is missing, and what is there instead. */
static int compare_tags(struct kc_wheel_case *wheel, const struct kc_wheel_tags *tags,
			const struct tag_set *set)
{
	KC_CLEANUP_BUFFER struct kc_buffer missing = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	KC_CLEANUP_BUFFER struct kc_buffer extra = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	int status = append_missing(tags->items, tags->count, set->items, set->count, &missing);

	if (status == 0)
		status = append_missing(set->items, set->count, tags->items, tags->count, &extra);
	if (status == 0 && (missing.length || extra.length))
		kc_finding_add(wheel->findings, "",
			       missing.length ? kc_buffer_string(&missing) : "no more tags than in the table",
			       extra.length ? kc_buffer_string(&extra) : "no such tag");
	return status;
}

int kc_wheel_check_tags(struct kc_wheel_case *wheel, struct kc_error *err)
{
	struct kc_wheel_tags tags = { .count = 0 };
	struct tag_set set;
	bool is_sorted = true;

	if (!wheel->name.package[0])
		return 0; /* has been said */
	split(wheel->name.platform, &set);
	(void)kc_wheels_find_tags(wheel->wheels, wheel->architecture, KC_WHEEL_SORTED, &tags);
	for (size_t i = 1; i < set.count; i++) {
		is_sorted = is_sorted && strcmp(set.items[i - 1], set.items[i]) <= 0;
		if (contains(set.items, i, set.items[i]))
			kc_finding_add(wheel->findings, "", "each tag once", set.items[i]);
	}
	if (!is_sorted)
		kc_finding_add(wheel->findings, "", "tags in sorted order (PEP 425)", wheel->name.platform);
	return out_of_memory(wheel, compare_tags(wheel, &tags, &set), err);
}

/* --- WHEEL --- */

/* What WHEEL says, put together. */
struct said {
	struct kc_buffer tags; /* "py3-none-a, py3-none-b" */
	size_t tag_count, right_count;
	bool has_version, has_purelib, has_generator;
};

/* "py3-none-x" of a file name with that python, that abi, and x among its platforms. */
static bool is_of_name(const struct kc_wheel_case *wheel, const struct tag_set *set, const char *tag)
{
	char start[160];

	(void)snprintf(start, sizeof(start), "%s-%s-", wheel->name.python, wheel->name.abi);
	return strncmp(tag, start, strlen(start)) == 0 &&
	       contains(set->items, set->count, tag + strlen(start));
}

/* Above all Build: the file names of these wheels have no build tag that it could be. */
static void refuse_header(struct kc_wheel_case *wheel, const struct kc_wheel_header *header)
{
	char found[sizeof(header->name) + sizeof(header->value) + 2];

	(void)snprintf(found, sizeof(found), "%s: %s", header->name, header->value);
	kc_finding_add(wheel->findings, "WHEEL",
		       "Wheel-Version, Generator, Root-Is-Purelib (once each) and Tag, and no other line",
		       header->name[0] ? found : header->value);
}

static void take_once(struct kc_wheel_case *wheel, bool *has, const char *expected, const char *value,
		      const char *right)
{
	if (*has || strcmp(value, right) != 0)
		kc_finding_add(wheel->findings, "WHEEL", expected, value);
	*has = true;
}

static int take_header(struct kc_wheel_case *wheel, const struct tag_set *set,
		       const struct kc_wheel_header *header, struct said *said)
{
	if (!header->is_plain)
		kc_finding_add(wheel->findings, "WHEEL", "lines of printable ASCII characters",
			       header->value);
	else if (strcasecmp(header->name, "Wheel-Version") == 0)
		take_once(wheel, &said->has_version, "Wheel-Version: 1.0", header->value, "1.0");
	else if (strcasecmp(header->name, "Root-Is-Purelib") == 0)
		take_once(wheel, &said->has_purelib, "Root-Is-Purelib: false", header->value, "false");
	else if (strcasecmp(header->name, "Tag") == 0) {
		said->right_count += is_of_name(wheel, set, header->value);
		return kc_buffer_printf(&said->tags, "%s%s", said->tag_count++ ? ", " : "", header->value);
	} else if (strcasecmp(header->name, "Generator") == 0 && !said->has_generator)
		said->has_generator = true; /* whoever it was */
	else
		refuse_header(wheel, header);
	return 0;
}

static int append_expected(const struct kc_wheel_case *wheel, const struct tag_set *set,
			   struct kc_buffer *text)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < set->count; i++)
		status = kc_buffer_printf(text, "%s%s-%s-%s", i ? ", " : "", wheel->name.python,
					  wheel->name.abi, set->items[i]);
	return status;
}

static void check_said(struct kc_wheel_case *wheel, const struct tag_set *set, const struct said *said,
		       const char *expected)
{
	if (!said->has_version)
		kc_finding_add(wheel->findings, "WHEEL", "Wheel-Version: 1.0", "no such line");
	if (!said->has_purelib)
		kc_finding_add(wheel->findings, "WHEEL", "Root-Is-Purelib: false", "no such line");
	if (wheel->name.package[0] && (said->tag_count != set->count || said->right_count != set->count))
		kc_finding_add(wheel->findings, "WHEEL", expected,
			       said->tag_count ? kc_buffer_string(&said->tags) : "no line Tag");
}

int kc_wheel_check_wheel_file(struct kc_wheel_case *wheel, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer expected = KC_BUFFER_INIT(1u << 16);
	struct said said = { .tags = KC_BUFFER_INIT(KC_WHEEL_TEXT_BYTES * 2) };
	struct kc_wheel_header header = { .next = kc_wheel_dist_info_text(wheel, "WHEEL") };
	struct tag_set set;
	int status = 0;

	if (!header.next)
		return 0;
	split(wheel->name.platform, &set);
	while (status == 0 && kc_wheel_next_header(&header))
		status = take_header(wheel, &set, &header, &said);
	if (status == 0)
		status = append_expected(wheel, &set, &expected);
	if (status == 0)
		check_said(wheel, &set, &said, kc_buffer_string(&expected));
	kc_buffer_release(&said.tags);
	return out_of_memory(wheel, status, err);
}
