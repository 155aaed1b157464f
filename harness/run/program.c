#include "run/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/store.h"
#include "compat/policy.h"
#include "image/image.h"

/* Enough for head and tail of a stream and the line between them. */
#define STREAM_LIMIT (sizeof(struct kc_excerpt) + 256)

#define PLAIN_ENVIRONMENT                                                                                    \
	"PATH=/opt/backend.ai/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",             \
		"HOME=/root", "LANG=C.UTF-8", "TERM=xterm", "PYTHONUNBUFFERED=1"

const char *const kc_environment_plain[] = { PLAIN_ENVIRONMENT, NULL };
const char *const kc_environment_production[] = { PLAIN_ENVIRONMENT, "LD_LIBRARY_PATH=/opt/backend.ai/lib",
						  NULL };

void kc_program_python_version(const struct kc_volume *volume, char ret_version[16])
{
	char path[PATH_MAX + 16], target[64] = "";
	const char *name = target;

	ret_version[0] = '\0';
	(void)snprintf(path, sizeof(path), "%s/bin/python", volume->tree);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return;
	/* "python3.13", or "python3" and from there on. */
	if (strcmp(name, "python3") == 0) {
		(void)snprintf(path, sizeof(path), "%s/bin/python3", volume->tree);
		memset(target, 0, sizeof(target));
		if (readlink(path, target, sizeof(target) - 1) < 0)
			return;
	}
	if (strncmp(name, "python", strlen("python")) == 0 &&
	    strspn(name + 6, "0123456789.") == strlen(name + 6))
		(void)snprintf(ret_version, 16, "%.15s", name + 6);
}

struct kc_sandbox *kc_program_sandbox(const struct kc_case_context *context, const char *const argv[],
				      const char *const environment[])
{
	struct kc_sandbox *sandbox = kc_sandbox_new();

	if (!sandbox)
		return NULL;
	kc_sandbox_set_inner_id(sandbox, KC_STORE_SANDBOX_ID);
	kc_sandbox_set_root(sandbox, context->image->tree);
	kc_sandbox_set_volume(sandbox, context->volume->tree, KC_VOLUME_MOUNT_POINT);
	kc_sandbox_set_filter(sandbox, context->filter);
	kc_sandbox_set_emulator(sandbox, context->emulator);
	kc_sandbox_set_command(sandbox, argv, environment);
	return sandbox;
}

int kc_program_finish(const struct kc_case_context *context, struct kc_sandbox *sandbox,
		      struct kc_program *program, struct kc_error *err)
{
	KC_CLEANUP_FREE struct kc_excerpt *streams = calloc(2, sizeof(*streams));
	int status;

	*program = (struct kc_program){ .output = KC_BUFFER_INIT(STREAM_LIMIT),
					.errors = KC_BUFFER_INIT(STREAM_LIMIT) };
	if (!streams)
		return kc_error_errno(err, ENOMEM, "follow a program");
	status = kc_sandbox_wait(sandbox, context->deadline_ms, &streams[0], &streams[1], &program->outcome,
				 err);
	if (status < 0)
		return status;
	status = kc_excerpt_append_to(&streams[0], &program->output);
	if (status == 0)
		status = kc_excerpt_append_to(&streams[1], &program->errors);
	if (status < 0) {
		kc_program_release(program);
		return kc_error_errno(err, status, "keep a program's output");
	}
	return 0;
}

int kc_program_run(const struct kc_case_context *context, const char *const argv[],
		   const char *const environment[], struct kc_program *program, struct kc_error *err)
{
	KC_CLEANUP(kc_sandbox_release)
	struct kc_sandbox *sandbox = kc_program_sandbox(context, argv, environment);
	int status;

	if (!sandbox)
		return kc_error_errno(err, ENOMEM, "make a sandbox");
	status = kc_sandbox_start(sandbox, err);
	return status < 0 ? status : kc_program_finish(context, sandbox, program, err);
}

void kc_program_release(struct kc_program *program)
{
	kc_buffer_release(&program->output);
	kc_buffer_release(&program->errors);
}

/* How it ended, in words: "exit status 1", "killed by signal 11 (Segmentation fault)". */
static void describe_end(const struct kc_sandbox_outcome *outcome, int64_t timeout_ms, char *ret_text,
			 size_t size)
{
	switch (outcome->end) {
	case KC_END_EXITED:
		(void)snprintf(ret_text, size, "exit status %d", outcome->status);
		return;
	case KC_END_KILLED:
		(void)snprintf(ret_text, size, "killed by signal %d (%s)", outcome->status,
			       strsignal(outcome->status));
		return;
	case KC_END_NOT_STARTED:
		(void)snprintf(ret_text, size, "not started: %s", strerror(outcome->status));
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

/* The policy's plain words for what the program printed, where it has any. */
static bool explain(const struct kc_program *program, const struct kc_case_context *context,
		    struct kc_policy_explanation *ret_explanation)
{
	const struct kc_sandbox_outcome *outcome = &program->outcome;
	const struct kc_policy_evidence evidence = { .output = kc_buffer_string(&program->errors),
						     .length = program->errors.length,
						     .signal = outcome->end == KC_END_KILLED ? outcome->status
											     : 0,
						     .image = context->image->name };

	return kc_policy_explain(context->policy, &evidence, ret_explanation) > 0;
}

bool kc_program_succeeded(const struct kc_program *program, const struct kc_case_context *context,
			  const char *what, struct kc_result *result)
{
	const struct kc_buffer *printed = program->errors.length ? &program->errors : &program->output;
	struct kc_policy_explanation explanation;
	char end[160], got[512];
	const char *line;
	size_t length;

	kc_result_output(result, kc_buffer_string(printed), printed->length);
	if (program->outcome.leftovers)
		kc_result_property(result, "processes-left-behind", "%u", program->outcome.leftovers);
	if (program->outcome.end == KC_END_EXITED && program->outcome.status == 0)
		return true;
	describe_end(&program->outcome, context->timeout_ms, end, sizeof(end));
	length = last_line(kc_buffer_string(&program->errors), &line);
	(void)snprintf(got, sizeof(got), "%s%s%.*s", end, length ? ": " : "",
		       (int)(length < 300 ? length : 300), line);
	if (explain(program, context, &explanation)) {
		/* The cause alone: cases that fail for the same one are shown together. */
		kc_result_fail(result, "exit status 0", got, "%s", explanation.cause);
		kc_result_hint(result, "%s", explanation.hint);
	} else {
		kc_result_fail(result, "exit status 0", got, "%s: %s", what, got);
	}
	return false;
}
