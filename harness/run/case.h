/*
 * A case: one row of data about one promise, and the function that checks it.
 *
 * `cases/` holds the rows, one file per subject, each exporting a `struct kc_case_table`. A row runs in a
 * process of its own, forked for it; what it finds goes into the result record and nowhere else. A row whose
 * `each` is set stands for one case per entry of that list of the policy (or of the volume): the entry is
 * `context->item`.
 */
#ifndef KC_RUN_CASE_H
#define KC_RUN_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reports/result.h"

struct kc_case_context;
struct kc_case;

typedef void kc_case_run(const struct kc_case *row, struct kc_case_context *context,
			 struct kc_result *result);

enum kc_case_each {
	KC_EACH_NONE = 0,
	KC_EACH_PROMISED_IMPORT, /* modules that the policy promises for this volume */
	KC_EACH_CPU_LEVEL	 /* CPUs that the policy wants a volume of this architecture tried on */
};

enum kc_case_phase {
	KC_PHASE_CHECK = 0, /* any time */
	KC_PHASE_LAST	    /* when every other case is done */
};

struct kc_case {
	const char *name; /* stable, kebab-case, unique in its table */
	const char *what; /* the sentence that reports show */
	kc_case_run *run;
	int64_t timeout_ms;
	enum kc_case_each each;
	enum kc_case_phase phase;
	bool waits; /* nearly all of its time: it starts early, and takes none of the places of those that work */
	bool needs_virtual_time; /* it would take too long otherwise: there is no such case with KC_TIME_REAL */
	bool is_long;		 /* it takes seconds of work: only on request */
	bool of_wheel; /* about the wheel around the volume: there is no such case for a volume without one */
	const char *const *argv; /* data for `run`, as the next three */
	const char *const *environment;
	const char *expect;
	const void *data;
	unsigned int line; /* set by KC_CASE */
};

/* Starts a row: `{ KC_CASE("python-version"), .what = ... }` */
#define KC_CASE(case_name) .name = (case_name), .line = __LINE__

struct kc_case_table {
	const char *group; /* "imports": the identity is IMAGE.GROUP + name */
	const char *file;  /* __FILE__ */
	const struct kc_case *rows;
	size_t count;
};

#endif
