/*
 * The policy: what a krunner volume promises, by distro and version of its package, and what the failures of
 * programs mean in plain words. The facts are data, compat/policy.json, described in policy.schema.json; this
 * is the code that reads and evaluates them.
 *
 * Life cycle: 1. kc_policy_load  2. questions, any number  3. kc_policy_release (NULL-safe). The policy is
 * read-only after loading. Strings and structures that a question returns are borrowed from it.
 */
#ifndef KC_COMPAT_POLICY_H
#define KC_COMPAT_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct kc_policy;

/* Reads the text of policy.json; `name` is what errors call it. Everything is validated: an unknown key, a
 * name that stands twice or a pattern that does not compile is -EBADMSG. */
int kc_policy_load(const char *json, size_t length, const char *name, struct kc_policy **ret_policy,
		   struct kc_error *err) __attribute__((warn_unused_result));
void kc_policy_release(struct kc_policy **policy);
#define KC_CLEANUP_POLICY KC_CLEANUP(kc_policy_release)

/* A list of borrowed names; the list itself is released with kc_policy_names_release (idempotent). */
struct kc_policy_names {
	const char **items;
	size_t count;
};
void kc_policy_names_release(struct kc_policy_names *names);
#define KC_CLEANUP_POLICY_NAMES KC_CLEANUP(kc_policy_names_release)

/* The modules that a volume of `distro` ("static-gnu", "alpine") promises in version `package_version` of its
 * package; NULL for a volume that came without one: the newest promises hold. -ENOENT for an unknown distro.
 */
int kc_policy_promised_imports(const struct kc_policy *policy, const char *distro,
			       const char *package_version, struct kc_policy_names *ret_names,
			       struct kc_error *err) __attribute__((warn_unused_result));

/* The images that a volume of `distro` must pass on. -ENOENT for an unknown distro. */
int kc_policy_images(const struct kc_policy *policy, const char *distro, struct kc_policy_names *ret_names,
		     struct kc_error *err) __attribute__((warn_unused_result));

/* The standard-library modules that a volume of `distro` must be able to import. -ENOENT for an unknown distro. */
int kc_policy_base_modules(const struct kc_policy *policy, const char *distro,
			   struct kc_policy_names *ret_names, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Why a standard-library module is not to be imported; NULL if it is. */
const char *kc_policy_why_not_imported(const struct kc_policy *policy, const char *module);

/* "glibc" or "musl"; NULL for an unknown distro. */
const char *kc_policy_libc(const struct kc_policy *policy, const char *distro);

/* The levels of CPU that a volume for `architecture` is tried on. */
int kc_policy_cpu_levels(const struct kc_policy *policy, const char *architecture,
			 struct kc_policy_names *ret_names, struct kc_error *err)
	__attribute__((warn_unused_result));

/* A CPU that has a level and nothing above it, as the emulator calls it. */
struct kc_policy_cpu_level {
	const char *level; /* "x86-64-v2" */
	const char *architecture;
	const char *cpu; /* "Nehalem" */
	bool is_promised;
};

/* False for a level that the policy does not know. */
bool kc_policy_cpu_level(const struct kc_policy *policy, const char *level,
			 struct kc_policy_cpu_level *ret_level);

/* What ttyd does with a quiet websocket client, and how far a measurement may be off either way. */
struct kc_policy_keepalive {
	int64_t ping_interval_ms;
	int64_t ping_tolerance_ms;
	int64_t hangup_ms; /* after the last sign of life of a client that does not answer */
	int64_t hangup_tolerance_ms;
	int64_t observe_ms;	    /* how long the client that answers is watched */
	int64_t half_open_ms;	    /* a connection without a whole handshake must be gone by then */
	int64_t proxy_idle_ms;	    /* the shortest time after which proxies in the field cut what is quiet */
	int64_t clock_tolerance_ms; /* by which a span may differ in virtual and in real time */
	bool survives_newest_hangup; /* whether that is promised: older clients stay when the newest is hung up */
};
const struct kc_policy_keepalive *kc_policy_keepalive(const struct kc_policy *policy);

/* The newest version of a symbol family that an image has: { "CXXABI", "1.3.7" }. */
struct kc_policy_ceiling {
	const char *prefix;
	const char *version;
};

/* What is known about a program that failed. */
struct kc_policy_evidence {
	const char *output; /* what it printed, any bytes; NULL if nothing */
	size_t length;
	int signal;	   /* that killed it, 0 if none did */
	const char *image; /* as a sentence calls it: "centos7"; NULL for "the image" */
	const char *libc;  /* likewise: "musl 1.2.3"; NULL for "the C library" */
	const struct kc_policy_ceiling *ceilings; /* of the image; may be NULL */
	size_t ceiling_count;
};

struct kc_policy_explanation {
	const char *name; /* of the row that applied: "libstdcxx-too-new" */
	char cause[512];
	char hint[512];
};

/* The first row of the table that applies to the evidence. Returns 1 and fills *ret_explanation, or returns 0
 * if no row applies and leaves it alone. What it takes from the output is as hostile as the output. */
int kc_policy_explain(const struct kc_policy *policy, const struct kc_policy_evidence *evidence,
		      struct kc_policy_explanation *ret_explanation);

/* Negative, 0 or positive: `left` is older than, as, or newer than `right`. Release numbers compare as
 * numbers and 4.1 equals 4.1.0; a, b, rc and dev are before the release, post after it. PEP 440. */
int kc_policy_compare_versions(const char *left, const char *right);

#endif
