/*
 * The plan: which cases run, in which order, under which names.
 *
 * A case is identified as CLASSNAME.NAME, "centos7.imports.zmq", in reports and patterns alike: CLASSNAME is
 * IMAGE.GROUP, NAME the row's name, or for a row with `each` the list's entry. In such a row's `what` the
 * text "{item}" stands for the entry.
 *
 * Life cycle: 1. kc_plan_make  2. kc_plan_select, if cases were asked for  3. readers  4. kc_plan_release
 * (idempotent, fit for a zeroed object). `cases` keeps the order of the tables, for people to read; `order`
 * is the order to start them in. Tables, rows and items are borrowed for the life of the plan; the image's
 * name is copied.
 */
#ifndef KC_RUN_PLAN_H
#define KC_RUN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "reports/report.h"
#include "reports/recording.h"
#include "run/case.h"

/* The entries of one kind of list. Names from policy or volume: letters, digits, "_", "-" and ".". */
struct kc_plan_list {
	enum kc_case_each each;
	const char *const *items;
	size_t count;
};

struct kc_plan_request {
	size_t suite;				   /* number of the image among those of the run */
	const char *image;			   /* "centos7": letters, digits, "_", "-" and "." */
	const struct kc_case_table *const *tables; /* NULL-terminated */
	const struct kc_plan_list *lists;
	size_t list_count;
	bool has_wheel;	     /* the volume came in one */
	int64_t timeout_ms;  /* for every case, instead of its own; 0: its own */
	bool is_brief;	     /* without long cases, which are counted */
	bool is_real_time;   /* without cases that need virtual time */
	unsigned int repeat; /* how often each case runs; 0: once */
	bool is_slow;	     /* programs run slowly, emulated or traced: the cases' own limits are longer */
	bool is_unopened;    /* its cases say why it has no others: no selection leaves them out */
};

/* What only the scheduler needs of a case; same index as its `struct kc_report_case`. */
struct kc_plan_entry {
	const struct kc_case *row;
	const char *item; /* NULL without `each` */
	bool is_kept;	  /* whatever is selected */
	char *classname;  /* owned; `cases` borrows both */
	char *what;
};

struct kc_plan {
	struct kc_report_case *cases;
	struct kc_plan_entry *entries;
	size_t *order; /* indexes: the last phase last, in a phase what waits first, then the longest time limit */
	size_t count;
	size_t left_out_long;
	size_t left_out_virtual; /* those that need virtual time */
	size_t left_out_excluded;
	size_t left_out_shards; /* those of other parts */
	const char
		*excludes_nothing; /* the first pattern that did, borrowed; NULL: each excluded something */
};

#define KC_CLEANUP_PLAN KC_CLEANUP(kc_plan_release)

/* Makes the plan of the first image; kc_plan_add appends that of another one.
 * -EINVAL for a row that is incomplete or not named in kebab-case, for two cases of one identity, and for a
 * row whose list is missing: a plan never loses a case silently. A list may be empty. On failure `plan` is
 * released. */
int kc_plan_make(struct kc_plan *plan, const struct kc_plan_request *request, struct kc_error *err)
	__attribute__((warn_unused_result));
int kc_plan_add(struct kc_plan *plan, const struct kc_plan_request *request, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Which cases are kept: those that one of `patterns` selects (all, without any), without those that one of `excluded` does. */
struct kc_plan_selection {
	const char *const *patterns;
	size_t pattern_count;
	const char *const *excluded;
	size_t excluded_count;
	const struct kc_recording
		*failed; /* of these alone those that did not pass in it; NULL: no matter what did */
};

/*
 * A pattern that is the identity of a case selects that case alone; any other one the cases whose identity contains it, or, with
 * any of * ? [ in it, those whose whole identity it matches as fnmatch(3) does. A pattern that selects nothing is an error of kind
 * KC_ERROR_SELECTION (-ENOENT), and so is that no case is left; the plan is unchanged then. One that excludes nothing is none, for
 * it may be meant for another image or a longer run, and what it meant is run. Of an image that could not be opened nobody knows which
 * cases it would have had: its own one is kept.
 */
int kc_plan_select(struct kc_plan *plan, const struct kc_plan_selection *selection, struct kc_error *err)
	__attribute__((warn_unused_result));

/*
 * Keeps part `number` (from 1) of `count`: the cases for which a digest of their identity says so, the same on every machine and in
 * every version. What is left may be nothing. The case of an image that could not be opened is in every part: nobody knows which cases
 * it stands for. On failure the plan is unchanged.
 */
int kc_plan_take_shard(struct kc_plan *plan, unsigned int number, unsigned int count, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Another order to start them in, the same for the same seed; phases stay. What must not depend on an order shows that way. */
void kc_plan_shuffle(struct kc_plan *plan, uint64_t seed);

void kc_plan_release(struct kc_plan *plan);

#endif
