#include "release/zip_directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_BYTES 22u
#define LOCATOR_BYTES 20u
#define ENTRY_BYTES 46u
#define LOCAL_BYTES 30u
#define COMMENT_BYTES_MAX 65535u
#define DIRECTORY_BYTES_MAX (16u << 20)
#define NAME_BYTES_MAX 1024u
#define EXTRA_BYTES_MAX 65535u

static const unsigned char end_mark[] = { 'P', 'K', 5, 6 }, locator_mark[] = { 'P', 'K', 6, 7 },
			   entry_mark[] = { 'P', 'K', 1, 2 }, local_mark[] = { 'P', 'K', 3, 4 },
			   descriptor_mark[] = { 'P', 'K', 7, 8 };

#define HAS_MARK(bytes, mark) (memcmp((bytes), (mark), sizeof(mark)) == 0)

enum { FLAG_ENCRYPTED = 1, FLAG_DESCRIPTOR = 8, FLAG_STRONG = 64, FLAG_UTF8 = 2048, FLAG_MASKED = 8192 };
enum { EXTRA_ZIP64 = 0x0001, EXTRA_UNICODE_PATH = 0x7075 };

struct reading {
	int fd;
	const char *name;
	struct kc_findings *findings;
	struct kc_zip_directory directory;
	uint64_t directory_at;
	uint64_t end_at; /* of the end record */
	uint32_t directory_bytes;
	uint16_t count;
	struct kc_error *err;
};

static uint16_t read16(const unsigned char *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static uint32_t read32(const unsigned char *bytes)
{
	return (uint32_t)read16(bytes) | (uint32_t)read16(bytes + 2) << 16;
}

static void complain(struct reading *reading, const char *member, const char *expected, const char *found)
{
	kc_finding_add(reading->findings, member, expected, found);
}

static void complain_at(struct reading *reading, const char *member, const char *expected, const char *what,
			uint64_t offset)
{
	char text[128];

	(void)snprintf(text, sizeof(text), "%s at byte %llu", what, (unsigned long long)offset);
	complain(reading, member, expected, text);
}

/* All of it: the caller has checked that it is within the file. */
static int read_at(struct reading *reading, uint64_t offset, void *bytes, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(reading->fd, (char *)bytes + done, length - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return kc_error_errno(reading->err, got < 0 ? errno : EIO, "read wheel `%s`",
					      reading->name);
		done += (size_t)got;
	}
	return 0;
}

static void *allocate(struct reading *reading, size_t count, size_t size)
{
	void *memory = calloc(count ? count : 1, size);

	if (!memory)
		(void)kc_error_errno(reading->err, ENOMEM, "read wheel `%s`", reading->name);
	return memory;
}

/* --- The end record --- */

/* What hides in an end record, or behind it. */
static void check_end(struct reading *reading, const unsigned char *end)
{
	uint16_t comment = read16(end + 20);
	uint64_t behind = reading->end_at + END_BYTES + comment;

	if (read16(end + 4) || read16(end + 6) || read16(end + 8) != reading->count)
		complain(reading, "", "an archive in one part", "an end record that speaks of several");
	if (comment)
		kc_finding_add_number(reading->findings, "", "no comment: 0 bytes", comment);
	if (behind < reading->directory.file_bytes)
		complain_at(reading, "", "nothing behind the end record", "more bytes", behind);
}

/* Returns whether there is a directory to be read. */
static bool place_directory(struct reading *reading, uint32_t offset)
{
	if (reading->count == UINT16_MAX || reading->directory_bytes == UINT32_MAX || offset == UINT32_MAX) {
		complain(reading, "", "no ZIP64: everything is below 4 GiB",
			 "an end record that refers to ZIP64");
		return false;
	}
	if (reading->directory_bytes > reading->end_at || reading->directory_bytes > DIRECTORY_BYTES_MAX ||
	    (uint64_t)reading->count * ENTRY_BYTES > reading->directory_bytes ||
	    reading->count > KC_ZIP_MEMBERS_MAX) {
		complain(reading, "", "a directory of the size that the end record says",
			 "one that does not fit");
		return false;
	}
	/* Other readers look where the end record says, or before where it stands: both have to be the same place. */
	reading->directory_at = reading->end_at - reading->directory_bytes;
	if (offset != reading->directory_at)
		complain_at(reading, "", "the directory right before the end record, where that says it is",
			    "a directory", offset);
	return true;
}

/* Every end record from `start` on that is not the one: readers that take the first, or the last, see another archive. */
static void check_only_end(struct reading *reading, const unsigned char *tail, size_t length, uint64_t start)
{
	/* A directory that ends early leaves room for another end record where readers look for one; data before that may be anything. */
	uint64_t most = END_BYTES + COMMENT_BYTES_MAX;
	uint64_t first = reading->end_at < most ? 0 : reading->end_at - most;

	if (first > reading->directory_at)
		first = reading->directory_at;
	for (size_t i = first > start ? (size_t)(first - start) : 0; i + sizeof(end_mark) <= length; i++) {
		if (HAS_MARK(tail + i, end_mark) && start + i != reading->end_at)
			complain_at(reading, "", "one end record", "another", start + i);
		if (HAS_MARK(tail + i, locator_mark))
			complain_at(reading, "", "no ZIP64: everything is below 4 GiB", "its locator",
				    start + i);
	}
}

/* The last one, as most readers do. */
static bool find_end(const unsigned char *tail, size_t length, size_t *ret_at)
{
	for (size_t i = length < END_BYTES ? 0 : length - END_BYTES + 1; i-- > 0;)
		if (HAS_MARK(tail + i, end_mark)) {
			*ret_at = i;
			return true;
		}
	return false;
}

/* 1 if there is a directory to go on with. */
static int read_end(struct reading *reading)
{
	uint64_t size = reading->directory.file_bytes;
	size_t most = DIRECTORY_BYTES_MAX + END_BYTES + COMMENT_BYTES_MAX + LOCATOR_BYTES;
	size_t length = size < most ? (size_t)size : most, at;
	KC_CLEANUP_FREE unsigned char *tail = allocate(reading, length, 1);
	int status = tail ? read_at(reading, size - length, tail, length) : -ENOMEM;

	if (status < 0)
		return status;
	if (length < END_BYTES || !find_end(tail, length, &at)) {
		complain(reading, "", "a ZIP archive", "no end of a central directory");
		return 0;
	}
	reading->end_at = size - length + at;
	reading->count = read16(tail + at + 10);
	reading->directory_bytes = read32(tail + at + 12);
	check_end(reading, tail + at);
	if (!place_directory(reading, read32(tail + at + 16)))
		return 0;
	check_only_end(reading, tail, length, size - length);
	return 1;
}

/* --- The central directory --- */

static void check_extra(struct reading *reading, const char *member, const unsigned char *extra,
			size_t length)
{
	while (length) {
		size_t bytes = length < 4 ? length : read16(extra + 2);

		if (length < 4 || bytes > length - 4) {
			complain(reading, member, "whole extra fields", "one that is cut short");
			return;
		}
		if (read16(extra) == EXTRA_ZIP64)
			complain(reading, member, "no ZIP64: everything is below 4 GiB",
				 "an extra field of ZIP64");
		if (read16(extra) == EXTRA_UNICODE_PATH)
			complain(reading, member, "one name", "an extra field with another name");
		extra += 4 + bytes;
		length -= 4 + bytes;
	}
}

static void check_flags(struct reading *reading, const struct kc_zip_entry *entry)
{
	if (entry->flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED))
		complain(reading, entry->name, "no encryption", "the flag of an encrypted member");
	if (entry->flags & FLAG_DESCRIPTOR)
		complain(reading, entry->name, "sizes in the local header",
			 "a data descriptor behind the data");
	if (entry->method != 0 && entry->method != 8)
		kc_finding_add_number(reading->findings, entry->name, "method 0 (stored) or 8 (deflated)",
				      entry->method);
	if (entry->method == 0 && entry->packed_bytes != entry->bytes)
		complain(reading, entry->name, "one size of a stored member", "two that differ");
}

/* Copies a name of `length` bytes. False if it is none. */
static bool take_name(struct reading *reading, const unsigned char *bytes, size_t length, char **ret_name)
{
	char *name;

	if (length == 0 || length > NAME_BYTES_MAX || memchr(bytes, '\0', length)) {
		kc_finding_add_number(reading->findings, "",
				      "names of 1 to 1024 bytes without NUL, not one of bytes", length);
		return false;
	}
	name = allocate(reading, length + 1, 1);
	if (name)
		memcpy(name, bytes, length);
	*ret_name = name;
	return name != NULL;
}

/* 1 and where the next one starts in *at; 0 after a finding that ends the directory. */
static int take_entry(struct reading *reading, const unsigned char *bytes, size_t length, size_t *at)
{
	struct kc_zip_entry *entry = &reading->directory.entries[reading->directory.count];
	const unsigned char *row = bytes + *at;
	size_t names, extra, comment;

	if (length - *at < ENTRY_BYTES || !HAS_MARK(row, entry_mark)) {
		complain_at(reading, "", "as many entries as the end record says", "something else",
			    reading->directory_at + *at);
		return 0;
	}
	names = read16(row + 28);
	extra = read16(row + 30);
	comment = read16(row + 32);
	if (names + extra + comment > length - *at - ENTRY_BYTES) {
		complain_at(reading, "", "entries within the directory", "one that leaves it",
			    reading->directory_at + *at);
		return 0;
	}
	if (!take_name(reading, row + ENTRY_BYTES, names, &entry->name))
		return reading->err && reading->err->code < 0 ? reading->err->code : 0;
	entry->made_by = read16(row + 4);
	entry->needed = read16(row + 6);
	entry->flags = read16(row + 8);
	entry->method = read16(row + 10);
	entry->dos_time = read32(row + 12);
	entry->crc = read32(row + 16);
	entry->packed_bytes = read32(row + 20);
	entry->bytes = read32(row + 24);
	entry->attributes = read32(row + 38);
	entry->header_at = read32(row + 42);
	reading->directory.count++;
	check_flags(reading, entry);
	check_extra(reading, entry->name, row + ENTRY_BYTES + names, extra);
	if (comment)
		kc_finding_add_number(reading->findings, entry->name, "no comment: 0 bytes", comment);
	if (read16(row + 34))
		complain(reading, entry->name, "an archive in one part", "a member on another disk");
	*at += ENTRY_BYTES + names + extra + comment;
	return 1;
}

static int by_place(const void *left, const void *right)
{
	const struct kc_zip_entry *one = left, *other = right;

	return (one->header_at > other->header_at) - (one->header_at < other->header_at);
}

static int read_entries(struct reading *reading)
{
	KC_CLEANUP_FREE unsigned char *bytes = allocate(reading, reading->directory_bytes, 1);
	size_t at = 0;
	int status =
		bytes ? read_at(reading, reading->directory_at, bytes, reading->directory_bytes) : -ENOMEM;

	reading->directory.entries = allocate(reading, reading->count, sizeof(struct kc_zip_entry));
	if (status < 0 || !reading->directory.entries)
		return status < 0 ? status : -ENOMEM;
	for (size_t i = 0; i < reading->count; i++) {
		status = take_entry(reading, bytes, reading->directory_bytes, &at);
		if (status <= 0)
			return status;
	}
	if (at < reading->directory_bytes)
		complain_at(reading, "", "as many entries as the end record says", "more bytes",
			    reading->directory_at + at);
	if (reading->directory.count)
		qsort(reading->directory.entries, reading->directory.count, sizeof(struct kc_zip_entry),
		      by_place);
	return 0;
}

/* --- Local headers --- */

/* Where in a local header the fields begin that a data descriptor takes the place of. */
#define CHECKSUM_AT 14u

/* A row: what the local header and the directory both say. */
static const struct {
	const char *what;
	size_t local_at, bytes, entry_offset;
} both[] = {
	{ "version needed", 4, 2, offsetof(struct kc_zip_entry, needed) },
	{ "flags", 6, 2, offsetof(struct kc_zip_entry, flags) },
	{ "method", 8, 2, offsetof(struct kc_zip_entry, method) },
	{ "time", 10, 4, offsetof(struct kc_zip_entry, dos_time) },
	{ "checksum", CHECKSUM_AT, 4, offsetof(struct kc_zip_entry, crc) },
	{ "packed size", 18, 4, offsetof(struct kc_zip_entry, packed_bytes) },
	{ "size", 22, 4, offsetof(struct kc_zip_entry, bytes) },
};

static void compare_headers(struct reading *reading, const struct kc_zip_entry *entry,
			    const unsigned char *local)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(both); i++) {
		const void *field = (const char *)entry + both[i].entry_offset;
		uint32_t theirs = both[i].bytes == 2 ? *(const uint16_t *)field : *(const uint32_t *)field;
		uint32_t ours = both[i].bytes == 2 ? read16(local + both[i].local_at)
						   : read32(local + both[i].local_at);
		char expected[64], found[64];

		/* With a data descriptor, which is a finding itself, they are 0 or right. */
		if (theirs == ours ||
		    (entry->flags & FLAG_DESCRIPTOR && both[i].local_at >= CHECKSUM_AT && ours == 0))
			continue;
		(void)snprintf(expected, sizeof(expected), "%s %lu in the local header", both[i].what,
			       (unsigned long)theirs);
		(void)snprintf(found, sizeof(found), "%lu", (unsigned long)ours);
		complain(reading, entry->name, expected, found);
	}
}

/* The name and the extra fields behind a local header, which are within the file. */
static int check_local_names(struct reading *reading, const struct kc_zip_entry *entry, uint64_t at,
			     size_t names, size_t extra)
{
	KC_CLEANUP_FREE char *bytes = allocate(reading, names + extra + 1, 1);
	int status = bytes ? read_at(reading, at, bytes, names + extra) : -ENOMEM;

	if (status < 0)
		return status;
	if (names != strlen(entry->name) || memcmp(bytes, entry->name, names) != 0) {
		KC_CLEANUP_FREE char *name = strndup(bytes, names);

		complain(reading, entry->name, "the same name in the local header", name ? name : "another");
	}
	check_extra(reading, entry->name, (const unsigned char *)bytes + names, extra);
	return 0;
}

/* 12 bytes, or 16 with the mark that most writers put in front. */
static int skip_descriptor(struct reading *reading, struct kc_zip_entry *entry)
{
	unsigned char mark[4] = { 0 };
	int status = 0;

	if (!(entry->flags & FLAG_DESCRIPTOR) || entry->end_at + 12 > reading->directory_at)
		return 0;
	status = read_at(reading, entry->end_at, mark, sizeof(mark));
	if (status == 0)
		entry->end_at += HAS_MARK(mark, descriptor_mark) ? 16 : 12;
	return status;
}

static int read_local(struct reading *reading, struct kc_zip_entry *entry)
{
	unsigned char local[LOCAL_BYTES];
	uint64_t at = entry->header_at, data_at;
	int status;

	if (at + LOCAL_BYTES > reading->directory_at) {
		complain_at(reading, entry->name, "its local header before the directory", "it is", at);
		return 0;
	}
	status = read_at(reading, at, local, sizeof(local));
	if (status < 0)
		return status;
	if (!HAS_MARK(local, local_mark)) {
		complain_at(reading, entry->name, "a local header", "something else", at);
		return 0;
	}
	data_at = at + LOCAL_BYTES + read16(local + 26) + read16(local + 28);
	if (data_at + entry->packed_bytes > reading->directory_at) {
		complain_at(reading, entry->name, "its data before the directory", "it starts", data_at);
		return 0;
	}
	compare_headers(reading, entry, local);
	status = check_local_names(reading, entry, at + LOCAL_BYTES, read16(local + 26), read16(local + 28));
	entry->data_at = data_at;
	entry->end_at = data_at + entry->packed_bytes;
	return status < 0 ? status : skip_descriptor(reading, entry);
}

/* Header after header, without a byte that belongs to none or to two. */
static void check_places(struct reading *reading)
{
	uint64_t at = 0;

	for (size_t i = 0; i < reading->directory.count; i++) {
		const struct kc_zip_entry *entry = &reading->directory.entries[i];

		if (!entry->data_at)
			return; /* found already; where the next one should be is not known */
		if (entry->header_at > at)
			complain_at(reading, entry->name, "no bytes before its header that belong to nothing",
				    "bytes", at);
		if (entry->header_at < at)
			complain_at(reading, entry->name, "bytes of its own", "bytes of the member before it",
				    entry->header_at);
		at = entry->end_at;
	}
	if (at < reading->directory_at)
		complain_at(reading, "", "the directory right behind the last member", "other bytes", at);
}

static int read_all(struct reading *reading)
{
	int status = read_end(reading);

	if (status <= 0)
		return status;
	status = read_entries(reading);
	for (size_t i = 0; status == 0 && i < reading->directory.count; i++)
		status = read_local(reading, &reading->directory.entries[i]);
	if (status == 0)
		check_places(reading);
	reading->directory.is_whole = reading->directory.count == reading->count;
	for (size_t i = 0; i < reading->directory.count; i++)
		reading->directory.is_whole &= reading->directory.entries[i].data_at != 0;
	return status;
}

int kc_zip_directory_read(int fd, const char *name, struct kc_findings *findings,
			  struct kc_zip_directory *ret_directory, struct kc_error *err)
{
	struct kc_error ignored = { 0 };
	struct reading reading = {
		.fd = fd, .name = name, .findings = findings, .err = err ? err : &ignored
	};
	struct stat status_of;
	int status;

	if (fstat(fd, &status_of) < 0)
		return kc_error_errno(err, errno, "read wheel `%s`", name);
	if (!S_ISREG(status_of.st_mode) || (uint64_t)status_of.st_size > KC_ZIP_FILE_BYTES_MAX)
		return kc_error_set(err, EBADMSG, "read wheel `%s`: not a file of at most 1 GiB", name);
	reading.directory.file_bytes = (uint64_t)status_of.st_size;
	status = read_all(&reading);
	if (status < 0) {
		kc_zip_directory_release(&reading.directory);
		return status;
	}
	*ret_directory = reading.directory;
	return 0;
}

void kc_zip_directory_release(struct kc_zip_directory *directory)
{
	for (size_t i = 0; directory->entries && i < directory->count; i++)
		free(directory->entries[i].name);
	free(directory->entries);
	*directory = (struct kc_zip_directory){ 0 };
}
