#include "reports/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "reports/run_json.h"
#include "sys/file.h"

struct json {
	struct kc_report report;
	struct kc_json_options options;
	const struct kc_report_run *run;
	cJSON *document;
	struct kc_error failure; /* the first */
};

static void note_failure(struct json *json, int code)
{
	if (!json->failure.code)
		(void)kc_error_errno(&json->failure, code, "write `%s`", json->options.path);
}

static cJSON *case_of(struct json *json, const struct kc_report_case *testcase)
{
	return cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json->document, "cases"),
				  (int)(testcase - json->run->cases));
}

static enum kc_verdict verdict_of(const cJSON *testcase)
{
	const cJSON *result = cJSON_GetObjectItemCaseSensitive(testcase, "result");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(result, "verdict"));

	for (enum kc_verdict i = 0; name && i <= KC_SKIP; i++)
		if (strcmp(name, kc_verdict_name(i)) == 0)
			return i;
	return KC_BROKEN;
}

static void set_result(struct json *json, cJSON *testcase, const struct kc_result *result)
{
	struct kc_error err = { 0 };
	cJSON *record = NULL;

	cJSON_DeleteItemFromObjectCaseSensitive(testcase, "result");
	if (kc_result_to_json(result, &record, &err) < 0 ||
	    !cJSON_AddItemToObject(testcase, "result", record)) {
		cJSON_Delete(record);
		note_failure(json, ENOMEM);
	}
}

static void count_verdicts(struct json *json, cJSON *counts)
{
	const cJSON *testcase;
	unsigned int numbers[KC_SKIP + 1] = { 0 };

	cJSON_ArrayForEach(testcase, cJSON_GetObjectItemCaseSensitive(json->document, "cases"))
		numbers[verdict_of(testcase)]++;
	for (enum kc_verdict i = 0; i <= KC_SKIP; i++)
		if (!cJSON_AddNumberToObject(counts, kc_verdict_name(i), numbers[i]))
			note_failure(json, ENOMEM);
}

/* `text` without its last brace, and the seal. */
static void seal(struct json *json, const char *text, struct kc_buffer *sealed)
{
	size_t length = strlen(text) - 1;
	char hex[KC_SHA256_HEX_SIZE];
	int status = kc_sha256_of(text, length, hex, NULL);

	if (status == 0)
		status = kc_buffer_append(sealed, text, length);
	if (status == 0)
		status = kc_buffer_printf(sealed, KC_JSON_SEAL_FORMAT, hex);
	if (status < 0)
		note_failure(json, -status);
}

static int write_document(struct json *json, bool complete, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer sealed = KC_BUFFER_INIT(SIZE_MAX / 2);
	KC_CLEANUP_FREE char *text = NULL;
	cJSON *counts;

	cJSON_DeleteItemFromObjectCaseSensitive(json->document, "complete");
	cJSON_DeleteItemFromObjectCaseSensitive(json->document, "counts");
	counts = cJSON_AddObjectToObject(json->document, "counts");
	count_verdicts(json, counts);
	if (cJSON_AddBoolToObject(json->document, "complete", complete))
		text = cJSON_PrintUnformatted(json->document);
	if (!text)
		note_failure(json, ENOMEM);
	else
		seal(json, text, &sealed);
	if (json->failure.code) {
		if (err)
			*err = json->failure;
		return json->failure.code;
	}
	return kc_file_write_atomic(AT_FDCWD, json->options.path, sealed.data, sealed.length, 0644, err);
}

/* Every case is broken until it has reported. */
static void break_all(struct json *json)
{
	struct kc_result result;
	cJSON *testcase;

	kc_result_init(&result);
	kc_result_broken(&result, "not run: the run ended before this case reported a result");
	cJSON_ArrayForEach(testcase, cJSON_GetObjectItemCaseSensitive(json->document, "cases"))
		set_result(json, testcase, &result);
	kc_result_release(&result);
}

static int json_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct json *json = (struct json *)report;
	int status = kc_file_check_replaceable(json->options.path, err);

	if (status < 0)
		return status;
	cJSON_Delete(json->document);
	json->document = cJSON_CreateObject();
	json->run = run;
	kc_error_clear(&json->failure);
	if (!cJSON_AddNumberToObject(json->document, "version", KC_JSON_REPORT_VERSION) ||
	    kc_run_to_json(run, json->document) < 0)
		note_failure(json, ENOMEM);
	break_all(json);
	return write_document(json, false, err);
}

static void json_case_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	(void)report;
	(void)testcase;
}

static void json_case_done(struct kc_report *report, const struct kc_report_case *testcase,
			   const struct kc_result *result)
{
	struct json *json = (struct json *)report;

	set_result(json, case_of(json, testcase), result);
}

static int json_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	return write_document((struct json *)report, complete, err);
}

static void json_close(struct kc_report *report)
{
	struct json *json = (struct json *)report;

	cJSON_Delete(json->document);
	free(json);
}

int kc_json_open(const struct kc_json_options *options, struct kc_report **ret_report, struct kc_error *err)
{
	static const struct kc_report_ops operations = { .begin = json_begin,
							 .case_started = json_case_started,
							 .case_done = json_case_done,
							 .end = json_end,
							 .close = json_close };
	struct json *json = calloc(1, sizeof(*json));

	if (!json)
		return kc_error_errno(err, ENOMEM, "write `%s`", options->path);
	json->report.ops = &operations;
	json->options = *options;
	*ret_report = &json->report;
	return 0;
}
