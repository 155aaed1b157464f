/*
 * A run that was written down as events (events.h), to be told again: every report can be made from it.
 *
 * Life cycle: 1. zeroed  2. kc_recording_read  3. kc_recording_tell, any number of times  4. kc_recording_release (idempotent).
 * The file is of any origin: it is parsed within limits, and an error names its line. What a killed run did not finish writing
 * (its last line, without a line feed) is left out; such a run has no "end" and is told as incomplete.
 */
#ifndef KC_REPORTS_RECORDING_H
#define KC_REPORTS_RECORDING_H

#include <stdbool.h>

#include "reports/run_json.h"

enum kc_recorded_kind { KC_RECORDED_STARTED, KC_RECORDED_DONE };

struct kc_recorded {
	enum kc_recorded_kind kind;
	size_t number; /* of the case */
	int64_t at_ms;
	struct kc_result result; /* of KC_RECORDED_DONE */
};

struct kc_recording {
	struct kc_read_run plan;
	struct kc_recorded *records;
	size_t count, room;
	bool *is_done;	 /* of each case */
	cJSON *measured; /* measurements of the case that reports next */
	size_t measured_case;
	bool is_ended;	  /* the file says how it ended */
	bool is_complete; /* and nothing was cut short */
	int64_t ended_ms;
};
#define KC_CLEANUP_RECORDING KC_CLEANUP(kc_recording_release)

int kc_recording_read(const char *path, struct kc_recording *recording, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Tells `report` the whole run: begin, cases, end. */
int kc_recording_tell(const struct kc_recording *recording, struct kc_report *report, struct kc_error *err)
	__attribute__((warn_unused_result));

/* The clock of what is being told, for reports that show spans of time. */
int64_t kc_recording_now_ms(void);

void kc_recording_release(struct kc_recording *recording);

#endif
