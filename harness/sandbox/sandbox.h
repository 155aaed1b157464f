/*
 * A sandbox: one program in namespaces, mounts and limits of its own, under a pid 1 of ours.
 *
 * Life cycle: 1. kc_sandbox_init  2. setters (they only record)  3. kc_sandbox_start  4. kc_sandbox_wait, or
 * poll the descriptors yourself  5. kc_sandbox_release (idempotent; kills what still runs). Invariant:
 * between 3 and 5, killing `init_pid` is enough to remove every process and mount; it dies with us, too.
 * Ownership: setters copy strings; descriptors that `start` returns belong to the sandbox and close at
 * release, unless stolen.
 *
 * What is set up, in this order: user, mount, pid, net, ipc, uts and cgroup namespaces; private mount
 * propagation; an overlay of the read-only image below a size-limited tmpfs; /proc, /dev, /dev/pts, /dev/shm,
 * /tmp; the volume read-only at its place; pivot_root; loopback up; proof that every namespace differs from
 * the host's; resource limits; no groups, no capabilities, no_new_privs; the seccomp filter. A layer that
 * cannot be applied ends the start with an error that names the step: nothing is ever run with less.
 * namespaces(7), mount_namespaces(7), user_namespaces(7), cgroups(7).
 *
 * As root and unprivileged alike the program runs as an id that is root only inside. Parent and thread: call
 * from the main thread of a single-threaded process: the parent-death signal is bound to the thread,
 * prctl(2).
 */
#ifndef KC_SANDBOX_SANDBOX_H
#define KC_SANDBOX_SANDBOX_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

enum kc_sandbox_end {
	KC_END_NONE,	/* still running */
	KC_END_EXITED,	/* `status` is its exit status */
	KC_END_KILLED,	/* by signal `status` */
	KC_END_TIMEOUT, /* by us, at the time limit */
	KC_END_OUT_OF_MEMORY
};

struct kc_sandbox_outcome {
	enum kc_sandbox_end end;
	int status;
	int64_t duration_ms;
	unsigned int leftovers; /* processes that outlived the program and were killed */
};

struct kc_sandbox;

struct kc_sandbox *kc_sandbox_new(void); /* NULL: out of memory */
void kc_sandbox_release(struct kc_sandbox **sandbox);

void kc_sandbox_set_root(struct kc_sandbox *sandbox, const char *image_tree);
void kc_sandbox_set_volume(struct kc_sandbox *sandbox, const char *volume_tree, const char *mount_point);
void kc_sandbox_set_seccomp(struct kc_sandbox *sandbox, const void *bpf, size_t length);
/* Both NULL-terminated, copied. The environment is this and nothing else. */
void kc_sandbox_set_command(struct kc_sandbox *sandbox, const char *const argv[],
			    const char *const environment[]);
/* Creates `count` TCP sockets inside the network namespace before the program starts; a socket keeps its
 * namespace, so that the harness may connect them from outside. */
void kc_sandbox_set_sockets(struct kc_sandbox *sandbox, unsigned int count);

/* On failure nothing is left running, the object is as after step 2, and `err` names the step. */
int kc_sandbox_start(struct kc_sandbox *sandbox, struct kc_error *err) __attribute__((warn_unused_result));

int kc_sandbox_output_fd(const struct kc_sandbox *sandbox); /* the program's stdout */
int kc_sandbox_error_fd(const struct kc_sandbox *sandbox);  /* its stderr */
int kc_sandbox_take_socket(struct kc_sandbox *sandbox);	    /* -1 when none is left; the caller closes it */

/* Drains both streams and waits for the end, until `deadline_ms` of kc_now_ms; then kills. Streams may be
 * NULL. */
int kc_sandbox_wait(struct kc_sandbox *sandbox, int64_t deadline_ms, struct kc_excerpt *output,
		    struct kc_excerpt *errors, struct kc_sandbox_outcome *ret_outcome, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
