/*
 * A volume of the command line, looked into: for commands that run nothing.
 */
#ifndef KC_LOOKING_H
#define KC_LOOKING_H

#include <limits.h>

#include "options.h"
#include "release/contents.h"

/* Opens VOLUME as `run --volume` does, downloading it if need be. The caller has opened `store`, closes it, and releases the volume. */
int kc_look_open(struct kc_store *store, const struct kc_options *options, const char *name,
		 struct kc_volume *volume, struct kc_error *err) __attribute__((warn_unused_result));

/* Opens VOLUME as `run --volume` does, downloading it if need be, and takes its contents, which the caller releases. */
int kc_look(const struct kc_options *options, const char *volume, struct kc_contents *ret_contents,
	    struct kc_error *err) __attribute__((warn_unused_result));

/* The path of the wheel that "pypi:NAME[==VERSION]" names, downloaded if need be, under the name that it was published by. It is the
 * store's: only to be read. */
int kc_look_fetch(const struct kc_options *options, const char *name, char ret_path[PATH_MAX],
		  struct kc_error *err) __attribute__((warn_unused_result));

/* Writes a document of ours to `path`, indented and with a line feed at its end. */
int kc_look_write_json(const cJSON *json, const char *path, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
