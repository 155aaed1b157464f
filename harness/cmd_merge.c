#include "commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"
#include "reporting.h"
#include "reports/merge.h"

/* Zeroed, it holds nothing. */
struct merging {
	struct kc_reporting reporting;
	struct kc_read_report *reports;
	struct kc_merge_input *inputs;
	size_t count;
	struct kc_merged merged;
};

static const struct kc_report_suite opening_suite = { .name = "merge", .reproduce = "" };
static const struct kc_report_case opening_case = { .classname = "merge.run",
						    .name = "opening",
						    .what = "the reports can be read and put together",
						    .file = "harness/cmd_merge.c",
						    .line = __LINE__ };
static const struct kc_report_run opening = { .version = KC_VERSION,
					      .hostname = "",
					      .suites = &opening_suite,
					      .suite_count = 1,
					      .cases = &opening_case,
					      .case_count = 1 };

static void release(struct merging *merging)
{
	kc_reporting_close(&merging->reporting); /* before what it borrows from */
	kc_merged_release(&merging->merged);
	for (size_t i = 0; i < merging->count; i++)
		kc_read_report_release(&merging->reports[i]);
	free(merging->reports);
	free(merging->inputs);
}

static int read_reports(struct merging *merging, const struct kc_options *options, struct kc_error *err)
{
	int status = 0;

	merging->reports = calloc(options->operand_count + 1, sizeof(*merging->reports));
	merging->inputs = calloc(options->operand_count + 1, sizeof(*merging->inputs));
	if (!merging->reports || !merging->inputs)
		return kc_error_errno(err, ENOMEM, "merge: read the reports");
	for (size_t i = 0; status == 0 && i < options->operand_count; i++) {
		merging->inputs[i] = (struct kc_merge_input){ .name = options->operands[i],
							      .report = &merging->reports[i] };
		merging->count = i + 1;
		status = kc_read_report_load(options->operands[i], &merging->reports[i], err);
	}
	return status;
}

static void note_missing(const struct kc_merged *merged)
{
	KC_CLEANUP_FREE char *lines = strdup(kc_buffer_string(&merged->missing));
	char *rest = lines;

	for (const char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n"))
		kc_output_note("missing", line);
}

/* As `run` would have, had it been one. */
static int judge(const struct kc_merged *merged, enum kc_exit *ret_exit, struct kc_error *err)
{
	size_t counts[KC_SKIP + 1] = { 0 };
	int status;

	for (size_t i = 0; i < merged->run.case_count; i++)
		counts[merged->results[i]->verdict]++;
	*ret_exit = KC_EXIT_PASSED;
	if (counts[KC_FAIL] || counts[KC_BROKEN] || !merged->is_complete)
		*ret_exit = KC_EXIT_FAILED;
	else if (counts[KC_SKIP] && !counts[KC_PASS])
		return kc_error_set(err, ENOTSUP, "every case was skipped: nothing was checked");
	else if (!counts[KC_PASS]) {
		status = kc_error_set(err, ENOENT, "merge: there is no case in these reports");
		err->kind = KC_ERROR_SELECTION;
		return status;
	}
	return 0;
}

static int merge(struct merging *merging, const struct kc_options *options, enum kc_exit *ret_exit,
		 struct kc_error *err)
{
	int status = read_reports(merging, options, err);

	if (status == 0)
		status = kc_merge(merging->inputs, merging->count, &merging->merged, err);
	if (status < 0) {
		kc_reporting_tell_failure(&merging->reporting, &opening, err);
		return status;
	}
	for (size_t i = 0; status == 0 && i < merging->reporting.count; i++)
		status = kc_merged_tell(&merging->merged, merging->reporting.reports[i], err);
	note_missing(&merging->merged);
	return status < 0 ? status : judge(&merging->merged, ret_exit, err);
}

int kc_command_merge(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP(release) struct merging merging = { 0 };
	int status = kc_reporting_open(&merging.reporting, options, kc_merged_now_ms, err);

	if (status == 0)
		status = kc_reporting_tell_opening(&merging.reporting, &opening, err);
	return status < 0 ? status : merge(&merging, options, ret_exit, err);
}
