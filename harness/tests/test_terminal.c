/* What a terminal shows of a real run, measured in a pseudo-terminal: widths, colours, characters, and what is rewritten. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases/tests/checked.h"
#include "options.h"
#include "reports/recording.h"
#include "state.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define VOLUME "pypi:backend.ai-krunner-static-gnu==4.1.0"
#define OTHER_VOLUME "pypi:backend.ai-krunner-static-gnu==4.4.0"
#define ERASE_LINE "\r\033[K"
#define SCREEN_LIMIT (8u << 20)

struct seen {
	int status; /* the program's exit status */
	struct kc_buffer screen;
};

static void release_seen(struct seen *seen)
{
	kc_buffer_release(&seen->screen);
}
#define CLEANUP_SEEN KC_CLEANUP(release_seen)

/* All the terminal gets until the program has closed it: EIO, see pty(7). */
static bool read_screen(int terminal, struct kc_buffer *screen)
{
	char bytes[4096];
	ssize_t got;

	while ((got = read(terminal, bytes, sizeof(bytes))) > 0)
		if (kc_buffer_append(screen, bytes, (size_t)got) < 0)
			return false;
	return got == 0 || errno == EIO;
}

/* `environment` is NULL-terminated, of putenv(3); what a CI system or the developer has set is gone before. */
static bool show(unsigned short columns, const char *const environment[], const char *const words[],
		 struct seen *ret_seen)
{
	static const char *const cleared[] = { "CI", "NO_COLOR", "GITHUB_ACTIONS", "LC_ALL", "LC_CTYPE" };
	const struct winsize size = { .ws_row = 24, .ws_col = columns };
	KC_CLEANUP_FD int terminal = -1;
	const char *argv[16] = { KC_TEST_PROGRAM };
	int status = -1;
	pid_t pid;

	for (size_t i = 0; words[i]; i++)
		argv[i + 1] = words[i];
	kc_buffer_init(&ret_seen->screen, SCREEN_LIMIT);
	pid = forkpty(&terminal, NULL, NULL, &size);
	if (pid == 0) {
		for (size_t i = 0; i < KC_ARRAY_LENGTH(cleared); i++)
			(void)unsetenv(cleared[i]);
		(void)setenv("TERM", "xterm", 1);
		(void)setenv("LANG", "C.UTF-8", 1);
		for (; *environment; environment++)
			(void)putenv((char *)(uintptr_t)*environment);
		(void)execv(KC_TEST_PROGRAM, (char **)(uintptr_t)argv);
		_exit(126);
	}
	if (pid < 0 || !read_screen(terminal, &ret_seen->screen))
		return false;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return false;
	ret_seen->status = WEXITSTATUS(status);
	return true;
}

static bool is_available(void)
{
	char wheel[PATH_MAX];
	struct kc_error err = { 0 };

	if (kc_released_wheel("4.1.0", wheel, &err) == 0)
		return true;
	if (kc_is_offline(&err))
		kc_test_skip(__FILE__, __LINE__, err.text);
	else
		KC_CHECK_MESSAGE(false, "%s", err.text);
	return false;
}

/* The longest of what stood in the line that is rewritten, and how many there were. */
static size_t widest_frame(const char *screen, size_t *ret_frames)
{
	size_t widest = 0;

	*ret_frames = 0;
	for (const char *frame = strstr(screen, ERASE_LINE "["); frame;
	     frame = strstr(frame, ERASE_LINE "[")) {
		size_t columns;

		frame += strlen(ERASE_LINE);
		columns = strcspn(frame, "\r\n"); /* ASCII: bytes are columns */
		widest = columns > widest ? columns : widest;
		(*ret_frames)++;
	}
	return widest;
}

static void the_progress_line_never_wraps(void)
{
	static const unsigned short columns[] = { 20, 40, 80, 300 };
	static const char *const none[] = { NULL };
	static const char *const words[] = { "run", "centos7", "--volume", VOLUME, "-k", "imports.", NULL };
	size_t frames;

	if (!is_available())
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(columns); i++) {
		CLEANUP_SEEN struct seen seen = { 0 };
		const char *screen;
		size_t widest;

		KC_REQUIRE(show(columns[i], none, words, &seen));
		KC_CHECK_INT(seen.status, KC_EXIT_FAILED);
		screen = kc_buffer_string(&seen.screen);
		widest = widest_frame(screen, &frames);
		KC_CHECK_MESSAGE(frames >= 10, "%u columns: %zu frames", columns[i], frames);
		KC_CHECK_MESSAGE(widest < columns[i], "%u columns: a line of %zu", columns[i], widest);
		if (columns[i] >= 80) {
			KC_CHECK_CONTAINS(screen, "/10  "); /* done of all */
		}
		/* What passed is a step of the bar only; what did not is a line above it. */
		KC_CHECK(!strstr(screen, "centos7.imports.ssl ("));
		KC_CHECK_CONTAINS(screen, "centos7.imports.zmq (");
	}
}

/* Of one run, told again: with a letter in it that is not in ASCII. */
static bool record_run(const struct kc_temporary *directory, char ret_path[PATH_MAX])
{
	static const char *const none[] = { NULL };
	KC_CLEANUP_BUFFER struct kc_buffer events = KC_BUFFER_INIT(SCREEN_LIMIT);
	CLEANUP_SEEN struct seen seen = { 0 };
	struct kc_error err = { 0 };
	char *place;

	if (snprintf(ret_path, PATH_MAX, "%s/events.jsonl", directory->path) >= PATH_MAX)
		return false;
	{
		const char *const words[] = { "run",	  "centos7", "--volume",
					      VOLUME,	  "-k",	     "centos7.imports.zmq",
					      "--events", ret_path,  "--github",
					      "never",	  NULL };
		KC_CLEANUP_FD int fd = -1;

		if (!show(80, none, words, &seen))
			return false;
		fd = open(ret_path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || kc_fd_read_all(fd, &events, ret_path, &err) < 0)
			return false;
	}
	place = strstr(events.data, "` works");
	if (!place)
		return false;
	memcpy(place, "` w\xc3\xb6rk", strlen("` works"));
	return kc_file_write_atomic(AT_FDCWD, ret_path, events.data, events.length, 0644, &err) == 0;
}

static void colours_and_characters_are_what_the_reader_takes(void)
{
#define RED "\033[31mFAIL\033[0m"
	static const struct {
		const char *what, *environment[3], *color;
		const char *has, *lacks;
	} rows[] = {
		{ "a terminal", { NULL }, "auto", RED, NULL },
		{ "NO_COLOR", { "NO_COLOR=1" }, "auto", "FAIL ", "\033[31m" },
		{ "an empty NO_COLOR", { "NO_COLOR=" }, "auto", RED, NULL },
		{ "asked for, and NO_COLOR", { "NO_COLOR=1" }, "always", RED, NULL },
		{ "unwanted", { NULL }, "never", "FAIL ", "\033[31m" },
		{ "a dumb terminal", { "TERM=dumb" }, "auto", "FAIL ", "\033" },
		{ "a log of CI", { "CI=true" }, "auto", "FAIL ", "\033" },
		{ "a log of CI with colours", { "CI=true", "FORCE_COLOR=1" }, "auto", RED, NULL },
		{ "UTF-8", { NULL }, "never", "w\xc3\xb6rk", "\\u{" },
		{ "no UTF-8", { "LC_ALL=C" }, "never", "w\\u{00f6}rk", "\xc3" },
		{ "a locale that is not there", { "LC_ALL=xx_XX.UTF-8" }, "never", "w\\u{00f6}rk", "\xc3" },
	};
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	char path[PATH_MAX];
	struct kc_error err = { 0 };

	if (!is_available())
		return;
	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	KC_REQUIRE(record_run(&directory, path));
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *const words[] = { "report", path, "--color", rows[i].color, NULL };
		CLEANUP_SEEN struct seen seen = { 0 };
		const char *screen;

		KC_REQUIRE(show(80, rows[i].environment, words, &seen));
		screen = kc_buffer_string(&seen.screen);
		KC_CHECK_INT(seen.status, KC_EXIT_FAILED);
		KC_CHECK_MESSAGE(strstr(screen, rows[i].has), "%s: %s", rows[i].what, screen);
		KC_CHECK_MESSAGE(!rows[i].lacks || !strstr(screen, rows[i].lacks), "%s: %s", rows[i].what,
				 screen);
	}
}

/* How many cases `run WORDS --list` shows. */
static size_t count_listed(const char *const words[])
{
	static const char *const none[] = { NULL };
	CLEANUP_SEEN struct seen seen = { 0 };
	const char *line;
	size_t lines = 0;

	KC_CHECK(show(200, none, words, &seen));
	KC_CHECK_MESSAGE(seen.status == KC_EXIT_PASSED, "%s", kc_buffer_string(&seen.screen));
	for (line = kc_buffer_string(&seen.screen); *line; line += strcspn(line, "\n") + 1)
		lines += strncmp(line, "centos7.", strlen("centos7.")) == 0;
	return lines;
}

/* In what is remembered, a case that passed has failed. */
static bool turn_red(const char *name)
{
	KC_CLEANUP_BUFFER struct kc_buffer events = KC_BUFFER_INIT(SCREEN_LIMIT);
	KC_CLEANUP_RECORDING struct kc_recording recording = { 0 };
	struct kc_error err = { 0 };
	char path[PATH_MAX], start[64], *place;
	size_t number = 0;

	if (kc_state_path(path, &err) < 0 || kc_recording_read(path, &recording, &err) < 0 ||
	    kc_file_read(AT_FDCWD, path, &events, &err) < 0)
		return false;
	while (number < recording.plan.run.case_count &&
	       strcmp(recording.plan.run.cases[number].name, name) != 0)
		number++;
	(void)snprintf(start, sizeof(start), "{\"event\":\"case_done\",\"case\":%zu,", number);
	place = strstr(events.data, start);
	place = place ? strstr(place, "\"pass\"") : NULL;
	if (!place)
		return false;
	memcpy(place, "\"fail\"", strlen("\"fail\""));
	return kc_file_write_atomic(AT_FDCWD, path, events.data, events.length, 0644, &err) == 0;
}

/* How many rows `text` takes on a terminal of that width. */
static size_t count_rows(const char *text, size_t columns)
{
	size_t rows = 0;

	while (*text) {
		size_t length = strcspn(text, "\r\n");

		rows += length ? (length + columns - 1) / columns : 1;
		text += length;
		text += strspn(text, "\r");
		text += *text == '\n';
	}
	return rows;
}

/* The cause, what to do and what was judged, on a screen of 24 rows. */
static void one_cause_fits_on_one_screen(void)
{
	static const char *const none[] = { NULL };
	static const char *const words[] = { "run", "centos7",	      "--volume", VOLUME,  "-k", "zmq",
					     "-k",  "jupyter_client", "--color",  "never", NULL };
	CLEANUP_SEEN struct seen seen = { 0 };
	const char *screen;

	if (!is_available())
		return;
	KC_REQUIRE(show(80, none, words, &seen));
	screen = strstr(kc_buffer_string(&seen.screen), "FAIL 5 cases, one cause: libzmq");
	KC_REQUIRE(screen != NULL);
	KC_CHECK_CONTAINS(screen, "  hint      build libzmq");
	KC_CHECK_CONTAINS(screen, "  reproduce krunner-compat run centos7");
	KC_CHECK_CONTAINS(screen, "4.1.0 on centos7 (emulated)");
	KC_CHECK_MESSAGE(count_rows(screen, 80) < 24, "%zu rows", count_rows(screen, 80));
}

/* What a run of everything found stays known, whatever parts of it are tried again. */
static void the_last_whole_run_is_remembered(void)
{
	static const char *const none[] = { NULL };
	static const char *const whole[] = { "run", "centos7", "--volume", VOLUME, "--long", NULL };
	static const char *const part[] = { "run", "centos7", "--volume", VOLUME, "-k", "imports.ssl", NULL };
	static const char *const again[] = { "run", "centos7", "--volume", VOLUME, "--last-failed", NULL };
	static const char *const listed[] = { "run",	       "centos7", "--volume", VOLUME,
					      "--last-failed", "--list",  NULL };
	static const char *const another[] = { "run",	     "centos7",	      "--volume",
					       OTHER_VOLUME, "--last-failed", NULL };
	static const char *const told[] = { "report", NULL };
	static const struct {
		const char *const *words;
		int status;
		const char *has;
	} rows[] = { { whole, KC_EXIT_FAILED, "43 passed, 6 failed" },
		     { part, KC_EXIT_PASSED, "1 passed, 0 failed" },
		     { again, KC_EXIT_FAILED, "0 passed, 6 failed" },
		     { again, KC_EXIT_FAILED, " s left  " }, /* the whole run took a time */
		     { another, KC_EXIT_USAGE, "the last run was of another volume" },
		     { told, KC_EXIT_FAILED, "43 passed, 6 failed" } };

	if (!is_available())
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		CLEANUP_SEEN struct seen seen = { 0 };

		KC_REQUIRE(show(200, none, rows[i].words, &seen));
		KC_CHECK_MESSAGE(seen.status == rows[i].status, "row %zu: exit status %d", i, seen.status);
		KC_CHECK_CONTAINS(kc_buffer_string(&seen.screen), rows[i].has);
	}
	KC_CHECK_INT(count_listed(listed), 6);
	KC_REQUIRE(turn_red("day-idle"));
	KC_CHECK_INT(count_listed(listed), 7); /* a long case, without --long */
}

KC_TEST_SUITE(terminal, KC_LABEL_SLOW, KC_TEST(the_progress_line_never_wraps),
	      KC_TEST(colours_and_characters_are_what_the_reader_takes),
	      KC_TEST(one_cause_fits_on_one_screen), KC_TEST(the_last_whole_run_is_remembered));
