/*
 * Writes a krunner wheel around a volume's archive: upstream's members, with the names, tags and metadata that installers expect.
 *
 * Texts, names and metadata come from compat/wheels.json. Same input, same bytes, on any machine and with any version of a
 * compressor: members are sorted, those of dist-info come last, all are stored (what is large is compressed already), have one
 * time and the mode 0644 or 0755. Two things differ from upstream's wheels beside what those get wrong (kc_wheel_check):
 * licences are not stored twice, and the metadata says under which licence the package is.
 *
 * Nothing of the volume is run. The archive is one descriptor: what is packed is hashed on the way, and has to be what was asked for.
 */
#ifndef KC_RELEASE_WHEEL_WRITER_H
#define KC_RELEASE_WHEEL_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "compat/wheels.h"

/* A text of the caller. */
struct kc_release_file {
	const char *name; /* a plain file name */
	const void *bytes;
	size_t length;
};

struct kc_wheel_order {
	struct kc_wheel_choice choice;	/* which package, and for which architecture the volume is */
	const char *version;		/* of the package, as PEP 440 has it */
	const char *volume_version;	/* of the volume: a whole number */
	int volume_fd;			/* its archive, a regular file; read from the start, twice */
	const char *volume_sha256;	/* what it has to be */
	struct kc_release_file licence; /* the package's own: dist-info/licenses/LICENSE, by its name */
	const char *licence_expression; /* SPDX */
	const struct kc_release_file *licences; /* of what is bundled: for the folder licenses */
	size_t licence_count;
	const char *description; /* Markdown; NULL: the summary */
	int64_t time_s;		 /* SOURCE_DATE_EPOCH; what is before 1980 becomes 1980-01-01 */
};

/* Appends the wheel to `fd`, a regular file that the caller makes, and after success flushes and renames to what
 * kc_wheels_append_file_name says. -EBADMSG for an archive that is not what it has to be: another digest, a damaged one, one without
 * bin/ttyd, or of another architecture; -EINVAL for an order that makes no wheel. After a failure what is in `fd` is of no use. */
int kc_wheel_write(const struct kc_wheels *wheels, const struct kc_wheel_order *order, int fd,
		   struct kc_error *err) __attribute__((warn_unused_result));

#endif
