#include "archive/extract.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/decoder.h"
#include "archive/layer.h"
#include "archive/names.h"
#include "archive/ring.h"
#include "archive/tar_frame.h"
#include "archive/tree_writer.h"
#include "archive/utf8_locale.h"

struct extraction {
	const struct kc_extract_options *options;
	struct kc_decoder decoder;
	struct kc_ring *ring;
	struct kc_tar_frame frame;
	struct kc_tree_writer writer;
	struct archive *reader;
	struct kc_error input_error;  /* why the read callback failed */
	struct kc_sha256 decoded_sha; /* only if that was asked for */
	bool is_completed;	      /* the end of the stream has been met */
	bool decoder_failed;	      /* its messages name the archive themselves */
	uint64_t entries;
};

static int refuse(const char *name, const char *rule, struct kc_error *err)
{
	char shown[KC_NAME_SHOWN_SIZE];

	return kc_error_set(err, EBADMSG, "entry `%s`: %s", kc_name_show(name ? name : "", shown), rule);
}

static ssize_t decode(void *context, void *buffer, size_t size, struct kc_error *err)
{
	return kc_decoder_read(context, buffer, size, err);
}

/* The zeros that a layer may lack, once; then 0. */
static ssize_t end_of_stream(struct extraction *extraction, const void **ret_bytes, struct kc_error *err)
{
	static const char zeros[3 * KC_TAR_BLOCK_BYTES];
	uint64_t missing = extraction->is_completed ? 0 : kc_tar_frame_missing(&extraction->frame);

	if (extraction->frame.offset == 0)
		return kc_error_set(err, EBADMSG, "the archive is empty (a stream of nothing)");
	extraction->is_completed = true;
	*ret_bytes = zeros;
	return (ssize_t)missing; /* less than a block of padding, and two blocks */
}

/* The next piece of the tar, seen by the frame check before the reader gets it. */
static ssize_t next_piece(struct extraction *extraction, const void **ret_bytes, struct kc_error *err)
{
	ssize_t length = kc_ring_next(extraction->ring, ret_bytes, err);
	int status;

	extraction->decoder_failed = length < 0;
	if (length == 0)
		return end_of_stream(extraction, ret_bytes, err);
	if (length < 0)
		return length;
	if (extraction->options->decoded_sha256)
		kc_sha256_update(&extraction->decoded_sha, *ret_bytes, (size_t)length);
	status = kc_tar_frame_feed(&extraction->frame, *ret_bytes, (size_t)length, err);
	return status < 0 ? status : length;
}

static la_ssize_t read_piece(struct archive *reader, void *context, const void **ret_bytes)
{
	struct extraction *extraction = context;
	ssize_t length = next_piece(extraction, ret_bytes, &extraction->input_error);

	if (length < 0)
		archive_set_error(reader, (int)-length, "input");
	return length < 0 ? ARCHIVE_FATAL : length;
}

/* A warning is as bad as an error: "retry" is what the reader says about an entry that it has dropped. */
static int reader_failed(struct extraction *extraction, struct kc_error *err)
{
	const char *text = archive_error_string(extraction->reader); /* can be NULL */

	if (extraction->input_error.code < 0) {
		if (err)
			*err = extraction->input_error;
		return extraction->input_error.code;
	}
	if (archive_errno(extraction->reader) == ENOMEM)
		return kc_error_errno(err, ENOMEM, "read tar");
	if (extraction->frame.offset == 0)
		return kc_error_set(err, EBADMSG, "the archive is empty (0 bytes when decoded)");
	return kc_error_set(err, EBADMSG, "read tar: %s", text ? text : "malformed");
}

static int copy_data(struct extraction *extraction, struct kc_tree_file *file, uint64_t size,
		     struct kc_error *err)
{
	for (;;) {
		const void *bytes;
		size_t length;
		la_int64_t offset;
		int status = archive_read_data_block(extraction->reader, &bytes, &length, &offset);

		if (status == ARCHIVE_EOF)
			break;
		if (status < ARCHIVE_OK)
			return reader_failed(extraction, err);
		if ((uint64_t)offset != file->size || length > size - file->size)
			return refuse(file->name, "its data is not where its header says", err);
		status = kc_tree_file_append(file, bytes, length, err);
		if (status < 0)
			return status;
	}
	return file->size == size ? 0 : refuse(file->name, "its data is shorter than its header says", err);
}

static int put_file(struct extraction *extraction, struct archive_entry *entry, const char *name,
		    struct kc_error *err)
{
	KC_CLEANUP(kc_tree_file_release) struct kc_tree_file file = { .fd = -1 };
	la_int64_t size = archive_entry_size(entry);
	int status;

	if (size < 0 || (uint64_t)size > extraction->options->limits.file_bytes)
		return refuse(name, "it is larger than the limit for one file", err);
	if (archive_entry_sparse_count(entry) > 0)
		return refuse(name, "sparse files are refused", err);
	status = kc_tree_file_create(&extraction->writer, name, &file, err);
	if (status == 0)
		status = copy_data(extraction, &file, (uint64_t)size, err);
	if (status == 0)
		status = kc_tree_file_close(&extraction->writer, &file, archive_entry_perm(entry),
					    archive_entry_mtime(entry), err);
	return status;
}

/* Checks a name of the archive and lets the filter decide. 1: goes to *ret_name; 0: left out. */
static int place(struct extraction *extraction, const char *raw, bool is_directory, char ret_name[PATH_MAX],
		 struct kc_error *err)
{
	const struct kc_extract_options *options = extraction->options;
	const struct kc_extract_limits *limits = &options->limits;
	char moved[PATH_MAX] = "";
	const char *rule =
		kc_name_check(raw, is_directory, limits->depth, limits->name_bytes, ret_name, PATH_MAX);

	if (rule)
		return refuse(raw, rule, err);
	if (!*ret_name || !options->filter)
		return *ret_name != '\0';
	if (!options->filter(options->filter_context, ret_name, moved, sizeof(moved)))
		return 0;
	if (!*moved)
		return 1;
	rule = kc_name_check(moved, is_directory, limits->depth, limits->name_bytes, ret_name, PATH_MAX);
	return rule ? refuse(moved, rule, err) : *ret_name != '\0';
}

static int put_hardlink(struct extraction *extraction, struct archive_entry *entry, const char *name,
			struct kc_error *err)
{
	char target[PATH_MAX];
	int placed = place(extraction, archive_entry_hardlink(entry), false, target, err);

	if (placed < 0)
		return kc_error_prefix(err, "target of a hard link");
	if (placed == 0)
		return refuse(name, "the target of the hard link is left out", err);
	return kc_tree_put_hardlink(&extraction->writer, name, target, err);
}

/* 1: it is an entry like others; 0: it was a mark, and is dealt with. */
static int take_mark(struct extraction *extraction, const char *name, struct kc_error *err)
{
	const char *slash = strrchr(name, '/'), *leaf = slash ? slash + 1 : name, *hidden = NULL;
	char marked[PATH_MAX];
	int parent = (int)(leaf - name); /* with its slash; place() has checked that the whole fits */

	switch (kc_layer_mark_of(leaf, &hidden)) {
	case KC_LAYER_NOT_MARK:
		return 1;
	case KC_LAYER_WHITEOUT:
		(void)snprintf(marked, sizeof(marked), "%.*s%s", parent, name, hidden);
		return kc_tree_put_whiteout(&extraction->writer, marked, err);
	case KC_LAYER_OPAQUE:
		(void)snprintf(marked, sizeof(marked), "%.*s", parent ? parent - 1 : 0, name);
		return kc_tree_put_opaque(&extraction->writer, marked, err);
	case KC_LAYER_RESERVED:
		return 0;
	case KC_LAYER_BAD:
		break;
	}
	return refuse(name, "it hides a name that cannot be", err);
}

static int put_entry(struct extraction *extraction, struct archive_entry *entry, struct kc_error *err)
{
	mode_t type = archive_entry_filetype(entry);
	const char *link = archive_entry_symlink(entry);
	char name[PATH_MAX];
	int placed = place(extraction, archive_entry_pathname(entry), type == AE_IFDIR, name, err);

	if (placed > 0 && extraction->options->is_layer)
		placed = take_mark(extraction, name, err);
	if (placed <= 0)
		return placed;
	if (archive_entry_hardlink(entry))
		return put_hardlink(extraction, entry, name, err);
	switch (type) {
	case AE_IFDIR:
		return kc_tree_put_directory(&extraction->writer, name, archive_entry_perm(entry), err);
	case AE_IFREG:
		return put_file(extraction, entry, name, err);
	case AE_IFLNK:
		return kc_tree_put_symlink(&extraction->writer, name, link ? link : "", err);
	default:
		return extraction->options->skip_devices
			       ? 0
			       : refuse(name, "devices, FIFOs and sockets are refused", err);
	}
}

static int read_entries(struct extraction *extraction, struct kc_error *err)
{
	for (;;) {
		struct archive_entry *entry;
		la_int64_t size;
		int status = archive_read_next_header(extraction->reader, &entry);

		if (status == ARCHIVE_EOF)
			return 0;
		if (status < ARCHIVE_OK)
			return reader_failed(extraction, err);
		if (++extraction->entries > extraction->options->limits.entries)
			return refuse(archive_entry_pathname(entry), "there are too many entries", err);
		size = archive_entry_size(entry);
		kc_tar_frame_agree(&extraction->frame,
				   (uint64_t)archive_read_header_position(extraction->reader),
				   size < 0 ? 0 : (uint64_t)size);
		status = put_entry(extraction, entry, err);
		if (status < 0)
			return status;
	}
}

/* Reads on to the end of the stream: what follows the last entry is checked, too. */
static int drain(struct extraction *extraction, struct kc_error *err)
{
	const void *bytes;
	ssize_t length;

	do {
		length = next_piece(extraction, &bytes, err);
	} while (length > 0);
	return length < 0 ? (int)length : kc_tar_frame_finish(&extraction->frame, err);
}

static int open_reader(struct extraction *extraction, struct kc_error *err)
{
	extraction->reader = archive_read_new();
	if (!extraction->reader)
		return kc_error_errno(err, ENOMEM, "read tar");
	if (archive_read_support_format_tar(extraction->reader) < ARCHIVE_OK ||
	    archive_read_open(extraction->reader, extraction, NULL, read_piece, NULL) < ARCHIVE_OK)
		return reader_failed(extraction, err);
	return 0;
}

static int start_checks(struct extraction *extraction, struct kc_error *err)
{
	int status = kc_tar_frame_init(&extraction->frame, err);

	extraction->frame.may_stop = extraction->options->is_layer;
	if (status == 0 && extraction->options->decoded_sha256)
		status = kc_sha256_start(&extraction->decoded_sha, err);
	return status;
}

static int finish_digest(struct extraction *extraction, struct kc_error *err)
{
	char *digest = extraction->options->decoded_sha256;

	return digest ? kc_sha256_finish(&extraction->decoded_sha, digest, err) : 0;
}

static int run(struct extraction *extraction, struct kc_source *source, bool xz_only, struct kc_error *err)
{
	const struct kc_extract_limits *limits = &extraction->options->limits;
	const struct kc_xz_limits xz_limits = { .memory_bytes = limits->decoder_memory_bytes,
						.total_bytes = limits->total_bytes,
						.ratio = limits->ratio };
	int status = kc_decoder_open(&extraction->decoder, source, &xz_limits, xz_only, err);

	if (status == 0)
		status = start_checks(extraction, err);
	if (status == 0)
		status = kc_ring_start(&extraction->ring, decode, &extraction->decoder, err);
	if (status == 0)
		status = open_reader(extraction, err);
	if (status == 0)
		status = read_entries(extraction, err);
	if (status == 0)
		status = drain(extraction, err);
	if (status == 0)
		status = kc_tree_writer_finish(&extraction->writer, err);
	return status < 0 ? status : finish_digest(extraction, err);
}

static int extract(struct kc_source *source, int destination_fd, const struct kc_extract_options *options,
		   bool xz_only, struct kc_error *err)
{
	struct extraction extraction = { .options = options };
	KC_UTF8_SCOPE;
	int status;

	kc_tree_writer_init(&extraction.writer, destination_fd, options);
	status = run(&extraction, source, xz_only, err);
	if (status < 0 && !extraction.decoder_failed)
		(void)kc_error_prefix(err, "archive `%s`", source->name); /* the status stays what it was */
	(void)archive_read_free(extraction.reader); /* accepts NULL; a reader has nothing to lose at close */
	kc_ring_stop(&extraction.ring);
	kc_decoder_close(&extraction.decoder);
	kc_tar_frame_release(&extraction.frame);
	kc_sha256_release(&extraction.decoded_sha);
	kc_tree_writer_release(&extraction.writer);
	return status;
}

int kc_extract_tar_xz(struct kc_source *source, int destination_fd, const struct kc_extract_options *options,
		      struct kc_error *err)
{
	return extract(source, destination_fd, options, true, err);
}

int kc_extract_tar(struct kc_source *source, int destination_fd, const struct kc_extract_options *options,
		   struct kc_error *err)
{
	return extract(source, destination_fd, options, false, err);
}
