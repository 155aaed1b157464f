/*
 * Running one program of the volume in the sandbox of a case: the image below, the volume at its place, the run's filter, the
 * case's deadline.
 *
 * Life cycle: 1. kc_program_run; or, for a case that wants to talk to the program while it runs, kc_program_prepare,
 * kc_program_start, kc_program_drain now and then, and kc_program_finish or kc_program_gather  2. read  3. kc_program_release
 * (idempotent, fit for a zeroed object; kills what still runs). With --keep, gather and finish leave argv, environment, stdout
 * and stderr of each in SCRATCH/program-1 and so on. With --trace, its system calls stand there as well: run/trace.h.
 */
#ifndef KC_RUN_PROGRAM_H
#define KC_RUN_PROGRAM_H

#include "archive/volume.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "reports/result.h"
#include "run/context.h"
#include "sandbox/sandbox.h"

#define KC_PYTHON KC_VOLUME_MOUNT_POINT "/bin/python"

/* What a container of the agent starts programs with, as far as it matters to the volume; and the same with the agent's
 * library path (PyPI package backend.ai-agent, `LD_LIBRARY_PATH` of its container environment). NULL-terminated. */
extern const char *const kc_environment_plain[];
extern const char *const kc_environment_production[];

struct kc_trace;

struct kc_program {
	const char *const *argv; /* borrowed, as the next */
	const char *const *environment;
	struct kc_sandbox *sandbox; /* until release */
	struct kc_trace *trace;	    /* with --trace, else NULL */
	char *kept;		    /* its directory with --keep; NULL while there is none */
	struct kc_excerpt *streams; /* two: what was read from stdout and stderr so far */
	struct kc_sandbox_outcome outcome;
	struct kc_buffer output; /* stdout: head and tail of it, see kc_excerpt */
	struct kc_buffer errors; /* stderr, likewise */
};

#define KC_CLEANUP_PROGRAM KC_CLEANUP(kc_program_release)

/* Makes the sandbox for this case's image and volume, ready for more setters. `program` is released by the caller, whatever
 * comes back. */
int kc_program_prepare(const struct kc_case_context *context, const char *const argv[],
		       const char *const environment[], struct kc_program *program, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_program_start(struct kc_program *program, struct kc_error *err) __attribute__((warn_unused_result));

/* Takes what it has printed by now, without waiting: a program whose pipes nobody reads stops when they are full. */
void kc_program_drain(struct kc_program *program);

/* Fills `output` and `errors` with what it has printed by now; for one that is not to be waited for. */
int kc_program_gather(const struct kc_case_context *context, struct kc_program *program, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Waits for its end, until the case's deadline, and fills everything. Fails only where the program could not be judged. */
int kc_program_finish(const struct kc_case_context *context, struct kc_program *program, struct kc_error *err)
	__attribute__((warn_unused_result));

/* All of it in one: everything the program does is an outcome. */
int kc_program_run(const struct kc_case_context *context, const char *const argv[],
		   const char *const environment[], struct kc_program *program, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Gives what it printed to `result`: stderr, or stdout if that is all there is. */
void kc_program_show(const struct kc_program *program, struct kc_result *result);

/* True if the program exited with 0. Otherwise reports FAIL into `result`: how it ended, the explanation that the policy has
 * for what it printed, and its last lines; or BROKEN, if it ran out of time. `what` says what was asked of it ("import zmq"). */
bool kc_program_succeeded(const struct kc_program *program, const struct kc_case_context *context,
			  const char *what, struct kc_result *result);

/* The same for a failure that a program reports in `text`: the policy's explanation, or `what` and the text. */
void kc_program_fail_with(const struct kc_case_context *context, const char *what, const char *expected,
			  const char *text, struct kc_result *result);

void kc_program_release(struct kc_program *program);

#endif
