/*
 * A sandbox: one program in namespaces, mounts and limits of its own, under a pid 1 of ours.
 *
 * Life cycle: 1. kc_sandbox_new  2. setters (they only record)  3. kc_sandbox_start  4. kc_sandbox_wait, or
 * poll the descriptors yourself  5. kc_sandbox_release (idempotent; kills what still runs). Invariant:
 * between 3 and 5, killing `init_pid` is enough to remove every process and mount; it dies with us, too.
 * Ownership: setters borrow what they are given until release; descriptors that `start` returns belong to the sandbox and close at
 * release, unless stolen.
 *
 * What is set up, in this order: user, mount, pid, net, ipc, uts and cgroup namespaces; private mount
 * propagation; an overlay of the read-only image below a size-limited tmpfs; /proc, /dev, /dev/pts, /dev/shm,
 * /tmp; the volume read-only at its place; pivot_root; loopback up; proof that every namespace differs from
 * the host's; the emulator, if one is set; resource limits; no groups, no capabilities, no_new_privs; sockets; the seccomp filter. A layer that
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

/* The steps of a start, in their order. kc_sandbox_step_name tells what each does. */
enum kc_sandbox_step {
	KC_STEP_NAMESPACES = 0,
	KC_STEP_ID_MAP,
	KC_STEP_CGROUP,
	KC_STEP_OPEN,
	KC_STEP_IDENTITY,
	KC_STEP_DIE_WITH_PARENT,
	KC_STEP_CGROUP_NAMESPACE,
	KC_STEP_PROPAGATION,
	KC_STEP_STAGE,
	KC_STEP_OVERLAY,
	KC_STEP_PROC,
	KC_STEP_DEV,
	KC_STEP_DEVPTS,
	KC_STEP_TMP,
	KC_STEP_VOLUME,
	KC_STEP_PIVOT_ROOT,
	KC_STEP_HOSTNAME,
	KC_STEP_LOOPBACK,
	KC_STEP_PROOF,
	KC_STEP_EMULATOR,
	KC_STEP_LIMITS,
	KC_STEP_PRIVILEGES,
	KC_STEP_SOCKETS,
	KC_STEP_SECCOMP,
	KC_STEP_PROGRAM,
	KC_STEP_COUNT
};

/* A parameter of fsconfig(2) has 255 bytes, and theirs is "0:1:...:79". */
#define KC_SANDBOX_LAYERS 80

enum kc_sandbox_end {
	KC_END_NONE = 0, /* still running */
	KC_END_EXITED,	 /* `status` is its exit status */
	KC_END_KILLED,	 /* by signal `status` */
	KC_END_NOT_STARTED, /* execve(2) refused the program with errno `status`: the program's fault, not the sandbox's */
	KC_END_TIMEOUT, /* killed by us, at the time limit */
	KC_END_OUT_OF_MEMORY
};

struct kc_sandbox_outcome {
	enum kc_sandbox_end end;
	int status;
	int64_t duration_ms;
	unsigned int leftovers; /* processes that outlived the program and were killed */
};

struct kc_emulator;
struct kc_sandbox;
struct kc_seccomp_filter;

struct kc_sandbox *kc_sandbox_new(void); /* NULL: out of memory */
void kc_sandbox_release(struct kc_sandbox **sandbox);

/* As real root (sys/identity.h): the unprivileged id that is root inside; it owns the trees, see archive/store.h. For others it
 * is the caller's own id, and this is ignored. */
void kc_sandbox_set_inner_id(struct kc_sandbox *sandbox, unsigned int id);
/* A tree of those that the root filesystem is an overlay of, below those added before; whiteouts are as overlayfs knows them with
 * `userxattr`. At most KC_SANDBOX_LAYERS. Borrowed until release, as the volume's. */
void kc_sandbox_add_layer(struct kc_sandbox *sandbox, const char *tree);
void kc_sandbox_set_volume(struct kc_sandbox *sandbox, const char *volume_tree, const char *mount_point);
/* Borrowed until release; see sandbox/seccomp.h. */
void kc_sandbox_set_filter(struct kc_sandbox *sandbox, const struct kc_seccomp_filter *filter);
/* Both NULL-terminated, borrowed until release; argv[0] is a path inside. The environment is this and nothing else. Without
 * a command the sandbox goes through every step and ends: a probe. */
void kc_sandbox_set_command(struct kc_sandbox *sandbox, const char *const argv[],
			    const char *const environment[]);
/* The program's standard input, which is empty otherwise; borrowed until the start. Never a terminal of somebody outside. */
void kc_sandbox_set_input(struct kc_sandbox *sandbox, int fd);
/* The program's standard streams and controlling terminal, instead of streams that can be read; borrowed until the start. */
void kc_sandbox_set_terminal(struct kc_sandbox *sandbox, int fd);
/* Every program runs in it, what it starts as well; NULL: none does. Borrowed until release; see sandbox/emulator.h. */
void kc_sandbox_set_emulator(struct kc_sandbox *sandbox, const struct kc_emulator *emulator);
/* Creates `count` TCP sockets inside the network namespace before the program starts; a socket keeps its
 * namespace, so that the harness may connect them from outside. */
void kc_sandbox_set_sockets(struct kc_sandbox *sandbox, unsigned int count);

/* A socket of NETLINK_SOCK_DIAG beside them, sock_diag(7): for questions about connections in that namespace. */
void kc_sandbox_set_diagnosis(struct kc_sandbox *sandbox, bool wanted);

/*
 * The program is to be traced: `attach` is called during kc_sandbox_start with its process, in the caller's numbers, that has
 * not executed it yet and is about to load `calls`, a filter of kc_seccomp_trace (NULL: none). What `attach` returns below 0 ends the start.
 * All borrowed until release. A tracer in this process lets go before kc_sandbox_wait and kc_sandbox_release: what is traced does
 * not end without it.
 */
typedef int kc_sandbox_attach(void *context, pid_t pid, struct kc_error *err);
void kc_sandbox_set_tracer(struct kc_sandbox *sandbox, const struct kc_seccomp_filter *calls,
			   kc_sandbox_attach *attach, void *context);

/* Called in the parent for every step that is done, in order; for progress and `doctor`. */
typedef void kc_sandbox_observer(void *context, enum kc_sandbox_step step);
void kc_sandbox_set_observer(struct kc_sandbox *sandbox, kc_sandbox_observer *observer, void *context);

const char *kc_sandbox_step_name(enum kc_sandbox_step step);

/* On failure nothing is left running, the object is as after step 2, and `err` names the step. */
int kc_sandbox_start(struct kc_sandbox *sandbox, struct kc_error *err) __attribute__((warn_unused_result));

/* False once the program has ended, before kc_sandbox_wait says how. */
bool kc_sandbox_is_running(const struct kc_sandbox *sandbox);

int kc_sandbox_output_fd(const struct kc_sandbox *sandbox); /* the program's stdout */
int kc_sandbox_error_fd(const struct kc_sandbox *sandbox);  /* its stderr */
int kc_sandbox_take_socket(struct kc_sandbox *sandbox);	    /* -1 when none is left; the caller closes it */
int kc_sandbox_take_diagnosis(struct kc_sandbox *sandbox);  /* likewise */

/* Drains both streams and waits for the end, until `deadline_ms` of kc_now_ms; then kills. Streams may be
 * NULL. */
int kc_sandbox_wait(struct kc_sandbox *sandbox, int64_t deadline_ms, struct kc_excerpt *output,
		    struct kc_excerpt *errors, struct kc_sandbox_outcome *ret_outcome, struct kc_error *err)
	__attribute__((warn_unused_result));

/* After start: how processes and memory are limited ("cgroup v2 pids, memory", "resource limits only: REASON"). */
const char *kc_sandbox_limits_text(const struct kc_sandbox *sandbox);

#endif
