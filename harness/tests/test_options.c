#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nearest.h"
#include "tests/kc_test.h"

#define MOST_WORDS 16

/* getopt reorders what it is given. */
static int parse(const char *const words[], struct kc_options *options, struct kc_error *err)
{
	static char name[] = "krunner-compat";
	char *argv[MOST_WORDS + 1] = { name };
	int argc = 1;

	memset(err, 0, sizeof(*err));
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	return kc_options_parse(options, argc, argv, err);
}

static void reads_every_option_of_run(void)
{
	static const char *const words[] = {
		"run", "--volume=v.whl", "-k",	   "zmq", "centos7", "--timeout", "90",
		"-j3", "-kimports",	 "--keep", "-qv", "--arch",  "aarch64",	  NULL
	};
	KC_CLEANUP(kc_options_release) struct kc_options options = { 0 };
	struct kc_error err;

	KC_REQUIRE_OK(parse(words, &options, &err), err);
	KC_CHECK_INT(options.command, KC_COMMAND_RUN);
	KC_CHECK_STRING(options.operand, "centos7");
	KC_CHECK_STRING(options.volume, "v.whl");
	KC_CHECK_STRING(kc_arch_choices[options.arch], "aarch64");
	KC_CHECK_INT(options.pattern_count, 2);
	KC_CHECK_STRING(options.patterns[0], "zmq");
	KC_CHECK_STRING(options.patterns[1], "imports");
	KC_CHECK_INT(options.timeout_ms, 90000);
	KC_CHECK_INT(options.jobs, 3);
	KC_CHECK(options.keep && options.quiet && options.verbose);
	KC_CHECK(!options.must_run && !options.list && !options.help && !options.junit);
	KC_CHECK_INT(options.color, KC_WHEN_AUTO);
}

static void reads_commands_and_operands(void)
{
	static const struct {
		const char *words[MOST_WORDS];
		enum kc_command command;
		const char *operand;
		bool help;
	} rows[] = {
		{ { "list", "images" }, KC_COMMAND_LIST, "images", false },
		{ { "list", "cases", "--color=never" }, KC_COMMAND_LIST, "cases", false },
		{ { "inspect", "v.whl", "--json", "x" }, KC_COMMAND_INSPECT, "v.whl", false },
		{ { "diff", "a", "--markdown=x", "b" }, KC_COMMAND_DIFF, "a", false },
		{ { "merge", "a", "--json=x", "b" }, KC_COMMAND_MERGE, "a", false },
		{ { "doctor" }, KC_COMMAND_DOCTOR, NULL, false },
		{ { "verify", "dist", "--key", "a" }, KC_COMMAND_VERIFY, "dist", false },
		{ { "version" }, KC_COMMAND_VERSION, NULL, false },
		{ { "--version" }, KC_COMMAND_VERSION, NULL, false },
		{ { "help" }, KC_COMMAND_HELP, NULL, false },
		{ { "--help" }, KC_COMMAND_HELP, NULL, false },
		{ { "-h" }, KC_COMMAND_HELP, NULL, false },
		{ { "help", "run" }, KC_COMMAND_HELP, "run", false },
		{ { "run", "--help" }, KC_COMMAND_RUN, NULL, true },
		{ { "run", "-h", "centos7" }, KC_COMMAND_RUN, NULL, true },
		{ { "run", "--", "-odd-" }, KC_COMMAND_RUN, "-odd-", false },
		{ { "run", "oci:x" }, KC_COMMAND_RUN, "oci:x", false },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(kc_options_release) struct kc_options options = { 0 };
		struct kc_error err;

		KC_CHECK_OK(parse(rows[i].words, &options, &err), err);
		KC_CHECK_INT(options.command, rows[i].command);
		KC_CHECK_MESSAGE(options.help == rows[i].help, "row %zu", i);
		if (rows[i].operand)
			KC_CHECK_STRING(options.operand, rows[i].operand);
		else
			KC_CHECK_MESSAGE(options.operand == NULL, "row %zu has an operand", i);
	}
}

static void refuses_a_wrong_line_with_one_that_helps(void)
{
	static const struct {
		const char *words[MOST_WORDS];
		const char *text;
		const char *hint;
	} rows[] = {
		{ { NULL }, "a command is missing", "krunner-compat help" },
		{ { "" }, "unknown command ``", "krunner-compat help" },
		{ { "rnu", "centos7" }, "unknown command `rnu`", "did you mean `run`?" },
		{ { "doktor" }, "unknown command `doktor`", "did you mean `doctor`?" },
		{ { "frobnicate" }, "unknown command `frobnicate`", "krunner-compat help" },
		{ { "--junit", "x" }, "unknown option `--junit` before a command", "krunner-compat help" },
		{ { "--verison" }, "unknown option `--verison`", "did you mean `--version`?" },
		{ { "run" }, "run: IMAGE... is missing", "help run" },
		{ { "merge" }, "merge: REPORT... is missing", "help merge" },
		{ { "verify" }, "verify: DIR is missing", "help verify" },
		{ { "verify", "a", "b" }, "verify: unexpected argument `b`", "help verify" },
		{ { "verify", "a", "--key" }, "--key: FILE is missing", "help verify" },
		{ { "run", "a", "--unsigned" }, "run: unknown option `--unsigned`", "" },
		{ { "inspect" }, "inspect: VOLUME is missing", "help inspect" },
		{ { "inspect", "a", "b" }, "inspect: unexpected argument `b`", "help inspect" },
		{ { "diff", "a" }, "diff: VOLUME VOLUME is missing", "help diff" },
		{ { "diff", "a", "b", "c" }, "diff: unexpected argument `c`", "help diff" },
		{ { "doctor", "who" }, "doctor: unexpected argument `who`", "help doctor" },
		{ { "list", "imags" }, "list: `imags` is none of images|cases", "help list" },
		{ { "list", "images|cases" }, "none of images|cases", "help list" },
		{ { "list", "image" }, "none of images|cases", "help list" },
		{ { "run", "a", "--junti", "x" },
		  "run: unknown option `--junti`",
		  "did you mean `--junit`?" },
		{ { "run", "a", "--junti=x" }, "run: unknown option `--junti`", "did you mean `--junit`?" },
		{ { "run", "--mustrun", "a" }, "unknown option `--mustrun`", "did you mean `--must-run`?" },
		{ { "run", "a", "--frobnicate" }, "unknown option `--frobnicate`", "help run" },
		{ { "run", "a", "-x" }, "run: unknown option `-x`", "help run" },
		{ { "doctor", "--volume", "x" }, "doctor: unknown option `--volume`", "help doctor" },
		{ { "doctor", "-k", "x" }, "doctor: unknown option `-k`", "help doctor" },
		{ { "run", "a", "--junit" }, "--junit: FILE is missing", "help run" },
		{ { "run", "a", "-k" }, "-k: PATTERN is missing", "help run" },
		{ { "run", "a", "-k", "" }, "-k: PATTERN must not be empty", "" },
		{ { "run", "a", "--junit=" }, "--junit: FILE must not be empty", "" },
		{ { "run", "a", "--keep=yes" }, "--keep takes no argument", "" },
		{ { "run", "a", "--jobs", "0" }, "`0` is not a whole number from 1 to 256", "" },
		{ { "run", "a", "--jobs", "257" }, "`257` is not a whole number", "" },
		{ { "run", "a", "--jobs", "-1" }, "`-1` is not a whole number", "" },
		{ { "run", "a", "--jobs", " 1" }, "` 1` is not a whole number", "" },
		{ { "run", "a", "-j", "2x" }, "--jobs: `2x` is not a whole number", "" },
		{ { "run", "a", "--timeout", "1e3" }, "--timeout: `1e3` is not a whole number", "" },
		{ { "run", "a", "--timeout", "99999999999999999999" }, "is not a whole number", "" },
		{ { "run", "a", "--color", "alway" },
		  "--color: unknown WHEN `alway`",
		  "did you mean `always`?" },
		{ { "run", "a", "--arch", "arm64" }, "--arch: unknown ARCH `arm64`", "" },
		{ { "run", "a", "--color", "blue" }, "--color: unknown WHEN `blue`", "it is auto" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(kc_options_release) struct kc_options options = { 0 };
		struct kc_error err;

		KC_CHECK_INT(parse(rows[i].words, &options, &err), -EINVAL);
		KC_CHECK_INT(kc_exit_of(&err), KC_EXIT_USAGE);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_CONTAINS(err.hint, rows[i].hint);
		KC_CHECK_MESSAGE(!strchr(err.text, '\n'), "row %zu: more than one line", i);
	}
}

/* Not as the beginning of a longer name. */
static bool names(const char *text, const char *spelling)
{
	size_t length = strlen(spelling);

	while ((text = strstr(text, spelling))) {
		text += length;
		if (!isalpha((unsigned char)*text) && *text != '-')
			return true;
	}
	return false;
}

static void help_names_every_option_command_and_exit_status(void)
{
	for (int command = 0; command < KC_COMMAND_COUNT; command++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);

		KC_CHECK_INT(kc_options_help((enum kc_command)command, &text), 0);
		for (size_t i = 0; i < kc_option_row_count; i++) {
			const struct kc_option_row *row = &kc_option_rows[i];
			bool applies = row->commands & (1u << command);
			char spelling[64];

			(void)snprintf(spelling, sizeof(spelling), row->name ? " --%s" : "  -%s",
				       row->name ? row->name : (char[]){ row->letter, '\0' });
			KC_CHECK_MESSAGE(names(kc_buffer_string(&text), spelling) == applies,
					 "help of %s: %s", kc_command_rows[command].name, spelling);
		}
	}
}

static void help_of_the_program_names_commands_and_exit_statuses(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);
	size_t width = 0;

	KC_CHECK_INT(kc_options_help(KC_COMMAND_COUNT, &text), 0);
	for (int command = 0; command < KC_COMMAND_COUNT; command++)
		KC_CHECK_CONTAINS(kc_buffer_string(&text), kc_command_rows[command].name);
	for (size_t i = 0; i < kc_exit_row_count; i++)
		KC_CHECK_CONTAINS(kc_buffer_string(&text), kc_exit_rows[i].help);
	for (const char *line = kc_buffer_string(&text); *line; line += width + (line[width] == '\n')) {
		width = strcspn(line, "\n");
		KC_CHECK_MESSAGE(width <= 80 && (width == 0 || line[width - 1] != ' '), "`%.*s`", (int)width,
				 line);
	}
}

static void the_tables_are_whole(void)
{
	for (size_t i = 0; i < kc_option_row_count; i++) {
		const struct kc_option_row *row = &kc_option_rows[i];
		bool takes_argument = row->type != KC_OPTION_FLAG;
		bool is_number = row->type == KC_OPTION_NUMBER || row->type == KC_OPTION_SECONDS;

		KC_CHECK(row->name || row->letter);
		KC_CHECK(row->help && *row->help && row->help[strlen(row->help) - 1] != '.');
		KC_CHECK(row->commands != 0);
		KC_CHECK((row->argument != NULL) == takes_argument);
		KC_CHECK((row->maximum != 0) == is_number);
		KC_CHECK((row->choices != NULL) == (row->type == KC_OPTION_CHOICE));
		for (size_t j = 0; j < i; j++) {
			const struct kc_option_row *other = &kc_option_rows[j];

			KC_CHECK(!row->letter || row->letter != other->letter);
			KC_CHECK(!row->name || !other->name || strcmp(row->name, other->name) != 0);
		}
	}
}

static void finds_the_nearest_word_or_none(void)
{
	static const char *const words[] = { "volume", "version", "verbose", "k" };
	static const struct {
		const char *typed;
		const char *nearest;
	} rows[] = {
		{ "volum", "volume" }, { "versoin", "version" }, { "verbos", "verbose" }, { "x", NULL },
		{ "", NULL },	       { "valium-x", NULL },	 { "vv", NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_nearest nearest = KC_NEAREST_INIT(rows[i].typed);

		for (size_t w = 0; w < KC_ARRAY_LENGTH(words); w++)
			(void)kc_nearest_try(&nearest, words[w]);
		KC_CHECK_STRING(nearest.word ? nearest.word : "(none)",
				rows[i].nearest ? rows[i].nearest : "(none)");
	}
}

static void errors_mean_exit_statuses(void)
{
	static const struct {
		struct kc_error err;
		enum kc_exit status;
	} rows[] = {
		{ { .code = -EIO }, KC_EXIT_NOT_RUN },
		{ { .code = -EINTR }, KC_EXIT_INTERRUPTED },
		{ { .code = -EINVAL, .kind = KC_ERROR_USAGE }, KC_EXIT_USAGE },
		{ { .code = -ENOENT, .kind = KC_ERROR_SELECTION }, KC_EXIT_NOTHING_SELECTED },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		KC_CHECK_INT(kc_exit_of(&rows[i].err), rows[i].status);
}

KC_TEST_SUITE(options, KC_LABEL_FAST, KC_TEST(reads_every_option_of_run),
	      KC_TEST(reads_commands_and_operands), KC_TEST(refuses_a_wrong_line_with_one_that_helps),
	      KC_TEST(help_names_every_option_command_and_exit_status),
	      KC_TEST(help_of_the_program_names_commands_and_exit_statuses), KC_TEST(the_tables_are_whole),
	      KC_TEST(finds_the_nearest_word_or_none), KC_TEST(errors_mean_exit_statuses));
