/*
 * A second opinion on the framing of a tar stream.
 *
 * The tar reader of libarchive does the reading. This checks, on the same bytes, what it forgives or cannot
 * know: header checksums, plain sizes, known entry types, a pax size that differs from the header's, pax and
 * GNU long-name headers mixed on one entry, sparse files, NULs in pax values, missing end-of-archive blocks,
 * and anything but a short run of zeros after them (HOSTILE A6 to A9, A16 to A19). It also lists offset and
 * size of each entry, and the two readers must agree: an entry that only one of them sees is an attack.
 *
 * Life cycle: 1. kc_tar_frame_init  2. kc_tar_frame_feed with every byte, kc_tar_frame_agree with every entry
 * that the other reader saw  3. kc_tar_frame_finish  4. kc_tar_frame_release (idempotent, fit for a zeroed
 * object).
 *
 * Format: POSIX.1-2017 pax(1), "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic Tar
 * Format".
 */
#ifndef KC_ARCHIVE_TAR_FRAME_H
#define KC_ARCHIVE_TAR_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"

#define KC_TAR_BLOCK_BYTES 512u
/* GNU tar and bsdtar pad to 20 blocks of 512; 64 KiB is what a tape drive might ask for. */
#define KC_TAR_TAIL_LIMIT_BYTES 65536u
#define KC_TAR_EXTENSION_LIMIT_BYTES 65536u

struct kc_tar_frame {
	uint64_t offset;       /* bytes fed */
	uint64_t entry_offset; /* of the first header of the entry, pax and GNU headers included */
	uint64_t skip;	       /* data and padding still to come */
	uint64_t padding;      /* how much of it is padding */
	bool may_stop; /* after data, without padding and end-of-archive blocks, and before any entry: set it after init for a tar
				* whose digest is known, which therefore is all there. Some versions of umoci write such layers. */
	uint64_t tail; /* bytes since the first end-of-archive block */
	uint64_t entries;
	uint64_t pax_size;
	bool has_pax_size;
	unsigned int extensions;    /* kinds of extended headers that the entry has had */
	char extension_type;	    /* of the header whose data is being collected; '\0' for none */
	struct kc_buffer extension; /* its data */
	size_t extension_left;
	size_t have; /* of `block` */
	unsigned char block[KC_TAR_BLOCK_BYTES];
	struct kc_sha256 ours, theirs;
};

int kc_tar_frame_init(struct kc_tar_frame *frame, struct kc_error *err) __attribute__((warn_unused_result));
void kc_tar_frame_release(struct kc_tar_frame *frame);

/* -EBADMSG with the rule that is broken and the offset. */
int kc_tar_frame_feed(struct kc_tar_frame *frame, const void *bytes, size_t length, struct kc_error *err)
	__attribute__((warn_unused_result));

/* An entry as the other reader saw it. */
void kc_tar_frame_agree(struct kc_tar_frame *frame, uint64_t offset, uint64_t size);

/* What may be missing at this end: so many zeros are to be put behind the bytes for a reader that insists on them. */
uint64_t kc_tar_frame_missing(const struct kc_tar_frame *frame);

/* After the last byte. */
int kc_tar_frame_finish(struct kc_tar_frame *frame, struct kc_error *err) __attribute__((warn_unused_result));

#endif
