/*
 * What the last run is remembered by: its events, in $XDG_STATE_HOME/krunner-compat (XDG Base Directory Specification 0.8;
 * ~/.local/state without it).
 */
#ifndef KC_STATE_H
#define KC_STATE_H

#include <limits.h>

#include "base/error.h"

/* -ENOENT where neither XDG_STATE_HOME nor HOME is an absolute path. The directory need not be there. */
int kc_state_path(char ret_path[PATH_MAX], struct kc_error *err) __attribute__((warn_unused_result));

/* Makes the directory, too. */
int kc_state_prepare(char ret_path[PATH_MAX], struct kc_error *err) __attribute__((warn_unused_result));

#endif
