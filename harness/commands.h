/*
 * The commands: each does what its options say, and nothing of them outlives it.
 *
 * 0, with what its verdict means for the exit status in *ret_exit, or a negative errno with `err`, which main
 * prints and turns into an exit status (kc_exit_of).
 */
#ifndef KC_COMMANDS_H
#define KC_COMMANDS_H

#include "base/error.h"
#include "options.h"

typedef int kc_command_function(const struct kc_options *options, enum kc_exit *ret_exit,
				struct kc_error *err);

kc_command_function kc_command_run;
kc_command_function kc_command_report;
kc_command_function kc_command_merge;
kc_command_function kc_command_plan;
kc_command_function kc_command_shell;
kc_command_function kc_command_inspect;
kc_command_function kc_command_diff;
kc_command_function kc_command_list;
kc_command_function kc_command_images;
kc_command_function kc_command_release;
kc_command_function kc_command_verify;
kc_command_function kc_command_select;
kc_command_function kc_command_verify_wheel;
kc_command_function kc_command_doctor;

#endif
