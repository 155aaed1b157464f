#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "commands.h"
#include "options.h"
#include "output.h"
#include "sys/janitor.h"
#include "sys/signals.h"

#define HELP_LIMIT (1u << 20)

static int print_help(enum kc_command command, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(HELP_LIMIT);
	int status = kc_options_help(command, &text);

	return status < 0 ? kc_error_errno(err, status, "write the help text") : kc_output_write(&text, err);
}

static int help(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	enum kc_command command = KC_COMMAND_COUNT;
	int status = options->operand ? kc_options_find_command(options->operand, &command, err) : 0;

	*ret_exit = KC_EXIT_PASSED;
	return status < 0 ? status : print_help(command, err);
}

static int version(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(HELP_LIMIT);
	int status = kc_buffer_append_string(&text, "krunner-compat " KC_VERSION "\n");

	(void)options;
	*ret_exit = KC_EXIT_PASSED;
	return status < 0 ? kc_error_errno(err, status, "write the version") : kc_output_write(&text, err);
}

static int with_janitor(kc_command_function *command, const struct kc_options *options,
			enum kc_exit *ret_exit, struct kc_error *err)
{
	/* Before anything is opened or made: it must share nothing, and know everything. */
	int status = kc_janitor_start(err);

	if (status == 0)
		status = command(options, ret_exit, err);
	kc_janitor_stop();
	return status;
}

static int run(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	return with_janitor(kc_command_run, options, ret_exit, err);
}

static int shell(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	return with_janitor(kc_command_shell, options, ret_exit, err);
}

static int release(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	return with_janitor(kc_command_release, options, ret_exit, err);
}

static int inspect(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	return with_janitor(kc_command_inspect, options, ret_exit, err);
}

static int diff(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	return with_janitor(kc_command_diff, options, ret_exit, err);
}

static int plan(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	return with_janitor(kc_command_plan, options, ret_exit, err);
}

static int doctor(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	return with_janitor(kc_command_doctor, options, ret_exit, err);
}

static int images(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	return with_janitor(kc_command_images, options, ret_exit, err);
}

static kc_command_function *const functions[KC_COMMAND_COUNT] = {
	[KC_COMMAND_DIFF] = diff,
	[KC_COMMAND_DOCTOR] = doctor,
	[KC_COMMAND_HELP] = help,
	[KC_COMMAND_IMAGES] = images,
	[KC_COMMAND_INSPECT] = inspect,
	[KC_COMMAND_LIST] = kc_command_list,
	[KC_COMMAND_RELEASE] = release,
	[KC_COMMAND_MERGE] = kc_command_merge,
	[KC_COMMAND_PLAN] = plan,
	[KC_COMMAND_REPORT] = kc_command_report,
	[KC_COMMAND_RUN] = run,
	[KC_COMMAND_SELECT] = kc_command_select,
	[KC_COMMAND_SHELL] = shell,
	[KC_COMMAND_VERIFY] = kc_command_verify,
	[KC_COMMAND_VERIFY_WHEEL] = kc_command_verify_wheel,
	[KC_COMMAND_VERSION] = version,
};

static int obey(int argc, char *argv[], enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP(kc_options_release) struct kc_options options;
	int status = kc_options_parse(&options, argc, argv, err);

	if (status < 0)
		return status;
	if (options.help) {
		*ret_exit = KC_EXIT_PASSED;
		return print_help(options.command, err);
	}
	return functions[options.command](&options, ret_exit, err);
}

/* A standard descriptor that we were started without would be given to the next file that is opened, and be written to. In its place
 * writing fails. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd); /* nothing was written */
}

int main(int argc, char *argv[])
{
	enum kc_exit exit_status = KC_EXIT_NOT_RUN;
	struct kc_error err = { 0 };
	int status;

	fill_standard_descriptors();
	status = kc_signals_start(&err);
	if (status == 0)
		status = obey(argc, argv, &exit_status, &err);
	if (status < 0) {
		kc_output_error(&err);
		exit_status = kc_exit_of(&err);
	}
	return exit_status;
}
