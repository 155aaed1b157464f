#include "release/wheel_members.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/source.h"
#include "archive/utf8_locale.h"
#include "release/zip_directory.h"

struct listing {
	struct archive *reader;
	const char *name;
	unsigned char *chunk;
	struct kc_wheel_members members;
	size_t room;
	uint64_t bytes, text_bytes; /* of all so far */
};

static void release_listing(struct listing *listing)
{
	(void)archive_read_free(listing->reader); /* accepts NULL; a reader has nothing to lose at close */
	free(listing->chunk);
	kc_wheel_members_release(&listing->members);
}

static int reader_failed(struct listing *listing, struct kc_error *err)
{
	const char *text = archive_error_string(listing->reader); /* can be NULL */

	if (archive_errno(listing->reader) == ENOMEM)
		return kc_error_errno(err, ENOMEM, "read wheel `%s`", listing->name);
	return kc_error_set(err, EBADMSG, "read wheel `%s`: %s", listing->name,
			    text ? text : "malformed ZIP");
}

static int open_reader(struct listing *listing, int fd, struct kc_error *err)
{
	listing->reader = archive_read_new();
	listing->chunk = malloc(KC_SOURCE_CHUNK_BYTES);
	if (!listing->reader || !listing->chunk)
		return kc_error_errno(err, ENOMEM, "read wheel `%s`", listing->name);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return kc_error_errno(err, errno, "read wheel `%s`", listing->name);
	if (archive_read_support_format_zip_seekable(listing->reader) < ARCHIVE_OK ||
	    archive_read_open_fd(listing->reader, fd, KC_SOURCE_CHUNK_BYTES) < ARCHIVE_OK)
		return reader_failed(listing, err);
	return 0;
}

static struct kc_wheel_member *add(struct listing *listing, struct archive_entry *entry, struct kc_error *err)
{
	const char *path = archive_entry_pathname(entry);
	struct kc_wheel_member *member;

	if (listing->members.count == listing->room) {
		size_t room = listing->room ? 2 * listing->room : 64;
		struct kc_wheel_member *grown =
			reallocarray(listing->members.items, room, sizeof(*listing->members.items));

		if (!grown) {
			(void)kc_error_errno(err, ENOMEM, "read wheel `%s`", listing->name);
			return NULL;
		}
		listing->members.items = grown;
		listing->room = room;
	}
	member = &listing->members.items[listing->members.count];
	*member = (struct kc_wheel_member){ .is_file = archive_entry_filetype(entry) == AE_IFREG,
					    .has_text = true };
	kc_buffer_init(&member->text, KC_WHEEL_TEXT_BYTES);
	member->name = strdup(path ? path : "");
	if (!member->name) {
		(void)kc_error_errno(err, ENOMEM, "read wheel `%s`", listing->name);
		return NULL;
	}
	listing->members.count++;
	return member;
}

/* Keeps what is short; a text that turns out to be long is dropped again. */
static void keep_text(struct listing *listing, struct kc_wheel_member *member, size_t length)
{
	if (!member->has_text)
		return;
	if (listing->text_bytes + length <= KC_WHEEL_TEXTS_BYTES &&
	    kc_buffer_append(&member->text, listing->chunk, length) == 0) {
		listing->text_bytes += length;
		return;
	}
	listing->text_bytes -= member->text.length;
	kc_buffer_release(&member->text);
	member->has_text = false;
}

static int read_data(struct listing *listing, struct kc_wheel_member *member, struct kc_error *err)
{
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	la_ssize_t got;
	int status = kc_sha256_start(&sha, err);

	if (status < 0)
		return status;
	while ((got = archive_read_data(listing->reader, listing->chunk, KC_SOURCE_CHUNK_BYTES)) > 0) {
		kc_sha256_update(&sha, listing->chunk, (size_t)got);
		member->bytes += (uint64_t)got;
		listing->bytes += (uint64_t)got;
		if (listing->bytes > KC_WHEEL_BYTES_MAX)
			return kc_error_set(err, EBADMSG, "read wheel `%s`: more than 1 GiB comes out of it",
					    listing->name);
		keep_text(listing, member, (size_t)got);
	}
	return got < 0 ? reader_failed(listing, err) : kc_sha256_finish(&sha, member->sha256, err);
}

static int read_all(struct listing *listing, struct kc_error *err)
{
	struct archive_entry *entry;
	int result;

	while ((result = archive_read_next_header(listing->reader, &entry)) != ARCHIVE_EOF) {
		struct kc_wheel_member *member;
		int status;

		if (result != ARCHIVE_OK)
			return reader_failed(listing, err);
		if (listing->members.count == KC_ZIP_MEMBERS_MAX)
			return kc_error_set(err, EBADMSG, "read wheel `%s`: too many members", listing->name);
		member = add(listing, entry, err);
		status = member ? read_data(listing, member, err) : -ENOMEM;
		if (status < 0)
			return status;
	}
	return 0;
}

int kc_wheel_members_read(int fd, const char *name, struct kc_wheel_members *ret_members,
			  struct kc_error *err)
{
	KC_UTF8_SCOPE;
	KC_CLEANUP(release_listing) struct listing listing = { .name = name };
	int status = open_reader(&listing, fd, err);

	if (status == 0)
		status = read_all(&listing, err);
	if (status < 0)
		return status;
	*ret_members = listing.members;
	listing.members = (struct kc_wheel_members){ 0 };
	return 0;
}

void kc_wheel_members_release(struct kc_wheel_members *members)
{
	for (size_t i = 0; i < members->count; i++) {
		free(members->items[i].name);
		kc_buffer_release(&members->items[i].text);
	}
	free(members->items);
	*members = (struct kc_wheel_members){ 0 };
}

const struct kc_wheel_member *kc_wheel_members_find(const struct kc_wheel_members *members, const char *name)
{
	for (size_t i = 0; i < members->count; i++)
		if (strcmp(members->items[i].name, name) == 0)
			return &members->items[i];
	return NULL;
}
