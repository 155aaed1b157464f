/*
 * Running a program of the host (pip, apt-get) and taking what it prints. Programs under test never run this
 * way: they run in a sandbox.
 */
#ifndef KC_SYS_PROCESS_H
#define KC_SYS_PROCESS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct kc_process {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in PATH */
	const char *const *
		environment; /* "NAME=value" additions to our own environment, NULL-terminated; may be NULL */
	const char *directory;	       /* working directory; NULL for ours */
	const struct kc_buffer *input; /* what it reads as standard input; NULL: /dev/null */
	int64_t timeout_ms;	       /* then the process group is killed and -ETIMEDOUT returned */
	struct kc_buffer *output;      /* stdout is appended; NULL throws it away */
	struct kc_buffer *errors; /* stderr is appended; may be the same as `output`; NULL throws it away */
};

/* Runs it to its end, in a process group of its own, and dies with us.
 * *ret_status is the exit status, or 128 + N after signal N. Fails if it could not be started (-ENOENT: no
 * such program), ran too long, or printed more than a buffer takes (-E2BIG), or if we are interrupted
 * (-EINTR): it is dead then. */
int kc_process_run(const struct kc_process *process, int *ret_status, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
