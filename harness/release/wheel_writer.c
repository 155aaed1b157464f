#include "release/wheel_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/source.h"
#include "net/pep440.h"
#include "release/record.h"
#include "release/volume_facts.h"
#include "release/zip_settle.h"
#include "sys/fd.h"

#define TEXT_LIMIT_BYTES (4u << 20)
#define MOST_MEMBERS 256u
#define GENERATOR "krunner-compat " KC_VERSION

struct member {
	char *name;
	struct kc_buffer text; /* what it holds; empty for the archive */
	bool is_archive, is_program;
	char sha256[KC_SHA256_HEX_SIZE];
	uint64_t bytes;
};

struct making {
	const struct kc_wheels *wheels;
	const struct kc_wheel_order *order;
	struct kc_wheel_values values;
	struct kc_volume_facts facts;
	struct kc_buffer directory, dist_info; /* where members are; with a slash */
	struct member members[MOST_MEMBERS];
	size_t count;
	size_t package_count; /* of those before dist-info */
};

static void release(struct making *making)
{
	for (size_t i = 0; i < making->count; i++) {
		free(making->members[i].name);
		kc_buffer_release(&making->members[i].text);
	}
	kc_buffer_release(&making->directory);
	kc_buffer_release(&making->dist_info);
}

/* A buffer that does not take what is appended: its limit or the memory is at an end. */
static int full(int status, struct kc_error *err)
{
	return status < 0 ? kc_error_errno(err, status, "write a wheel") : 0;
}

/* --- The members --- */

/* The next member, empty, called DIRECTORY NAME; NULL on failure. */
static struct member *add(struct making *making, const struct kc_buffer *directory, const char *name,
			  struct kc_error *err)
{
	struct member *member = &making->members[making->count];
	char *path = NULL;

	if (making->count == MOST_MEMBERS) {
		(void)kc_error_set(err, E2BIG, "write a wheel: more than %u members", MOST_MEMBERS);
		return NULL;
	}
	if (asprintf(&path, "%s%s", kc_buffer_string(directory), name) < 0) {
		(void)kc_error_errno(err, ENOMEM, "write a wheel");
		return NULL;
	}
	*member = (struct member){ .name = path };
	kc_buffer_init(&member->text, KC_VOLUME_TTYD_LIMIT_BYTES);
	making->count++;
	return member;
}

static int add_bytes(struct making *making, const struct kc_buffer *directory, const char *name,
		     const void *bytes, size_t length, struct kc_error *err)
{
	struct member *member = add(making, directory, name, err);

	return member ? full(kc_buffer_append(&member->text, bytes, length), err) : err ? err->code : -ENOMEM;
}

/* All texts of a part of the table. */
static int add_part(struct making *making, enum kc_wheel_part part, const struct kc_buffer *directory,
		    struct kc_error *err)
{
	int status = 1;

	for (size_t i = 0; status > 0; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);

		status = kc_wheels_append_part(making->wheels, part, i, &making->values, &name, &text);
		if (status < 0)
			return full(status, err);
		if (status > 0 && add_bytes(making, directory, kc_buffer_string(&name),
					    kc_buffer_string(&text), text.length, err) < 0)
			return err ? err->code : -ENOMEM;
	}
	return 0;
}

/* The archive, or ttyd, which `bytes` are moved from. */
static int add_large(struct making *making, enum kc_wheel_part part, struct kc_buffer *bytes,
		     struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	int status = kc_wheels_append_part(making->wheels, part, 0, &making->values, &name, NULL);
	struct member *member;

	if (status < 0)
		return full(status, err);
	member = add(making, &making->directory, kc_buffer_string(&name), err);
	if (!member)
		return err ? err->code : -ENOMEM;
	if (bytes) {
		member->is_program = true;
		member->text = *bytes;
		kc_buffer_init(bytes, 0);
		return 0;
	}
	member->is_archive = true;
	member->bytes = making->facts.bytes;
	memcpy(member->sha256, making->facts.sha256, sizeof(member->sha256));
	return 0;
}

static int add_licences(struct making *making, struct kc_error *err)
{
	const struct kc_wheel_order *order = making->order;
	KC_CLEANUP_BUFFER struct kc_buffer directory = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	int status =
		full(kc_buffer_printf(&directory, "%slicenses/", kc_buffer_string(&making->directory)), err);

	for (size_t i = 0; status == 0 && i < order->licence_count; i++)
		status = add_bytes(making, &directory, order->licences[i].name, order->licences[i].bytes,
				   order->licences[i].length, err);
	return status;
}

/* --- dist-info --- */

static int append_metadata(struct making *making, struct kc_buffer *text)
{
	const struct kc_wheel_order *order = making->order;
	int status = 1;

	for (size_t i = 0; status > 0; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
		KC_CLEANUP_BUFFER struct kc_buffer value = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);

		status = kc_wheels_append_part(making->wheels, KC_WHEEL_METADATA, i, &making->values, &name,
					       &value);
		if (status > 0 &&
		    kc_buffer_printf(text, "%s: %s\n", kc_buffer_string(&name), kc_buffer_string(&value)) < 0)
			status = -E2BIG;
	}
	if (status == 0)
		status = kc_buffer_printf(text, "License-Expression: %s\nLicense-File: %s\n\n",
					  order->licence_expression, order->licence.name);
	if (status == 0)
		status = kc_buffer_append_string(
			text, order->description ? order->description : order->choice.distribution.summary);
	/* A description ends with its line. */
	if (status == 0 && text->data[text->length - 1] != '\n')
		status = kc_buffer_append_string(text, "\n");
	return status;
}

static int append_wheel(struct making *making, struct kc_buffer *text)
{
	struct kc_wheel_tags tags;
	int status = kc_buffer_append_string(text, "Wheel-Version: 1.0\nGenerator: " GENERATOR
						   "\nRoot-Is-Purelib: false\n");

	if (!kc_wheels_find_tags(making->wheels, making->order->choice.architecture, KC_WHEEL_SORTED, &tags))
		return -EINVAL;
	for (size_t i = 0; status == 0 && i < tags.count; i++) {
		status = kc_buffer_append_string(text, "Tag: ");
		if (status == 0)
			status = kc_wheels_append_tag_start(making->wheels, text);
		if (status == 0)
			status = kc_buffer_printf(text, "%s\n", tags.items[i]);
	}
	return status;
}

static int add_made(struct making *making, const char *name,
		    int (*append)(struct making *making, struct kc_buffer *text), struct kc_error *err)
{
	struct member *member = add(making, &making->dist_info, name, err);

	return member ? full(append(making, &member->text), err) : err ? err->code : -ENOMEM;
}

static int add_dist_info(struct making *making, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer licences = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	const struct kc_release_file *licence = &making->order->licence;
	int status =
		full(kc_buffer_printf(&licences, "%slicenses/", kc_buffer_string(&making->dist_info)), err);

	if (status == 0)
		status = add_made(making, "METADATA", append_metadata, err);
	if (status == 0)
		status = add_made(making, "WHEEL", append_wheel, err);
	if (status == 0)
		status = add_part(making, KC_WHEEL_DIST_INFO, &making->dist_info, err);
	if (status == 0)
		status = add_bytes(making, &licences, licence->name, licence->bytes, licence->length, err);
	return status;
}

static int by_name(const void *left, const void *right)
{
	const struct member *one = left, *other = right;

	return strcmp(one->name, other->name);
}

/* Every other member has its digest. Names have nothing in them that CSV would have to quote. */
static int append_record(struct making *making, struct kc_buffer *text)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i + 1 < making->count; i++) {
		const struct member *member = &making->members[i];
		char digest[KC_RECORD_DIGEST_SIZE];

		kc_record_digest(member->sha256, digest);
		status = kc_buffer_printf(text, "%s,sha256=%s,%llu\n", member->name, digest,
					  (unsigned long long)member->bytes);
	}
	return status < 0 ? status
			  : kc_buffer_printf(text, "%sRECORD,,\n", kc_buffer_string(&making->dist_info));
}

static int hash_members(struct making *making, struct kc_error *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < making->count; i++) {
		struct member *member = &making->members[i];

		if (member->is_archive)
			continue;
		member->bytes = member->text.length;
		status = kc_sha256_of(kc_buffer_string(&member->text), member->text.length, member->sha256,
				      err);
	}
	return status;
}

static int make_members(struct making *making, struct kc_buffer *ttyd, struct kc_error *err)
{
	int status = add_large(making, KC_WHEEL_ARCHIVE, NULL, err);

	if (status == 0)
		status = add_large(making, KC_WHEEL_TTYD, ttyd, err);
	if (status == 0)
		status = add_part(making, KC_WHEEL_TEXTS, &making->directory, err);
	if (status == 0)
		status = add_licences(making, err);
	making->package_count = making->count;
	if (status == 0)
		status = add_dist_info(making, err);
	if (status < 0)
		return status;
	qsort(making->members, making->package_count, sizeof(struct member), by_name);
	qsort(making->members + making->package_count, making->count - making->package_count,
	      sizeof(struct member), by_name);
	for (size_t i = 0; i + 1 < making->count; i++)
		if (strcmp(making->members[i].name, making->members[i + 1].name) == 0)
			return kc_error_set(err, EINVAL, "write a wheel: `%s` is there twice",
					    making->members[i].name);
	status = hash_members(making, err);
	if (status == 0)
		status = add_made(making, "RECORD", append_record, err);
	making->members[making->count - 1].bytes = making->members[making->count - 1].text.length;
	return status;
}

/* --- Writing --- */

static int writer_failed(struct archive *writer, struct kc_error *err)
{
	const char *text = archive_error_string(writer); /* can be NULL */

	return kc_error_set(err, archive_errno(writer) > 0 ? archive_errno(writer) : EIO, "write a wheel: %s",
			    text ? text : "no reason given");
}

static int put(struct archive *writer, const void *bytes, size_t length, struct kc_error *err)
{
	return archive_write_data(writer, bytes, length) == (la_ssize_t)length ? 0
									       : writer_failed(writer, err);
}

static int copy_archive(struct archive *writer, struct kc_source *source, uint64_t bytes,
			struct kc_error *err)
{
	KC_CLEANUP_FREE char *chunk = malloc(KC_SOURCE_CHUNK_BYTES);
	ssize_t got;
	int status = 0;

	if (!chunk)
		return kc_error_errno(err, ENOMEM, "write a wheel");
	while (status == 0 && (got = kc_source_read(source, chunk, KC_SOURCE_CHUNK_BYTES, err)) != 0) {
		if (got < 0)
			return (int)got;
		status = source->bytes > bytes
				 ? kc_error_set(err, EBADMSG, "the volume has grown while it was packed")
				 : put(writer, chunk, (size_t)got, err);
	}
	return status;
}

/* The same bytes that were read before, or the release is off. */
static int put_archive(struct archive *writer, const struct making *making, struct kc_error *err)
{
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	char sha256[KC_SHA256_HEX_SIZE];
	int status;

	if (lseek(making->order->volume_fd, 0, SEEK_SET) < 0)
		return kc_error_errno(err, errno, "read the volume");
	status = kc_source_open_fd(&source, making->order->volume_fd, "the volume", err);
	if (status == 0)
		status = copy_archive(writer, &source, making->facts.bytes, err);
	if (status == 0)
		status = kc_source_digest(&source, sha256, err);
	if (status == 0 && strcmp(sha256, making->facts.sha256) != 0)
		return kc_error_set(err, EBADMSG,
				    "the volume has changed while it was packed: %s, and now %s",
				    making->facts.sha256, sha256);
	return status;
}

static int put_member(struct archive *writer, const struct making *making, const struct member *member,
		      struct kc_error *err)
{
	struct archive_entry *entry = archive_entry_new();
	int result;

	if (!entry)
		return kc_error_errno(err, ENOMEM, "write a wheel");
	archive_entry_set_pathname(entry, member->name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, member->is_program ? 0755 : 0644);
	archive_entry_set_size(entry, (la_int64_t)member->bytes);
	result = archive_write_header(writer, entry);
	archive_entry_free(entry);
	if (result != ARCHIVE_OK)
		return writer_failed(writer, err);
	return member->is_archive ? put_archive(writer, making, err)
				  : put(writer, kc_buffer_string(&member->text), member->text.length, err);
}

static void free_writer(struct archive **writer)
{
	(void)archive_write_free(*writer); /* accepts NULL; what matters is checked at close */
}

static int write_members(const struct making *making, int fd, struct kc_error *err)
{
	KC_CLEANUP(free_writer) struct archive *writer = archive_write_new();
	int status = 0;

	if (!writer)
		return kc_error_errno(err, ENOMEM, "write a wheel");
	if (archive_write_set_format_zip(writer) != ARCHIVE_OK ||
	    archive_write_zip_set_compression_store(writer) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(writer, 1) != ARCHIVE_OK ||
	    archive_write_open_fd(writer, fd) != ARCHIVE_OK)
		return writer_failed(writer, err);
	for (size_t i = 0; status == 0 && i < making->count; i++)
		status = put_member(writer, making, &making->members[i], err);
	if (status == 0 && archive_write_close(writer) != ARCHIVE_OK)
		status = writer_failed(writer, err);
	return status;
}

static int write_wheel(const struct making *making, int fd, struct kc_error *err)
{
	KC_CLEANUP_FD int draft = memfd_create("wheel", MFD_CLOEXEC);
	int status;

	if (draft < 0)
		return kc_error_errno(err, errno, "write a wheel");
	status = write_members(making, draft, err);
	return status < 0 ? status : kc_zip_settle(draft, fd, making->order->time_s, err);
}

/* --- The order --- */

static bool is_plain_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+";

	return name && *name && *name != '.' && strspn(name, allowed) == strlen(name);
}

/* As file names have it: normalised, without a dash. */
static bool is_version(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.+!";
	struct kc_version version;

	return *text != 'v' && strspn(text, allowed) == strlen(text) && kc_version_parse(text, &version) == 0;
}

static int check_order(const struct kc_wheel_order *order, struct kc_error *err)
{
	if (!is_version(order->version))
		return kc_error_set(err, EINVAL, "write a wheel: `%s` is not a normalised version (PEP 440)",
				    order->version);
	if (!order->volume_version[0] ||
	    strspn(order->volume_version, "0123456789") != strlen(order->volume_version))
		return kc_error_set(err, EINVAL, "write a wheel: volume version `%s` is not a whole number",
				    order->volume_version);
	if (!order->licence_expression || !order->licence_expression[0] ||
	    strpbrk(order->licence_expression, "\r\n"))
		return kc_error_set(err, EINVAL, "write a wheel: a licence expression is one line");
	if (!is_plain_name(order->licence.name))
		return kc_error_set(err, EINVAL, "write a wheel: the package's licence is missing");
	for (size_t i = 0; i < order->licence_count; i++)
		if (!is_plain_name(order->licences[i].name))
			return kc_error_set(err, EINVAL, "write a wheel: `%s` is not the name of a licence",
					    order->licences[i].name);
	return 0;
}

static int check_facts(const struct kc_wheel_order *order, const struct kc_volume_facts *facts,
		       struct kc_error *err)
{
	if (strcmp(facts->sha256, order->volume_sha256) != 0)
		return kc_error_set(err, EBADMSG,
				    "the volume is not what was tested: expected sha256 %s, found %s",
				    order->volume_sha256, facts->sha256);
	if (!facts->ttyd_sha256[0])
		return kc_error_set(err, EBADMSG, "the volume has no " KC_VOLUME_TTYD);
	if (!facts->python[0])
		return kc_error_set(err, EBADMSG,
				    "the volume does not say which Python it has: bin/python leads to no "
				    "bin/pythonX.Y");
	if (strcmp(facts->architecture, order->choice.architecture) != 0 ||
	    strcmp(facts->ttyd_architecture, order->choice.architecture) != 0)
		return kc_error_set(
			err, EBADMSG, "the volume is not for %s: its python is for %s, its ttyd for %s",
			order->choice.architecture,
			facts->architecture[0] ? facts->architecture : "something else",
			facts->ttyd_architecture[0] ? facts->ttyd_architecture : "something else");
	return 0;
}

static int read_volume(struct making *making, struct kc_buffer *ttyd, struct kc_error *err)
{
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	int status;

	if (lseek(making->order->volume_fd, 0, SEEK_SET) < 0)
		return kc_error_errno(err, errno, "read the volume");
	status = kc_source_open_fd(&source, making->order->volume_fd, "the volume", err);
	if (status == 0)
		status = kc_volume_facts_read(&source, &making->facts, ttyd, err);
	return status < 0 ? status : check_facts(making->order, &making->facts, err);
}

static int name_directories(struct making *making, struct kc_error *err)
{
	int status = kc_wheels_append_part(making->wheels, KC_WHEEL_DIRECTORY, 0, &making->values,
					   &making->directory, NULL);

	if (status >= 0)
		status = kc_wheel_append_escaped(making->order->choice.distribution.package,
						 &making->dist_info);
	if (status == 0)
		status = kc_buffer_printf(&making->dist_info, "-%s.dist-info/", making->order->version);
	return full(status, err);
}

int kc_wheel_write(const struct kc_wheels *wheels, const struct kc_wheel_order *order, int fd,
		   struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer ttyd = KC_BUFFER_INIT(KC_VOLUME_TTYD_LIMIT_BYTES);
	KC_CLEANUP(release)
	struct making making = {
		.wheels = wheels,
		.order = order,
		.directory = KC_BUFFER_INIT(TEXT_LIMIT_BYTES),
		.dist_info = KC_BUFFER_INIT(TEXT_LIMIT_BYTES),
	};
	int status = check_order(order, err);

	if (status == 0)
		status = read_volume(&making, &ttyd, err);
	if (status < 0)
		return status;
	making.values = (struct kc_wheel_values){ .choice = &order->choice,
						  .version = order->version,
						  .volume_version = order->volume_version,
						  .python = making.facts.python };
	status = name_directories(&making, err);
	if (status == 0)
		status = make_members(&making, &ttyd, err);
	return status < 0 ? status : write_wheel(&making, fd, err);
}
