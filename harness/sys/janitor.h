/*
 * The janitor: a helper process that outlives the program only to clean up behind it, whatever ended it.
 *
 * Life cycle: 1. kc_janitor_start, early, while the process has one thread and nothing open that must not be
 * shared  2. kc_janitor_watch BEFORE a thing is made, kc_janitor_forget after it is gone, from this process
 * or any that it forks  3. kc_janitor_stop at the normal end. There is one per program: what the kernel does
 * not take back by itself is a property of the process, not of any object in it.
 *
 * Whoever watches holds one end of a socket (close-on-exec), so the janitor sees the end of file when the
 * program and all its forked workers are gone, even by SIGKILL; it then removes what is still on its list,
 * newest first. The janitor has a session of its own, no other descriptor, and ignores SIGINT, SIGTERM and
 * SIGHUP. A message is one packet: it arrives whole or not at all, and a sender killed after its call
 * returned has sent it.
 *
 * When no janitor was started, watch, forget and stop do nothing and succeed, so that a library or a unit
 * test works without. unix(7), SOCK_SEQPACKET.
 */
#ifndef KC_SYS_JANITOR_H
#define KC_SYS_JANITOR_H

#include "base/error.h"

enum kc_janitor_kind {
	KC_JANITOR_TREE,  /* a file or directory tree: removed, never following links */
	KC_JANITOR_CGROUP /* a cgroup: everything in it is killed, then it is removed */
};

/* -EALREADY if one runs. On failure none runs. */
int kc_janitor_start(struct kc_error *err) __attribute__((warn_unused_result));

/* `path` is absolute, without empty, "." or ".." components, at least two deep (never a directory directly
 * below the root of the file system), at most 4000 bytes: -EINVAL or -ENAMETOOLONG otherwise, janitor or not.
 * -EPIPE if the janitor itself was killed: then make nothing. */
int kc_janitor_watch(enum kc_janitor_kind kind, const char *path, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Takes back the newest watch of exactly this path. A path that is not watched is no error. */
void kc_janitor_forget(const char *path);

/* Has the janitor remove what is still watched, and returns when it is gone. In a forked process it only
 * closes that process's end. Idempotent; async-signal-safe. */
void kc_janitor_stop(void);

#endif
