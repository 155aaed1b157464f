#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cases/tests/checked.h"
#include "fixtures/stage.h"
#include "options.h"
#include "release/difference.h"
#include "release/tests/made_volume.h"
#include "tests/kc_test.h"

enum { TEXT_LIMIT = 8 << 20 };

/* Two volumes and their difference, the second with changes. */
struct pair {
	struct kc_made_volume made[2];
	struct kc_contents contents[2];
	struct kc_difference difference;
};

static void release_pair(struct pair *pair)
{
	kc_difference_release(&pair->difference);
	for (int i = 0; i < 2; i++) {
		kc_contents_release(&pair->contents[i]);
		kc_made_volume_release(&pair->made[i]);
	}
}

#define CLEANUP_PAIR KC_CLEANUP(release_pair)

static bool make_pair(struct pair *pair, const struct kc_made_file *before, const struct kc_made_file *after)
{
	const struct kc_made_file *const changes[] = { before, after };
	struct kc_error err = { 0 };

	memset(pair, 0, sizeof(*pair));
	for (int i = 0; i < 2; i++)
		if (!kc_made_volume_make(&pair->made[i]) || !kc_made_volume_add(&pair->made[i], changes[i]) ||
		    !KC_CHECK_OK(kc_made_volume_take(&pair->made[i], &pair->contents[i], &err), err))
			return false;
	return KC_CHECK_OK(
		kc_difference_make(&pair->contents[0], &pair->contents[1], &pair->difference, &err), err);
}

#define SIX(text)                                                                                            \
	{                                                                                                    \
		KC_MADE_SITE "six-1.17.0.dist-info/METADATA", (text)                                         \
	}

static void each_change_is_told(void)
{
	static const struct {
		struct kc_made_file before[4], after[4];
		const char *text; /* a line of it; NULL: no difference */
	} rows[] = {
		{ .text = NULL },
		{ .after = { SIX("Name: six\nVersion: 1.18.0\nLicense: MIT\n") },
		  .text = "  ~ six                       1.17.0 -> 1.18.0\n" },
		{ .after = { SIX("Name: Six\nVersion: 1.17.0\nLicense: MIT\n") },
		  .text = "  ~ lib/python3.13/site-packages/six-1.17.0.dist-info/METADATA\n" },
		{ .after = { SIX("Name: six\nVersion: 1.17.0\nLicense: ISC\n") },
		  .text = "1.17.0  (licence: MIT -> ISC)\n" },
		{ .after = { SIX("Name: six\nVersion: 1.17.0\n") },
		  .text = "1.17.0  (licence: MIT -> none)\n" },
		{ .after = { SIX(NULL) }, .text = "  - six                       1.17.0\n" },
		{ .after = { { KC_MADE_SITE "two.dist-info/METADATA",
			       "Name: two\nVersion: 2\nLicense: ISC\n" } },
		  .text = "  + two                       2  (ISC)\n" },
		{ .after = { { KC_MADE_SITE "x/six.dist-info/METADATA",
			       "Name: six\nVersion: 1.16.0\nLicense: MIT\n" } },
		  .text = "1.17.0 -> 1.16.0, 1.17.0\n" },
		{ .after = { { "include/python3.13/patchlevel.h", "#define PY_VERSION \"3.13.12\"\n" } },
		  .text = "Python                        3.13.2 -> 3.13.12\n" },
		{ .after = { { "lib/libpython3.13.so.1.0",
			       KC_MADE_BYTES("\177ELF\0OpenSSL 3.0.17 1 Jul 2025\0and as many bytes as it "
					     "takes") } },
		  .text = "  ~ openssl                   3.0.16 -> 3.0.17\n" },
		{ .after = { { "bin/more", "four" } }, .text = "  + bin/more  +4 bytes\n" },
		{ .before = { { "bin/more", "four" } }, .text = "  - bin/more  -4 bytes\n" },
		{ .before = { { "bin/more", "four" } },
		  .after = { { "bin/more", "4444" } },
		  .text = "  ~ bin/more\n" },
		{ .before = { { "etc/x", "x" }, { "etc/x", NULL } }, .text = "  - etc\n" },
		{ .before = { { "etc/x", "x" }, { "etc/x", NULL } },
		  .after = { { "etc/x", "y" } },
		  .text = "1 added, 0 removed, 0 changed" },
		{ .before = { { "etc-a", "x" }, { "etc/x", "x" } },
		  .after = { { "etc-a", "x" } },
		  .text = "  - etc/x  -1 bytes\n" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		CLEANUP_PAIR struct pair pair;
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
		struct kc_error err = { 0 };

		KC_REQUIRE(make_pair(&pair, rows[i].before, rows[i].after));
		KC_REQUIRE_OK(kc_difference_to_text(&pair.difference, &text, &err), err);
		KC_CHECK_MESSAGE(kc_difference_is_any(&pair.difference) == (rows[i].text != NULL), "row %zu",
				 i);
		KC_CHECK_CONTAINS(kc_buffer_string(&text), rows[i].text ? rows[i].text : "\nno difference\n");
	}
}

/* Names and licences that would be Markdown, HTML, a command of a CI system, or steer a terminal. */
static void nothing_of_a_volume_is_read_as_markup(void)
{
	static const struct kc_made_file after[] = {
		{ KC_MADE_SITE "h.dist-info/METADATA",
		  "Name: h\nVersion: 1\nLicense: a|b `<script>` ##[error]x \x1b[31m\xe2\x80\xae\n" },
		{ "a|b`<img src=x>`\n# head", "x" },
		{ NULL },
	};
	static const struct kc_made_file none[] = { { NULL } };
	static const char *const wanted[] = {
		"| `` a\\|b `<script>` ",
		"| `` a\\|b`<img\\x20src=x>`\\x0a#\\x20head `` | 1 | 0 | 0 | +1 |\n",
	};
	static const char *const unwanted[] = { "##[error]", "\n# head", "\x1b", "\xe2\x80\xae" };
	CLEANUP_PAIR struct pair pair;
	KC_CLEANUP_BUFFER struct kc_buffer markdown = KC_BUFFER_INIT(TEXT_LIMIT),
					   text = KC_BUFFER_INIT(TEXT_LIMIT);
	struct kc_error err = { 0 };

	KC_REQUIRE(make_pair(&pair, none, after));
	KC_REQUIRE_OK(kc_difference_to_markdown(&pair.difference, &markdown, &err), err);
	KC_REQUIRE_OK(kc_difference_to_text(&pair.difference, &text, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(wanted); i++)
		KC_CHECK_CONTAINS(kc_buffer_string(&markdown), wanted[i]);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(unwanted); i++) {
		KC_CHECK_MESSAGE(!strstr(kc_buffer_string(&markdown), unwanted[i]), "Markdown, %zu", i);
		KC_CHECK_MESSAGE(i == 0 || !strstr(kc_buffer_string(&text), unwanted[i]), "text, %zu", i);
	}
}

/* Entries of a manifest, made up: what rows are made of needs no more. */
static void make_files(struct kc_difference *difference, struct kc_entry *entries,
		       struct kc_difference_file *files, char names[][64], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "d%zu/e%02zu/f%03zu", i / 400, i / 20 % 20, i);
		entries[i] = (struct kc_entry){ .name = names[i], .type = 'f', .bytes = 1 };
		files[i] = (struct kc_difference_file){ .change = KC_CHANGE_ADDED, .after = &entries[i] };
	}
	*difference = (struct kc_difference){ .files = files, .file_count = count };
}

static void many_changes_fit_into_few_rows(void)
{
	enum { MOST = 1000 };
	static const struct {
		size_t files, most, rows;
		const char *first; /* path of the first row */
	} rows
		[] = {
			{ 0, 40, 0, "" },
			{ 1, 40, 1, "d0/e00/f000" },
			{ 20, 40, 20, "d0/e00/f000" },
			{ 20, 19, 1, "d0/e00/" },
			{ 400, 40, 39, "d0/e00/f000" }, /* twenty directories, one of them taken apart */
			{ 400, 19, 1, "d0/" },
			{ 1000, 40, 31, "d0/e00/" },
			{ 1000, 1, 1, "" },
		};
	static char names[MOST][64];
	static struct kc_entry entries[MOST];
	static struct kc_difference_file files[MOST];

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_FREE struct kc_difference_row *got = NULL;
		struct kc_difference difference;
		size_t count = 0, next = 0, added = 0;
		struct kc_error err = { 0 };
		char path[64] = "";

		make_files(&difference, entries, files, names, rows[i].files);
		KC_REQUIRE_OK(kc_difference_rows(&difference, rows[i].most, &got, &count, &err), err);
		KC_CHECK_INT(count, rows[i].rows);
		for (size_t j = 0; j < count; j++) {
			KC_CHECK_INT(got[j].first, next);
			next = got[j].last;
			added += got[j].changes[KC_CHANGE_ADDED];
		}
		KC_CHECK_INT(next, rows[i].files);
		KC_CHECK_INT(added, rows[i].files);
		if (count)
			(void)snprintf(path, sizeof(path), "%.*s", (int)got[0].path_length, got[0].path);
		KC_CHECK_STRING(path, rows[i].first);
	}
}

static void the_command_tells_and_never_judges(void)
{
	static const struct kc_made_file none[] = { { NULL } }, more[] = { { "bin/more", "x" }, { NULL } };
	CLEANUP_PAIR struct pair pair;
	KC_CLEANUP(kc_stage_remove) struct kc_stage stage;
	char missing[PATH_MAX + 80];

	KC_REQUIRE(make_pair(&pair, none, more) && kc_stage_make(&stage) == 0);
	(void)snprintf(missing, sizeof(missing), "%s.missing", pair.made[0].path);
	const struct {
		const char *before, *after, *output, *errors;
		enum kc_exit status;
	} rows[] = {
		{ pair.made[0].path, pair.made[0].path, "no difference\n", "", KC_EXIT_PASSED },
		{ pair.made[0].path, pair.made[1].path, "  + bin/more  +1 bytes\n", "", KC_EXIT_PASSED },
		{ pair.made[0].path, missing, "", "No such file", KC_EXIT_NOT_RUN },
		{ pair.made[0].path, NULL, "", "diff: VOLUME VOLUME is missing", KC_EXIT_USAGE },
	};
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *const words[] = { "diff", rows[i].before, rows[i].after, NULL };
		KC_CLEANUP_BUFFER struct kc_buffer output = { 0 }, errors = { 0 };

		KC_CHECK_INT(kc_stage_run(&stage, &(struct kc_stage_start){ .words = words }),
			     rows[i].status);
		kc_stage_read(&stage, &output, &errors);
		KC_CHECK_CONTAINS(kc_buffer_string(&output), rows[i].output);
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), rows[i].errors);
	}
}

static void published_volumes_differ_as_is_known(void)
{
	static const struct {
		const char *before, *after, *lines[4];
	} rows[] = {
		{ "4.4.0", "4.4.0", { "\nno difference\n" } },
		/* What 4.1.1 was released for. */
		{ "4.1.0",
		  "4.1.1",
		  { "GLIBC                         2.25 -> 2.17\n",
		    "CXXABI                        1.3.9 -> 1.3.2\n",
		    "  ~ pyzmq                     25.0.0 -> 25.1.2\n" } },
		{ "4.1.1",
		  "4.4.0",
		  { "Python                        3.11.1 -> 3.13.2\n",
		    "volume version                11 -> 14\n",
		    "  ~ openssl                   1.1.1s -> 3.0.16  (licence: OpenSSL -> Apache-2.0)\n",
		    "    lib/python3.11/  4465 removed" } },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_CONTENTS struct kc_contents before = { 0 }, after = { 0 };
		KC_CLEANUP_DIFFERENCE struct kc_difference difference = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
		struct kc_error err = { 0 };
		int status = kc_published_contents("static-gnu", rows[i].before, &before, &err);

		if (status == 0)
			status = kc_published_contents("static-gnu", rows[i].after, &after, &err);
		if (status < 0 && kc_is_offline(&err))
			KC_SKIP(err.text);
		KC_REQUIRE_OK(status, err);
		KC_REQUIRE_OK(kc_difference_make(&before, &after, &difference, &err), err);
		KC_REQUIRE_OK(kc_difference_to_text(&difference, &text, &err), err);
		for (size_t j = 0; j < KC_ARRAY_LENGTH(rows[i].lines) && rows[i].lines[j]; j++)
			KC_CHECK_CONTAINS(kc_buffer_string(&text), rows[i].lines[j]);
	}
}

KC_TEST_SUITE(difference, KC_LABEL_FAST, KC_TEST(each_change_is_told),
	      KC_TEST(nothing_of_a_volume_is_read_as_markup), KC_TEST(many_changes_fit_into_few_rows),
	      KC_TEST(the_command_tells_and_never_judges));
KC_TEST_SUITE(difference_real, KC_LABEL_SLOW, KC_TEST(published_volumes_differ_as_is_known));
