#include "release/zip_settle.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "release/zip_directory.h"
#include "sys/fd.h"

#define WHAT "wheel"
#define CHUNK_BYTES 65536u
#define DIRECTORY_BYTES_MAX (16u << 20)
#define METHOD_DEFLATED 8u

/* Version 2.0 is the first that knows deflate, 1.0 all that is stored; APPNOTE 4.4.3.2. */
static unsigned int version_needed(const struct kc_zip_entry *entry)
{
	return entry->method == METHOD_DEFLATED ? 20 : 10;
}

static void put16(unsigned char *at, unsigned int number)
{
	at[0] = (unsigned char)number;
	at[1] = (unsigned char)(number >> 8);
}

static void put32(unsigned char *at, uint32_t number)
{
	put16(at, number & 0xffff);
	put16(at + 2, number >> 16);
}

/* APPNOTE 4.4.6: two seconds to the bit. */
static uint32_t dos_time(int64_t time_s)
{
	time_t time = (time_t)(time_s < KC_ZIP_TIME_FIRST_S  ? KC_ZIP_TIME_FIRST_S
			       : time_s > KC_ZIP_TIME_LAST_S ? KC_ZIP_TIME_LAST_S
							     : time_s);
	struct tm parts = { .tm_year = 80, .tm_mday = 1 };

	(void)gmtime_r(&time, &parts); /* fails only for years that do not fit an int */
	return (uint32_t)(parts.tm_year - 80) << 25 | (uint32_t)(parts.tm_mon + 1) << 21 |
	       (uint32_t)parts.tm_mday << 16 | (uint32_t)parts.tm_hour << 11 | (uint32_t)parts.tm_min << 5 |
	       (uint32_t)parts.tm_sec / 2;
}

/* What a local header and an entry of the directory have in common: 26 bytes from "version needed" on. */
static void put_common(unsigned char *at, const struct kc_zip_entry *entry, uint32_t time)
{
	put16(at, version_needed(entry));
	put16(at + 2, 0);
	put16(at + 4, entry->method);
	put32(at + 6, time);
	put32(at + 10, entry->crc);
	put32(at + 14, entry->packed_bytes);
	put32(at + 18, entry->bytes);
	put16(at + 22, (unsigned int)strlen(entry->name));
	put16(at + 24, 0);
}

static int copy(int from, int to, uint64_t offset, uint64_t length)
{
	char chunk[CHUNK_BYTES];
	int status = 0;

	while (status == 0 && length) {
		ssize_t got = pread(from, chunk, length < sizeof(chunk) ? (size_t)length : sizeof(chunk),
				    (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		status = kc_fd_write_all(to, chunk, (size_t)got);
		offset += (uint64_t)got;
		length -= (uint64_t)got;
	}
	return status;
}

/* Writes one member, and its entry into `directory`. */
static int settle_member(int from, int to, const struct kc_zip_entry *entry, uint32_t time, uint64_t *offset,
			 struct kc_buffer *directory)
{
	unsigned char local[30] = { 'P', 'K', 3, 4 }, row[46] = { 'P', 'K', 1, 2 };
	size_t names = strlen(entry->name);
	int status;

	put_common(local + 4, entry, time);
	put16(row + 4, entry->made_by >> 8 << 8 | version_needed(entry));
	put_common(row + 6, entry, time);
	put32(row + 38, entry->attributes);
	put32(row + 42, (uint32_t)*offset);
	status = kc_buffer_append(directory, row, sizeof(row));
	if (status == 0)
		status = kc_buffer_append(directory, entry->name, names);
	if (status == 0)
		status = kc_fd_write_all(to, local, sizeof(local));
	if (status == 0)
		status = kc_fd_write_all(to, entry->name, names);
	if (status == 0)
		status = copy(from, to, entry->data_at, entry->packed_bytes);
	*offset += sizeof(local) + names + entry->packed_bytes;
	return status;
}

static int write_end(int to, const struct kc_buffer *directory, size_t count, uint64_t offset)
{
	unsigned char end[22] = { 'P', 'K', 5, 6 };
	int status = kc_fd_write_all(to, kc_buffer_string(directory), directory->length);

	put16(end + 8, (unsigned int)count);
	put16(end + 10, (unsigned int)count);
	put32(end + 12, (uint32_t)directory->length);
	put32(end + 16, (uint32_t)offset);
	return status < 0 ? status : kc_fd_write_all(to, end, sizeof(end));
}

static int settle(int from, int to, const struct kc_zip_directory *zip, uint32_t time)
{
	KC_CLEANUP_BUFFER struct kc_buffer directory = KC_BUFFER_INIT(DIRECTORY_BYTES_MAX);
	uint64_t offset = 0;
	int status = 0;

	for (size_t i = 0; status == 0 && i < zip->count; i++)
		status = settle_member(from, to, &zip->entries[i], time, &offset, &directory);
	return status < 0 ? status : write_end(to, &directory, zip->count, offset);
}

int kc_zip_settle(int from, int to, int64_t time_s, struct kc_error *err)
{
	/* Nobody is told of what is to be mended. */
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = WHAT };
	KC_CLEANUP_ZIP_DIRECTORY struct kc_zip_directory zip = { 0 };
	int status = kc_zip_directory_read(from, WHAT, &findings, &zip, err);

	if (status < 0)
		return status;
	if (!zip.is_whole)
		return kc_error_set(err, EBADMSG, "write a wheel: what was written is not a sound ZIP");
	status = settle(from, to, &zip, dos_time(time_s));
	return status < 0 ? kc_error_errno(err, status, "write a wheel") : 0;
}
