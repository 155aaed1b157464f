/* A shell, or one command, in the very sandbox that a case has. */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "image/layers.h"
#include "reporting.h"
#include "run/inputs.h"
#include "run/program.h"
#include "sys/fd.h"
#include "sys/signals.h"
#include "sys/time.h"
#include "waiting.h"

#define TICK_MS 200
#define END_TICK_MS 20
#define MOST_WORDS 256

struct shell {
	const struct kc_options *options;
	struct kc_inputs inputs;
	struct kc_case_context context;
	struct kc_program program;
	const char *argv[MOST_WORDS + 5];
	int master, slave; /* of the terminal inside; -1: there is none */
	struct winsize size;
};

/* The caller's terminal hands over every key while the shell inside has its own. */
struct raw_terminal {
	bool is_raw;
	struct termios before;
};

static void make_raw(struct raw_terminal *terminal)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
		return;
	raw = terminal->before;
	cfmakeraw(&raw);
	terminal->is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

static void restore(struct raw_terminal *terminal)
{
	if (terminal->is_raw && tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before) < 0)
		terminal->is_raw = false; /* it is gone, and whoever sat there with it */
}

/* A terminal of its own, for what runs inside could type into the caller's otherwise (TIOCSTI, ioctl_tty(2)). */
static int open_terminal(struct shell *shell, struct kc_error *err)
{
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &shell->size) < 0)
		shell->size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	if (openpty(&shell->master, &shell->slave, NULL, NULL, &shell->size) < 0)
		return kc_error_errno(err, errno, "open a terminal");
	if (fcntl(shell->master, F_SETFD, FD_CLOEXEC) < 0 || fcntl(shell->slave, F_SETFD, FD_CLOEXEC) < 0)
		return kc_error_errno(err, errno, "open a terminal");
	kc_sandbox_set_terminal(shell->program.sandbox, shell->slave);
	return 0;
}

static void follow_size(struct shell *shell)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 || memcmp(&size, &shell->size, sizeof(size)) == 0)
		return;
	shell->size = size;
	if (ioctl(shell->master, TIOCSWINSZ, &size) < 0)
		kc_fd_close(&shell->master); /* nobody is left on the other side */
}

/* What is there now, from one side to the other. False at the end. */
static bool pass_on(int from, int to)
{
	char bytes[4096];
	ssize_t got = read(from, bytes, sizeof(bytes));

	if (got < 0)
		return errno == EINTR || errno == EAGAIN;
	return got > 0 && kc_fd_write_all(to, bytes, (size_t)got) == 0;
}

/* Until it has ended, whatever it has closed. */
static int await_end(struct shell *shell, struct kc_error *err)
{
	struct pollfd polled = { .fd = kc_signals_fd(), .events = POLLIN };
	int status;

	while ((status = kc_signals_check(err)) == 0 && kc_sandbox_is_running(shell->program.sandbox))
		(void)poll(&polled, 1, END_TICK_MS);
	return status;
}

static int relay_terminal(struct shell *shell, struct kc_error *err)
{
	bool has_input = true;

	while (shell->master >= 0) {
		struct pollfd polled[] = { { .fd = shell->master, .events = POLLIN },
					   { .fd = has_input ? STDIN_FILENO : -1, .events = POLLIN },
					   { .fd = kc_signals_fd(), .events = POLLIN } };
		int status = kc_signals_check(err);

		if (status < 0)
			return status;
		(void)poll(polled, KC_ARRAY_LENGTH(polled), TICK_MS); /* what is ready is looked at below */
		follow_size(shell);
		if (polled[1].revents)
			has_input = pass_on(STDIN_FILENO, shell->master);
		if (polled[0].revents && !pass_on(shell->master, STDOUT_FILENO))
			kc_fd_close(&shell->master);
		if (!polled[0].revents && !kc_sandbox_is_running(shell->program.sandbox))
			kc_fd_close(&shell->master);
	}
	return 0;
}

static int relay_streams(struct shell *shell, struct kc_error *err)
{
	struct pollfd polled[] = { { .fd = kc_sandbox_output_fd(shell->program.sandbox), .events = POLLIN },
				   { .fd = kc_sandbox_error_fd(shell->program.sandbox), .events = POLLIN },
				   { .fd = kc_signals_fd(), .events = POLLIN } };
	static const int to[] = { STDOUT_FILENO, STDERR_FILENO };

	while (polled[0].fd >= 0 || polled[1].fd >= 0) {
		int status = kc_signals_check(err);

		if (status < 0)
			return status;
		(void)poll(polled, KC_ARRAY_LENGTH(polled), TICK_MS);
		for (int i = 0; i < 2; i++)
			if (polled[i].revents && !pass_on(polled[i].fd, to[i]))
				polled[i].fd = -1;
	}
	return 0;
}

/* As a shell tells it: 128 and the signal for what was killed. */
static int judge(const struct kc_sandbox_outcome *outcome, enum kc_exit *ret_exit, struct kc_error *err)
{
	if (outcome->end == KC_END_NOT_STARTED)
		return kc_error_errno(err, outcome->status, "start the shell");
	if (outcome->end == KC_END_OUT_OF_MEMORY)
		return kc_error_set(err, ENOMEM, "the shell was killed: it ran out of the sandbox's memory");
	*ret_exit = (enum kc_exit)(outcome->end == KC_END_EXITED ? outcome->status : 128 + outcome->status);
	return 0;
}

static int follow(struct shell *shell, enum kc_exit *ret_exit, struct kc_error *err)
{
	struct raw_terminal terminal = { 0 };
	struct kc_error ignored = { 0 };
	int status;

	if (shell->master >= 0)
		make_raw(&terminal);
	status = shell->master >= 0 ? relay_terminal(shell, err) : relay_streams(shell, err);
	restore(&terminal);
	if (status == 0)
		status = await_end(shell, err);
	if (status < 0) {
		shell->context.deadline_ms = 0; /* it is killed, and all that it started */
		if (kc_program_finish(&shell->context, &shell->program, &ignored) < 0)
			return status;
		return status;
	}
	status = kc_program_finish(&shell->context, &shell->program, err);
	return status < 0 ? status : judge(&shell->program.outcome, ret_exit, err);
}

/* `sh -c` looks for the command in PATH, as it would be typed. */
static int choose_command(struct shell *shell, struct kc_error *err)
{
	static const char *const launcher[] = { "/bin/sh", "-c", "exec \"$@\"", "sh" };
	const struct kc_options *options = shell->options;
	size_t words = options->operand_count - 1;

	if (!words) {
		shell->argv[0] = kc_layers_have_file(&shell->context.image->layers, "/bin/bash") ? "/bin/bash"
												 : "/bin/sh";
		return 0;
	}
	if (words > MOST_WORDS)
		return kc_error_set(err, E2BIG, "shell: the command has more than %d words", MOST_WORDS);
	memcpy(shell->argv, launcher, sizeof(launcher));
	for (size_t i = 0; i < words; i++)
		shell->argv[KC_ARRAY_LENGTH(launcher) + i] = options->operands[1 + i];
	return 0;
}

static int open_inputs(struct shell *shell, struct kc_error *err)
{
	const struct kc_options *options = shell->options;
	struct kc_waiting waiting = { .is_tty = kc_reporting_is_terminal(STDERR_FILENO) };
	const struct kc_inputs_request request = { .images = (const char *const *)options->operands,
						   .image_count = 1,
						   .volume = options->volume,
						   .force = options->force,
						   .is_offline = options->offline,
						   .require_real = options->require_real,
						   .architecture = options->arch
									   ? kc_arch_choices[options->arch]
									   : NULL,
						   .progress = kc_waiting_download,
						   .listener = kc_waiting_work,
						   .context = &waiting };
	int status = kc_inputs_open(&shell->inputs, &request, err);

	kc_waiting_end(&waiting);
	if (status == 0 && shell->inputs.images[0].failure.code) {
		*err = shell->inputs.images[0].failure;
		status = err->code;
	}
	return status;
}

static int run(struct shell *shell, enum kc_exit *ret_exit, struct kc_error *err)
{
	bool has_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	int status = choose_command(shell, err);

	if (status == 0)
		status = kc_program_prepare(&shell->context, shell->argv, kc_environment_production,
					    &shell->program, err);
	if (status == 0 && has_terminal)
		status = open_terminal(shell, err);
	else if (status == 0 && !isatty(STDIN_FILENO))
		kc_sandbox_set_input(shell->program.sandbox, STDIN_FILENO);
	if (status == 0)
		status = kc_program_start(&shell->program, err);
	kc_fd_close(&shell->slave);
	return status < 0 ? status : follow(shell, ret_exit, err);
}

int kc_command_shell(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	struct shell shell = { .options = options, .master = -1, .slave = -1 };
	int status;

	if (options->operand_count == 1 && !(isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))) {
		status = kc_error_set(err, ENOTTY, "shell: there is no terminal, and no COMMAND");
		kc_error_hint(err, "krunner-compat shell %s%s%s -- COMMAND...", options->operand,
			      options->volume ? " --volume " : "", options->volume ? options->volume : "");
		err->kind = KC_ERROR_USAGE;
		return status;
	}
	status = open_inputs(&shell, err);
	if (status == 0) {
		shell.context = (struct kc_case_context){ .volume = &shell.inputs.volume,
							  .image = &shell.inputs.images[0].image,
							  .policy = shell.inputs.policy,
							  .filter = &shell.inputs.filter,
							  .emulator = kc_inputs_emulator(&shell.inputs),
							  .deadline_ms = INT64_MAX };
		status = run(&shell, ret_exit, err);
	}
	kc_fd_close(&shell.master);
	kc_program_release(&shell.program);
	kc_inputs_release(&shell.inputs);
	return status;
}
