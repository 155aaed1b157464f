/*
 * The system calls of a program under test, recorded by the host's strace(1): it attaches from outside the sandbox, follows what
 * the program starts, and ends with the last of it.
 *
 * Life cycle: 1. kc_trace_new  2. kc_trace_attach, as what kc_sandbox_set_tracer is given: the program waits for it before it is
 * executed  3. kc_trace_finish, after kc_sandbox_wait, or kc_trace_check, if the program is not waited for  4. kc_trace_release, after
 * kc_sandbox_release, which ends the program (idempotent).
 *
 * Whatever ends us ends strace: it has our process group and a parent-death signal, prctl(2). Only one tracer fits a process:
 * nothing of run/virtual.h beside this.
 * What is recorded of a program that is emulated are the calls of the emulator.
 */
#ifndef KC_RUN_TRACE_H
#define KC_RUN_TRACE_H

#include <sys/types.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "reports/result.h"

/* What strace writes: `trace` in the directory of a program that --keep makes. */
#define KC_TRACE_FILE "trace"
/* The most that it may write, for a program that calls the kernel without end; the rest is lost, and told. */
#define KC_TRACE_BYTES (256u << 20)

struct kc_trace;

#define KC_CLEANUP_TRACE KC_CLEANUP(kc_trace_release)

/* `path`, absolute, is copied; strace creates the file. NULL: out of memory. */
struct kc_trace *kc_trace_new(const char *path);

/* A kc_sandbox_attach; `context` is the trace. Returns when strace has hold of `pid`. -ENOENT: there is no strace. -EACCES: it may
 * not trace here. -ETIMEDOUT, -EIO: it did not. Each says what to do, and then none runs. */
int kc_trace_attach(void *context, pid_t pid, struct kc_error *err) __attribute__((warn_unused_result));

/* Waits for strace's end, which must be due. -EIO: it ended otherwise than by itself, or had to be killed, so that the trace is
 * not whole. */
int kc_trace_finish(struct kc_trace *trace, struct kc_error *err) __attribute__((warn_unused_result));

/* The same for a program that is not waited for: a strace that still runs is as it should be. */
int kc_trace_check(struct kc_trace *trace, struct kc_error *err) __attribute__((warn_unused_result));

void kc_trace_release(struct kc_trace **trace);

/* Traces a process of our own. As kc_trace_attach. */
int kc_trace_probe(struct kc_error *err) __attribute__((warn_unused_result));

/* Says in the property "trace" of `result` where the traces of a case are whose programs left them below `scratch`. */
void kc_trace_tell(const char *scratch, struct kc_result *result);

#endif
