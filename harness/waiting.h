/*
 * What the person who waits is told before the cases start: downloads, and work that is done once per machine. One line per
 * piece of work on standard error; on a terminal a download's line is kept up to date.
 *
 * Life cycle: 1. fill in is_tty and quiet, zero the rest  2. kc_waiting_* as listeners, with the object as their `context`
 * 3. kc_waiting_end. Nothing to release.
 */
#ifndef KC_WAITING_H
#define KC_WAITING_H

#include <stdbool.h>
#include <stdint.h>

struct kc_waiting {
	bool is_tty;
	bool quiet;
	bool is_drawn; /* a line without its end stands on the terminal */
	bool is_told;  /* of the download that is under way */
};

void kc_waiting_work(void *context, const char *text);
void kc_waiting_download(void *context, const char *what, int64_t bytes, int64_t total);
void kc_waiting_end(struct kc_waiting *waiting);

#endif
