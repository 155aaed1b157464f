/*
 * Settings that are not on the command line: a configuration file and the environment. What is given in several places is taken
 * from the command line, else from the environment, else from the file; what may be given several times is taken from all.
 *
 * The file is `krunner-compat.json` of the current directory, else that of $XDG_CONFIG_HOME/krunner-compat (~/.config without it): a
 * project's own settings are whole, and not mixed with those of whoever runs it. Its keys are the long options but those that decide whom to trust, and those of other
 * commands than the one given are passed over (harness/config.schema.json). A variable is KRUNNER_COMPAT_ and the option's name in
 * capitals, `_` for `-`. What names no option, or has a value that the option does not take, is an error of kind KC_ERROR_USAGE
 * that says where: nothing misspelt is silent.
 */
#ifndef KC_CONFIG_H
#define KC_CONFIG_H

#include "options.h"

/* Stores one value as the command line would; `text` is NULL for a flag, and borrowed. */
typedef int kc_config_store(struct kc_options *options, const struct kc_option_row *row, const char *text,
			    struct kc_error *err);

/* Fills `options`, whose command is known. What is borrowed from the file lives until kc_options_release. */
int kc_config_apply(struct kc_options *options, kc_config_store *store, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
