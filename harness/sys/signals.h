/*
 * Signals: a known state at the start, and an interruption that code can ask about and wait for.
 *
 * Life cycle: 1. kc_signals_start, first thing in main  2. kc_signals_check in loops that may take long, or
 * kc_signals_fd in a poll(2) set  3. kc_signals_reset in a child between fork and its work.
 *
 * SIGINT, SIGTERM and SIGHUP set a flag and make the descriptor readable; system calls that block end with
 * EINTR (no SA_RESTART), so a loop that retries on EINTR asks kc_signals_check first. The program then
 * unwinds as after any error (-EINTR), cleans up and exits with KC_SIGNALS_EXIT. A signal that comes more
 * than a second after the first ends the program on the spot: the kernel takes the workers (PR_SET_PDEATHSIG)
 * and the janitor the rest.
 */
#ifndef KC_SYS_SIGNALS_H
#define KC_SYS_SIGNALS_H

#include "base/error.h"

#define KC_SIGNALS_EXIT 130

/* Undoes what the caller of the program left behind (ignored or blocked signals are inherited through exec,
 * signal(7)), ignores SIGPIPE, and takes the three signals. Descriptors 0 to 2 that are closed are opened on
 * /dev/null, so that no file of ours becomes standard output. */
int kc_signals_start(struct kc_error *err) __attribute__((warn_unused_result));

/* Readable once a signal came, and for ever after; -1 before kc_signals_start. Never read from it. */
int kc_signals_fd(void);

/* The first signal that came, 0 for none. */
int kc_signals_caught(void);

/* 0, or -EINTR with "interrupted by SIGTERM". */
int kc_signals_check(struct kc_error *err) __attribute__((warn_unused_result));

/* In a child: every disposition is the default, nothing is blocked, the flag is down, the descriptor closed.
 */
void kc_signals_reset(void);

#endif
