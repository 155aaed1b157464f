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

/* What reports say until the events have been read. */
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

int kc_command_report(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP(kc_reporting_close) struct kc_reporting reporting = { 0 };
	KC_CLEANUP_RECORDING struct kc_recording recording = { 0 };
	char last_run[PATH_MAX];
	int status = options->operand ? 0 : kc_state_path(last_run, err);

	if (status == 0)
		status = kc_reporting_open(&reporting, options, kc_recording_now_ms, err);
	if (status == 0)
		status = kc_reporting_tell_opening(&reporting, &opening, err);
	if (status < 0)
		return status;
	status = kc_recording_read(options->operand ? options->operand : last_run, &recording, err);
	if (status < 0)
		kc_reporting_tell_failure(&reporting, &opening, err);
	for (size_t i = 0; status == 0 && i < reporting.count; i++)
		status = kc_recording_tell(&recording, reporting.reports[i], err);
	if (status == 0)
		*ret_exit = judge(&recording);
	kc_reporting_close(&reporting); /* before what it borrows from */
	return status;
}
