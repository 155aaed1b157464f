/* All who tell a version tell the same, and the release is newer than the one before: every way to miss it is a row. */
#include "release/agreement.h"

#include <stdio.h>
#include <string.h>

#include "tests/kc_test.h"

struct scene {
	struct kc_contents contents, previous;
	struct kc_wheel wheel;
	struct kc_agreement agreement;
};

static void build(struct scene *scene)
{
	*scene = (struct scene){
		.contents = { .name = "krunner-env.static-gnu.x86_64.tar.xz",
			      .is_archive = true,
			      .distro = "static-gnu",
			      .arch = "x86_64",
			      .python = "3.13.2",
			      .is_python_consistent = true,
			      .told = { { "bin/python3.13", "3.13" }, { "include/patchlevel.h", "3.13.2" } },
			      .told_count = 2 },
		.previous = { .name = "krunner-env.static-gnu.x86_64.tar.xz",
			      .distro = "static-gnu",
			      .arch = "x86_64",
			      .package_version = "4.1.1",
			      .volume_version = "11" },
		.wheel = { .volume_version = "14", .python_version = "3.13" },
	};
	scene->agreement = (struct kc_agreement){ .version = "4.4.0",
						  .volume_version = "14",
						  .contents = &scene->contents,
						  .wheel = &scene->wheel,
						  .previous = &scene->previous };
}

/* Fields that a row changes: NULL leaves one alone. */
struct row {
	const char *what, *version, *volume_version, *told_volume, *told_python, *python, *previous_version,
		*previous_volume, *previous_distro;
	const char *found; /* how the one finding begins; "" for none */
};

static void put(char *field, size_t size, const char *value)
{
	if (value)
		(void)snprintf(field, size, "%s", value);
}

static void spoil(struct scene *scene, const struct row *row)
{
	if (row->version)
		scene->agreement.version = row->version;
	if (row->volume_version)
		scene->agreement.volume_version = row->volume_version;
	put(scene->wheel.volume_version, sizeof(scene->wheel.volume_version), row->told_volume);
	put(scene->wheel.python_version, sizeof(scene->wheel.python_version), row->told_python);
	put(scene->contents.python, sizeof(scene->contents.python), row->python);
	put(scene->previous.package_version, sizeof(scene->previous.package_version), row->previous_version);
	put(scene->previous.volume_version, sizeof(scene->previous.volume_version), row->previous_volume);
	put(scene->previous.distro, sizeof(scene->previous.distro), row->previous_distro);
}

static void each_disagreement_is_found(void)
{
	static const struct row rows[] = {
		{ .what = "all agree", .found = "" },
		{ .what = "no wheel around it", .told_volume = "", .told_python = "", .found = "" },
		{ .what = "numbers, not texts",
		  .version = "4.10.0",
		  .previous_version = "4.9.9",
		  .found = "" },
		{ .what = "numbers of volumes",
		  .volume_version = "100",
		  .told_volume = "100",
		  .previous_volume = "99",
		  .found = "" },
		{ .what = "the same version",
		  .version = "4.1.1",
		  .found = "version: --version: newer than 4.1.1" },
		{ .what = "an older one",
		  .version = "4.1.0",
		  .found = "version: --version: newer than 4.1.1" },
		{ .what = "a candidate of it", .version = "4.1.1rc1", .found = "version: --version: newer" },
		{ .what = "a leading zero", .version = "04.4.0", .found = "version: --version: 4.4.0" },
		{ .what = "a zero behind the third",
		  .version = "4.4.0.0",
		  .found = "version: --version: 4.4.0" },
		{ .what = "an implicit post release",
		  .version = "4.4.0-1",
		  .found = "version: --version: 4.4.0.post1" },
		{ .what = "large letters", .version = "4.4.0RC1", .found = "version: --version: 4.4.0rc1" },
		{ .what = "a v", .version = "v4.4.0", .found = "version: --version: 4.4.0" },
		{ .what = "a local part",
		  .version = "4.4.0+x",
		  .found = "version: --version: a version without a local" },
		{ .what = "a candidate", .version = "4.4.0rc1", .found = "" },
		{ .what = "the same volume",
		  .volume_version = "11",
		  .told_volume = "11",
		  .found = "volume-version: --volume-version: greater than 11" },
		{ .what = "an older volume",
		  .volume_version = "9",
		  .told_volume = "9",
		  .found = "volume-version: --volume-version: greater than 11" },
		{ .what = "no number",
		  .volume_version = "14a",
		  .told_volume = "14a",
		  .found = "volume-version: --volume-version: a whole number" },
		{ .what = "a number with a zero",
		  .volume_version = "014",
		  .told_volume = "014",
		  .found = "volume-version: --volume-version: a whole number" },
		{ .what = "another krunner-version",
		  .told_volume = "13",
		  .found = "volume-version: krunner-version: 14" },
		{ .what = "another krunner-python",
		  .told_python = "3.12",
		  .found = "python: krunner-python: 3.13.2" },
		{ .what = "3.1 is not 3.13",
		  .told_python = "3.1",
		  .found = "python: krunner-python: 3.13.2" },
		{ .what = "another distribution",
		  .previous_distro = "alpine",
		  .found = "previous: krunner-env" },
		{ .what = "no wheel before", .previous_version = "", .found = "previous: krunner-env" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
		struct scene scene;
		char found[600] = "";

		build(&scene);
		spoil(&scene, &rows[i]);
		kc_agreement_check(&scene.agreement, &findings);
		if (findings.count)
			(void)snprintf(found, sizeof(found), "%s: %s: %s", findings.items[0].check,
				       findings.items[0].member, findings.items[0].expected);
		KC_CHECK_MESSAGE(findings.count == (*rows[i].found != '\0') &&
					 strncmp(found, rows[i].found, strlen(rows[i].found)) == 0,
				 "%s: %zu findings, %s", rows[i].what, findings.count, found);
	}
}

static void what_is_no_archive_of_one_python_is_found(void)
{
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	struct scene scene;

	build(&scene);
	scene.contents.is_python_consistent = false;
	scene.contents.is_archive = false;
	scene.contents.arch[0] = '\0';
	scene.agreement.previous = NULL; /* the first one has to grow from nothing */
	kc_agreement_check(&scene.agreement, &findings);
	KC_REQUIRE(findings.count == 4);
	KC_CHECK_STRING(findings.items[0].member, "bin/python3.13");
	KC_CHECK_STRING(findings.items[1].member, "include/patchlevel.h");
	KC_CHECK_CONTAINS(findings.items[2].found, "a directory");
	KC_CHECK_CONTAINS(findings.items[3].expected, "krunner-env.DISTRO.ARCH.tar.xz");
}

static void a_volume_that_tells_no_python_is_found(void)
{
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	struct scene scene;

	build(&scene);
	scene.contents.told_count = 0;
	kc_agreement_check(&scene.agreement, &findings);
	KC_REQUIRE(findings.count == 1);
	KC_CHECK_STRING(findings.items[0].expected, "a version of Python");
}

KC_TEST_SUITE(agreement, KC_LABEL_FAST, KC_TEST(each_disagreement_is_found),
	      KC_TEST(what_is_no_archive_of_one_python_is_found),
	      KC_TEST(a_volume_that_tells_no_python_is_found));
