#include "reports/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "reports/events.h"
#include "sys/file.h"

#define FILE_LIMIT (256u << 20)
#define MOST_MS 9007199254740991.0

static int64_t told_ms;

int64_t kc_recording_now_ms(void)
{
	return told_ms;
}

static void forget_records(struct kc_recording *recording)
{
	for (size_t i = 0; i < recording->count; i++)
		kc_result_release(&recording->records[i].result);
	free(recording->records);
	free(recording->is_done);
	cJSON_Delete(recording->measured);
	kc_read_run_release(&recording->plan);
	*recording = (struct kc_recording){ 0 };
}

static int check_plan(const struct kc_recording *recording, const cJSON *json, struct kc_error *err)
{
	static const char *const known[] = { "event",	   "version", "program", "hostname",
					     "started_ms", "suites",  "cases",	 NULL };
	int64_t version = 0;
	int status = kc_json_refuse_unknown(json, known, "plan", err);

	if (status == 0)
		status = kc_read_count(json, "version", UINT32_MAX, &version, err);
	if (status == 0 && version != KC_EVENTS_VERSION) {
		status = kc_error_set(err, EBADMSG, "events of version %lld, and only %d is understood",
				      (long long)version, KC_EVENTS_VERSION);
		kc_error_hint(err, "use the release of krunner-compat that wrote them");
	}
	/* Only what a run said before its cases were known may be said anew: two recordings in one file are not one run. */
	if (status == 0 && (recording->count || recording->is_ended))
		status = kc_error_set(err, EBADMSG, "a second plan after cases have started");
	return status;
}

static int take_plan(struct kc_recording *recording, const cJSON *json, struct kc_error *err)
{
	int status = check_plan(recording, json, err);

	if (status < 0)
		return status;
	forget_records(recording);
	status = kc_read_run_parse(json, &recording->plan, err);
	if (status < 0)
		return status;
	recording->is_done = calloc(recording->plan.run.case_count + 1, sizeof(*recording->is_done));
	recording->measured = cJSON_CreateArray();
	if (!recording->is_done || !recording->measured)
		return kc_error_errno(err, ENOMEM, "read events");
	return 0;
}

static int add_record(struct kc_recording *recording, enum kc_recorded_kind kind, const cJSON *json,
		      struct kc_recorded **ret_record, struct kc_error *err)
{
	int64_t number = 0, at_ms = 0;
	int status = kc_read_count(json, "case", (double)recording->plan.run.case_count - 1, &number, err);

	if (status == 0)
		status = kc_read_count(json, "at_ms", MOST_MS, &at_ms, err);
	if (status == 0 && recording->is_done[number])
		status = kc_error_set(err, EBADMSG, "case %lld was done before", (long long)number);
	if (status < 0)
		return status;
	if (recording->count == recording->room) {
		size_t room = recording->room ? 2 * recording->room : 64;
		struct kc_recorded *records = realloc(recording->records, room * sizeof(*records));

		if (!records)
			return kc_error_errno(err, ENOMEM, "read events");
		recording->records = records;
		recording->room = room;
	}
	*ret_record = &recording->records[recording->count++];
	**ret_record = (struct kc_recorded){ .kind = kind, .number = (size_t)number, .at_ms = at_ms };
	kc_result_init(&(*ret_record)->result);
	return 0;
}

static int take_started(struct kc_recording *recording, cJSON *json, struct kc_error *err)
{
	static const char *const known[] = { "event", "case", "at_ms", NULL };
	struct kc_recorded *record;
	int status = kc_json_refuse_unknown(json, known, "case_started", err);

	return status < 0 ? status : add_record(recording, KC_RECORDED_STARTED, json, &record, err);
}

/* A case's measurements stand right before its result. */
static int take_measurement(struct kc_recording *recording, cJSON *json, struct kc_error *err)
{
	static const char *const known[] = { "event", "case", "at_ms", "measurement", NULL };
	const cJSON *item = NULL;
	int64_t number = 0;
	cJSON *copy;
	int status = kc_json_refuse_unknown(json, known, "measurement", err);

	if (status == 0)
		status =
			kc_read_count(json, "case", (double)recording->plan.run.case_count - 1, &number, err);
	if (status == 0)
		status = kc_json_get_object(json, "measurement", "measurement", &item, err);
	if (status == 0 && cJSON_GetArraySize(recording->measured) &&
	    recording->measured_case != (size_t)number)
		status = kc_error_set(err, EBADMSG, "a case was measured and did not report");
	if (status < 0)
		return status;
	recording->measured_case = (size_t)number;
	copy = cJSON_Duplicate(item, true);
	if (!copy || !cJSON_AddItemToArray(recording->measured, copy)) {
		cJSON_Delete(copy);
		return kc_error_errno(err, ENOMEM, "read events");
	}
	return 0;
}

/* The result with its measurements. */
static int read_result(struct kc_recording *recording, cJSON *json, struct kc_recorded *record,
		       struct kc_error *err)
{
	cJSON *result = cJSON_GetObjectItemCaseSensitive(json, "result");

	if (!cJSON_IsObject(result))
		return kc_error_set(err, EBADMSG, "case_done: \"result\" is no object");
	if (cJSON_GetArraySize(recording->measured) && recording->measured_case != record->number)
		return kc_error_set(err, EBADMSG, "another case was measured than the one that reports");
	if (!cJSON_AddItemToObject(result, "measurements", recording->measured))
		return kc_error_errno(err, ENOMEM, "read events");
	recording->measured = cJSON_CreateArray();
	if (!recording->measured)
		return kc_error_errno(err, ENOMEM, "read events");
	return kc_result_from_json(result, &record->result, err);
}

static int take_done(struct kc_recording *recording, cJSON *json, struct kc_error *err)
{
	static const char *const known[] = { "event", "case", "at_ms", "result", NULL };
	struct kc_recorded *record = NULL;
	int status = kc_json_refuse_unknown(json, known, "case_done", err);

	if (status == 0)
		status = add_record(recording, KC_RECORDED_DONE, json, &record, err);
	if (status == 0)
		status = read_result(recording, json, record, err);
	if (status == 0)
		recording->is_done[record->number] = true;
	return status;
}

static int take_end(struct kc_recording *recording, cJSON *json, struct kc_error *err)
{
	static const char *const known[] = { "event", "complete", "at_ms", NULL };
	const cJSON *complete = cJSON_GetObjectItemCaseSensitive(json, "complete");
	int status = kc_json_refuse_unknown(json, known, "end", err);

	if (status == 0 && !cJSON_IsBool(complete))
		status = kc_error_set(err, EBADMSG, "end: \"complete\" is neither true nor false");
	if (status == 0)
		status = kc_read_count(json, "at_ms", MOST_MS, &recording->ended_ms, err);
	recording->is_ended = true;
	recording->is_complete = cJSON_IsTrue(complete);
	return status;
}

static const struct {
	const char *event;
	int (*take)(struct kc_recording *recording, cJSON *json, struct kc_error *err);
} takers[] = {
	{ "case_started", take_started },
	{ "measurement", take_measurement },
	{ "case_done", take_done },
	{ "end", take_end },
};

static int take_record(struct kc_recording *recording, cJSON *json, struct kc_error *err)
{
	const char *event = NULL;
	int status = kc_json_get_string(json, "event", "record", &event, err);

	if (status < 0)
		return status;
	if (strcmp(event, "plan") == 0)
		return take_plan(recording, json, err);
	if (!recording->plan.suites || recording->is_ended)
		return kc_error_set(err, EBADMSG, "\"%s\" %s", event,
				    recording->is_ended ? "after the end" : "before any plan");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(takers); i++)
		if (strcmp(event, takers[i].event) == 0)
			return takers[i].take(recording, json, err);
	return kc_error_set(err, EBADMSG, "unknown event \"%s\"", event);
}

static int take_line(struct kc_recording *recording, const char *path, const char *line, size_t length,
		     size_t number, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = NULL;
	struct kc_error cause = { 0 };
	int status = kc_json_parse(line, length, "record", &json, &cause);

	if (status == 0)
		status = cJSON_IsObject(json) ? take_record(recording, json, &cause)
					      : kc_error_set(&cause, EBADMSG, "not a JSON object");
	if (status == 0)
		return 0;
	(void)kc_error_set(err, -status, "%s:%zu: %s", path, number, cause.text);
	if (cause.hint[0])
		kc_error_hint(err, "%s", cause.hint);
	return status;
}

static int take_lines(struct kc_recording *recording, const char *path, const struct kc_buffer *text,
		      struct kc_error *err)
{
	const char *line = text->data, *end = line ? line + text->length : NULL;
	int status = 0;

	/* What follows the last line feed was being written when the run was killed. */
	for (size_t number = 1; status == 0 && line < end; number++) {
		const char *feed = memchr(line, '\n', (size_t)(end - line));

		if (!feed)
			break;
		status = take_line(recording, path, line, (size_t)(feed - line), number, err);
		line = feed + 1;
	}
	if (status == 0 && !recording->plan.suites) {
		status = kc_error_set(err, EBADMSG, "%s: no plan of a run is in it", path);
		kc_error_hint(err, "it is to be a file that `krunner-compat run --events` wrote");
	}
	return status;
}

int kc_recording_read(const char *path, struct kc_recording *recording, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(FILE_LIMIT);
	int status = kc_file_read(AT_FDCWD, path, &text, err);

	return status < 0 ? status : take_lines(recording, path, &text, err);
}

int kc_recording_tell(const struct kc_recording *recording, struct kc_report *report, struct kc_error *err)
{
	const struct kc_report_run *run = &recording->plan.run;
	int status;

	told_ms = 0;
	status = kc_report_begin(report, run, err);
	if (status < 0)
		return status;
	for (size_t i = 0; i < recording->count; i++) {
		const struct kc_recorded *record = &recording->records[i];

		told_ms = record->at_ms;
		if (record->kind == KC_RECORDED_STARTED)
			kc_report_case_started(report, &run->cases[record->number]);
		else
			kc_report_case_done(report, &run->cases[record->number], &record->result);
	}
	if (recording->is_ended)
		told_ms = recording->ended_ms;
	return kc_report_end(report, recording->is_complete, err);
}

void kc_recording_release(struct kc_recording *recording)
{
	forget_records(recording);
}
