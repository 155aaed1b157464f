#include "release/volume_facts.h"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive/decoder.h"
#include "archive/extract.h"
#include "archive/names.h"
#include "archive/tar_frame.h"
#include "archive/utf8_locale.h"

#define INTERPRETER "bin/python"
#define MOST_INTERPRETERS 32u
#define MOST_HOPS 8u
#define NAME_BYTES 64u

/* A member bin/python*. */
struct interpreter {
	char name[NAME_BYTES];	 /* without "bin/" */
	char target[NAME_BYTES]; /* of a link, likewise; "": it is a file */
	unsigned int machine;	 /* of a file */
};

struct scan {
	struct kc_decoder decoder;
	struct kc_tar_frame frame;
	struct archive *reader;
	unsigned char *piece;
	struct kc_error input_error;
	struct kc_extract_limits limits;
	struct interpreter interpreters[MOST_INTERPRETERS];
	size_t interpreter_count;
	struct kc_volume_facts facts;
	struct kc_buffer *ttyd;
};

static ssize_t next_piece(struct scan *scan, struct kc_error *err)
{
	ssize_t length = kc_decoder_read(&scan->decoder, scan->piece, KC_SOURCE_CHUNK_BYTES, err);
	int status = length > 0 ? kc_tar_frame_feed(&scan->frame, scan->piece, (size_t)length, err) : 0;

	return status < 0 ? status : length;
}

static la_ssize_t read_piece(struct archive *reader, void *context, const void **ret_bytes)
{
	struct scan *scan = context;
	ssize_t length = next_piece(scan, &scan->input_error);

	*ret_bytes = scan->piece;
	if (length < 0)
		archive_set_error(reader, (int)-length, "input");
	return length < 0 ? ARCHIVE_FATAL : length;
}

static int reader_failed(struct scan *scan, struct kc_error *err)
{
	const char *text = archive_error_string(scan->reader); /* can be NULL */

	if (scan->input_error.code < 0) {
		if (err)
			*err = scan->input_error;
		return scan->input_error.code;
	}
	return kc_error_set(err, EBADMSG, "read tar: %s", text ? text : "malformed archive");
}

static int refuse(const char *member, const char *rule, struct kc_error *err)
{
	char shown[KC_NAME_SHOWN_SIZE];

	return kc_error_set(err, EBADMSG, "member `%s`: %s", kc_name_show(member, shown), rule);
}

static const char *architecture_of(unsigned int machine)
{
	return machine == EM_X86_64 ? "x86_64" : machine == EM_AARCH64 ? "aarch64" : "";
}

/* Of the first bytes of a file; both architectures are little-endian. EM_NONE if it is no ELF file of 64 bits. */
static unsigned int machine_of(const char *bytes, size_t length)
{
	Elf64_Ehdr header;

	if (length < sizeof(header))
		return EM_NONE;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
		return EM_NONE;
	return header.e_machine;
}

static int take_ttyd(struct scan *scan, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer own = KC_BUFFER_INIT(KC_VOLUME_TTYD_LIMIT_BYTES);
	struct kc_buffer *bytes = scan->ttyd ? scan->ttyd : &own;
	char chunk[16384];
	la_ssize_t got;

	if (scan->facts.ttyd_sha256[0])
		return refuse(KC_VOLUME_TTYD, "there are two of its name", err);
	while ((got = archive_read_data(scan->reader, chunk, sizeof(chunk))) > 0)
		if (kc_buffer_append(bytes, chunk, (size_t)got) < 0)
			return refuse(KC_VOLUME_TTYD, "it is too large", err);
	if (got < 0)
		return reader_failed(scan, err);
	(void)snprintf(scan->facts.ttyd_architecture, sizeof(scan->facts.ttyd_architecture), "%s",
		       architecture_of(machine_of(bytes->data, bytes->length)));
	return kc_sha256_of(kc_buffer_string(bytes), bytes->length, scan->facts.ttyd_sha256, err);
}

/* False for a name that is too long to be of interest. */
static bool copy_name(char to[NAME_BYTES], const char *from)
{
	const char *slash = strrchr(from, '/');
	int length = snprintf(to, NAME_BYTES, "%s", slash ? slash + 1 : from);

	return length >= 0 && (unsigned int)length < NAME_BYTES;
}

static int take_interpreter(struct scan *scan, struct archive_entry *entry, const char *name,
			    struct kc_error *err)
{
	struct interpreter *interpreter = &scan->interpreters[scan->interpreter_count];
	const char *target = archive_entry_symlink(entry);
	char header[sizeof(Elf64_Ehdr)];
	la_ssize_t got;

	if (scan->interpreter_count == MOST_INTERPRETERS)
		return refuse(name, "there are too many of its kind", err);
	if (!copy_name(interpreter->name, name) || (target && !copy_name(interpreter->target, target)))
		return 0;
	for (size_t i = 0; i < scan->interpreter_count; i++)
		if (strcmp(scan->interpreters[i].name, interpreter->name) == 0)
			return refuse(name, "there are two of its name", err);
	if (archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry)) {
		got = archive_read_data(scan->reader, header, sizeof(header));
		if (got < 0)
			return reader_failed(scan, err);
		interpreter->machine = machine_of(header, (size_t)got);
	}
	scan->interpreter_count++;
	return 0;
}

static int take_entry(struct scan *scan, struct archive_entry *entry, struct kc_error *err)
{
	const char *path = archive_entry_pathname(entry), *rule;
	bool is_directory = archive_entry_filetype(entry) == AE_IFDIR;
	char name[PATH_MAX];

	if (!path)
		return refuse("", "the name is empty", err);
	rule = kc_name_check(path, is_directory, scan->limits.depth, scan->limits.name_bytes, name,
			     sizeof(name));
	if (rule)
		return refuse(path, rule, err);
	if (strcmp(name, KC_VOLUME_TTYD) == 0)
		return take_ttyd(scan, err);
	if (strncmp(name, INTERPRETER, strlen(INTERPRETER)) == 0 && !is_directory)
		return take_interpreter(scan, entry, name, err);
	return 0;
}

static int read_entries(struct scan *scan, struct kc_error *err)
{
	struct archive_entry *entry;
	uint64_t count = 0;
	int result, status = 0;

	while (status == 0 && (result = archive_read_next_header(scan->reader, &entry)) != ARCHIVE_EOF) {
		int64_t size;

		if (result != ARCHIVE_OK)
			return reader_failed(scan, err);
		if (++count > scan->limits.entries)
			return refuse("", "there are too many entries", err);
		size = archive_entry_size(entry);
		kc_tar_frame_agree(&scan->frame, (uint64_t)archive_read_header_position(scan->reader),
				   size < 0 ? 0 : (uint64_t)size);
		status = take_entry(scan, entry, err);
	}
	return status;
}

/* What is behind the tar's own end counts as well. */
static int finish(struct scan *scan, struct kc_error *err)
{
	ssize_t length;

	do {
		length = next_piece(scan, err);
	} while (length > 0);
	return length < 0 ? (int)length : kc_tar_frame_finish(&scan->frame, err);
}

/* From bin/python through links to a file python3.N. */
static void resolve_interpreter(struct scan *scan)
{
	static const char start[] = "python";
	const char *name = start;

	for (size_t hop = 0; hop < MOST_HOPS; hop++) {
		const struct interpreter *found = NULL;

		for (size_t i = 0; i < scan->interpreter_count; i++)
			if (strcmp(scan->interpreters[i].name, name) == 0)
				found = &scan->interpreters[i];
		if (!found)
			return;
		name = found->target;
		if (*name)
			continue;
		name = found->name + strlen(start);
		if (strspn(name, "0123456789.") != strlen(name) || !strchr(name, '.'))
			return;
		(void)snprintf(scan->facts.python, sizeof(scan->facts.python), "%.15s", name);
		(void)snprintf(scan->facts.architecture, sizeof(scan->facts.architecture), "%s",
			       architecture_of(found->machine));
		return;
	}
}

static int start(struct scan *scan, struct kc_source *source, struct kc_error *err)
{
	const struct kc_xz_limits limits = { scan->limits.decoder_memory_bytes, scan->limits.total_bytes,
					     scan->limits.ratio };
	int status = kc_decoder_open(&scan->decoder, source, &limits, true, err);

	if (status == 0)
		status = kc_tar_frame_init(&scan->frame, err);
	if (status < 0)
		return status;
	scan->piece = malloc(KC_SOURCE_CHUNK_BYTES);
	scan->reader = archive_read_new();
	if (!scan->piece || !scan->reader)
		return kc_error_errno(err, ENOMEM, "read tar");
	if (archive_read_support_format_tar(scan->reader) < ARCHIVE_OK ||
	    archive_read_open(scan->reader, scan, NULL, read_piece, NULL) < ARCHIVE_OK)
		return reader_failed(scan, err);
	return 0;
}

static void release(struct scan *scan)
{
	(void)archive_read_free(scan->reader); /* accepts NULL; a reader has nothing to lose at close */
	kc_decoder_close(&scan->decoder);
	kc_tar_frame_release(&scan->frame);
	free(scan->piece);
}

int kc_volume_facts_read(struct kc_source *source, struct kc_volume_facts *ret_facts, struct kc_buffer *ttyd,
			 struct kc_error *err)
{
	KC_UTF8_SCOPE;
	KC_CLEANUP(release) struct scan scan = { .limits = KC_EXTRACT_LIMITS_VOLUME, .ttyd = ttyd };
	int status = start(&scan, source, err);

	if (status == 0)
		status = read_entries(&scan, err);
	if (status == 0)
		status = finish(&scan, err);
	if (status == 0)
		status = kc_source_digest(source, scan.facts.sha256, err);
	if (status < 0)
		return status;
	resolve_interpreter(&scan);
	scan.facts.bytes = source->bytes;
	*ret_facts = scan.facts;
	return 0;
}
