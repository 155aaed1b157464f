#include "reports/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "reports/json.h"
#include "sys/file.h"

void kc_read_report_release(struct kc_read_report *report)
{
	for (size_t i = 0; report->results && i < report->plan.run.case_count; i++)
		kc_result_release(&report->results[i]);
	free(report->results);
	kc_read_run_release(&report->plan);
	*report = (struct kc_read_report){ 0 };
}

/* The writer puts it last, so that all before it is what it is of. */
static int check_seal(const char *text, size_t length, const char *name, struct kc_error *err)
{
	char hex[KC_SHA256_HEX_SIZE], seal[KC_JSON_SEAL_SIZE];
	size_t sealed = length < KC_JSON_SEAL_SIZE - 1 ? 0 : length - (KC_JSON_SEAL_SIZE - 1);
	int status = kc_sha256_of(text, sealed, hex, err);

	if (status < 0)
		return status;
	(void)snprintf(seal, sizeof(seal), KC_JSON_SEAL_FORMAT, hex);
	if (sealed && memcmp(text + sealed, seal, sizeof(seal) - 1) == 0)
		return 0;
	status = kc_error_set(err, EBADMSG,
			      "%s: its seal is not that of its contents: it was edited or damaged, "
			      "or is no report",
			      name);
	kc_error_hint(err, "use the file that `run --json` or `report --json` wrote, byte for byte");
	return status;
}

/* Takes the results out of the cases, which are read as a plan after that. */
static int read_results(cJSON *cases, struct kc_read_report *report, struct kc_error *err)
{
	size_t number = 0;
	cJSON *testcase;
	int status = 0;

	report->results = calloc((size_t)cJSON_GetArraySize(cases) + 1, sizeof(*report->results));
	if (!report->results)
		return kc_error_errno(err, ENOMEM, "read a report");
	cJSON_ArrayForEach(testcase, cases)
	{
		KC_CLEANUP_JSON cJSON *result = cJSON_DetachItemFromObjectCaseSensitive(testcase, "result");

		kc_result_init(&report->results[number]);
		status = result ? kc_result_from_json(result, &report->results[number], err)
				: kc_error_set(err, EBADMSG, "case %zu has no result", number);
		number++;
		if (status < 0)
			break;
	}
	report->plan.run.case_count = number; /* what there is to release, whatever comes next */
	return status;
}

/* --- What stands twice --- */

static int compare_texts(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

/* Readers look a name up, and which of two they find is chance. Sorted, for there may be many. */
static int refuse_twice(char **names, size_t count, const char *what, struct kc_error *err)
{
	qsort(names, count, sizeof(*names), compare_texts);
	for (size_t i = 1; i < count; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return kc_error_set(err, EBADMSG, "%s `%.200s` stands twice", what, names[i]);
	return 0;
}

static char *suite_name(const struct kc_report_run *run, size_t number)
{
	return strdup(run->suites[number].name);
}

/* As identities are written, "centos7.imports.zmq": no matter where the class ends and the name begins. */
static char *case_name(const struct kc_report_run *run, size_t number)
{
	char *name = NULL;

	return asprintf(&name, "%s.%s", run->cases[number].classname, run->cases[number].name) < 0 ? NULL
												   : name;
}

static int check_names(const struct kc_report_run *run, size_t count,
		       char *(*name)(const struct kc_report_run *run, size_t number), const char *what,
		       struct kc_error *err)
{
	KC_CLEANUP_FREE char **names = calloc(count + 1, sizeof(*names));
	size_t made = 0;
	int status;

	while (names && made < count && (names[made] = name(run, made)))
		made++;
	status = names && made == count ? refuse_twice(names, count, what, err)
					: kc_error_errno(err, ENOMEM, "read a report");
	for (size_t i = 0; i < made; i++)
		free(names[i]);
	return status;
}

static int check_counts(const cJSON *document, const struct kc_read_report *report, struct kc_error *err)
{
	const cJSON *counts = cJSON_GetObjectItemCaseSensitive(document, "counts");
	size_t found[KC_SKIP + 1] = { 0 };

	for (size_t i = 0; i < report->plan.run.case_count; i++)
		found[report->results[i].verdict]++;
	for (enum kc_verdict i = 0; i <= KC_SKIP; i++) {
		int64_t said = 0;
		int status = kc_read_count(counts, kc_verdict_name(i), UINT32_MAX, &said, err);

		if (status < 0)
			return status;
		if ((size_t)said != found[i])
			return kc_error_set(err, EBADMSG, "it counts %lld %s, and %zu of its results are",
					    (long long)said, kc_verdict_name(i), found[i]);
	}
	return 0;
}

static int check_version(const cJSON *document, struct kc_error *err)
{
	static const char *const known[] = { "version", "program", "hostname", "started_ms", "suites",
					     "cases",	"counts",  "complete", "sha256",     NULL };
	int64_t version = 0;
	int status = kc_json_refuse_unknown(document, known, "report", err);

	if (status == 0)
		status = kc_read_count(document, "version", UINT32_MAX, &version, err);
	if (status < 0 || version == KC_JSON_REPORT_VERSION)
		return status;
	status = kc_error_set(err, EBADMSG, "a report of version %lld, and only %d is understood",
			      (long long)version, KC_JSON_REPORT_VERSION);
	kc_error_hint(err, "use the release of krunner-compat that wrote it");
	return status;
}

static int read_document(cJSON *document, struct kc_read_report *report, struct kc_error *err)
{
	cJSON *cases = cJSON_GetObjectItemCaseSensitive(document, "cases");
	const cJSON *complete = cJSON_GetObjectItemCaseSensitive(document, "complete");
	struct kc_read_run plan = { 0 };
	int status = check_version(document, err);

	if (status == 0 && (!cJSON_IsArray(cases) || !cJSON_IsBool(complete)))
		status = kc_error_set(err, EBADMSG,
				      "\"cases\" is no list, or \"complete\" neither true nor false");
	if (status == 0)
		status = read_results(cases, report, err);
	if (status == 0)
		status = kc_read_run_parse(document, &plan, err);
	if (status < 0) {
		kc_read_run_release(&plan); /* half of it may be read */
		return status;
	}
	report->plan = plan;
	report->is_complete = cJSON_IsTrue(complete);
	status = check_names(&plan.run, plan.run.suite_count, suite_name, "suite", err);
	if (status == 0)
		status = check_names(&plan.run, plan.run.case_count, case_name, "case", err);
	return status < 0 ? status : check_counts(document, report, err);
}

int kc_read_report_parse(const char *text, size_t length, const char *name, struct kc_read_report *report,
			 struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = NULL;
	struct kc_error cause = { 0 };
	int status = check_seal(text, length, name, err);

	if (status == 0)
		status = kc_sha256_of(text, length, report->sha256, err);
	if (status == 0)
		status = kc_json_parse(text, length, name, &document, err);
	if (status < 0)
		return status;
	status = read_document(document, report, &cause);
	if (status == 0)
		return 0;
	kc_read_report_release(report);
	(void)kc_error_set(err, -status, "%s: %s", name, cause.text);
	if (cause.hint[0])
		kc_error_hint(err, "%s", cause.hint);
	return status;
}

int kc_read_report_load(const char *path, struct kc_read_report *report, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_READ_REPORT_LIMIT);
	int status = kc_file_read(AT_FDCWD, path, &text, err);

	return status < 0 ? status
			  : kc_read_report_parse(kc_buffer_string(&text), text.length, path, report, err);
}
