#include "run/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/store.h"
#include "compat/policy.h"
#include "image/image.h"
#include "run/trace.h"
#include "sys/fd.h"
#include "sys/file.h"

/* Enough for head and tail of a stream and the line between them. */
#define STREAM_LIMIT (sizeof(struct kc_excerpt) + 256)

#define PLAIN_ENVIRONMENT                                                                                    \
	"PATH=/opt/backend.ai/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",             \
		"HOME=/home/work", "LANG=C.UTF-8", "TERM=xterm", "PYTHONUNBUFFERED=1"

const char *const kc_environment_plain[] = { PLAIN_ENVIRONMENT, NULL };
const char *const kc_environment_production[] = { PLAIN_ENVIRONMENT, "LD_LIBRARY_PATH=/opt/backend.ai/lib",
						  NULL };

/* With --keep, each program of a case has a directory with the next free number. */
static int make_kept(const struct kc_case_context *context, struct kc_program *program, struct kc_error *err)
{
	char path[PATH_MAX];
	unsigned int number = 0;
	int status;

	do
		(void)snprintf(path, sizeof(path), "%s/program-%u", context->scratch, ++number);
	while ((status = mkdir(path, 0700)) < 0 && errno == EEXIST);
	if (status < 0)
		return kc_error_errno(err, errno, "create directory `%s`", path);
	program->kept = strdup(path);
	return program->kept ? 0 : kc_error_errno(err, ENOMEM, "create directory `%s`", path);
}

static int prepare_trace(const struct kc_case_context *context, struct kc_program *program,
			 struct kc_error *err)
{
	char path[PATH_MAX];
	int status;

	if (!context->trace || !context->scratch)
		return 0;
	status = make_kept(context, program, err);
	if (status < 0)
		return status;
	if ((size_t)snprintf(path, sizeof(path), "%s/" KC_TRACE_FILE, program->kept) >= sizeof(path))
		return kc_error_errno(err, ENAMETOOLONG, "trace a program in `%s`", program->kept);
	program->trace = kc_trace_new(path);
	if (!program->trace)
		return kc_error_errno(err, ENOMEM, "trace a program");
	kc_sandbox_set_tracer(program->sandbox, NULL, kc_trace_attach, program->trace);
	return 0;
}

int kc_program_prepare(const struct kc_case_context *context, const char *const argv[],
		       const char *const environment[], struct kc_program *program, struct kc_error *err)
{
	struct kc_sandbox *sandbox = kc_sandbox_new();

	*program = (struct kc_program){ .argv = argv,
					.environment = environment,
					.sandbox = sandbox,
					.streams = calloc(2, sizeof(*program->streams)),
					.output = KC_BUFFER_INIT(STREAM_LIMIT),
					.errors = KC_BUFFER_INIT(STREAM_LIMIT) };
	if (!sandbox || !program->streams)
		return kc_error_errno(err, ENOMEM, "make a sandbox");
	kc_sandbox_set_inner_id(sandbox, KC_STORE_SANDBOX_ID);
	for (size_t i = 0; i < context->image->layers.count; i++)
		kc_sandbox_add_layer(sandbox, context->image->layers.trees[i]);
	kc_sandbox_set_volume(sandbox, context->volume->tree, KC_VOLUME_MOUNT_POINT);
	kc_sandbox_set_filter(sandbox, context->filter);
	kc_sandbox_set_emulator(sandbox, context->emulator);
	kc_sandbox_set_command(sandbox, argv, environment);
	return prepare_trace(context, program, err);
}

int kc_program_start(struct kc_program *program, struct kc_error *err)
{
	int status = kc_sandbox_start(program->sandbox, err);

	if (status == 0)
		status = kc_fd_set_nonblocking(kc_sandbox_output_fd(program->sandbox), err);
	if (status == 0)
		status = kc_fd_set_nonblocking(kc_sandbox_error_fd(program->sandbox), err);
	return status;
}

/* Bounded, for one that prints without end must not keep us here. */
static void drain(int fd, struct kc_excerpt *stream)
{
	char chunk[16384];

	for (int i = 0; fd >= 0 && i < 64; i++) {
		ssize_t got = read(fd, chunk, sizeof(chunk));

		if (got <= 0)
			return; /* nothing now, or the end; a signal leaves it for the next time */
		kc_excerpt_add(stream, chunk, (size_t)got);
	}
}

void kc_program_drain(struct kc_program *program)
{
	drain(kc_sandbox_output_fd(program->sandbox), &program->streams[0]);
	drain(kc_sandbox_error_fd(program->sandbox), &program->streams[1]);
}

static int take_streams(struct kc_program *program, struct kc_error *err)
{
	int status = kc_excerpt_append_to(&program->streams[0], &program->output);

	if (status == 0)
		status = kc_excerpt_append_to(&program->streams[1], &program->errors);
	return status < 0 ? kc_error_errno(err, status, "keep a program's output") : 0;
}

/* One to a line, so that a shell can take them up again. */
static int keep_lines(int directory_fd, const char *name, const char *const lines[], struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);

	for (size_t i = 0; lines[i]; i++)
		if (kc_buffer_printf(&text, "%s\n", lines[i]) < 0)
			return kc_error_errno(err, ENOMEM, "keep `%s`", name);
	return kc_file_write_atomic(directory_fd, name, kc_buffer_string(&text), text.length, 0600, err);
}

static int keep_stream(int directory_fd, const char *name, const struct kc_buffer *stream,
		       struct kc_error *err)
{
	return kc_file_write_atomic(directory_fd, name, kc_buffer_string(stream), stream->length, 0600, err);
}

/* What it was and what it said, with --keep. */
static int keep(const struct kc_case_context *context, struct kc_program *program, struct kc_error *err)
{
	KC_CLEANUP_FD int directory_fd = -1;
	int status = 0;

	if (!context->keep || !context->scratch)
		return 0;
	if (!program->kept)
		status = make_kept(context, program, err);
	if (status < 0)
		return status;
	directory_fd = kc_dir_open(AT_FDCWD, program->kept, err);
	if (directory_fd < 0)
		return directory_fd;
	status = keep_lines(directory_fd, "argv", program->argv, err);
	if (status == 0)
		status = keep_lines(directory_fd, "environment", program->environment, err);
	if (status == 0)
		status = keep_stream(directory_fd, "stdout", &program->output, err);
	return status < 0 ? status : keep_stream(directory_fd, "stderr", &program->errors, err);
}

int kc_program_gather(const struct kc_case_context *context, struct kc_program *program, struct kc_error *err)
{
	int status;

	kc_program_drain(program);
	status = program->trace ? kc_trace_check(program->trace, err) : 0;
	if (status == 0)
		status = take_streams(program, err);
	return status < 0 ? status : keep(context, program, err);
}

int kc_program_finish(const struct kc_case_context *context, struct kc_program *program, struct kc_error *err)
{
	int status = kc_sandbox_wait(program->sandbox, context->deadline_ms, &program->streams[0],
				     &program->streams[1], &program->outcome, err);

	if (status == 0 && program->trace)
		status = kc_trace_finish(program->trace, err);
	if (status == 0)
		status = take_streams(program, err);
	return status < 0 ? status : keep(context, program, err);
}

int kc_program_run(const struct kc_case_context *context, const char *const argv[],
		   const char *const environment[], struct kc_program *program, struct kc_error *err)
{
	int status = kc_program_prepare(context, argv, environment, program, err);

	if (status == 0)
		status = kc_program_start(program, err);
	return status < 0 ? status : kc_program_finish(context, program, err);
}

void kc_program_release(struct kc_program *program)
{
	if (program->sandbox)
		kc_sandbox_release(&program->sandbox);
	kc_trace_release(&program->trace);
	free(program->kept);
	free(program->streams);
	kc_buffer_release(&program->output);
	kc_buffer_release(&program->errors);
	*program = (struct kc_program){ 0 };
}

void kc_program_show(const struct kc_program *program, struct kc_result *result)
{
	const struct kc_buffer *printed = program->errors.length ? &program->errors : &program->output;

	kc_result_output(result, kc_buffer_string(printed), printed->length);
}

/* How messages call it: "bin/python" for a program of the volume. */
static const char *shown_name(const struct kc_program *program)
{
	static const char below[] = KC_VOLUME_MOUNT_POINT "/";
	size_t length = sizeof(below) - 1;

	return strncmp(program->argv[0], below, length) == 0 ? program->argv[0] + length : program->argv[0];
}

/* How it ended, in words: "exit status 1", "killed by signal 11 (Segmentation fault)". */
static void describe_end(const struct kc_program *program, int64_t timeout_ms, char *ret_text, size_t size)
{
	const struct kc_sandbox_outcome *outcome = &program->outcome;

	switch (outcome->end) {
	case KC_END_EXITED:
		(void)snprintf(ret_text, size, "exit status %d", outcome->status);
		return;
	case KC_END_KILLED:
		(void)snprintf(ret_text, size, "killed by signal %d (%s)", outcome->status,
			       strsignal(outcome->status));
		return;
	case KC_END_NOT_STARTED:
		(void)snprintf(ret_text, size, "%s cannot be started: %s", shown_name(program),
			       strerror(outcome->status));
		return;
	case KC_END_TIMEOUT:
		(void)snprintf(ret_text, size, "not done within %.1f s", (double)timeout_ms / 1000);
		return;
	case KC_END_OUT_OF_MEMORY:
		(void)snprintf(ret_text, size, "killed for using too much memory");
		return;
	case KC_END_NONE:
		break;
	}
	(void)snprintf(ret_text, size, "unknown end");
}

/* The last line that is not empty: interpreters and loaders put the cause there. */
static size_t last_line(const char *text, const char **ret_line)
{
	size_t end = strlen(text), start;

	while (end && strchr("\r\n \t", text[end - 1]))
		end--;
	start = end;
	while (start && text[start - 1] != '\n')
		start--;
	*ret_line = text + start;
	return end - start;
}

/* The policy's plain words for what a program said, and the signal that ended it, where it has any. */
static bool explain(const struct kc_case_context *context, const char *output, size_t length, int signal,
		    struct kc_policy_explanation *ret_explanation)
{
	const struct kc_image *image = context->image;
	struct kc_policy_ceiling ceilings[16];
	char libc[64];
	size_t count = 0;
	const struct kc_policy_evidence evidence = {
		.output = output,
		.length = length,
		.signal = signal,
		.image = image->name,
		.libc = libc,
		.ceilings = ceilings,
		.ceiling_count = image->ceiling_count < KC_ARRAY_LENGTH(ceilings) ? image->ceiling_count
										  : KC_ARRAY_LENGTH(ceilings),
	};

	(void)snprintf(libc, sizeof(libc), "%s %s", image->libc_family, image->libc_version);
	for (; count < evidence.ceiling_count; count++)
		ceilings[count] = (struct kc_policy_ceiling){ .prefix = image->ceilings[count].prefix,
							      .version = image->ceilings[count].version };
	return kc_policy_explain(context->policy, &evidence, ret_explanation) > 0;
}

/* `end` is all that one that never ran has to show. */
static bool explain_end(const struct kc_program *program, const struct kc_case_context *context,
			const char *end, struct kc_policy_explanation *ret_explanation)
{
	const struct kc_sandbox_outcome *outcome = &program->outcome;

	if (outcome->end == KC_END_NOT_STARTED)
		return explain(context, end, strlen(end), 0, ret_explanation);
	return explain(context, kc_buffer_string(&program->errors), program->errors.length,
		       outcome->end == KC_END_KILLED ? outcome->status : 0, ret_explanation);
}

/* The message is the cause alone, without what was asked, where one cause has many effects: cases with the same message are
 * shown together. */
static void report_failure(const struct kc_program *program, const struct kc_case_context *context,
			   const char *what, struct kc_result *result)
{
	struct kc_policy_explanation explanation;
	char end[320], got[768];
	const char *line;
	size_t length = last_line(kc_buffer_string(&program->errors), &line);

	describe_end(program, context->timeout_ms, end, sizeof(end));
	(void)snprintf(got, sizeof(got), "%s%s%.*s", end, length ? ": " : "",
		       (int)(length < 300 ? length : 300), line);
	if (program->outcome.end == KC_END_TIMEOUT) {
		/* Nobody knows what it would have done with more time, or on a machine with less to do. */
		kc_result_broken(result, "%s: %s; this machine may be too busy", what, end);
	} else if (explain_end(program, context, end, &explanation)) {
		kc_result_fail(result, "exit status 0", got, "%s", explanation.cause);
		kc_result_hint(result, "%s", explanation.hint);
	} else if (program->outcome.end == KC_END_NOT_STARTED) {
		kc_result_fail(result, "exit status 0", got, "%s", end);
	} else {
		kc_result_fail(result, "exit status 0", got, "%s: %s", what, got);
	}
}

void kc_program_fail_with(const struct kc_case_context *context, const char *what, const char *expected,
			  const char *text, struct kc_result *result)
{
	struct kc_policy_explanation explanation;

	if (!explain(context, text, strlen(text), 0, &explanation)) {
		kc_result_fail(result, expected, text, "%s: %s", what, text);
		return;
	}
	kc_result_fail(result, expected, text, "%s", explanation.cause);
	kc_result_hint(result, "%s", explanation.hint);
}

bool kc_program_succeeded(const struct kc_program *program, const struct kc_case_context *context,
			  const char *what, struct kc_result *result)
{
	kc_program_show(program, result);
	if (program->outcome.leftovers)
		kc_result_property(result, "processes-left-behind", "%u", program->outcome.leftovers);
	if (program->outcome.end == KC_END_EXITED && program->outcome.status == 0)
		return true;
	report_failure(program, context, what, result);
	return false;
}
