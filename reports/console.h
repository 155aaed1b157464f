/*
 * A report for the person who waits: on a terminal, or in a log.
 *
 * On a terminal one line is kept up to date (bar, done of all, elapsed, about how much is left, what runs) and only what did not pass
 * is printed above it. Elsewhere every finished case is one line, and a case that runs for long says so every
 * 30 seconds. At the end come the failures, then what could not be judged: what, where, expected, got, the
 * last lines of the program's own output, what to do, how to reproduce; those with the same cause are shown
 * once, with the list of their cases. The last line is the summary:
 *
 *	40 passed, 1 failed, 0 broken, 2 skipped in 42.1 s
 *
 * Nothing that comes from a program under test can steer the terminal or the CI system that reads the log:
 * it is made safe (text.h) and never starts a line. Output that cannot be written is lost silently: the
 * verdicts are in the result records and the exit status.
 */
#ifndef KC_REPORTS_CONSOLE_H
#define KC_REPORTS_CONSOLE_H

#include "reports/recording.h"
#include "reports/report.h"

struct kc_console_options {
	int fd;			 /* borrowed */
	bool is_tty;		 /* the line may be rewritten; false for TERM=dumb and CI logs */
	bool colour;		 /* NO_COLOR and --color have been considered */
	bool quiet;		 /* no line for what passed, no facts: failures and the summary only */
	bool verbose;		 /* what passed says what it measured, too */
	bool utf8;		 /* the reader takes UTF-8; otherwise ASCII only */
	unsigned int width;	 /* columns of the terminal; 0 counts as 80 */
	int64_t (*now_ms)(void); /* the clock; NULL for kc_now_ms */
	const struct kc_recording *earlier; /* a run to tell the time left from, borrowed; NULL: none */
};

int kc_console_open(const struct kc_console_options *options, struct kc_report **ret_report,
		    struct kc_error *err) __attribute__((warn_unused_result));

#endif
