#include "image/deb.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char member[] = "data.tar.xz";

/* libarchive has errors without a text. */
static const char *reason(struct archive *reader)
{
	const char *text = archive_error_string(reader);

	return text ? text : "unknown cause";
}

static ssize_t read_member(struct kc_source *source, void *buffer, size_t size, struct kc_error *err)
{
	ssize_t got = archive_read_data(source->state, buffer, size);

	if (got < 0)
		return kc_error_set(err, EBADMSG, "read `%s`: %s", source->name, reason(source->state));
	return got;
}

static void close_member(struct kc_source *source)
{
	(void)archive_read_free(source->state); /* a reader: nothing is lost */
}

static int find_member(struct archive *reader, const char *name, struct kc_error *err)
{
	struct archive_entry *entry;
	int status;

	while ((status = archive_read_next_header(reader, &entry)) == ARCHIVE_OK) {
		const char *path = archive_entry_pathname(entry);

		if (path && strcmp(path, member) == 0)
			return 0;
		if (path && strncmp(path, "data.tar", 8) == 0)
			return kc_error_set(err, ENOTSUP,
					    "read `%s`: its data is `%.40s`, and only %s is supported", name,
					    path, member);
	}
	if (status == ARCHIVE_EOF)
		return kc_error_set(err, EBADMSG, "read `%s`: no %s in it: not a Debian package", name,
				    member);
	return kc_error_set(err, EBADMSG, "read `%s`: %s", name, reason(reader));
}

int kc_deb_open_data(struct kc_source *source, int fd, const char *name, struct kc_error *err)
{
	struct archive *reader = archive_read_new();
	int status;

	*source = (struct kc_source){ .read = read_member, .close = close_member, .state = reader };
	(void)snprintf(source->name, sizeof(source->name), "%s: %s", name,
		       member); /* a cut name still tells */
	if (!reader)
		status = kc_error_errno(err, ENOMEM, "read `%s`", name);
	else if (archive_read_support_format_ar(reader) != ARCHIVE_OK ||
		 archive_read_open_fd(reader, fd, 65536) != ARCHIVE_OK)
		status = kc_error_set(err, EBADMSG, "read `%s`: %s", name, reason(reader));
	else
		status = find_member(reader, name, err);
	if (status == 0)
		status = kc_sha256_start(&source->sha, err);
	if (status < 0)
		kc_source_close(source);
	return status;
}
