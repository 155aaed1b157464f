#include "commands.h"

#include <errno.h>

#include "reporting.h"
#include "reports/recording.h"

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

static int tell_all(const struct kc_recording *recording, const struct kc_options *options,
		    struct kc_error *err)
{
	KC_CLEANUP(kc_reporting_close) struct kc_reporting reporting = { 0 };
	int status = kc_reporting_open(&reporting, options, kc_recording_now_ms, err);

	for (size_t i = 0; status == 0 && i < reporting.count; i++)
		status = kc_recording_tell(recording, reporting.reports[i], err);
	return status;
}

int kc_command_report(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_RECORDING struct kc_recording recording = { 0 };
	int status = kc_recording_read(options->operand, &recording, err);

	if (status == 0)
		status = tell_all(&recording, options, err);
	if (status == 0)
		*ret_exit = judge(&recording);
	return status;
}
