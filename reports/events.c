#include "reports/events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "reports/run_json.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/time.h"

struct events {
	struct kc_report report;
	struct kc_events_options options;
	const struct kc_report_run *run;
	int fd;
	int64_t begun_ms;
	struct kc_error failure; /* the first */
};

static int note_failure(struct events *events, int code)
{
	if (!events->failure.code)
		return kc_error_errno(&events->failure, code, "write `%s`", events->options.path);
	return events->failure.code;
}

/* One line by one write(2): killed between two, the file ends with a whole record. */
static int write_record(struct events *events, const cJSON *record)
{
	KC_CLEANUP_FREE char *text = cJSON_PrintUnformatted(record);
	size_t length = text ? strlen(text) : 0;
	int status;

	if (!text)
		return note_failure(events, ENOMEM);
	text[length++] = '\n'; /* in the place of the NUL */
	status = kc_fd_write_all(events->fd, text, length);
	return status < 0 ? note_failure(events, -status) : 0;
}

static cJSON *new_record(struct events *events, const char *event)
{
	cJSON *record = cJSON_CreateObject();

	if (cJSON_AddStringToObject(record, "event", event))
		return record;
	(void)note_failure(events, ENOMEM);
	cJSON_Delete(record);
	return NULL;
}

/* Takes `record`; NULL is one that could not be made, which has been noted. */
static void tell(struct events *events, cJSON *record)
{
	if (record && !events->failure.code)
		(void)write_record(events, record);
	cJSON_Delete(record);
}

static bool add_place(struct events *events, cJSON *record, const struct kc_report_case *testcase)
{
	int64_t at_ms = events->options.now_ms() - events->begun_ms;

	if (cJSON_AddNumberToObject(record, "case", (double)(testcase - events->run->cases)) &&
	    cJSON_AddNumberToObject(record, "at_ms", (double)at_ms))
		return true;
	(void)note_failure(events, ENOMEM);
	return false;
}

/* What an earlier run left under that name is gone before this one's first record. */
static int open_file(struct events *events, struct kc_error *err)
{
	const char *path = events->options.path;
	int status = kc_file_check_replaceable(path, err);

	if (status < 0)
		return status;
	if (unlink(path) < 0 && errno != ENOENT)
		return kc_error_errno(err, errno, "write `%s`", path);
	events->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	return events->fd < 0 ? kc_error_errno(err, errno, "write `%s`", path) : 0;
}

/* What the run is to know of a failure. */
static int judge(const struct events *events, struct kc_error *err)
{
	if (events->options.is_optional || !events->failure.code)
		return 0;
	if (err)
		*err = events->failure;
	return events->failure.code;
}

static int events_begin(struct kc_report *report, const struct kc_report_run *run, struct kc_error *err)
{
	struct events *events = (struct events *)report;
	cJSON *record;

	events->run = run;
	events->begun_ms = events->options.now_ms();
	if (events->fd < 0 && open_file(events, &events->failure) < 0)
		return judge(events, err);
	record = new_record(events, "plan");
	if (record && (!cJSON_AddNumberToObject(record, "version", KC_EVENTS_VERSION) ||
		       kc_run_to_json(run, record) < 0))
		(void)note_failure(events, ENOMEM);
	tell(events, record);
	return judge(events, err);
}

static void events_case_started(struct kc_report *report, const struct kc_report_case *testcase)
{
	struct events *events = (struct events *)report;
	cJSON *record = new_record(events, "case_started");

	if (record)
		(void)add_place(events, record, testcase);
	tell(events, record);
}

/* Each measurement is a record of its own, before the case's. */
static void tell_measurements(struct events *events, const struct kc_report_case *testcase, cJSON *list)
{
	while (cJSON_GetArraySize(list)) {
		cJSON *record = new_record(events, "measurement");

		if (record)
			(void)add_place(events, record, testcase);
		if (record &&
		    !cJSON_AddItemToObject(record, "measurement", cJSON_DetachItemFromArray(list, 0)))
			(void)note_failure(events, ENOMEM);
		tell(events, record);
		if (events->failure.code)
			return;
	}
}

static void events_case_done(struct kc_report *report, const struct kc_report_case *testcase,
			     const struct kc_result *result)
{
	struct events *events = (struct events *)report;
	cJSON *record = new_record(events, "case_done"), *json = NULL, *measurements;
	struct kc_error err = { 0 };

	if (!record)
		return;
	if (kc_result_to_json(result, &json, &err) < 0) {
		(void)note_failure(events, ENOMEM);
		cJSON_Delete(record);
		return;
	}
	measurements = cJSON_DetachItemFromObjectCaseSensitive(json, "measurements");
	tell_measurements(events, testcase, measurements);
	cJSON_Delete(measurements);
	if (!add_place(events, record, testcase) || !cJSON_AddItemToObject(record, "result", json)) {
		(void)note_failure(events, ENOMEM);
		cJSON_Delete(json);
	}
	tell(events, record);
}

static int events_end(struct kc_report *report, bool complete, struct kc_error *err)
{
	struct events *events = (struct events *)report;
	int64_t at_ms = events->options.now_ms() - events->begun_ms;
	cJSON *record = new_record(events, "end");

	if (record && (!cJSON_AddBoolToObject(record, "complete", complete) ||
		       !cJSON_AddNumberToObject(record, "at_ms", (double)at_ms)))
		(void)note_failure(events, ENOMEM);
	tell(events, record);
	return judge(events, err);
}

static void events_close(struct kc_report *report)
{
	struct events *events = (struct events *)report;

	kc_fd_close(&events->fd);
	free(events);
}

int kc_events_open(const struct kc_events_options *options, struct kc_report **ret_report,
		   struct kc_error *err)
{
	static const struct kc_report_ops operations = { .begin = events_begin,
							 .case_started = events_case_started,
							 .case_done = events_case_done,
							 .end = events_end,
							 .close = events_close };
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return kc_error_errno(err, ENOMEM, "write `%s`", options->path);
	events->report.ops = &operations;
	events->options = *options;
	if (!events->options.now_ms)
		events->options.now_ms = kc_now_ms;
	events->fd = -1;
	*ret_report = &events->report;
	return 0;
}
