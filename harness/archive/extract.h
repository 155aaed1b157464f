/*
 * Safe extraction: a hostile tar, compressed with xz or as archive/decoder.h knows, into a directory that it cannot leave.
 *
 * The stream is decoded under limits, its integrity check verified, its input fully consumed; the tar inside is read with libarchive, tar format only, and any warning of the reader is fatal.
 * Decoding runs in a thread of its own beside the writing. Entries are written by calls relative to a
 * directory descriptor, without following links; metadata goes through the open descriptor only. HOSTILE
 * sections 2a and 2b list what is refused.
 *
 * What is kept of an entry: its type, name, content, link target, the permission bits of 0755 (and those that
 * the owner needs), and a file's modification time within 1970 to 2106, because Python compares it with what
 * its byte code was made from. Owners, other bits, attributes, access lists and flags are not. A directory
 * that the archive does not list is made with mode 0755.
 *
 * Life cycle: 1. fill the options (KC_EXTRACT_OPTIONS_INIT)  2. one of the extract functions into an empty directory  3.
 * on failure remove the directory: what is in it is not to be used.
 */
#ifndef KC_ARCHIVE_EXTRACT_H
#define KC_ARCHIVE_EXTRACT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/source.h"
#include "base/buffer.h"
#include "base/error.h"

struct kc_extract_limits {
	uint64_t decoder_memory_bytes;
	uint64_t entries;
	uint64_t total_bytes;
	uint64_t file_bytes;
	unsigned int ratio; /* uncompressed / compressed, checked once more than 16 MiB has come out */
	unsigned int depth; /* components of a name */
	unsigned int name_bytes;
};

/* HOSTILE section 1: 7 to 16 times what the real volumes need. */
#define KC_EXTRACT_LIMITS_VOLUME                                                                             \
	{                                                                                                    \
		.decoder_memory_bytes = 64u << 20, .entries = 100000, .total_bytes = 1u << 30,               \
		.file_bytes = 512u << 20, .ratio = 50, .depth = 32, .name_bytes = 1024                       \
	}

/* Of a root filesystem, a distribution's with much installed: a desktop of Debian has 300,000 entries in 6 GB. */
#define KC_EXTRACT_LIMITS_ROOTFS                                                                             \
	{                                                                                                    \
		.decoder_memory_bytes = 128u << 20, .entries = 500000, .total_bytes = UINT64_C(8) << 30,     \
		.file_bytes = UINT64_C(2) << 30, .ratio = 200, .depth = 64, .name_bytes = 2048               \
	}

/* What to do with an entry; the name is relative, checked, without "./" and trailing slash. Write another
 * name into `ret_name` (which is "") to move it (checked again), or return false to leave the entry out. Also
 * asked for the target of a hard link. */
typedef bool kc_extract_filter(void *context, const char *name, char *ret_name, size_t ret_name_size);

struct kc_extract_options {
	struct kc_extract_limits limits;
	uid_t owner_uid; /* everything is given to this id; (uid_t)-1 leaves it to us */
	gid_t owner_gid;
	bool merge; /* existing directories are fine (packages into one root); existing files never are */
	const char *
		mount_point; /* where the tree will be seen: absolute links may go below it; NULL: none may */
	bool foreign_links; /* symbolic links may be absolute or point above the root, as those of a root file
			       system do: they are resolved inside a sandbox, never by us */
	bool skip_devices;  /* device, FIFO and socket entries are left out instead of refused */
	bool is_layer; /* of an image: its marks become those of overlayfs, see archive/layer.h; its end may be missing, as the digest of
			 * the tar says that it is whole: the caller checks `decoded_sha256` */
	char *decoded_sha256; /* KC_SHA256_HEX_SIZE: gets the digest of the tar itself; NULL: nobody asks */
	kc_extract_filter *filter; /* NULL: every entry, under its own name */
	void *filter_context;
	struct kc_buffer
		*manifest; /* gets one line per entry written, see archive/manifest.h; NULL for none */
};

#define KC_EXTRACT_OPTIONS_INIT                                                                              \
	{                                                                                                    \
		.limits = KC_EXTRACT_LIMITS_VOLUME, .owner_uid = (uid_t)-1, .owner_gid = (gid_t)-1           \
	}

/* Reads `source` to its verified end. -EBADMSG for content that is refused; the text names the entry and the
 * rule. */
int kc_extract_tar_xz(struct kc_source *source, int destination_fd, const struct kc_extract_options *options,
		      struct kc_error *err) __attribute__((warn_unused_result));

/* The same from a tar that is compressed with xz, gzip or zstd, or not at all. */
int kc_extract_tar(struct kc_source *source, int destination_fd, const struct kc_extract_options *options,
		   struct kc_error *err) __attribute__((warn_unused_result));

#endif
