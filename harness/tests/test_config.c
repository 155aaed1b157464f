/* Settings from the command line, the environment and a configuration file. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define MOST_WORDS 8

/* The project's directory, which is the current one, and the user's. */
static struct kc_temporary project, user;
static int home_fd = -1;
static char *kept;

static int set_up(void)
{
	const char *before = getenv("XDG_CONFIG_HOME");
	struct kc_error err = { 0 };

	kept = before ? strdup(before) : NULL;
	home_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (home_fd < 0 || kc_temporary_make(&project, &err) < 0 || kc_temporary_make(&user, &err) < 0 ||
	    chdir(project.path) < 0)
		return -1;
	return setenv("XDG_CONFIG_HOME", user.path, 1);
}

static int tear_down(void)
{
	int status = fchdir(home_fd);

	if (close(home_fd) < 0)
		status = -1;
	if (kept)
		(void)setenv("XDG_CONFIG_HOME", kept, 1);
	free(kept);
	kc_temporary_remove(&project);
	kc_temporary_remove(&user);
	return status;
}

/* NULL: there is none. */
static void write_files(const char *of_project, const char *of_user)
{
	char directory[PATH_MAX + 32], path[PATH_MAX + 64];
	struct kc_error err = { 0 };

	(void)snprintf(directory, sizeof(directory), "%s/krunner-compat", user.path);
	(void)snprintf(path, sizeof(path), "%s/krunner-compat.json", directory);
	KC_REQUIRE_OK(kc_tree_remove(AT_FDCWD, "krunner-compat.json", &err), err);
	KC_REQUIRE_OK(kc_tree_remove(AT_FDCWD, path, &err), err);
	KC_REQUIRE_OK(kc_dir_make(directory, &err), err);
	if (of_project)
		KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, "krunner-compat.json", of_project,
						   strlen(of_project), 0600, &err),
			      err);
	if (of_user)
		KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, path, of_user, strlen(of_user), 0600, &err),
			      err);
}

static int parse(const char *const words[], struct kc_options *options, struct kc_error *err)
{
	static char copies[MOST_WORDS][64];
	char *argv[MOST_WORDS + 2] = { copies[0] };
	int argc = 1;

	for (size_t i = 0; words[i]; i++, argc++) {
		(void)snprintf(copies[argc], sizeof(copies[argc]), "%s", words[i]);
		argv[argc] = copies[argc];
	}
	return kc_options_parse(options, argc, argv, err);
}

static void the_nearest_place_wins(void)
{
	static const struct {
		const char *of_project, *of_user, *variable; /* KRUNNER_COMPAT_JOBS */
		const char *words[5];
		unsigned int jobs;
	} rows[] = {
		{ NULL, NULL, NULL, { "run", "a" }, 0 },
		{ NULL, "{\"jobs\": 2}", NULL, { "run", "a" }, 2 },
		{ "{\"jobs\": 3}", NULL, NULL, { "run", "a" }, 3 },
		{ "{\"jobs\": 3}", "{\"jobs\": 2}", NULL, { "run", "a" }, 3 },
		{ "{}", "{\"jobs\": 2}", NULL, { "run", "a" }, 0 }, /* files are not mixed */
		{ "{\"jobs\": 3}", NULL, "4", { "run", "a" }, 4 },
		{ "{\"jobs\": 3}", NULL, "4", { "run", "a", "--jobs", "5" }, 5 },
		{ NULL, NULL, "4", { "run", "a", "-j5" }, 5 },
		{ "{\"jobs\": 3}", NULL, "4", { "report", "a" }, 0 }, /* which has no such option */
		{ "no JSON at all", NULL, "x", { "help", "run" }, 0 },
		{ "no JSON at all", NULL, "x", { "version" }, 0 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(kc_options_release) struct kc_options options = { 0 };
		struct kc_error err = { 0 };

		write_files(rows[i].of_project, rows[i].of_user);
		if (rows[i].variable)
			KC_REQUIRE(setenv("KRUNNER_COMPAT_JOBS", rows[i].variable, 1) == 0);
		KC_CHECK_OK(parse(rows[i].words, &options, &err), err);
		KC_REQUIRE(unsetenv("KRUNNER_COMPAT_JOBS") == 0);
		KC_CHECK_MESSAGE(options.jobs == rows[i].jobs, "row %zu: %u jobs", i, options.jobs);
	}
}

static void every_type_can_be_set(void)
{
	static const char *const words[] = { "run", "a", "--exclude", "three", NULL };
	KC_CLEANUP(kc_options_release) struct kc_options options = { 0 };
	struct kc_error err = { 0 };

	write_files(
		"{\"$schema\": \"x\", \"version\": 1, \"must-run\": true, \"keep\": false, \"volume\": \"v\","
		" \"exclude\": [\"one\"], \"timeout\": 7, \"time\": \"both\"}",
		NULL);
	KC_REQUIRE(setenv("KRUNNER_COMPAT_EXCLUDE", "two", 1) == 0 &&
		   setenv("KRUNNER_COMPAT_OFFLINE", "1", 1) == 0);
	KC_CHECK_OK(parse(words, &options, &err), err);
	KC_CHECK(options.must_run && !options.keep && options.offline);
	KC_CHECK_STRING(options.volume, "v");
	KC_CHECK_INT(options.timeout_ms, 7000);
	KC_CHECK_INT(options.time, 2);
	KC_REQUIRE(options.excluded_count == 3);
	KC_CHECK_STRING(options.excluded[0], "one");
	KC_CHECK_STRING(options.excluded[1], "two");
	KC_CHECK_STRING(options.excluded[2], "three");
	KC_REQUIRE(unsetenv("KRUNNER_COMPAT_EXCLUDE") == 0 && unsetenv("KRUNNER_COMPAT_OFFLINE") == 0);
}

static void what_is_wrong_is_told_with_its_place(void)
{
	static const struct {
		const char *file, *variable, *value; /* one of the two */
		const char *text, *hint;
	} rows[] = {
		{ "{\n  \"tiem\": 1\n}", NULL, NULL, "krunner-compat.json:2:3: there is no option `tiem`",
		  "did you mean `time`?" },
		{ "{\"time\": \"vrtual\"}", NULL, NULL,
		  "krunner-compat.json:1:2: --time: unknown TIME `vrtual`", "did you mean `virtual`?" },
		{ "{\"jobs\": 1,\n\"keep\": 1}", NULL, NULL, "krunner-compat.json:2:1: --keep: true or false",
		  "" },
		{ "{\"jobs\": \"1\"}", NULL, NULL, "--jobs: a number is expected", "" },
		{ "{\"jobs\": 1.5}", NULL, NULL, "--jobs", "" },
		{ "{\"jobs\": 1e9}", NULL, NULL, "--jobs", "" },
		{ "{\"volume\": 1}", NULL, NULL, "--volume: a text is expected", "" },
		{ "{\"volume\": \"\"}", NULL, NULL, "must not be empty", "" },
		{ "{\"exclude\": \"a\"}", NULL, NULL, "--exclude: a list of texts", "" },
		{ "{\"exclude\": [1]}", NULL, NULL, "--exclude: a list of texts", "" },
		{ "{\"help\": true}", NULL, NULL, "there is no option `help`", "" },
		{ "{\"unsigned\": true}", NULL, NULL, "there is no option `unsigned`", "" },
		{ "{\"key\": \"a\"}", NULL, NULL, "there is no option `key`", "" },
		{ "{\"version\": 2}", NULL, NULL, "only version 1 is understood", "" },
		{ "{\"jobs\": 1, \"jobs\": 2}", NULL, NULL, "jobs", "" },
		{ "[]", NULL, NULL, "not a JSON object", "" },
		{ "", NULL, NULL, "krunner-compat.json", "" },
		{ "{\"jobs\":", NULL, NULL, "line 1, column ", "" },
		{ NULL, "KRUNNER_COMPAT_TMIE", "real",
		  "KRUNNER_COMPAT_TMIE in the environment: there is no option `tmie`",
		  "did you mean `time`?" },
		{ NULL, "KRUNNER_COMPAT_TIME", "reel",
		  "KRUNNER_COMPAT_TIME in the environment: --time: unknown", "did you mean `real`?" },
		{ NULL, "KRUNNER_COMPAT_KEEP", "yes", "`yes` is none of 1, 0, true, false", "" },
	};
	static const char *const words[] = { "run", "a", NULL };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP(kc_options_release) struct kc_options options = { 0 };
		struct kc_error err = { 0 };

		write_files(rows[i].file, NULL);
		if (rows[i].variable)
			KC_REQUIRE(setenv(rows[i].variable, rows[i].value, 1) == 0);
		KC_CHECK_MESSAGE(parse(words, &options, &err) < 0, "row %zu is taken", i);
		if (rows[i].variable)
			KC_REQUIRE(unsetenv(rows[i].variable) == 0);
		KC_CHECK_INT(kc_exit_of(&err), KC_EXIT_USAGE);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_CONTAINS(err.hint, rows[i].hint);
	}
}

static void a_file_that_is_none_is_refused(void)
{
	static const char *const words[] = { "run", "a", NULL };
	char huge[4096];
	struct kc_error err = { 0 };
	int fd;

	memset(huge, ' ', sizeof(huge));
	for (int i = 0; i < 3; i++) {
		KC_CLEANUP(kc_options_release) struct kc_options options = { 0 };

		write_files(NULL, NULL);
		if (i == 0)
			KC_REQUIRE(mkfifo("krunner-compat.json", 0600) == 0);
		if (i == 1)
			KC_REQUIRE(mkdir("krunner-compat.json", 0700) == 0);
		if (i == 2) {
			fd = open("krunner-compat.json", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
			KC_REQUIRE(fd >= 0);
			for (int j = 0; j < 300; j++)
				KC_CHECK(write(fd, huge, sizeof(huge)) == (ssize_t)sizeof(huge));
			KC_CHECK_INT(close(fd), 0);
		}
		KC_CHECK_MESSAGE(parse(words, &options, &err) < 0, "%d is taken", i);
		KC_CHECK_CONTAINS(err.text, "krunner-compat.json");
	}
	write_files(NULL, NULL);
}

KC_TEST_SUITE_WITH(config, KC_LABEL_FAST, set_up, tear_down, KC_TEST(the_nearest_place_wins),
		   KC_TEST(every_type_can_be_set), KC_TEST(what_is_wrong_is_told_with_its_place),
		   KC_TEST(a_file_that_is_none_is_refused));
