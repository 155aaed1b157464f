/*
 * A second opinion on a ZIP: its central directory and its local headers, read by ourselves, and every way in which the file could
 * mean different things to different readers.
 *
 * libarchive, Python's zipfile and streaming installers each show one view. An archive that they all agree on has one end record
 * at its very end, one directory before it, one local header for each entry that says the same, and not a byte in between
 * (PyPI refuses others, as does uv). No member may be encrypted, follow a data descriptor, or need ZIP64: wheels of krunner are
 * far below 4 GiB.
 *
 * Life cycle: 1. kc_zip_directory_read  2. read the members  3. kc_zip_directory_release (idempotent, fit for a zeroed object).
 *
 * Format: APPNOTE.TXT 6.3.10 of PKWARE, sections 4.3.7, 4.3.9, 4.3.12, 4.3.16.
 */
#ifndef KC_RELEASE_ZIP_DIRECTORY_H
#define KC_RELEASE_ZIP_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "release/findings.h"

#define KC_ZIP_MEMBERS_MAX 20000u
#define KC_ZIP_FILE_BYTES_MAX (UINT64_C(1) << 30)

struct kc_zip_entry {
	char *name; /* any bytes but NUL */
	uint16_t made_by, needed, flags, method;
	uint32_t dos_time; /* date above time */
	uint32_t crc, packed_bytes, bytes;
	uint32_t attributes; /* of a Unix system: the mode in the upper half */
	uint32_t header_at;  /* of the local header */
	uint64_t data_at;    /* 0 where there is no such header */
	uint64_t end_at;     /* behind the data, and the data descriptor if there is one */
};

struct kc_zip_directory {
	struct kc_zip_entry *entries; /* in the order of their local headers */
	size_t count;
	bool is_whole; /* every entry that there should be, with its data */
	uint64_t file_bytes;
};

#define KC_CLEANUP_ZIP_DIRECTORY KC_CLEANUP(kc_zip_directory_release)

/* `fd` is a regular file, borrowed, read with pread(2). What is wrong goes to `findings`; after a finding that leaves nothing to go
 * by there are no entries. A negative errno is for what is no fault of the file: it cannot be read, no memory. */
int kc_zip_directory_read(int fd, const char *name, struct kc_findings *findings,
			  struct kc_zip_directory *ret_directory, struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_zip_directory_release(struct kc_zip_directory *directory);

#endif
