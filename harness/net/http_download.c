#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/http.h"
#include "net/http_internal.h"
#include "sys/fd.h"

#define DISK_HINT "free some space there, or name another cache directory in XDG_CACHE_HOME"

struct download {
	const struct kc_http_file *file;
	char part[PATH_MAX];
	int fd;
	bool has_continued;   /* some of `part` came with an earlier answer than the rest */
	struct kc_sha256 sha; /* of the bytes in `part`, transfer->offset of them */
};

static int disk_error(const struct download *download, int errno_value, const char *verb,
		      struct kc_error *err)
{
	int status = kc_error_errno(err, errno_value, "%s `%s`", verb, download->part);

	if (status == -ENOSPC || status == -EDQUOT || status == -EFBIG)
		kc_error_hint(err, DISK_HINT);
	return status;
}

/* Forgets what is there. */
static int rewind_part(struct kc_transfer *transfer)
{
	struct download *download = transfer->context;

	transfer->offset = 0;
	kc_sha256_release(&download->sha);
	if (ftruncate(download->fd, 0) < 0 || lseek(download->fd, 0, SEEK_SET) < 0)
		return disk_error(download, errno, "empty", transfer->err);
	return kc_sha256_start(&download->sha, transfer->err);
}

/* "bytes FIRST-LAST/TOTAL", RFC 9110 section 14.4; the total may be "*". */
static bool starts_at(const struct kc_transfer *transfer, int64_t offset)
{
	struct curl_header *header = NULL;
	int64_t first = -1;

	if (curl_easy_header(transfer->http->easy, "Content-Range", 0, CURLH_HEADER, -1, &header) !=
	    CURLHE_OK)
		return false;
	return sscanf(header->value, "bytes %" SCNd64 "-", &first) == 1 && first == offset;
}

static int begin_file(struct kc_transfer *transfer)
{
	struct download *download = transfer->context;

	if (transfer->status == 206 && transfer->offset && starts_at(transfer, transfer->offset)) {
		download->has_continued = true;
		return 0;
	}
	if (transfer->status == 206)
		return kc_error_set(transfer->err, EPROTO,
				    "get `%s`: the server sent another range than it was asked for",
				    transfer->shown_url);
	return rewind_part(transfer); /* the whole: ranges are ignored, or none was asked for */
}

static int take_into_file(struct kc_transfer *transfer, const void *bytes, size_t length)
{
	struct download *download = transfer->context;
	int status;

	if ((int64_t)length > transfer->limit - transfer->offset)
		return kc_error_set(transfer->err, E2BIG, "get `%s`: larger than the %s of %lld bytes",
				    transfer->shown_url,
				    download->file->size >= 0 ? "announced size" : "limit",
				    (long long)transfer->limit);
	status = kc_fd_write_all(download->fd, bytes, length);
	if (status < 0) {
		status = disk_error(download, status, "write", transfer->err);
		/* What a failed write left behind the offset is not hashed and must not be continued. */
		if (ftruncate(download->fd, transfer->offset) < 0)
			(void)unlink(download->part);
		return status;
	}
	kc_sha256_update(&download->sha, bytes, length);
	transfer->offset += (int64_t)length;
	return 0;
}

/* Takes over what an earlier call left, as far as it can belong to the file. */
static int open_part(struct kc_transfer *transfer)
{
	struct download *download = transfer->context;
	char chunk[65536];
	struct stat status;
	int failed;

	download->fd = open(download->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (download->fd < 0)
		return disk_error(download, errno, "create", transfer->err);
	if (fstat(download->fd, &status) < 0)
		return disk_error(download, errno, "stat", transfer->err);
	if (!S_ISREG(status.st_mode))
		return kc_error_set(transfer->err, EINVAL, "create `%s`: something else is there",
				    download->part);
	if (status.st_size > transfer->limit)
		return rewind_part(transfer);
	failed = kc_sha256_start(&download->sha, transfer->err);
	while (failed == 0) {
		ssize_t got = read(download->fd, chunk, sizeof(chunk));

		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			return disk_error(download, errno, "read", transfer->err);
		if (got > 0) {
			kc_sha256_update(&download->sha, chunk, (size_t)got);
			transfer->offset += got;
		}
	}
	download->has_continued = transfer->offset > 0;
	return failed;
}

/* -EBADMSG if what is there is not what was asked for. Ends the digest. */
static int verify(struct kc_transfer *transfer)
{
	struct download *download = transfer->context;
	char hex[KC_SHA256_HEX_SIZE];
	int status = kc_sha256_finish(&download->sha, hex, transfer->err);

	if (status < 0)
		return status;
	if (strcmp(hex, download->file->sha256) == 0)
		return 0;
	status = kc_error_set(transfer->err, EBADMSG, "get `%s`: wrong digest: sha256 is %s, must be %s",
			      transfer->shown_url, hex, download->file->sha256);
	kc_error_hint(transfer->err, "the server, or something on the way, gave other bytes than the index "
				     "names: do not use them; try again, or another network");
	return status;
}

/* The rest, or everything, from the network; verified. */
static int fetch(struct kc_transfer *transfer)
{
	const struct kc_http_file *file = ((struct download *)transfer->context)->file;
	int status = 0;

	if (file->size < 0 || transfer->offset < file->size)
		status = kc_transfer_run(transfer);
	if (status < 0 && transfer->status == 416 && transfer->offset && file->size < 0)
		return verify(transfer); /* nothing follows what is there: it may be the whole */
	if (status < 0)
		return status;
	if (file->size >= 0 && transfer->offset != file->size) {
		status =
			kc_error_set(transfer->err, EBADMSG, "get `%s`: wrong size: %lld bytes, must be %lld",
				     transfer->shown_url, (long long)transfer->offset, (long long)file->size);
		kc_error_hint(transfer->err,
			      "the server has another file than the index names: try again, or "
			      "use another index");
		return status;
	}
	return verify(transfer);
}

/* fetch, and a second time from nothing if what was there already may be to blame. */
static int fetch_or_start_again(struct kc_transfer *transfer)
{
	struct kc_error *caller_err = transfer->err;
	struct kc_error err = { 0 };
	struct download *download = transfer->context;
	int status;

	transfer->err = &err;
	status = fetch(transfer);
	if ((status == -EBADMSG && download->has_continued) ||
	    (status == -EPROTO && (transfer->status == 206 || transfer->status == 416))) {
		status = rewind_part(transfer);
		if (status == 0)
			status = fetch(transfer);
	}
	transfer->err = caller_err;
	if (status < 0 && caller_err)
		*caller_err = err;
	return status;
}

static int keep(struct download *download, struct kc_error *err)
{
	/* Flushed before the rename, so that a crash cannot leave the name with other bytes. */
	if (fsync(download->fd) < 0)
		return disk_error(download, errno, "flush", err);
	if (close(KC_STEAL_FD(download->fd)) < 0)
		return disk_error(download, errno, "close", err);
	if (rename(download->part, download->file->path) < 0)
		return disk_error(download, errno, "rename", err);
	return 0;
}

int kc_http_download(struct kc_http *http, const struct kc_http_request *request,
		     const struct kc_http_file *file, struct kc_error *err)
{
	static const struct kc_sink sink = { begin_file, take_into_file };
	struct download download = { .file = file, .fd = -1 };
	struct kc_transfer transfer;
	int status, length;

	kc_transfer_init(&transfer, http, request, err);
	length = snprintf(download.part, sizeof(download.part), "%s.part", file->path);
	if (length < 0 || (size_t)length >= sizeof(download.part))
		return kc_error_errno(err, ENAMETOOLONG, "create `%s.part`", file->path);
	if (!kc_sha256_is_valid(file->sha256))
		return kc_error_set(err, EINVAL, "get `%s`: no valid sha256 to verify it by",
				    transfer.shown_url);
	if (file->size > file->limit)
		return kc_error_set(err, E2BIG, "get `%s`: its %lld bytes are over the limit of %lld",
				    transfer.shown_url, (long long)file->size, (long long)file->limit);
	transfer.sink = &sink;
	transfer.context = &download;
	transfer.size = file->size;
	transfer.limit = file->size >= 0 && file->size < file->limit ? file->size : file->limit;
	status = open_part(&transfer);
	if (status == 0)
		status = fetch_or_start_again(&transfer);
	if (status == 0)
		status = keep(&download, err);
	if (status == 0 && http->options.progress)
		http->options.progress(http->options.context, transfer.offset, transfer.offset);
	if (status == -EBADMSG || status == -E2BIG || status == -EPROTO)
		(void)unlink(
			download.part); /* nothing of it may be continued; a later call copes if it stays */
	kc_sha256_release(&download.sha);
	kc_fd_close(&download.fd);
	return status;
}
