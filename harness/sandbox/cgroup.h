/*
 * A cgroup that limits the number of processes and the memory of one sandbox, where the machine offers it: version 2 where the
 * pids and memory controllers are delegated to us, version 1 hierarchies else. cgroups(7).
 *
 * Life cycle: 1. kc_cgroup_create  2. kc_cgroup_enter in the child  3. kc_cgroup_remove (idempotent, fit for a zeroed
 * object) after the last process is reaped. Each directory is announced to the janitor before it is made.
 */
#ifndef KC_SANDBOX_CGROUP_H
#define KC_SANDBOX_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KC_CGROUP_DIRECTORIES 2

struct kc_cgroup {
	unsigned int count; /* directories in use; 0: none to be had, and `text` says why */
	char directories[KC_CGROUP_DIRECTORIES][PATH_MAX];
	int entries[KC_CGROUP_DIRECTORIES]; /* what is written to by a process that enters */
	const char *oom_file;		    /* of the last directory */
	char text[160];
};

/* Never fails: a machine that offers nothing leaves count at 0, and the sandbox limits resources instead. */
void kc_cgroup_create(struct kc_cgroup *group, uint64_t memory_bytes, unsigned int processes);

/* The calling process, which must have one thread, enters. 0 or a negative errno: a group that was made and cannot be entered is
 * an error. Not the parent's to do: for any other process than the caller the kernel makes every fork, exec and exit of the machine
 * wait for a grace period of RCU, some ten milliseconds (version 1; version 2 does for the caller as well). Neither allocates nor
 * locks. */
int kc_cgroup_enter(const struct kc_cgroup *group) __attribute__((warn_unused_result));

/* True if the kernel killed a process of the group for memory. */
bool kc_cgroup_ran_out_of_memory(const struct kc_cgroup *group);

void kc_cgroup_remove(struct kc_cgroup *group);

#endif
