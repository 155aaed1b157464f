/*
 * A seccomp filter from a profile in Docker's JSON format, compiled with libseccomp.
 *
 * Read are: defaultAction, defaultErrnoRet, archMap, syscalls[] {names, action, errnoRet, args}. Rules that Docker makes
 * depend on capabilities, architectures or kernels (includes, excludes) are refused: this profile has none. A name that
 * libseccomp does not know on this architecture is passed over, as Docker does: the default action covers the call.
 * Calls through another architecture's entry (i386, x32) kill the process (HOSTILE D10).
 *
 * Life cycle: 1. kc_seccomp_compile  2. any number of sandboxes borrow it  3. kc_seccomp_release (idempotent).
 */
#ifndef KC_SANDBOX_SECCOMP_H
#define KC_SANDBOX_SECCOMP_H

#include <linux/filter.h>
#include <stddef.h>

#include "base/error.h"

struct kc_seccomp_filter {
	struct sock_filter *instructions;
	unsigned short length;
};

/* `name` is what errors call the profile. */
int kc_seccomp_compile(const char *profile, size_t length, const char *name,
		       struct kc_seccomp_filter *ret_filter, struct kc_error *err)
	__attribute__((warn_unused_result));
/* A filter that hands the calls whose names `call` gives to whoever traces the process, and lets all others pass. `call` is
 * asked with 0, 1 and so on until it returns NULL; a name that this architecture does not have is passed over. Beside another
 * filter of the process: what that refuses stays refused, seccomp(2). */
int kc_seccomp_trace(const char *(*call)(size_t index), struct kc_seccomp_filter *ret_filter,
		     struct kc_error *err) __attribute__((warn_unused_result));
void kc_seccomp_release(struct kc_seccomp_filter *filter);

#endif
