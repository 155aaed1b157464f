/*
 * The reports that the command line asks for: the console first, then files.
 *
 * Life cycle: 1. zeroed  2. kc_reporting_open  3. tell `reports`  4. kc_reporting_close (idempotent). Borrows `options`.
 */
#ifndef KC_REPORTING_H
#define KC_REPORTING_H

#include <limits.h>

#include "options.h"
#include "reports/recording.h"
#include "reports/report.h"

#define KC_REPORTING_MOST 12

struct kc_reporting {
	struct kc_report *reports[KC_REPORTING_MOST]; /* the console, the memory of the last run, files */
	size_t count;
	size_t first_file; /* those before it are told nothing until the cases are known */
	char state_path[PATH_MAX];
	struct kc_recording baseline;
	struct kc_recording earlier; /* the run before this one, for the time left; may be empty */
};

/* True if lines of `fd` may be rewritten, with somebody before it. */
bool kc_reporting_is_terminal(int fd);

/* `now_ms` is the clock of what will be told. */
int kc_reporting_open(struct kc_reporting *reporting, const struct kc_options *options,
		      int64_t (*now_ms)(void), struct kc_error *err) __attribute__((warn_unused_result));

/*
 * What files say until there are results: those of an earlier call must not stand for this one. The console is told neither, an error is
 * printed. `opening` has a case for each thing that may fail; a failure is told of all of them.
 */
int kc_reporting_tell_opening(struct kc_reporting *reporting, const struct kc_report_run *opening,
			      struct kc_error *err) __attribute__((warn_unused_result));
void kc_reporting_tell_failure(struct kc_reporting *reporting, const struct kc_report_run *opening,
			       const struct kc_error *cause);

void kc_reporting_close(struct kc_reporting *reporting);

#endif
