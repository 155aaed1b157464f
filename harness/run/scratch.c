#include "run/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/janitor.h"

/* mkdtemp(3) would tell the name only when the directory is there: too late for the janitor. */
static int make_name(const char *parent, char ret_path[PATH_MAX], struct kc_error *err)
{
	uint64_t random;
	int length;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return kc_error_errno(err, errno, "make a temporary directory: getrandom");
	length = snprintf(ret_path, PATH_MAX, "%s/krunner-compat-%016" PRIx64, parent, random);
	if (length < 0 || length >= PATH_MAX)
		return kc_error_errno(err, ENAMETOOLONG, "make a temporary directory in `%s`", parent);
	return 0;
}

int kc_scratch_make(struct kc_scratch *scratch, struct kc_error *err)
{
	const char *wanted = getenv("TMPDIR");
	const char *parent = wanted && *wanted ? wanted : "/tmp";
	KC_CLEANUP_FREE char *resolved = realpath(parent, NULL);
	int status;

	scratch->path[0] = '\0';
	if (!resolved) {
		status = kc_error_errno(err, errno, "make a temporary directory in `%s`", parent);
		kc_error_hint(err, "set TMPDIR to a directory that may be written to");
		return status;
	}
	status = make_name(resolved, scratch->path, err);
	if (status == 0)
		status = kc_janitor_watch(KC_JANITOR_TREE, scratch->path, err);
	if (status == 0 && mkdir(scratch->path, 0700) < 0) {
		status = kc_error_errno(err, errno, "create directory `%s`", scratch->path);
		kc_error_hint(err, "set TMPDIR to a directory that may be written to");
		kc_janitor_forget(scratch->path);
	}
	if (status < 0)
		scratch->path[0] = '\0';
	return status;
}

int kc_scratch_remove(struct kc_scratch *scratch, struct kc_error *err)
{
	int status;

	if (!scratch->path[0])
		return 0;
	status = kc_tree_remove(AT_FDCWD, scratch->path, err);
	if (status < 0)
		return status;
	kc_janitor_forget(scratch->path);
	scratch->path[0] = '\0';
	return 0;
}

void kc_scratch_keep(struct kc_scratch *scratch)
{
	kc_janitor_forget(scratch->path);
}
