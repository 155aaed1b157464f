#include "sys/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/kc_test.h"

/* Each check runs in a process of its own, for it changes what belongs to the process; 0 means that it held.
 */
static void check_in_child(int (*check)(int), int argument)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(check(argument));
	KC_CHECK_INT(waitpid(pid, &status, 0), pid);
	KC_CHECK_MESSAGE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "argument %d: status %#x", argument,
			 (unsigned int)status);
}

static bool is_readable(int fd)
{
	struct pollfd item = { .fd = fd, .events = POLLIN };

	return poll(&item, 1, 0) == 1;
}

static int is_told(int signal_number)
{
	struct kc_error err = { 0 };

	if (kc_signals_fd() != -1 || kc_signals_start(&err) < 0 || kc_signals_fd() < 0)
		return 1;
	if (kc_signals_check(&err) != 0 || kc_signals_caught() != 0 || is_readable(kc_signals_fd()))
		return 2;
	(void)raise(signal_number);
	if (kc_signals_check(&err) != -EINTR || kc_signals_caught() != signal_number)
		return 3;
	/* Looking must not consume it. NOLINTNEXTLINE(misc-redundant-expression) */
	if (!is_readable(kc_signals_fd()) || !is_readable(kc_signals_fd()))
		return 4;
	(void)raise(SIGHUP); /* at once: as good as the same */
	return kc_signals_caught() == signal_number ? 0 : 5;
}

static void interrupting_signals_set_the_flag_and_wake_poll(void)
{
	check_in_child(is_told, SIGINT);
	check_in_child(is_told, SIGTERM);
	check_in_child(is_told, SIGHUP);
}

/* HOSTILE E12: what a caller ignored or blocked is inherited. */
static int starts_afresh(int unused)
{
	struct sigaction action;
	sigset_t mask;

	(void)unused;
	(void)signal(SIGCHLD, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)sigfillset(&mask);
	(void)sigprocmask(SIG_SETMASK, &mask, NULL);
	if (kc_signals_start(NULL) < 0 || sigprocmask(SIG_SETMASK, NULL, &mask) < 0)
		return 1;
	if (sigismember(&mask, SIGTERM) || sigismember(&mask, SIGCHLD))
		return 2;
	if (sigaction(SIGCHLD, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
		return 3;
	if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_IGN)
		return 4;
	(void)raise(SIGTERM);
	return kc_signals_caught() == SIGTERM ? 0 : 5;
}

static void what_the_caller_ignored_or_blocked_is_undone(void)
{
	check_in_child(starts_afresh, 0);
}

static int opens_standard_descriptors(int fd)
{
	char byte;

	(void)close(fd);
	if (kc_signals_start(NULL) < 0)
		return 1;
	if (fd == 0)
		return read(0, &byte, 1) == 0 ? 0 : 2;
	return write(fd, "x", 1) == 1 ? 0 : 3;
}

static void closed_standard_descriptors_are_opened(void)
{
	for (int fd = 0; fd < 3; fd++)
		check_in_child(opens_standard_descriptors, fd);
}

static int is_reset(int unused)
{
	struct sigaction action;

	(void)unused;
	if (kc_signals_start(NULL) < 0)
		return 1;
	(void)raise(SIGINT);
	kc_signals_reset();
	if (kc_signals_fd() != -1 || kc_signals_caught() != 0)
		return 2;
	for (int signal_number = SIGHUP; signal_number <= SIGTERM; signal_number++)
		if (sigaction(signal_number, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
			return 3;
	return 0;
}

static void a_child_gets_the_defaults_back(void)
{
	check_in_child(is_reset, 0);
}

KC_TEST_SUITE(signals, KC_LABEL_FAST, KC_TEST(interrupting_signals_set_the_flag_and_wake_poll),
	      KC_TEST(what_the_caller_ignored_or_blocked_is_undone),
	      KC_TEST(closed_standard_descriptors_are_opened), KC_TEST(a_child_gets_the_defaults_back));
