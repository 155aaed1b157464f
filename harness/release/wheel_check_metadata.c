/* The check of METADATA: every field is one that our wheels have, or a published one for a reason that compat/wheels.json tells. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "release/metadata.h"
#include "release/wheel_check_internal.h"

#define TEXT_LIMIT_BYTES 4096u
#define LICENCE_FILES_MAX 1000u
#define LICENCES "licenses/"

enum { MOST_FIELDS = 32 };

/* A field that METADATA may have. */
struct allowed {
	struct kc_buffer name, text;
	bool is_exception; /* of a published wheel: in place of another field of its name, or alone */
	bool is_seen;
};

struct fields {
	bool has_version, has_name, has_package_version, has_expression;
	size_t licence_files;
	struct allowed allowed[MOST_FIELDS];
	size_t allowed_count;
	bool *is_listed; /* of each member: by a License-File */
};

static void release_fields(struct fields *fields)
{
	for (size_t i = 0; i < fields->allowed_count; i++) {
		kc_buffer_release(&fields->allowed[i].name);
		kc_buffer_release(&fields->allowed[i].text);
	}
	free(fields->is_listed);
}

/* --- What there may be --- */

static int load_part(const struct kc_wheel_case *wheel, enum kc_wheel_part part, struct fields *fields)
{
	const struct kc_wheel_values values = { .choice = &wheel->choice, .version = wheel->version };
	int status = 1;

	for (size_t i = 0; status > 0; i++) {
		struct allowed *allowed = &fields->allowed[fields->allowed_count];

		if (fields->allowed_count == MOST_FIELDS)
			return -E2BIG;
		kc_buffer_init(&allowed->name, TEXT_LIMIT_BYTES);
		kc_buffer_init(&allowed->text, TEXT_LIMIT_BYTES);
		allowed->is_exception = part == KC_WHEEL_METADATA_ALSO;
		status = kc_wheels_append_part(wheel->wheels, part, i, &values, &allowed->name,
					       &allowed->text);
		if (status > 0) {
			fields->allowed_count++;
			continue;
		}
		kc_buffer_release(&allowed->name);
		kc_buffer_release(&allowed->text);
	}
	return status;
}

static bool is_named(const struct allowed *allowed, const char *name)
{
	return strcasecmp(kc_buffer_string(&allowed->name), name) == 0;
}

/* How many of that name our wheels have. */
static size_t count_named(const struct fields *fields, const char *name, bool is_seen)
{
	size_t count = 0;

	for (size_t i = 0; i < fields->allowed_count; i++) {
		const struct allowed *allowed = &fields->allowed[i];

		count += is_named(allowed, name) && (is_seen ? allowed->is_seen : !allowed->is_exception);
	}
	return count;
}

/* Of a package that the table has not, only the names are known. */
static struct allowed *find_allowed(const struct kc_wheel_case *wheel, struct fields *fields,
				    const struct kc_wheel_header *header)
{
	for (size_t i = 0; i < fields->allowed_count; i++)
		if (is_named(&fields->allowed[i], header->name) &&
		    (!wheel->has_distribution ||
		     strcmp(kc_buffer_string(&fields->allowed[i].text), header->value) == 0))
			return &fields->allowed[i];
	return NULL;
}

static int refuse_field(struct kc_wheel_case *wheel, const struct fields *fields,
			const struct kc_wheel_header *header)
{
	KC_CLEANUP_BUFFER struct kc_buffer expected = KC_BUFFER_INIT(MOST_FIELDS * TEXT_LIMIT_BYTES);
	char found[sizeof(header->name) + sizeof(header->value) + 2];
	int status = 0;

	for (size_t i = 0; status == 0 && i < fields->allowed_count; i++)
		if (is_named(&fields->allowed[i], header->name))
			status = kc_buffer_printf(&expected, "%s%s: %s", expected.length ? " or " : "",
						  kc_buffer_string(&fields->allowed[i].name),
						  kc_buffer_string(&fields->allowed[i].text));
	if (status == 0 && !expected.length)
		status = kc_buffer_append_string(&expected, "no field that no krunner wheel has");
	(void)snprintf(found, sizeof(found), "%s: %s", header->name, header->value);
	if (status == 0)
		kc_finding_add(wheel->findings, "METADATA", kc_buffer_string(&expected), found);
	return status;
}

static int check_allowed(struct kc_wheel_case *wheel, struct fields *fields,
			 const struct kc_wheel_header *header)
{
	struct allowed *allowed = find_allowed(wheel, fields, header);
	size_t most = count_named(fields, header->name, false);

	if (!allowed)
		return refuse_field(wheel, fields, header);
	if (wheel->has_distribution &&
	    (allowed->is_seen || count_named(fields, header->name, true) >= (most ? most : 1)))
		kc_finding_add(wheel->findings, "METADATA", header->name, "one more of it");
	allowed->is_seen = true;
	return 0;
}

/* --- Fields with rules of their own --- */

static bool is_same_name(const char *left, const char *right)
{
	KC_CLEANUP_BUFFER struct kc_buffer one = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	KC_CLEANUP_BUFFER struct kc_buffer other = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);

	return kc_wheel_append_escaped(left, &one) == 0 && kc_wheel_append_escaped(right, &other) == 0 &&
	       strcmp(kc_buffer_string(&one), kc_buffer_string(&other)) == 0;
}

static void check_once(struct kc_wheel_case *wheel, const char *name, bool *has, const char *expected,
		       const char *found, bool is_right)
{
	char field[128];

	(void)snprintf(field, sizeof(field), "%s: %s", name, expected);
	if (*has)
		kc_finding_add(wheel->findings, "METADATA", field, "a second one");
	else if (!is_right)
		kc_finding_add(wheel->findings, "METADATA", field, found);
	*has = true;
}

/* A hostile wheel lists a million; upstream's have 16. */
static void check_licence_file(struct kc_wheel_case *wheel, struct fields *fields, const char *name)
{
	char below[KC_WHEEL_NAME_BYTES], path[KC_WHEEL_NAME_BYTES];
	const struct kc_wheel_member *member = NULL;

	if (++fields->licence_files > LICENCE_FILES_MAX)
		return;
	(void)snprintf(below, sizeof(below), LICENCES "%.900s", name);
	if (kc_wheel_dist_info_name(wheel, below, path))
		member = kc_wheel_members_find(&wheel->members, path);
	if (member)
		fields->is_listed[member - wheel->members.items] = true;
	else
		kc_finding_add(wheel->findings, "METADATA",
			       "each License-File in the folder licenses of dist-info", name);
}

/* False for another field. */
static bool take_own(struct kc_wheel_case *wheel, const struct kc_wheel_header *header, struct fields *fields)
{
	const char *name = header->name, *value = header->value;

	if (strcasecmp(name, "Metadata-Version") == 0)
		check_once(wheel, name, &fields->has_version, "2.4", value, strcmp(value, "2.4") == 0);
	else if (strcasecmp(name, "Name") == 0)
		check_once(wheel, name, &fields->has_name, wheel->name.package, value,
			   !wheel->name.package[0] || is_same_name(value, wheel->name.package));
	else if (strcasecmp(name, "Version") == 0)
		check_once(wheel, name, &fields->has_package_version, wheel->version, value,
			   strcmp(value, wheel->version) == 0);
	else if (strcasecmp(name, "License-Expression") == 0)
		check_once(wheel, name, &fields->has_expression, "an SPDX expression",
			   value[0] ? value : "nothing", kc_metadata_is_expression(value));
	else if (strcasecmp(name, "License-File") == 0)
		check_licence_file(wheel, fields, value);
	else
		return false;
	return true;
}

static int take_field(struct kc_wheel_case *wheel, const struct kc_wheel_header *header,
		      struct fields *fields)
{
	if (!header->is_plain || !header->name[0]) {
		kc_finding_add(wheel->findings, "METADATA",
			       "lines of FIELD: VALUE, of at most 1023 printable ASCII characters",
			       header->name[0] ? header->name : header->value);
		return 0;
	}
	if (take_own(wheel, header, fields))
		return 0;
	if (strcasecmp(header->name, "Classifier") == 0 && strncmp(header->value, "License ::", 10) == 0) {
		kc_finding_add(wheel->findings, "METADATA",
			       "no classifiers of licences, which License-Expression replaces",
			       header->value);
		return 0;
	}
	return check_allowed(wheel, fields, header);
}

/* --- What has to be there --- */

static void check_required(struct kc_wheel_case *wheel, const struct fields *fields)
{
	const struct {
		const bool *has;
		const char *field;
	} required[] = { { &fields->has_version, "Metadata-Version: 2.4" },
			 { &fields->has_name, "Name" },
			 { &fields->has_package_version, "Version" },
			 { &fields->has_expression, "License-Expression" } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(required); i++)
		if (!*required[i].has)
			kc_finding_add(wheel->findings, "METADATA", required[i].field, "no such field");
	if (fields->licence_files > LICENCE_FILES_MAX)
		kc_finding_add_number(wheel->findings, "METADATA", "at most 1000 of License-File",
				      fields->licence_files);
	if (fields->licence_files == 0)
		kc_finding_add(wheel->findings, "METADATA", "License-File", "no such field");
}

/* A licence that nothing names binds nobody, and could be any file. */
static void check_listed(struct kc_wheel_case *wheel, const struct fields *fields)
{
	char folder[KC_WHEEL_NAME_BYTES];

	if (!kc_wheel_dist_info_name(wheel, LICENCES, folder))
		return;
	for (size_t i = 0; i < wheel->members.count; i++) {
		const char *name = wheel->members.items[i].name;

		if (strncmp(name, folder, strlen(folder)) == 0 && !fields->is_listed[i])
			kc_finding_add(wheel->findings, name, "a License-File in METADATA", "none");
	}
}

static int check_fields(struct kc_wheel_case *wheel, struct kc_wheel_header *header, struct fields *fields)
{
	int status = load_part(wheel, KC_WHEEL_METADATA, fields);

	if (status == 0)
		status = load_part(wheel, KC_WHEEL_METADATA_ALSO, fields);
	while (status == 0 && kc_wheel_next_header(header))
		status = take_field(wheel, header, fields);
	return status;
}

int kc_wheel_check_metadata(struct kc_wheel_case *wheel, struct kc_error *err)
{
	KC_CLEANUP(release_fields) struct fields fields = { .licence_files = 0 };
	struct kc_wheel_header header = { .next = kc_wheel_dist_info_text(wheel, "METADATA") };
	int status;

	if (!header.next)
		return 0;
	fields.is_listed = calloc(wheel->members.count + 1, sizeof(*fields.is_listed));
	status = fields.is_listed ? check_fields(wheel, &header, &fields) : -ENOMEM;
	if (status < 0)
		return kc_error_errno(err, status, "check wheel `%s`", wheel->file_name);
	check_required(wheel, &fields);
	check_listed(wheel, &fields);
	return 0;
}
