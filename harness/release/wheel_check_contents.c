/* Checks of what a wheel holds: the volume's archive, and what has to be beside it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "archive/wheel.h"
#include "release/wheel_check_internal.h"

#define TEXT_LIMIT_BYTES (1u << 16)
#define MOST_EXPECTED 32u

static int out_of_memory(struct kc_wheel_case *wheel, int status, struct kc_error *err)
{
	return status < 0 ? kc_error_errno(err, status, "check wheel `%s`", wheel->file_name) : 0;
}

/* --- The volume --- */

static int read_facts(struct kc_wheel_case *wheel, struct kc_error *err)
{
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	struct kc_error cause = { 0 };
	int status = kc_wheel_open_member(wheel->fd, wheel->file_name, wheel->archive, &source, &cause);

	if (status == 0)
		status = kc_volume_facts_read(&source, &wheel->facts, NULL, &cause);
	wheel->has_facts = status == 0;
	if (status == -EBADMSG) {
		kc_finding_add(wheel->findings, wheel->archive, "a volume", cause.text);
		return 0;
	}
	if (status < 0 && err)
		*err = cause;
	return status;
}

static void check_architecture(struct kc_wheel_case *wheel, const char *program, const char *architecture)
{
	char expected[160];

	if (strcmp(architecture, wheel->architecture) == 0)
		return;
	(void)snprintf(expected, sizeof(expected), "a %s for %s", program, wheel->architecture);
	kc_finding_add(wheel->findings, wheel->archive, expected,
		       architecture[0] ? architecture : "none that can be told");
}

int kc_wheel_check_volume(struct kc_wheel_case *wheel, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	const struct kc_wheel_values values = { .choice = &wheel->choice };
	const struct kc_wheel_member *ttyd;
	int status = read_facts(wheel, err);

	if (status < 0 || !wheel->has_facts)
		return status;
	check_architecture(wheel, "bin/python", wheel->facts.architecture);
	check_architecture(wheel, KC_VOLUME_TTYD, wheel->facts.ttyd_architecture);
	status = kc_buffer_append(&name, wheel->directory.data, wheel->directory.length);
	if (status == 0)
		status = kc_wheels_append_part(wheel->wheels, KC_WHEEL_TTYD, 0, &values, &name, NULL);
	ttyd = kc_wheel_members_find(&wheel->members, kc_buffer_string(&name));
	if (status >= 0 && ttyd && wheel->facts.ttyd_sha256[0] &&
	    strcmp(ttyd->sha256, wheel->facts.ttyd_sha256) != 0)
		kc_finding_add(wheel->findings, kc_buffer_string(&name), "the bytes of the volume's bin/ttyd",
			       "others");
	return out_of_memory(wheel, status, err);
}

/* --- What is beside it --- */

/* The members that every wheel of this package has. */
struct expected {
	struct kc_buffer names[MOST_EXPECTED];
	size_t count;
};

static void release_expected(struct expected *expected)
{
	for (size_t i = 0; i < expected->count; i++)
		kc_buffer_release(&expected->names[i]);
}

static bool is_expected(const struct expected *expected, const char *name)
{
	for (size_t i = 0; i < expected->count; i++)
		if (strcmp(kc_buffer_string(&expected->names[i]), name) == 0)
			return true;
	return false;
}

static void compare_text(struct kc_wheel_case *wheel, const char *name, const struct kc_buffer *text)
{
	const struct kc_wheel_member *member = kc_wheel_members_find(&wheel->members, name);

	if (!member)
		kc_finding_add(wheel->findings, name, "a member", "no such member");
	else if (text && (!member->has_text || member->text.length != text->length ||
			  memcmp(kc_buffer_string(&member->text), kc_buffer_string(text), text->length) != 0))
		kc_finding_add(wheel->findings, name, kc_buffer_string(text),
			       member->has_text ? kc_buffer_string(&member->text) : "more than 1 MiB");
}

/* One after the other of a part of the table: has it to be there, and to hold a text? 1, or 0 at the end of the part. */
static int expect(struct kc_wheel_case *wheel, enum kc_wheel_part part, size_t index, const char *directory,
		  const struct kc_wheel_values *values, struct expected *expected)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	struct kc_buffer *name = &expected->names[expected->count];
	bool has_text = part == KC_WHEEL_TEXTS || part == KC_WHEEL_DIST_INFO;
	int status;

	if (expected->count == MOST_EXPECTED)
		return -E2BIG;
	expected->count++;
	kc_buffer_init(name, TEXT_LIMIT_BYTES);
	status = kc_buffer_append_string(name, directory);
	if (status == 0)
		status = kc_wheels_append_part(wheel->wheels, part, index, values, name, &text);
	if (status > 0)
		compare_text(wheel, kc_buffer_string(name), has_text ? &text : NULL);
	return status;
}

static int expect_part(struct kc_wheel_case *wheel, enum kc_wheel_part part, const char *directory,
		       struct expected *expected)
{
	/* What cannot be told otherwise shows in what is expected. */
	const struct kc_wheel_values values = {
		.choice = &wheel->choice,
		.version = wheel->version[0] ? wheel->version : "(that of dist-info)",
		.volume_version = wheel->volume_version[0] ? wheel->volume_version : "(a whole number)",
		.python = wheel->has_facts && wheel->facts.python[0] ? wheel->facts.python
								     : "(that of bin/python)",
	};
	int status = 1;

	for (size_t i = 0; status > 0; i++)
		status = expect(wheel, part, i, directory, &values, expected);
	return status;
}

/* Below dist-info: what PEP 427, 639 and 770 have there. */
static bool is_of_dist_info(const struct kc_wheel_case *wheel, const char *name)
{
	static const char *const files[] = { "METADATA", "WHEEL", "RECORD", "RECORD.jws", "RECORD.p7s" };
	size_t length = wheel->dist_info.length;

	if (!length || strncmp(name, kc_buffer_string(&wheel->dist_info), length) != 0)
		return false;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(files); i++)
		if (strcmp(name + length, files[i]) == 0)
			return true;
	return strncmp(name + length, "licenses/", 9) == 0 || strncmp(name + length, "sboms/", 6) == 0;
}

/* Plain texts about licences beside the volume: no code hides there. */
static bool is_licence(const struct kc_wheel_case *wheel, const char *name)
{
	size_t length = wheel->directory.length;
	const char *end = strrchr(name, '.');

	return strncmp(name, kc_buffer_string(&wheel->directory), length) == 0 &&
	       strncmp(name + length, "licenses/", 9) == 0 && !strchr(name + length + 9, '/') && end &&
	       (strcmp(end, ".txt") == 0 || strcmp(end, ".md") == 0 || strcmp(end, ".rst") == 0);
}

static void check_unexpected(struct kc_wheel_case *wheel, const struct expected *expected)
{
	for (size_t i = 0; i < wheel->members.count; i++) {
		const char *name = wheel->members.items[i].name;

		if (!is_expected(expected, name) && !is_of_dist_info(wheel, name) && !is_licence(wheel, name))
			kc_finding_add(wheel->findings, name, "nothing that no krunner wheel has",
				       "this member");
	}
}

int kc_wheel_check_contents(struct kc_wheel_case *wheel, struct kc_error *err)
{
	KC_CLEANUP(release_expected) struct expected expected = { .count = 0 };
	const char *directory = kc_buffer_string(&wheel->directory);
	int status = 0;

	if (!wheel->architecture[0]) {
		kc_finding_add(wheel->findings, directory, "an archive krunner-env.DISTRO.ARCH.tar.xz",
			       "none for an architecture of the table");
		return 0;
	}
	status = expect_part(wheel, KC_WHEEL_ARCHIVE, directory, &expected);
	if (status == 0)
		status = expect_part(wheel, KC_WHEEL_TTYD, directory, &expected);
	if (status == 0)
		status = expect_part(wheel, KC_WHEEL_TEXTS, directory, &expected);
	if (status == 0)
		status = expect_part(wheel, KC_WHEEL_DIST_INFO, kc_buffer_string(&wheel->dist_info),
				     &expected);
	if (status == 0)
		check_unexpected(wheel, &expected);
	return out_of_memory(wheel, status, err);
}
