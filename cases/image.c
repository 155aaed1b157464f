/*
 * The image is what it says: seen through the volume's own Python. If not, the harness is at fault, not the volume, so these
 * rows are BROKEN rather than FAIL.
 */
#include <stdio.h>
#include <string.h>

#include "cases/cases.h"
#include "cases/script.h"
#include "image/image.h"
#include "run/program.h"

static const char *fact(const struct kc_result *result, const char *name)
{
	for (size_t i = 0; i < result->property_count; i++)
		if (strcmp(result->properties[i].name, name) == 0)
			return result->properties[i].value;
	return "(not reported)";
}

/* Compares one fact that the script reports with what the image's definition says. */
static void expect_fact(const struct kc_case *row, struct kc_case_context *context, const char *expected,
			struct kc_result *result)
{
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };

	if (!kc_script_run(row, context, NULL, &program, result))
		return;
	if (strcmp(fact(result, row->expect), expected) == 0)
		kc_result_pass(result);
	else
		kc_result_broken(result, "image %s: its %s is \"%s\", and \"%s\" is declared",
				 context->image->name, row->expect, fact(result, row->expect), expected);
}

static void libc_version(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	char expected[64];

	(void)snprintf(expected, sizeof(expected), "%s %s", context->image->libc_family,
		       context->image->libc_version);
	expect_fact(row, context, expected, result);
}

/* PEP 600 and PEP 656: "manylinux_2_17_x86_64", which it calls manylinux2014, too; "musllinux_1_2_x86_64". */
static void newest_tag(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	char expected[256];
	const char *version = context->image->libc_version;
	size_t major = strcspn(version, "."), minor = 0;

	if (version[major])
		minor = strcspn(version + major + 1, ".");
	(void)snprintf(expected, sizeof(expected), "%s_%.*s_%.*s_%s",
		       strcmp(context->image->libc_family, "musl") == 0 ? "musllinux" : "manylinux",
		       (int)major, version, (int)minor, version + major + (version[major] == '.'),
		       context->volume->arch);
	expect_fact(row, context, expected, result);
}

static const struct kc_case cases[] = {
	{ KC_CASE("libc-version"), .what = "Python inside sees the image's declared C library",
	  .run = libc_version, .expect = "libc", .timeout_ms = 20000 },
	{ KC_CASE("pip-tags"), .what = "pip inside takes wheels for the image's C library and nothing newer",
	  .run = newest_tag, .expect = "newest-platform", .timeout_ms = 20000 },
};

const struct kc_case_table kc_cases_image = {
	.group = "image", .file = __FILE__, .rows = cases, .count = KC_ARRAY_LENGTH(cases)
};
