/* What cases can tell without a sandbox: that they make a plan, and what the static ones say of small volumes made here. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/volume.h"
#include "base/embedded.h"
#include "cases/cases.h"
#include "compat/policy.h"
#include "fixtures/temporary.h"
#include "image/image.h"
#include "run/context.h"
#include "run/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static void every_row_has_its_place_in_the_plan(void)
{
	KC_CLEANUP_POLICY struct kc_policy *policy = NULL;
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names names = { 0 };
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names levels = { 0 };
	struct kc_plan_list lists[] = { { .each = KC_EACH_PROMISED_IMPORT }, { .each = KC_EACH_CPU_LEVEL } };
	const struct kc_plan_request request = { .image = "centos7",
						 .tables = kc_case_tables,
						 .lists = lists,
						 .list_count = 2,
						 .has_wheel = true };
	struct kc_plan_request bare = request;
	struct kc_error err = { 0 };
	const char *text = NULL;
	size_t length = 0, with_wheel;

	KC_REQUIRE(kc_embedded_find("compat/policy.json", &text, &length));
	KC_REQUIRE_OK(kc_policy_load(text, length, "policy", &policy, &err), err);
	KC_REQUIRE_OK(kc_policy_promised_imports(policy, "static-gnu", NULL, &names, &err), err);
	KC_REQUIRE_OK(kc_policy_cpu_levels(policy, "x86_64", &levels, &err), err);
	lists[0].items = names.items;
	lists[0].count = names.count;
	lists[1].items = levels.items;
	lists[1].count = levels.count;
	KC_REQUIRE_OK(kc_plan_make(&plan, &request, &err), err);
	KC_CHECK_MESSAGE(plan.count >= 40, "%zu cases", plan.count);
	KC_CHECK_STRING(plan.entries[plan.order[plan.count - 1]].row->name, "unchanged");
	with_wheel = plan.count;
	kc_plan_release(&plan);
	bare.has_wheel = false;
	KC_REQUIRE_OK(kc_plan_make(&plan, &bare, &err), err);
	KC_CHECK_INT(plan.count, with_wheel - 1);
}

/* --- Small volumes --- */

struct entry {
	const char *path;
	const char *
		content; /* NULL: a directory; "-> X": a link; "=X": the host's file X; else a file's bytes */
	mode_t mode;
};

static void make_entry(int tree, const struct entry *entry)
{
	KC_CLEANUP_BUFFER struct kc_buffer bytes = KC_BUFFER_INIT(16u << 20);
	struct kc_error err = { 0 };
	int status;

	if (!entry->content) {
		KC_CHECK_INT(mkdirat(tree, entry->path, 0755), 0);
		return;
	}
	if (strncmp(entry->content, "-> ", 3) == 0) {
		KC_CHECK_INT(symlinkat(entry->content + 3, tree, entry->path), 0);
		return;
	}
	status = entry->content[0] == '=' ? kc_file_read(AT_FDCWD, entry->content + 1, &bytes, &err)
					  : kc_buffer_append_string(&bytes, entry->content);
	KC_CHECK_OK(status, err);
	KC_CHECK_OK(kc_file_write_atomic(tree, entry->path, kc_buffer_string(&bytes), bytes.length,
					 entry->mode, &err),
		    err);
}

#define PROGRAM(file)                                                                                        \
	{                                                                                                    \
		.path = (file), .content = "#!/bin/sh\n", .mode = 0755                                       \
	}
#define DIRECTORY(name)                                                                                      \
	{                                                                                                    \
		.path = (name)                                                                               \
	}
#define ENTRIES_MAX 16

/* Has all that layout and mount-points want. A row's changes take the place of entries of the same path. */
static const struct entry sound[] = {
	DIRECTORY("bin"),
	{ .path = "bin/python", .content = "-> python3.13" },
	PROGRAM("bin/python3.13"),
	PROGRAM("bin/ttyd"),
	DIRECTORY("lib"),
	DIRECTORY("lib/python3.13"),
	DIRECTORY("lib/python3.13/site-packages"),
	DIRECTORY("lib/python3.13/site-packages/ai"),
	DIRECTORY("lib/python3.13/site-packages/ai/backend"),
	DIRECTORY("lib/python3.13/site-packages/ai/backend/kernel"),
	DIRECTORY("lib/python3.13/site-packages/ai/backend/helpers"),
};

struct example {
	const char *name;    /* of the row */
	struct entry change; /* path NULL: none; mode 0 and content "": left out */
	struct kc_wheel wheel;
	enum kc_verdict verdict;
	const char *text; /* the message has to contain it; NULL: there is none */
};

static bool is_left_out(const struct entry *entry)
{
	return entry->content && !*entry->content && !entry->mode;
}

static void make_tree(const char *path, const struct entry *change)
{
	KC_CLEANUP_FD int tree = kc_dir_open(AT_FDCWD, path, NULL);
	bool done = !change->path;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(sound); i++) {
		bool is_changed = change->path && strcmp(change->path, sound[i].path) == 0;

		done |= is_changed;
		if (!is_changed)
			make_entry(tree, &sound[i]);
		else if (!is_left_out(change))
			make_entry(tree, change);
	}
	if (!done)
		make_entry(tree, change);
}

static const struct kc_case *find_row(const char *name)
{
	for (size_t i = 0; i < kc_cases_volume.count; i++)
		if (strcmp(kc_cases_volume.rows[i].name, name) == 0)
			return &kc_cases_volume.rows[i];
	return NULL;
}

static void check_example(const struct example *example)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { "" };
	KC_CLEANUP(kc_result_release) struct kc_result result;
	struct kc_volume volume = { .distro = "static-gnu", .arch = "x86_64", .wheel = example->wheel };
	const struct kc_image image = { .libc_family = "glibc", .libc_version = "2.17" };
	struct kc_case_context context = { .volume = &volume, .image = &image };
	const struct kc_case *row = find_row(example->name);
	struct kc_error err = { 0 };

	kc_result_init(&result);
	KC_REQUIRE(row != NULL);
	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	memcpy(volume.tree, directory.path, sizeof(volume.tree));
	make_tree(directory.path, &example->change);
	row->run(row, &context, &result);
	KC_CHECK_MESSAGE(result.verdict == example->verdict, "%s, %s: %s: %s", example->name,
			 example->change.path ? example->change.path : "no change",
			 kc_verdict_name(result.verdict), kc_result_message(&result));
	if (example->text)
		KC_CHECK_CONTAINS(kc_result_message(&result), example->text);
}

static void check_examples(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_example(&examples[i]);
}

#define WITHOUT(file)                                                                                        \
	{                                                                                                    \
		.path = (file), .content = ""                                                                \
	}
#define SITE "lib/python3.13/site-packages"

static void layout_and_mount_points(void)
{
	static const struct example examples[] = {
		{ .name = "layout", .verdict = KC_PASS },
		{ .name = "layout",
		  .change = WITHOUT("bin/python"),
		  .verdict = KC_FAIL,
		  .text = "bin/python in the volume" },
		{ .name = "layout",
		  .change = WITHOUT("bin/python3.13"),
		  .verdict = KC_FAIL,
		  .text = "found nothing there" },
		{ .name = "layout",
		  .change = WITHOUT("bin/ttyd"),
		  .verdict = KC_FAIL,
		  .text = "bin/ttyd in the volume" },
		{ .name = "layout",
		  .change = { .path = "bin/ttyd", .content = "x", .mode = 0644 },
		  .verdict = KC_FAIL,
		  .text = "without execute permission" },
		{ .name = "layout",
		  .change = DIRECTORY("bin/ttyd"),
		  .verdict = KC_FAIL,
		  .text = "not a regular file" },
		{ .name = "layout",
		  .change = { .path = "bin/python", .content = "-> python" },
		  .verdict = KC_FAIL,
		  .text = "bin/python in the volume" },
		/* Absolute links are meant for the container, never for this machine. */
		{ .name = "layout",
		  .change = { .path = "bin/python", .content = "-> /opt/backend.ai/bin/python3.13" },
		  .verdict = KC_PASS },
		{ .name = "layout",
		  .change = { .path = "bin/python", .content = "-> /bin/sh" },
		  .verdict = KC_FAIL,
		  .text = "bin/python in the volume: expected an executable file, found a link out of the" },
		{ .name = "layout",
		  .change = { .path = "bin/ttyd", .content = "-> ../../../bin/sh" },
		  .verdict = KC_FAIL,
		  .text = "found a link out of the volume" },
		{ .name = "layout",
		  .change = { .path = "bin/ttyd", .content = "-> /opt/backend.ai/../../bin/sh" },
		  .verdict = KC_FAIL,
		  .text = "found a link out of the volume" },
		{ .name = "layout",
		  .change = PROGRAM("bin/python"),
		  .verdict = KC_FAIL,
		  .text = "no version in the name that bin/python leads to" },
		{ .name = "mount-points", .verdict = KC_PASS },
		{ .name = "mount-points",
		  .change = WITHOUT(SITE "/ai/backend/helpers"),
		  .verdict = KC_FAIL,
		  .text = "nothing there" },
		{ .name = "mount-points",
		  .change = PROGRAM(SITE "/ai/backend/kernel"),
		  .verdict = KC_FAIL,
		  .text = "not a directory" },
		{ .name = "mount-points",
		  .change = PROGRAM(SITE "/ai/backend/kernel/x"),
		  .verdict = KC_FAIL,
		  .text = "not empty" },
	};

	check_examples(examples, KC_ARRAY_LENGTH(examples));
}

#define LABELS(python, number, distribution)                                                                 \
	{                                                                                                    \
		.package = "backend.ai-krunner-static-gnu", .version = "4.4.0", .python_version = (python),  \
		.volume_version = (number), .versions_text = (distribution)                                  \
	}

static void labels(void)
{
	static const struct example examples[] = {
		{ .name = "labels", .verdict = KC_SKIP, .text = "without a wheel" },
		{ .name = "labels", .wheel = LABELS("3.13", "14", "static-gnu"), .verdict = KC_PASS },
		{ .name = "labels",
		  .wheel = LABELS("3.12", "14", "static-gnu"),
		  .verdict = KC_FAIL,
		  .text = "krunner-python: the wheel says \"3.12\", the volume \"3.13\"" },
		{ .name = "labels",
		  .wheel = LABELS("", "14", "static-gnu"),
		  .verdict = KC_FAIL,
		  .text = "krunner-python: the wheel says \"\"" },
		{ .name = "labels",
		  .change = PROGRAM("bin/python"),
		  .wheel = LABELS("", "14", "static-gnu"),
		  .verdict = KC_FAIL,
		  .text = "bin/python does not lead to a name that says which Python it is" },
		{ .name = "labels",
		  .change = { .path = "bin/python", .content = "-> /opt/backend.ai/bin/python3.13" },
		  .wheel = LABELS("3.13", "14", "static-gnu"),
		  .verdict = KC_PASS },
		{ .name = "labels",
		  .wheel = LABELS("3.13", "14a", "static-gnu"),
		  .verdict = KC_FAIL,
		  .text = "\"14a\" is not a volume version" },
		{ .name = "labels",
		  .wheel = LABELS("3.13", "-1", "static-gnu"),
		  .verdict = KC_FAIL,
		  .text = "\"-1\" is not a volume version" },
		{ .name = "labels",
		  .wheel = LABELS("3.13", "14", "alpine"),
		  .verdict = KC_FAIL,
		  .text = "versions.txt: the wheel says \"alpine\", the volume \"static-gnu\"" },
	};

	check_examples(examples, KC_ARRAY_LENGTH(examples));
}

static void elf_files(void)
{
	static const char garbage[] = "\177ELF\2\1\1 and then nothing that makes sense";
	static const struct example examples[] = {
		{ .name = "architecture", .verdict = KC_FAIL, .text = "the volume has no ELF file" },
		{ .name = "architecture",
		  .change = { .path = "lib/libx.so", .content = garbage, .mode = 0644 },
		  .verdict = KC_FAIL,
		  .text = "lib/libx.so: " },
		{ .name = "ttyd-static", .verdict = KC_FAIL, .text = "bin/ttyd: " },
		{ .name = "ttyd-static",
		  .change = WITHOUT("bin/ttyd"),
		  .verdict = KC_FAIL,
		  .text = "No such file" },
		{ .name = "ttyd-static",
		  .change = { .path = "bin/ttyd", .content = "-> /bin/true" },
		  .verdict = KC_FAIL,
		  .text = "it leads out of the volume" },
		{ .name = "ttyd-static",
		  .change = { .path = "bin/ttyd", .content = garbage, .mode = 0755 },
		  .verdict = KC_FAIL,
		  .text = "bin/ttyd: " },
		{ .name = "ttyd-static",
		  .change = { .path = "bin/ttyd", .content = "=/bin/true", .mode = 0755 },
		  .verdict = KC_FAIL,
		  .text = "bin/ttyd is not static" },
	};

	check_examples(examples, KC_ARRAY_LENGTH(examples));
}

KC_TEST_SUITE(cases, KC_LABEL_FAST, KC_TEST(every_row_has_its_place_in_the_plan),
	      KC_TEST(layout_and_mount_points), KC_TEST(labels), KC_TEST(elf_files));
