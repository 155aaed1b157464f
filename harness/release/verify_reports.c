/* Do the reports of a release say what its test results say? What passed has to pass in them, and nothing may fail there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/names.h"
#include "base/json.h"
#include "release/verify_internal.h"
#include "reports/json_read.h"
#include "reports/ledger.h"

#define REPORT_START "report-"

#define OK(contents, ...)                                                                                    \
	kc_verification_add((contents)->verification, (contents)->status, KC_VERIFIED_OK, __VA_ARGS__)
#define FAILED(contents, ...)                                                                                \
	kc_verification_add((contents)->verification, (contents)->status, KC_VERIFIED_FAILED, __VA_ARGS__)

/* A test that a statement names. */
struct test {
	const char *archive; /* the SHA-256 of what it was made with */
	const char *name;
	const struct kc_release_file *statement;
	bool is_warned;
	bool is_seen; /* in a report: passed, or what a warning is for */
};

struct tests {
	struct test *items; /* in the order of archives and names, after sorting */
	size_t count;
};

static bool is_report(const struct kc_release_file *file)
{
	return strncmp(file->name, REPORT_START, strlen(REPORT_START)) == 0 &&
	       kc_name_ends(file->name, ".json") && !kc_name_ends(file->name, ".intoto.json") &&
	       !kc_name_ends(file->name, ".dsse.json");
}

/* --- What statements say --- */

static int add_tests(const struct kc_release_contents *contents, const struct kc_release_file *statement,
		     const char *key, const char *archive, struct tests *tests)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(statement->statement.predicate, key), *name;
	size_t count = (size_t)cJSON_GetArraySize(list);
	struct test *grown = reallocarray(tests->items, tests->count + count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	tests->items = grown;
	if (list && !cJSON_IsArray(list))
		FAILED(contents, statement->name, "\"%s\" is no list", key);
	cJSON_ArrayForEach(name, list)
	{
		if (cJSON_IsString(name))
			grown[tests->count++] = (struct test){ archive, name->valuestring, statement,
							       strcmp(key, "warnedTests") == 0, false };
		else
			FAILED(contents, statement->name, "\"%s\" has an item that is no text", key);
	}
	return 0;
}

/* Each report that the statement says was used has to be here, as it was. */
static void check_configuration(const struct kc_release_contents *contents,
				const struct kc_release_file *statement)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(statement->statement.predicate, "configuration");
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
	{
		struct kc_resource resource = kc_statement_subject(item);
		const struct kc_release_file *file;

		if (!resource.name || strncmp(resource.name, REPORT_START, strlen(REPORT_START)) != 0)
			continue;
		file = kc_release_files_find(contents->files, resource.name);
		if (!file)
			FAILED(contents, statement->name, "the report %.200s that it names is not here",
			       resource.name);
		else if (file->sha256[0] && (!resource.sha256 || strcmp(resource.sha256, file->sha256) != 0))
			FAILED(contents, statement->name,
			       "the report %.200s has the SHA-256 %s here, it says %.80s", resource.name,
			       file->sha256, resource.sha256 ? resource.sha256 : "nothing");
	}
}

static int take_statement(const struct kc_release_contents *contents, const struct kc_release_file *archive,
			  struct tests *tests)
{
	char name[2 * KC_CHECKSUMS_NAME_SIZE];
	const struct kc_release_file *statement;
	int status;

	(void)snprintf(name, sizeof(name), "%.*s" KC_VERIFY_TEST_RESULT,
		       (int)(strlen(archive->name) - strlen(".tar.xz")), archive->name);
	statement = kc_release_files_find(contents->files, name);
	if (!statement || !statement->statement.document ||
	    strcmp(statement->statement.predicate_type, KC_STATEMENT_TEST_RESULT) != 0)
		return 0; /* has been said */
	check_configuration(contents, statement);
	status = add_tests(contents, statement, "passedTests", archive->sha256, tests);
	return status < 0 ? status : add_tests(contents, statement, "warnedTests", archive->sha256, tests);
}

static int compare_tests(const void *left, const void *right)
{
	const struct test *one = left, *other = right;
	int order = strcmp(one->archive, other->archive);

	return order ? order : strcmp(one->name, other->name);
}

/* No test has two outcomes, and none of the lists has one twice. */
static void refuse_twins(const struct kc_release_contents *contents, struct tests *tests)
{
	size_t kept = 0;

	if (tests->count)
		qsort(tests->items, tests->count, sizeof(*tests->items), compare_tests);
	for (size_t i = 0; i < tests->count; i++) {
		if (kept && compare_tests(&tests->items[kept - 1], &tests->items[i]) == 0)
			FAILED(contents, tests->items[i].statement->name, "it names %.300s twice",
			       tests->items[i].name);
		else
			tests->items[kept++] = tests->items[i];
	}
	tests->count = kept;
}

/* --- What reports say --- */

static bool is_archive_here(const struct kc_release_contents *contents, const char *sha256)
{
	for (size_t i = 0; i < contents->files->count; i++)
		if (kc_release_is_archive(&contents->files->items[i]) &&
		    strcmp(contents->files->items[i].sha256, sha256) == 0)
			return true;
	return false;
}

static void compare_case(const struct kc_release_contents *contents, const struct kc_release_file *file,
			 const struct kc_result *result, struct test *test)
{
	bool is_clean = result->verdict == KC_PASS && !kc_result_is_flaky(result);

	if (test->is_warned != is_clean)
		test->is_seen = true;
	if (!test->is_warned && !is_clean)
		FAILED(contents, test->statement->name, "it says that %.300s passed, and in %s it is %s",
		       test->name, file->name,
		       result->verdict == KC_PASS ? "passed when tried again"
						  : kc_verdict_name(result->verdict));
}

static void compare_cases(const struct kc_release_contents *contents, const struct kc_release_file *file,
			  const struct kc_read_report *report, struct tests *tests)
{
	const struct kc_report_run *run = &report->plan.run;
	size_t failed = 0, first = 0;

	for (size_t i = 0; i < run->case_count; i++) {
		const struct kc_result *result = &report->results[i];
		char identity[KC_REPORT_IDENTITY_SIZE];
		const struct test wanted = { .archive = kc_report_fact(&run->suites[run->cases[i].suite],
								       "volume.sha256"),
					     .name = identity };
		struct test *test;

		if (result->verdict == KC_FAIL || result->verdict == KC_BROKEN)
			first = failed++ ? first : i;
		kc_report_identity(&run->cases[i], identity);
		test = tests->count
			       ? bsearch(&wanted, tests->items, tests->count, sizeof(wanted), compare_tests)
			       : NULL;
		if (test)
			compare_case(contents, file, result, test);
	}
	if (failed)
		FAILED(contents, file->name, "%zu of its cases did not pass: %.200s.%.200s is %s", failed,
		       run->cases[first].classname, run->cases[first].name,
		       kc_verdict_name(report->results[first].verdict));
	else
		OK(contents, file->name, "none of its cases failed");
}

static void compare_suites(const struct kc_release_contents *contents, const struct kc_release_file *file,
			   const struct kc_report_run *run)
{
	for (size_t i = 0; i < run->suite_count; i++) {
		const char *sha256 = kc_report_fact(&run->suites[i], "volume.sha256");

		if (!is_archive_here(contents, sha256))
			FAILED(contents, file->name,
			       "on %.100s it is about a volume with the SHA-256 `%.80s`, and none here has "
			       "it",
			       run->suites[i].name, sha256);
	}
}

/* False if it could not be read. */
static bool check_report(const struct kc_release_contents *contents, const struct kc_release_file *file,
			 struct tests *tests)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_READ_REPORT_LIMIT);
	KC_CLEANUP_READ_REPORT struct kc_read_report report = { 0 };
	struct kc_error found = { 0 };
	int status;

	if (!file->sha256[0] || kc_release_contents_read(contents, file, &text) < 0)
		return false;
	status = kc_read_report_parse(kc_buffer_string(&text), text.length, file->name, &report, &found);
	if (status == -ENOMEM) {
		kc_release_contents_cannot(contents, file, status, found.text);
		return false;
	}
	if (status < 0) {
		FAILED(contents, file->name, "%s", found.text);
		return true;
	}
	if (!report.is_complete)
		FAILED(contents, file->name, "it is of a run that was cut short");
	compare_suites(contents, file, &report.plan.run);
	compare_cases(contents, file, &report, tests);
	return true;
}

/* What no report says cannot be known to be so. */
static void check_seen(const struct kc_release_contents *contents, const struct tests *tests,
		       enum kc_verified_verdict verdict)
{
	for (size_t i = 0; i < tests->count; i++) {
		const struct test *test = &tests->items[i];

		if (!test->is_seen)
			kc_verification_add(contents->verification, contents->status, verdict,
					    test->statement->name,
					    "it says that %.300s %s, and no report here does", test->name,
					    test->is_warned ? "was waived or tried again" : "passed");
	}
}

static void check_reports(const struct kc_release_contents *contents, struct tests *tests)
{
	bool are_all_read = true;

	refuse_twins(contents, tests);
	for (size_t i = 0; *contents->status == 0 && i < contents->files->count; i++)
		if (is_report(&contents->files->items[i]))
			are_all_read =
				check_report(contents, &contents->files->items[i], tests) && are_all_read;
	check_seen(contents, tests, are_all_read ? KC_VERIFIED_FAILED : KC_VERIFIED_UNKNOWN);
}

void kc_release_check_reports(const struct kc_release_contents *contents)
{
	struct tests tests = { 0 };
	int status = 0;

	for (size_t i = 0; status == 0 && i < contents->files->count; i++)
		if (kc_release_is_archive(&contents->files->items[i]))
			status = take_statement(contents, &contents->files->items[i], &tests);
	if (status == 0)
		check_reports(contents, &tests);
	else if (*contents->status == 0)
		*contents->status = status;
	free(tests.items);
}
