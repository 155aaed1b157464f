#include "commands.h"

#include "reporting.h"
#include "reports/recording.h"
#include "state.h"

/* What the run's own exit status was; a run that was cut short is red. */
static enum kc_exit judge(const struct kc_recording *recording)
{
	size_t passed = 0;

	for (size_t i = 0; i < recording->count; i++) {
		const struct kc_recorded *record = &recording->records[i];

		if (record->kind != KC_RECORDED_DONE || record->result.verdict == KC_SKIP)
			continue;
		if (record->result.verdict != KC_PASS)
			return KC_EXIT_FAILED;
		passed++;
	}
	if (!recording->is_complete)
		return KC_EXIT_FAILED;
	return passed ? KC_EXIT_PASSED : KC_EXIT_NOT_RUN;
}

/* What reports say until the events have been read: those of an earlier call must not stand for this one. */
static const struct kc_report_suite opening_suite = { .name = "report", .reproduce = "" };
static const struct kc_report_case opening_case = { .classname = "report.run",
						    .name = "opening",
						    .what = "the events can be read",
						    .file = "harness/cmd_report.c",
						    .line = __LINE__ };
static const struct kc_report_run opening = { .version = KC_VERSION,
					      .hostname = "",
					      .suites = &opening_suite,
					      .suite_count = 1,
					      .cases = &opening_case,
					      .case_count = 1 };

/* The console is not among them: an error is printed. */
static int tell_opening(struct kc_reporting *reporting, struct kc_error *err)
{
	int status = 0;

	for (size_t i = reporting->first_file; status == 0 && i < reporting->count; i++)
		status = kc_report_begin(reporting->reports[i], &opening, err);
	return status;
}

static void tell_failure(struct kc_reporting *reporting, const struct kc_error *cause)
{
	KC_CLEANUP(kc_result_release) struct kc_result result;

	kc_result_init(&result);
	kc_result_broken_by(&result, cause);
	for (size_t i = reporting->first_file; i < reporting->count; i++) {
		struct kc_error ignored; /* there is a failure to report already */

		kc_report_case_done(reporting->reports[i], &opening_case, &result);
		if (kc_report_end(reporting->reports[i], false, &ignored) < 0)
			continue;
	}
}

int kc_command_report(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP(kc_reporting_close) struct kc_reporting reporting = { 0 };
	KC_CLEANUP_RECORDING struct kc_recording recording = { 0 };
	char last_run[PATH_MAX];
	int status = options->operand ? 0 : kc_state_path(last_run, err);

	if (status == 0)
		status = kc_reporting_open(&reporting, options, kc_recording_now_ms, err);
	if (status == 0)
		status = tell_opening(&reporting, err);
	if (status < 0)
		return status;
	status = kc_recording_read(options->operand ? options->operand : last_run, &recording, err);
	if (status < 0)
		tell_failure(&reporting, err);
	for (size_t i = 0; status == 0 && i < reporting.count; i++)
		status = kc_recording_tell(&recording, reporting.reports[i], err);
	if (status == 0)
		*ret_exit = judge(&recording);
	kc_reporting_close(&reporting); /* before what it borrows from */
	return status;
}
