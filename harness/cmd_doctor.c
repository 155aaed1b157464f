#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "archive/store.h"
#include "base/embedded.h"
#include "clock/clock.h"
#include "output.h"
#include "run/scratch.h"
#include "run/trace.h"
#include "sandbox/emulator.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"
#include "sys/time.h"

#define TEXT_LIMIT (1u << 20)
#define PROBE_TIMEOUT_MS 20000

/* What the machine is asked, and what it answered. */
struct doctor {
	struct kc_buffer text;
	enum kc_exit exit_status;
	bool reached[KC_STEP_COUNT];
};

static int report(struct doctor *doctor, const char *what, const struct kc_error *found, bool is_optional,
		  struct kc_error *err)
{
	int status = kc_output_row(&doctor->text, what, found->code ? found->text : "ok");

	if (status == 0 && found->hint[0])
		status = kc_output_row(&doctor->text, "", found->hint);
	if (found->code && !is_optional)
		doctor->exit_status = KC_EXIT_NOT_RUN;
	return status < 0 ? kc_error_errno(err, status, "examine this machine") : 0;
}

static int probe_scratch(struct kc_error *err)
{
	struct kc_scratch scratch;
	int status = kc_scratch_make(&scratch, false, err);

	return status < 0 ? status : kc_scratch_release(&scratch, err);
}

static int probe_store(struct kc_error *err)
{
	struct kc_store store;
	int status = kc_store_open(&store, err);

	if (status == 0)
		kc_store_close(&store);
	return status;
}

/* What a run needs beside its sandbox. */
static const struct {
	const char *what;
	int (*probe)(struct kc_error *err);
	bool is_optional; /* a machine without is not ill */
} probes[] = {
	{ "make a temporary directory", probe_scratch },
	{ "open the store", probe_store },
	{ "make time virtual for a program (optional)", kc_clock_probe, .is_optional = true },
	{ "record system calls with strace (optional)", kc_trace_probe, .is_optional = true },
};

static void reach(void *context, enum kc_sandbox_step step)
{
	struct doctor *doctor = context;

	doctor->reached[step] = true;
}

/* What only some checks need: a machine without is not ill. The emulator is registered in a sandbox that runs nothing. */
static int probe_emulator(struct doctor *doctor, const char *machine, const struct kc_seccomp_filter *filter,
			  struct kc_error *err)
{
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	KC_CLEANUP_EMULATOR struct kc_emulator emulator = { 0 };
	struct kc_error found = { 0 };
	char what[64];
	int status;

	if (!sandbox)
		return kc_error_errno(err, ENOMEM, "make a sandbox");
	status = kc_emulator_open(machine, NULL, &emulator, &found);
	kc_sandbox_set_inner_id(sandbox, KC_STORE_SANDBOX_ID);
	kc_sandbox_set_filter(sandbox, filter);
	kc_sandbox_set_emulator(sandbox, &emulator);
	if (status == 0)
		status = kc_sandbox_start(sandbox, &found);
	(void)snprintf(what, sizeof(what), "emulate %s (optional)", machine);
	status = kc_output_row(&doctor->text, what, status < 0 ? found.text : emulator.version);
	if (status == 0 && found.hint[0])
		status = kc_output_row(&doctor->text, "", found.hint);
	return status < 0 ? kc_error_errno(err, status, "examine this machine") : 0;
}

/* Every step of a sandbox without image and program. The steps that were reached are ok; the first that was not carries the
 * error; those after it were not tried. */
static int walk(struct doctor *doctor, const struct kc_seccomp_filter *filter, struct kc_error *err)
{
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	const struct kc_error fine = { 0 };
	struct kc_sandbox_outcome outcome;
	struct kc_error found = { 0 };
	int status;

	if (!sandbox)
		return kc_error_errno(err, ENOMEM, "make a sandbox");
	kc_sandbox_set_inner_id(sandbox, KC_STORE_SANDBOX_ID);
	kc_sandbox_set_filter(sandbox, filter);
	kc_sandbox_set_observer(sandbox, reach, doctor);
	status = kc_sandbox_start(sandbox, &found);
	for (enum kc_sandbox_step step = 0; step < KC_STEP_COUNT && doctor->reached[step]; step++) {
		int written = report(doctor, kc_sandbox_step_name(step), &fine, false, err);

		if (written < 0)
			return written;
	}
	if (status < 0)
		return report(doctor, "sandbox", &found, false, err);
	status = kc_output_row(&doctor->text, "processes and memory", kc_sandbox_limits_text(sandbox));
	if (status < 0)
		return kc_error_errno(err, status, "examine this machine");
	return kc_sandbox_wait(sandbox, kc_now_ms() + PROBE_TIMEOUT_MS, NULL, NULL, &outcome, err);
}

static int examine(struct doctor *doctor, struct kc_error *err)
{
	struct kc_seccomp_filter filter = { 0 };
	struct kc_error found = { 0 };
	const char *profile = "";
	struct utsname machine;
	size_t length = 0;
	char text[256];
	int status;

	if (uname(&machine) < 0)
		return kc_error_errno(err, errno, "ask for the kernel's release");
	(void)snprintf(text, sizeof(text), "%.60s %.60s, as %s", machine.release, machine.machine,
		       geteuid() == 0 ? "root" : "an unprivileged user");
	status = kc_output_row(&doctor->text, "kernel", text);
	if (status < 0)
		return kc_error_errno(err, status, "examine this machine");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(probes); i++) {
		kc_error_clear(&found);
		/* What went wrong is the finding, not a failure to find out. */
		found.code = probes[i].probe(&found);
		status = report(doctor, probes[i].what, &found, probes[i].is_optional, err);
		if (status < 0)
			return status;
	}
	if (!kc_embedded_find("compat/seccomp.json", &profile, &length))
		return kc_error_set(err, ENOENT, "this program was built without compat/seccomp.json");
	status = kc_seccomp_compile(profile, length, "compat/seccomp.json", &filter, err);
	if (status == 0)
		status = walk(doctor, &filter, err);
	for (size_t i = 1; status == 0 && doctor->exit_status == KC_EXIT_PASSED && kc_arch_choices[i]; i++)
		status = probe_emulator(doctor, kc_arch_choices[i], &filter, err);
	kc_seccomp_release(&filter);
	return status;
}

int kc_command_doctor(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	struct doctor doctor = { .text = KC_BUFFER_INIT(TEXT_LIMIT), .exit_status = KC_EXIT_PASSED };
	int status = examine(&doctor, err);

	if (status == 0)
		status = kc_output_write(&doctor.text, err);
	if (status == 0)
		*ret_exit = doctor.exit_status;
	kc_buffer_release(&doctor.text);
	return status;
}
