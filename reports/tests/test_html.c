/* Parts of the page that are drawn from what cases found out. */
#include "reports/html.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fixtures/temporary.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define FILE_LIMIT (1u << 20)

static const struct kc_report_suite suite = { .name = "centos7", .reproduce = "krunner-compat run centos7" };
static const struct kc_report_case testcase = { .classname = "centos7.volume",
						.name = "architecture",
						.what = "ELF files",
						.file = "cases/volume.c",
						.line = 1 };
static const struct kc_report_run run = { .version = "1.2.3",
					  .hostname = "host",
					  .suites = &suite,
					  .suite_count = 1,
					  .cases = &testcase,
					  .case_count = 1 };

static int draw(const char *path, struct kc_result *result, struct kc_buffer *page, struct kc_error *err)
{
	const struct kc_html_options options = { .path = path };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	int status = kc_html_open(&options, &report, err);

	if (status == 0)
		status = kc_report_begin(report, &run, err);
	if (status < 0)
		return status;
	kc_report_case_done(report, &testcase, result);
	status = kc_report_end(report, true, err);
	return status < 0 ? status : kc_file_read(AT_FDCWD, path, page, err);
}

static void floors_are_held_against_the_image(void)
{
	static const struct {
		const char *name;
		const char *family, *needed, *ceiling; /* NULL: not told */
		const char *expected;		       /* NULL: no section at all */
		const char *unexpected;
	} rows[] = {
		{ "as new as the image", "floor-GLIBC", "2.17", "2.17",
		  "<td>GLIBC</td><td>2.17</td><td>2.17</td><td><svg", "bar over" },
		{ "newer", "floor-CXXABI", "1.3.9", "1.3.7", "class=\"bar over\"", "not known" },
		{ "the image is not known", "floor-GLIBC", "2.25", NULL, "<td>2.25</td><td>not known</td>",
		  "class=\"limit\"" },
		{ "no scale has both", "floor-GLIBC", "3.1", "2.17", "<td>3.1</td><td>2.17</td>",
		  "class=\"limit\"" },
		{ "a number that is none", "floor-GLIBC", "2.x<b>", "2.17", "<td>2.x&lt;b&gt;</td>", "<b>" },
		{ "longer than any", "floor-GLIBC", "2.99999999", "2.17", "<td>2.99999999</td>",
		  "class=\"limit\"" },
		{ "of no family", "floor", "2.17", NULL, NULL, "<h2 id=\"floors\">" },
		{ "of musl", "elf-files", "12", NULL, NULL, "<h2 id=\"floors\">" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer page = KC_BUFFER_INIT(FILE_LIMIT);
		struct kc_result result;
		char path[PATH_MAX + 16], name[64];
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
		(void)snprintf(path, sizeof(path), "%s/page", directory.path);
		kc_result_init(&result);
		kc_result_pass(&result);
		kc_result_property(&result, rows[i].family, "%s", rows[i].needed);
		(void)snprintf(name, sizeof(name), "%s-image", rows[i].family);
		if (rows[i].ceiling)
			kc_result_property(&result, name, "%s", rows[i].ceiling);
		KC_CHECK_OK(draw(path, &result, &page, &err), err);
		kc_result_release(&result);
		KC_CHECK_MESSAGE(!rows[i].expected || strstr(kc_buffer_string(&page), rows[i].expected),
				 "%s: no %s", rows[i].name, rows[i].expected);
		KC_CHECK_MESSAGE(!strstr(kc_buffer_string(&page), rows[i].unexpected), "%s: %s", rows[i].name,
				 rows[i].unexpected);
	}
}

KC_TEST_SUITE(html, KC_LABEL_FAST, KC_TEST(floors_are_held_against_the_image));
