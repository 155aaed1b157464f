/*
 * Which part of a run's cases this machine takes: `run --shard K/N`, on N machines that know nothing of each other. Every case is in
 * exactly one part, by a digest of its identity (run/plan.h): adding a case moves no other one.
 *
 * `--shard auto` asks the variables of CI systems, which are data, kc_shard_systems. Where one tells the number and not how many there
 * are (a Kubernetes job's completions are nowhere in its pods), `--shard auto/N` says that. GitHub has no such variables: there
 * the part is a value of the matrix, "1/3", to --shard or KRUNNER_COMPAT_SHARD. Where no variable is set, auto is refused, and so
 * is it where two systems disagree (a GitLab runner inside a Slurm array): to guess would be to leave cases out.
 *
 * A part without any case (more machines than cases) is no error and no pass: exit status 0, for it must not stop a pipeline that is
 * otherwise fine, with a report in which there is no case, and a line that says so. Nothing selected at all stays exit status 4,
 * whatever the part, and only skipped cases stay 3. `merge` wants all N parts.
 */
#ifndef KC_SHARD_H
#define KC_SHARD_H

#include <stddef.h>

#include "base/error.h"

#define KC_SHARD_MOST 10000u

struct kc_shard {
	unsigned int number; /* from 1 */
	unsigned int count;  /* 0: there are no parts */
	char text[24];	     /* "2/5"; "" without parts */
};

struct kc_shard_system {
	const char *name;
	const char *index;   /* variables */
	const char *total;   /* NULL: it tells none */
	const char *minimum; /* of the index, where its range is told; NULL: `first` */
	const char *maximum; /* with `minimum`: indexes may be so many apart */
	unsigned int first;
};
extern const struct kc_shard_system kc_shard_systems[];
extern const size_t kc_shard_system_count;

/* What getenv(3) does. */
typedef char *kc_shard_variable(const char *name);

/* `text` is "K/N", "auto" or "auto/N". A failure is of kind KC_ERROR_USAGE. */
int kc_shard_read(const char *text, kc_shard_variable *variable, struct kc_shard *ret_shard,
		  struct kc_error *err) __attribute__((warn_unused_result));

#endif
