/* `krunner-compat shell`: with a command, and with somebody at a terminal. */
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases/tests/checked.h"
#include "options.h"
#include "sys/fd.h"
#include "sys/process.h"
#include "sys/time.h"
#include "tests/kc_test.h"

#define VOLUME "pypi:backend.ai-krunner-static-gnu==4.4.0"
#define TIMEOUT_MS 60000

/* The release and the image are in the store afterwards. */
static bool is_available(void)
{
	char tree[PATH_MAX];
	struct kc_error err = { 0 };

	if (kc_released_tree(tree, &err) == 0)
		return true;
	if (kc_is_offline(&err))
		kc_test_skip(__FILE__, __LINE__, err.text);
	else
		KC_CHECK_MESSAGE(false, "%s", err.text);
	return false;
}

static void a_command_runs_in_the_sandbox_of_a_case(void)
{
	static const struct {
		const char *words[8]; /* after the image and the volume */
		int status;
		const char *output, *errors; /* parts */
	} rows[] = {
		{ { "--", "python", "-c", "import zmq; print('version', zmq.zmq_version())" },
		  0,
		  "version 4.",
		  "" },
		{ { "--", "sh", "-c", "exit 7" }, 7, "", "" },
		{ { "--", "sh", "-c", "kill -TERM $$" }, 128 + SIGTERM, "", "" },
		{ { "--", "sh", "-c", "echo $LD_LIBRARY_PATH; echo wrong >&2" },
		  0,
		  "/opt/backend.ai/lib",
		  "wrong" },
		{ { "id", "-u" }, KC_EXIT_USAGE, "", "-u" }, /* ours, without the dashes before it */
		{ { "--", "touch", "/opt/backend.ai/x" }, 1, "", "Read-only file system" },
		{ { "--", "no-such-command" }, 127, "", "not found" },
		{ { NULL }, KC_EXIT_USAGE, "", "there is no terminal, and no COMMAND" },
	};

	if (!is_available())
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *argv[16] = { KC_TEST_PROGRAM, "shell", "centos7", "--volume", VOLUME };
		KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20);
		KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(1u << 20);
		const struct kc_process process = {
			.argv = argv, .timeout_ms = TIMEOUT_MS, .output = &output, .errors = &errors
		};
		struct kc_error err = { 0 };
		int status = -1;

		memcpy(argv + 5, rows[i].words, sizeof(rows[i].words));
		KC_REQUIRE_OK(kc_process_run(&process, &status, &err), err);
		KC_CHECK_MESSAGE(status == rows[i].status, "row %zu: exit status %d: %s", i, status,
				 kc_buffer_string(&errors));
		KC_CHECK_CONTAINS(kc_buffer_string(&output), rows[i].output);
		KC_CHECK_CONTAINS(kc_buffer_string(&errors), rows[i].errors);
	}
}

/* What the caller's shell does with it: a pipe before it, a signal to it. */
static void a_command_is_one_among_others_of_a_shell(void)
{
	static const struct {
		const char *script;
		int status;
		const char *output;
	} rows[] = {
		{ "echo from outside | \"$@\" cat", 0, "from outside\n" },
		{ "\"$@\" cat <&-", 0, "" },
		/* It says nothing any more and would run on for long: 124, or 137 if only SIGKILL had ended it. */
		{ "timeout -k 30 2 \"$@\" sh -c 'exec >&- 2>&-; exec sleep 1000'", 124, "" },
	};

	if (!is_available())
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *const argv[] = { "sh",    "-c",	 rows[i].script, "sh",	 KC_TEST_PROGRAM,
					     "shell", "centos7", "--volume",	 VOLUME, "--",
					     NULL };
		KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20);
		const struct kc_process process = { .argv = argv,
						    .timeout_ms = TIMEOUT_MS,
						    .output = &output };
		struct kc_error err = { 0 };
		int status = -1;

		KC_REQUIRE_OK(kc_process_run(&process, &status, &err), err);
		KC_CHECK_INT(status, rows[i].status);
		KC_CHECK_STRING(kc_buffer_string(&output), rows[i].output);
	}
}

/* Reads what the terminal shows until `wanted` is in it. */
static bool shows(int terminal, struct kc_buffer *screen, const char *wanted)
{
	int64_t deadline_ms = kc_now_ms() + TIMEOUT_MS;

	while (!strstr(kc_buffer_string(screen), wanted)) {
		struct pollfd polled = { .fd = terminal, .events = POLLIN };
		int64_t left_ms = deadline_ms - kc_now_ms();
		char bytes[4096];
		ssize_t got;

		if (left_ms <= 0 || poll(&polled, 1, (int)left_ms) <= 0)
			return false;
		got = read(terminal, bytes, sizeof(bytes));
		if (got <= 0 || kc_buffer_append(screen, bytes, (size_t)got) < 0)
			return false;
	}
	return true;
}

static bool types(int terminal, const char *keys)
{
	return kc_fd_write_all(terminal, keys, strlen(keys)) == 0;
}

/* What is waited for is never what was typed, which the terminal echoes as well: hence the quotes in the middle of words. */
static void somebody_at_a_terminal_has_job_control_and_a_size(void)
{
	const struct winsize small = { .ws_row = 33, .ws_col = 77 }, large = { .ws_row = 44, .ws_col = 111 };
	KC_CLEANUP_BUFFER struct kc_buffer screen = KC_BUFFER_INIT(1u << 20);
	KC_CLEANUP_FD int terminal = -1;
	int status = -1;
	pid_t pid;

	if (!is_available())
		return;
	pid = forkpty(&terminal, NULL, NULL, &small);
	if (pid == 0) {
		(void)execl(KC_TEST_PROGRAM, KC_TEST_PROGRAM, "shell", "centos7", "--volume", VOLUME,
			    (char *)NULL);
		_exit(126);
	}
	KC_REQUIRE(pid > 0);
	KC_CHECK(types(terminal, "echo size $(stty size | tr ' ' x)\n"));
	KC_CHECK(shows(terminal, &screen, "size 33x77"));
	/* The shell says that the signal can come before it comes. */
	KC_CHECK(types(terminal, "sh -c 'echo re\"\"ady; exec sleep 1000'\n"));
	KC_CHECK(shows(terminal, &screen, "ready"));
	KC_CHECK(types(terminal, "\x03"));
	KC_CHECK(types(terminal, "echo still''here $?\n"));
	KC_CHECK(shows(terminal, &screen, "stillhere 130"));
	KC_CHECK_INT(ioctl(terminal, TIOCSWINSZ, &large), 0);
	KC_CHECK(types(terminal, "until stty size | grep -q '44 111'; do :; done; echo re''sized\n"));
	KC_CHECK(shows(terminal, &screen, "resized"));
	KC_CHECK(types(terminal, "exit 5\n"));
	KC_CHECK(!shows(terminal, &screen, "never shown"));
	KC_CHECK_INT(waitpid(pid, &status, 0), pid);
	KC_CHECK_MESSAGE(WIFEXITED(status) && WEXITSTATUS(status) == 5, "%s", kc_buffer_string(&screen));
}

KC_TEST_SUITE(shell, KC_LABEL_SLOW, KC_TEST(a_command_runs_in_the_sandbox_of_a_case),
	      KC_TEST(a_command_is_one_among_others_of_a_shell),
	      KC_TEST(somebody_at_a_terminal_has_job_control_and_a_size));
