/*
 * What the parent and the child of a sandbox share. Internal to harness/sandbox.
 *
 * The parent prepares a `struct kc_sandbox_setup` before clone(2); the child reads it and nothing else: between clone and
 * exec it neither allocates nor takes locks. It answers over a sequenced-packet socket, a message per step.
 */
#ifndef KC_SANDBOX_INTERNAL_H
#define KC_SANDBOX_INTERNAL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "sandbox/sandbox.h"

#define KC_SANDBOX_NAMESPACES 7
#define KC_SANDBOX_SOCKETS 65 /* SCM_MAX_FD of unix(7) is 253 */

/* What a user namespace's creation calls each namespace in /proc/PID/ns, and clone's flag for it. */
extern const struct kc_sandbox_namespace {
	const char *name;
	int flag;
} kc_sandbox_namespaces[KC_SANDBOX_NAMESPACES];

struct kc_cgroup;

struct kc_sandbox_setup {
	/* Paths are opened by the child while it still has the caller's id: they may lie below a directory that only the
	 * caller may enter. */
	const char *layers[KC_SANDBOX_LAYERS]; /* uppermost first */
	size_t layer_count;		       /* 0: an empty root, for probing */
	const char *volume;		       /* NULL: none */
	const char *volume_mount_point;
	char *const *argv; /* NULL: go through every step, then end */
	char *const *environment;
	const struct sock_filter *filter;
	unsigned short filter_length;
	bool is_traced;				/* the program waits for its tracer */
	const struct sock_filter *traced_calls; /* a second filter, of the program alone */
	unsigned short traced_calls_length;	/* 0: the tracer stops it without */
	unsigned int sockets;
	bool wants_diagnosis; /* one socket more */
	const char *emulator; /* what binfmt_misc takes; NULL: programs run on the CPU itself */
	uint64_t upper_bytes;
	const struct kc_cgroup *cgroup;
	uint64_t address_space_bytes; /* 0: a memory cgroup limits it */
	ino_t host_namespaces[KC_SANDBOX_NAMESPACES];
	int control; /* our end of the socket */
	int output;
	int errors;
	int null;     /* the host's /dev/null, checked */
	int input;    /* of the program; -1: there is nothing to read */
	int terminal; /* of the program; -1: it has streams */
};

enum kc_message_kind {
	KC_MESSAGE_GO = 1, /* parent to child: ids are mapped */
	KC_MESSAGE_STEP,   /* a step is done */
	KC_MESSAGE_FAILED, /* a step was refused; the child is gone */
	KC_MESSAGE_TRACE,  /* the program's process waits for its tracer, until KC_MESSAGE_GO */
	KC_MESSAGE_READY,  /* the program runs; carries the sockets */
	KC_MESSAGE_ENDED   /* the program is gone */
};

struct kc_message {
	enum kc_message_kind kind;
	enum kc_sandbox_step step;
	int errno_value;
	enum kc_sandbox_end end;
	int status;
	unsigned int leftovers;
	char object[160]; /* what the step was about */
};

/* Runs as pid 1 of the sandbox; does not return. */
_Noreturn void kc_sandbox_child(const struct kc_sandbox_setup *setup);

/* The mounts, step by step, up to pivot_root. 0 or a negative errno with *ret_step and `object` telling where. */
int kc_sandbox_mount_all(const struct kc_sandbox_setup *setup, const int layer_fds[], int volume_fd,
			 void (*done)(const struct kc_sandbox_setup *setup, enum kc_sandbox_step step),
			 enum kc_sandbox_step *ret_step, char object[160]);

/* Adds the likely cause and the remedy of a refused step to `err`, from what this machine's settings say. */
void kc_sandbox_explain(enum kc_sandbox_step step, int errno_value, struct kc_error *err);

#endif
