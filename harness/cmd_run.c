#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cases/cases.h"
#include "image/reference.h"
#include "output.h"
#include "reporting.h"
#include "reports/ledger.h"
#include "reports/recording.h"
#include "reports/text.h"
#include "run/inputs.h"
#include "run/plan.h"
#include "run/scheduler.h"
#include "run/scratch.h"
#include "run/trace.h"
#include "shard.h"
#include "state.h"
#include "sys/time.h"
#include "waiting.h"

#define LIST_LIMIT (4u << 20)

/* All that a run holds, from the opened inputs to the verdict. Zeroed, it holds nothing. */
struct run {
	const struct kc_options *options;
	struct kc_inputs inputs;
	struct kc_plan plan;
	struct kc_scratch scratch;
	struct kc_reporting reporting;
	struct opening *openings; /* what reports hold until the cases are known: one for each IMAGE */
	struct kc_report_case *opening_cases;
	struct kc_report_suite *opening_suites;
	struct kc_property
		opening_fact; /* which part this is: without it a report would be one of the whole */
	struct kc_report_run opening_run;
	struct kc_recording last; /* of --last-failed */
	struct kc_shard shard;
	char kit[KC_SHA256_HEX_SIZE];
	char hostname[HOST_NAME_MAX + 1];
	int64_t started_ms;
	struct suite *suites; /* one for each image; reports borrow all of this until they are closed */
	struct kc_case_context *contexts;
	struct kc_report_suite *told_suites;
	struct kc_report_run told;
	struct kc_tally tally;
};

struct opening {
	struct kc_image_reference image;
	char class_name[128];
};

struct suite {
	struct kc_buffer reproduce;
};

static bool keeps(const struct run *run)
{
	return run->options->keep || run->options->trace;
}

/* NULL: this machine's. */
static const char *architecture(const struct kc_options *options)
{
	return options->arch ? kc_arch_choices[options->arch] : NULL;
}

static int open_inputs(struct run *run, struct kc_error *err)
{
	struct kc_waiting waiting = { .is_tty = kc_reporting_is_terminal(STDERR_FILENO),
				      .quiet = run->options->quiet };
	const struct kc_inputs_request request = { .images = (const char *const *)run->options->operands,
						   .image_count = run->options->operand_count,
						   .volume = run->options->volume,
						   .plan_only = run->options->list,
						   .force = run->options->force,
						   .is_offline = run->options->offline,
						   .require_real = run->options->require_real,
						   .time = (enum kc_time)run->options->time,
						   .is_traced = run->options->trace,
						   .architecture = architecture(run->options),
						   .kit = run->kit,
						   .shard = run->shard.text,
						   .progress = kc_waiting_download,
						   .listener = kc_waiting_work,
						   .context = &waiting };
	int status = kc_cases_digest(run->kit, err);

	if (status == 0)
		status = kc_inputs_open(&run->inputs, &request, err);
	kc_waiting_end(&waiting);
	return status;
}

/* Of one image: its cases, or the one that says why it has none. */
static int add_to_plan(struct run *run, size_t number, struct kc_error *err)
{
	const struct kc_plan_list lists[] = { { .each = KC_EACH_PROMISED_IMPORT,
						.items = run->inputs.promised.items,
						.count = run->inputs.promised.count },
					      { .each = KC_EACH_CPU_LEVEL,
						.items = run->inputs.cpu_levels.items,
						.count = run->inputs.cpu_levels.count } };
	const struct kc_inputs_image *image = &run->inputs.images[number];
	/* Whoever asks for cases by name, or for all of them, is told of each that cannot be. */
	bool is_strict = run->options->must_run || run->options->pattern_count || run->options->last_failed;
	const struct kc_plan_request request = {
		.suite = number,
		.image = image->name,
		.tables = image->failure.code ? kc_case_tables_opening : kc_case_tables,
		.lists = lists,
		.list_count = KC_ARRAY_LENGTH(lists),
		.has_wheel = run->inputs.has_wheel,
		.timeout_ms = run->options->timeout_ms,
		.repeat = run->options->repeat,
		.is_brief = !run->options->is_long && !is_strict,
		.is_real_time = run->options->time == KC_TIME_REAL && !is_strict,
		.is_slow = kc_inputs_emulator(&run->inputs) || run->options->trace,
		.is_unopened = image->failure.code != 0
	};

	return kc_plan_add(&run->plan, &request, err);
}

/* What failed in another volume says nothing of this one: a green run of it would be taken for the mended one. */
static int check_last_volume(const struct run *run, struct kc_error *err)
{
	const struct kc_report_suite *last = run->last.plan.run.suites;
	const char *sha256 = kc_report_fact(last, "volume.sha256");

	if (!*sha256 || strcmp(sha256, run->inputs.volume.sha256) == 0)
		return 0;
	(void)kc_error_set(
		err, EINVAL,
		"run: --last-failed: the last run was of another volume: %s %s, sha256 %.12s, this "
		"is %s %s, sha256 %.12s",
		kc_report_fact(last, "volume.archive"), kc_report_fact(last, "volume.package-version"),
		sha256, run->inputs.volume.name, run->inputs.volume.wheel.version, run->inputs.volume.sha256);
	kc_error_hint(err, "%s --last-failed",
		      last->reproduce && *last->reproduce ? last->reproduce : "name it:");
	err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

static int make_plan(struct run *run, struct kc_error *err)
{
	const struct kc_plan_selection selection = { .patterns = run->options->patterns,
						     .pattern_count = run->options->pattern_count,
						     .excluded = run->options->excluded,
						     .excluded_count = run->options->excluded_count,
						     .failed =
							     run->options->last_failed ? &run->last : NULL };
	int status = run->options->last_failed ? check_last_volume(run, err) : 0;

	for (size_t i = 0; status == 0 && i < run->inputs.image_count; i++)
		status = add_to_plan(run, i, err);
	if (status < 0)
		return status;
	status = kc_plan_select(&run->plan, &selection, err);
	if (status == 0 && run->shard.count)
		status = kc_plan_take_shard(&run->plan, run->shard.number, run->shard.count, err);
	if (status == 0 && run->options->seed)
		kc_plan_shuffle(&run->plan, run->options->seed);
	return status;
}

static int print_plan(const struct run *run, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(LIST_LIMIT);

	for (size_t i = 0; i < run->plan.count; i++) {
		const struct kc_report_case *testcase = &run->plan.cases[i];
		char identity[KC_REPORT_IDENTITY_SIZE];
		int status;

		kc_report_identity(testcase, identity);
		status = kc_output_row(&text, identity, testcase->what);
		if (status < 0)
			return kc_error_errno(err, status, "list the cases");
	}
	return kc_output_write(&text, err);
}

/* The options without which a failure does not show again. Returns how many words. */
static size_t add_options(const struct kc_options *options, const char *words[], char timeout[24],
			  char repeat[16], char seed[16])
{
	size_t count = 0;

	if (options->arch) {
		words[count++] = "--arch";
		words[count++] = kc_arch_choices[options->arch];
	}
	if (options->force)
		words[count++] = "--force";
	if (options->must_run)
		words[count++] = "--must-run";
	if (options->trace) /* which may be why it failed */
		words[count++] = "--trace";
	if (options->time != KC_TIME_VIRTUAL) {
		words[count++] = "--time";
		words[count++] = kc_time_name((enum kc_time)options->time);
	}
	if (options->repeat) { /* a flake does not show in one run */
		(void)snprintf(repeat, 16, "%u", options->repeat);
		words[count++] = "--repeat";
		words[count++] = repeat;
	}
	if (options->timeout_ms) {
		(void)snprintf(timeout, 24, "%" PRId64, options->timeout_ms / 1000);
		words[count++] = "--timeout";
		words[count++] = timeout;
	}
	if (options->seed) {
		(void)snprintf(seed, 16, "%u", options->seed);
		words[count++] = "--seed";
		words[count++] = seed;
	}
	return count;
}

/* What was asked for, or, where that was left to us, the very release that was taken. */
static int make_reproduce(struct run *run, size_t number, struct kc_error *err)
{
	struct kc_buffer *reproduce = &run->suites[number].reproduce;
	const struct kc_wheel *wheel = &run->inputs.volume.wheel;
	const struct kc_options *options = run->options;
	char release[sizeof("pypi:==") + sizeof(wheel->package) + sizeof(wheel->version)], timeout[24],
		repeat[16], seed[16];
	const char *called_as =
		getenv("KC_CALLED_AS"); /* `bootstrap` sets it: what its caller can type again */
	const char *words[20] = { called_as && *called_as ? called_as : "krunner-compat", "run",
				  run->inputs.images[number].text, "--volume",
				  options->volume ? options->volume : release };
	size_t count = 5 + add_options(options, words + 5, timeout, repeat, seed);
	int status = 0;

	(void)snprintf(release, sizeof(release), "pypi:%s==%s", wheel->package, wheel->version);
	kc_buffer_init(reproduce, LIST_LIMIT);
	for (size_t i = 0; status == 0 && i < count; i++) {
		status = i ? kc_buffer_append_string(reproduce, " ") : 0;
		if (status == 0)
			status = kc_text_append_word(reproduce, words[i]);
	}
	return status < 0 ? kc_error_errno(err, status, "write down the command line") : 0;
}

/* What cases are given and reports are told, for each image. */
static int make_suites(struct run *run, struct kc_error *err)
{
	size_t count = run->inputs.image_count;
	int status = 0;

	run->suites = calloc(count + 1, sizeof(*run->suites));
	run->contexts = calloc(count + 1, sizeof(*run->contexts));
	run->told_suites = calloc(count + 1, sizeof(*run->told_suites));
	if (!run->suites || !run->contexts || !run->told_suites)
		return kc_error_errno(err, ENOMEM, "prepare the run");
	for (size_t i = 0; status == 0 && i < count; i++) {
		const struct kc_inputs_image *image = &run->inputs.images[i];

		status = make_reproduce(run, i, err);
		run->contexts[i] =
			(struct kc_case_context){ .volume = &run->inputs.volume,
						  .image = &image->image,
						  .opening = image->failure.code ? &image->failure : NULL,
						  .is_unreachable = image->is_unreachable,
						  .policy = run->inputs.policy,
						  .filter = &run->inputs.filter,
						  .emulator = kc_inputs_emulator(&run->inputs),
						  .time = run->inputs.time,
						  .untimed = run->inputs.untimed.code ? &run->inputs.untimed
										      : NULL,
						  .keep = keeps(run),
						  .trace = run->options->trace,
						  .must_run = run->options->must_run };
		run->told_suites[i] =
			(struct kc_report_suite){ .name = image->name,
						  .facts = image->facts,
						  .fact_count = image->fact_count,
						  .reproduce = kc_buffer_string(&run->suites[i].reproduce) };
	}
	return status;
}

static int run_plan(struct run *run, struct kc_error *err)
{
	const struct kc_scheduler scheduler = { .jobs = run->options->jobs,
						.scratch = run->scratch.path,
						.fail_fast = run->options->fail_fast,
						.retries = run->options->retries,
						.context = run->contexts,
						.reports = run->reporting.reports,
						.report_count = run->reporting.count };

	run->told = (struct kc_report_run){ .version = KC_VERSION,
					    .hostname = run->hostname,
					    .started_ms = run->started_ms,
					    .suites = run->told_suites,
					    .suite_count = run->inputs.image_count,
					    .cases = run->plan.cases,
					    .case_count = run->plan.count };
	return kc_scheduler_run(&scheduler, &run->plan, &run->told, &run->tally, err);
}

static int judge(const struct run *run, enum kc_exit *ret_exit, struct kc_error *err)
{
	const struct kc_tally *tally = &run->tally;

	if (tally->counts[KC_FAIL] || tally->counts[KC_BROKEN])
		*ret_exit = KC_EXIT_FAILED;
	else if (tally->counts[KC_PASS] || run->plan.count == 0) /* see shard.h */
		*ret_exit = KC_EXIT_PASSED;
	else
		/* A run that checked nothing must not look green. */
		return kc_error_set(err, ENOTSUP, "every case was skipped: nothing was checked");
	return 0;
}

/* From the first report's opening to the last verdict. *ret_told: the scheduler has told the reports. */
static int check(struct run *run, bool *ret_told, enum kc_exit *ret_exit, struct kc_error *err)
{
	int status = open_inputs(run, err);

	if (status == 0)
		status = make_plan(run, err);
	if (status < 0)
		return status;
	if (run->options->list) {
		*ret_exit = KC_EXIT_PASSED;
		return print_plan(run, err);
	}
	status = kc_inputs_probe(&run->inputs, err);
	if (status == 0)
		status = make_suites(run, err);
	if (status == 0)
		status = kc_scratch_make(&run->scratch, keeps(run), err);
	if (status < 0)
		return status;
	*ret_told = true;
	status = run_plan(run, err);
	return status < 0 ? status : judge(run, ret_exit, err);
}

/* From the first moment there are files that say that this run has not got as far as its cases: without them,
 * whatever ends it, those of an earlier run would stand for this one. */
static int tell_opening(struct run *run, struct kc_error *err)
{
	static char shard[] = "shard";
	size_t count = run->options->operand_count;

	run->opening_fact = (struct kc_property){ .name = shard, .value = run->shard.text };
	for (size_t i = 0; i < count; i++) {
		struct opening *opening = &run->openings[i];

		(void)snprintf(opening->class_name, sizeof(opening->class_name), "%s.run",
			       opening->image.name);
		run->opening_cases[i] = (struct kc_report_case){ .suite = i,
								 .classname = opening->class_name,
								 .name = "opening",
								 .what = "volume and image can be had",
								 .file = "harness/cmd_run.c" };
		run->opening_suites[i] = (struct kc_report_suite){ .name = opening->image.name,
								   .facts = &run->opening_fact,
								   .fact_count = run->shard.count ? 1 : 0,
								   .reproduce = "" };
	}
	run->opening_run = (struct kc_report_run){ .version = KC_VERSION,
						   .hostname = run->hostname,
						   .started_ms = run->started_ms,
						   .suites = run->opening_suites,
						   .suite_count = count,
						   .cases = run->opening_cases,
						   .case_count = count };
	return kc_reporting_tell_opening(&run->reporting, &run->opening_run, err);
}

static int name_twice(const struct run *run, size_t number, struct kc_error *err)
{
	for (size_t i = 0; i < number; i++)
		if (strcmp(run->openings[i].image.name, run->openings[number].image.name) == 0) {
			(void)kc_error_set(err, EINVAL, "run: two images are called %s",
					   run->openings[i].image.name);
			kc_error_hint(err, "name each once; a file is called by its own name: rename one");
			err->kind = KC_ERROR_USAGE;
			return -EINVAL;
		}
	return 0;
}

static int read_operands(struct run *run, struct kc_error *err)
{
	size_t count = run->options->operand_count;
	int status = 0;

	run->openings = calloc(count + 1, sizeof(*run->openings));
	run->opening_cases = calloc(count + 1, sizeof(*run->opening_cases));
	run->opening_suites = calloc(count + 1, sizeof(*run->opening_suites));
	if (!run->openings || !run->opening_cases || !run->opening_suites)
		return kc_error_errno(err, ENOMEM, "read the command line");
	for (size_t i = 0; status == 0 && i < count; i++) {
		status = kc_image_reference_parse(run->options->operands[i], &run->openings[i].image, err);
		if (status == 0)
			status = name_twice(run, i, err);
	}
	return status;
}

static void note_origin(struct run *run)
{
	struct timespec now;

	run->started_ms = clock_gettime(CLOCK_REALTIME, &now) == 0
				  ? (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000
				  : 0;
	if (gethostname(run->hostname, sizeof(run->hostname) - 1) < 0)
		(void)snprintf(run->hostname, sizeof(run->hostname), "localhost");
}

/* Before this run takes its place. */
static int read_last(struct run *run, struct kc_error *err)
{
	char path[PATH_MAX];
	int status = kc_state_path(path, err);

	if (status == 0)
		status = kc_recording_read(path, &run->last, err);
	if (status == -ENOENT) {
		kc_error_hint(err, "no run is remembered: run without --last-failed first");
		err->kind = KC_ERROR_SELECTION;
	}
	return status;
}

static int exclude_each_other(const char *options, const char *hint, struct kc_error *err)
{
	(void)kc_error_set(err, EINVAL, "run: %s exclude each other", options);
	kc_error_hint(err, "%s", hint);
	err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

static int check_options(const struct kc_options *options, struct kc_error *err)
{
	if (options->repeat && options->retries)
		return exclude_each_other("--repeat and --retries",
					  "--repeat looks for what differs, --retries forgives it", err);
	if (options->trace && options->time == KC_TIME_BOTH)
		return exclude_each_other("--trace and --time both",
					  "a process has one tracer: strace, or the clock of virtual time",
					  err);
	return 0;
}

static int read_command_line(struct run *run, struct kc_error *err)
{
	int status = check_options(run->options, err);

	if (status == 0 && run->options->shard)
		status = kc_shard_read(run->options->shard, getenv, &run->shard, err);
	if (status == 0)
		status = read_operands(run, err);
	if (status == 0 && run->options->last_failed)
		status = read_last(run, err);
	return status;
}

static int prepare_and_check(struct run *run, enum kc_exit *ret_exit, struct kc_error *err)
{
	bool told = false;
	int status = read_command_line(run, err);

	if (status < 0)
		return status;
	note_origin(run);
	if (run->options->settings[0] && !run->options->quiet)
		kc_output_note("settings from", run->options->settings);
	if (!run->options->list)
		status = kc_reporting_open(&run->reporting, run->options, kc_now_ms, err);
	if (status == 0 && !run->options->list)
		status = tell_opening(run, err);
	if (status < 0)
		return status;
	status = check(run, &told, ret_exit, err);
	if (status < 0 && !told)
		kc_reporting_tell_failure(&run->reporting, &run->opening_run, err);
	return status;
}

/* What a run did not check, it says. */
static void note_left_out(size_t count, const char *which)
{
	char text[96];

	if (!count)
		return;
	(void)snprintf(text, sizeof(text), "%zu %s", count, which);
	kc_output_note("left out", text);
}

static void note_shard(const struct run *run)
{
	char text[96];

	note_left_out(run->plan.left_out_shards, "cases of other shards");
	if (!run->plan.left_out_shards || run->plan.count)
		return;
	(void)snprintf(text, sizeof(text), "%s has no case: nothing was checked here", run->shard.text);
	kc_output_note("shard", text);
}

static void note_all_left_out(const struct run *run)
{
	if (run->options->list)
		return;
	note_left_out(run->plan.left_out_virtual,
		      "cases that need virtual time: without --time real they run");
	note_left_out(run->plan.left_out_long, "long cases: --long runs them");
	note_left_out(run->plan.left_out_excluded, "cases that --exclude names");
	note_shard(run);
	if (run->plan.excludes_nothing)
		kc_output_note("--exclude leaves out no case", run->plan.excludes_nothing);
}

static void note_kept(const struct run *run)
{
	char traces[sizeof(run->scratch.path) + 64];

	kc_output_note("kept", run->scratch.path);
	if (!run->options->trace)
		return;
	(void)snprintf(traces, sizeof(traces), "%s/CASE/program-N/" KC_TRACE_FILE, run->scratch.path);
	kc_output_note("traced", traces);
}

static int close_run(struct run *run, struct kc_error *err)
{
	int status;

	if (keeps(run) && run->scratch.path[0])
		note_kept(run);
	status = kc_scratch_release(&run->scratch, err);
	kc_reporting_close(&run->reporting);
	note_all_left_out(run);
	kc_plan_release(&run->plan);
	kc_recording_release(&run->last);
	for (size_t i = 0; run->suites && i < run->inputs.image_count; i++)
		kc_buffer_release(&run->suites[i].reproduce);
	free(run->suites);
	free(run->contexts);
	free(run->told_suites);
	free(run->openings);
	free(run->opening_cases);
	free(run->opening_suites);
	kc_inputs_release(&run->inputs);
	return status;
}

int kc_command_run(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	struct run run = { .options = options, .scratch = KC_SCRATCH_INIT };
	struct kc_error closing = { 0 };
	int status = prepare_and_check(&run, ret_exit, err);

	if (close_run(&run, &closing) < 0 && status == 0) {
		*err = closing;
		status = closing.code;
	}
	return status;
}
