/* The volume on an older CPU than this one, which qemu's user-mode emulator stands in for. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "archive/volume.h"
#include "base/embedded.h"
#include "cases/cases.h"
#include "cases/sigill.h"
#include "compat/policy.h"
#include "run/program.h"
#include "sandbox/emulator.h"

#define MOST_MODULES 64

/* The last "step=WHAT" that cpu.py printed. */
static void last_step(const struct kc_program *program, char ret_step[128])
{
	static const char mark[] = "step=";
	const char *text = kc_buffer_string(&program->output);

	(void)snprintf(ret_step, 128, "start");
	for (const char *at = strstr(text, mark); at; at = strstr(at + 1, mark)) {
		const char *step = at + strlen(mark);

		(void)snprintf(ret_step, 128, "%.*s", (int)strcspn(step, "\n"), step);
	}
}

static bool came_to_its_end(const struct kc_program *program)
{
	return strstr(kc_buffer_string(&program->output), "done=cpu\n") != NULL;
}

/* An illegal instruction: the broken promise, or, at a level that is not promised, a fact. */
static void report_illegal(const struct kc_case_context *context, const struct kc_policy_cpu_level *level,
			   const char *const argv[], const struct kc_program *program,
			   struct kc_result *result)
{
	char path[PATH_MAX] = "", step[128];
	struct kc_error err = { 0 };

	last_step(program, step);
	/* Without a name the instruction is as illegal as with one. */
	if (kc_sigill_locate(context, argv, kc_environment_plain, path, &err) < 0 || !*path)
		(void)snprintf(path, sizeof(path), "a file that could not be told (%s)",
			       err.code ? err.text : "the second run did not end the same way");
	kc_result_property(result, "illegal-instruction", "%s", path);
	kc_result_property(result, "at", "%s", step);
	if (!level->is_promised) {
		kc_result_property(result, "runs", "no");
		kc_result_pass(result);
		return;
	}
	kc_result_output(result, kc_buffer_string(&program->errors), program->errors.length);
	kc_result_fail(result, "only instructions of that level", "illegal instruction (SIGILL)",
		       "%s has an instruction that %s does not have (at: %s)", path, level->level, step);
	kc_result_hint(result,
		       "build it for %s: no -march=native, and code for newer CPUs only behind a check",
		       level->level);
}

static void judge(const struct kc_case_context *context, const struct kc_policy_cpu_level *level,
		  const char *const argv[], const struct kc_program *program, struct kc_result *result)
{
	const struct kc_sandbox_outcome *outcome = &program->outcome;

	if ((outcome->end == KC_END_KILLED && outcome->status == SIGILL) ||
	    kc_sigill_is_reported(&program->errors)) {
		report_illegal(context, level, argv, program, result);
		return;
	}
	if (!kc_program_succeeded(program, context, level->level, result))
		return;
	if (!came_to_its_end(program)) {
		kc_result_fail(result, "the check comes to its end", "exit status 0 before that",
			       "the interpreter ended early");
		return;
	}
	kc_result_property(result, "runs", "yes");
	kc_result_pass(result);
}

static void run_emulated(struct kc_case_context *context, const struct kc_policy_cpu_level *level,
			 const char *const argv[], struct kc_result *result)
{
	KC_CLEANUP_PROGRAM struct kc_program program = { 0 };
	struct kc_error err = { 0 };
	int status = kc_program_run(context, argv, kc_environment_plain, &program, &err);

	/* Everything else that a sandbox needs was tried before the first case: what is refused now is the emulator. */
	if (status == -EPERM || status == -ENODEV)
		kc_result_skip(result, "%s: %s", err.text, err.hint);
	else if (status < 0)
		kc_result_broken_by(result, &err);
	else
		judge(context, level, argv, &program, result);
}

static void run_level(const struct kc_case *row, struct kc_case_context *context, struct kc_result *result)
{
	KC_CLEANUP_EMULATOR struct kc_emulator emulator = { 0 };
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names modules = { 0 };
	const struct kc_volume *volume = context->volume;
	const char *argv[MOST_MODULES + 4] = { KC_PYTHON, "-c" };
	struct kc_case_context emulated = *context;
	struct kc_policy_cpu_level level;
	struct kc_error err = { 0 };
	size_t length;
	int status;

	if (!kc_policy_cpu_level(context->policy, context->item, &level) ||
	    !kc_embedded_find("cases/cpu.py", &argv[2], &length)) {
		kc_result_broken(result, "this program was built without what %s needs", context->item);
		return;
	}
	status = kc_policy_promised_imports(context->policy, volume->distro,
					    *volume->wheel.version ? volume->wheel.version : NULL, &modules,
					    &err);
	if (status == 0)
		status = kc_emulator_open(level.architecture, level.cpu, &emulator, &err);
	if (status == -ENOENT && !emulator.is_open && modules.items) {
		kc_result_skip(result, "%s: %s", err.text, err.hint);
		return;
	}
	if (status < 0) {
		kc_result_broken_by(result, &err);
		return;
	}
	for (size_t i = 0; i < modules.count && i < MOST_MODULES; i++)
		argv[3 + i] = modules.items[i];
	kc_result_property(result, "emulator", "%s", emulator.version);
	kc_result_property(result, "cpu", "%s", level.cpu);
	emulated.emulator = &emulator;
	run_emulated(&emulated, &level, argv, result);
}

static const struct kc_case cases[] = {
	{ KC_CASE("level"), .what = "interpreter, promised modules and ttyd run on a CPU of level {item}",
	  .each = KC_EACH_CPU_LEVEL, .run = run_level,
	  /* What takes longest is started first. */
	  .timeout_ms = 120000 },
};

const struct kc_case_table kc_cases_cpu = {
	.group = "cpu", .file = __FILE__, .rows = cases, .count = KC_ARRAY_LENGTH(cases)
};
