/* The program as its caller sees it: what it prints where, and its exit status. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "sys/process.h"
#include "tests/kc_test.h"

struct outcome {
	int status;
	struct kc_buffer output;
	struct kc_buffer errors;
};

static void release_outcome(struct outcome *outcome)
{
	kc_buffer_release(&outcome->output);
	kc_buffer_release(&outcome->errors);
}

#define CLEANUP_OUTCOME KC_CLEANUP(release_outcome)

static void run_program(const char *const words[], struct outcome *outcome)
{
	const char *argv[8] = { KC_TEST_PROGRAM };
	struct kc_process process = {
		.argv = argv, .timeout_ms = 60000, .output = &outcome->output, .errors = &outcome->errors
	};
	struct kc_error err = { 0 };

	for (size_t i = 0; words[i]; i++)
		argv[i + 1] = words[i];
	kc_buffer_init(&outcome->output, 1u << 20);
	kc_buffer_init(&outcome->errors, 1u << 20);
	KC_CHECK_OK(kc_process_run(&process, &outcome->status, &err), err);
}

static size_t count_lines(const struct kc_buffer *text)
{
	size_t lines = 0;

	for (const char *byte = kc_buffer_string(text); *byte; byte++)
		lines += *byte == '\n';
	return lines;
}

static void answers_go_to_standard_output(void)
{
	static const struct {
		const char *words[4];
		const char *output;
	} rows[] = {
		{ { "--version" }, "krunner-compat " KC_VERSION "\n" },
		{ { "version" }, "krunner-compat " KC_VERSION "\n" },
		{ { "--help" }, "Usage: krunner-compat COMMAND" },
		{ { "help", "run" }, "Usage: krunner-compat run IMAGE..." },
		{ { "run", "--help" }, "Usage: krunner-compat run IMAGE..." },
		{ { "run", "--help" }, "--must-run" },
		{ { "run", "--help" }, "130  interrupted" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		CLEANUP_OUTCOME struct outcome outcome = { 0 };

		run_program(rows[i].words, &outcome);
		KC_CHECK_INT(outcome.status, KC_EXIT_PASSED);
		KC_CHECK_CONTAINS(kc_buffer_string(&outcome.output), rows[i].output);
		KC_CHECK_STRING(kc_buffer_string(&outcome.errors), "");
	}
}

static void a_wrong_command_line_is_one_line_and_a_hint_on_standard_error(void)
{
	static const struct {
		const char *words[7];
		const char *errors;
	} rows[] = {
		{ { NULL }, "krunner-compat: a command is missing\nhint: see `krunner-compat help`\n" },
		{ { "rnu" }, "krunner-compat: unknown command `rnu`\nhint: did you mean `run`?\n" },
		{ { "images" }, "krunner-compat: images: pull|rm|prune [IMAGE...] is missing\n" },
		{ { "images", "pul" }, "krunner-compat: images: `pul` is none of pull|rm|prune" },
		{ { "images", "pull" }, "krunner-compat: images pull: IMAGE is missing\nhint: see" },
		{ { "images", "rm" }, "krunner-compat: images rm: IMAGE is missing\nhint: see" },
		{ { "images", "prune", "x" }, "krunner-compat: images prune: it takes no IMAGE\nhint: see" },
		{ { "run", "centos7", "centos7" },
		  "krunner-compat: run: two images are called centos7\nhint: name each" },
		{ { "run", "all" }, "krunner-compat: run all: --volume is missing\nhint: `all` are" },
		{ { "release", "x.whl" },
		  "krunner-compat: release: --reports, --version and --out are missing\nhint: --reports: "
		  "the" },
		{ { "release", "x.whl", "--reports", "x", "--version", "1" },
		  "krunner-compat: release: --out is missing\nhint: --out: the" },
		{ { "release", "x.tar.xz", "--reports=x", "--version=1", "--out=x" },
		  "krunner-compat: release: --volume-version and --texts are missing\nhint: "
		  "--volume-version: " },
		{ { "help", "rnu" }, "krunner-compat: unknown command `rnu`\nhint: did you mean `run`?\n" },
		{ { "report", "x", "--json", "./x" },
		  "krunner-compat: EVENTS is the same file as --json\nhint: name another" },
		{ { "report", "x", "--json", "y", "--html=y" },
		  "krunner-compat: --json is the same file as --html\nhint: name another" },
		{ { "report", "--json", "-" },
		  "krunner-compat: --json -: the name of a file is wanted\nhint: name another" },
		/* What is shown cannot steer the terminal. */
		{ { "a\x1b]0;x\a\nb\xff" }, "b\\xff`\nhint: see `krunner-compat help`\n" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		CLEANUP_OUTCOME struct outcome outcome = { 0 };

		run_program(rows[i].words, &outcome);
		KC_CHECK_INT(outcome.status, KC_EXIT_USAGE);
		KC_CHECK_CONTAINS(kc_buffer_string(&outcome.errors), rows[i].errors);
		KC_CHECK_INT(count_lines(&outcome.errors), 2);
		KC_CHECK(!strpbrk(kc_buffer_string(&outcome.errors), "\x1b\a"));
		KC_CHECK_STRING(kc_buffer_string(&outcome.output), "");
	}
}

/* With standard output closed the next file to be opened would have its number. */
static void an_answer_that_nobody_gets_is_a_failure(void)
{
	static const struct {
		const char *redirection, *cause;
	} rows[] = { { ">/dev/full", "No space left on device" },
		     { ">&-", "Bad file descriptor" },
		     { "<&- >&-", "Bad file descriptor" } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		char script[4096];
		const char *const argv[] = { "sh", "-c", script, NULL };
		KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(1u << 20);
		const struct kc_process process = { .argv = argv, .timeout_ms = 60000, .errors = &errors };
		struct kc_error err = { 0 };
		int status = -1;

		(void)snprintf(script, sizeof(script), "exec '%s' list images %s", KC_TEST_PROGRAM,
			       rows[i].redirection);
		KC_CHECK_OK(kc_process_run(&process, &status, &err), err);
		KC_CHECK_INT(status, KC_EXIT_NOT_RUN);
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), "write to standard output: ");
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), rows[i].cause);
	}
}

KC_TEST_SUITE(program, KC_LABEL_FAST, KC_TEST(answers_go_to_standard_output),
	      KC_TEST(an_answer_that_nobody_gets_is_a_failure),
	      KC_TEST(a_wrong_command_line_is_one_line_and_a_hint_on_standard_error));
