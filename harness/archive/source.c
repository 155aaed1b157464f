#include "archive/source.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/signals.h"

static ssize_t read_fd(struct kc_source *source, void *buffer, size_t size, struct kc_error *err)
{
	int fd = (int)(intptr_t)source->state;
	ssize_t got;

	do {
		got = read(fd, buffer, size);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return kc_error_errno(err, errno, "read `%s`", source->name);
	return got;
}

int kc_source_open_fd(struct kc_source *source, int fd, const char *name, struct kc_error *err)
{
	*source = (struct kc_source){ .read = read_fd, .state = (void *)(intptr_t)fd };
	(void)snprintf(source->name, sizeof(source->name), "%s", name); /* a cut name still tells */
	return kc_sha256_start(&source->sha, err);
}

ssize_t kc_source_peek(struct kc_source *source, unsigned char ret_bytes[KC_SOURCE_PEEK_BYTES],
		       struct kc_error *err)
{
	while (source->held_count < KC_SOURCE_PEEK_BYTES) {
		ssize_t got = source->read(source, source->held + source->held_count,
					   KC_SOURCE_PEEK_BYTES - source->held_count, err);

		if (got < 0)
			return got;
		if (got == 0)
			break;
		source->held_count += (size_t)got;
	}
	memcpy(ret_bytes, source->held, source->held_count);
	return (ssize_t)source->held_count;
}

static ssize_t take_held(struct kc_source *source, void *buffer, size_t size)
{
	size_t count = source->held_count < size ? source->held_count : size;

	memcpy(buffer, source->held, count);
	memmove(source->held, source->held + count, source->held_count - count);
	source->held_count -= count;
	return (ssize_t)count;
}

ssize_t kc_source_read(struct kc_source *source, void *buffer, size_t size, struct kc_error *err)
{
	int status = kc_signals_check(err);
	ssize_t got = status;

	if (status == 0)
		got = source->held_count ? take_held(source, buffer, size)
					 : source->read(source, buffer, size, err);

	if (got > 0) {
		source->bytes += (uint64_t)got;
		kc_sha256_update(&source->sha, buffer, (size_t)got);
	}
	return got;
}

int kc_source_digest(struct kc_source *source, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	return kc_sha256_finish(&source->sha, ret_hex, err);
}

int kc_source_drain(struct kc_source *source, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	KC_CLEANUP_FREE unsigned char *chunk = malloc(KC_SOURCE_CHUNK_BYTES);
	ssize_t got;

	if (!chunk)
		return kc_error_errno(err, ENOMEM, "read `%s`", source->name);
	do {
		got = kc_source_read(source, chunk, KC_SOURCE_CHUNK_BYTES, err);
	} while (got > 0);
	return got < 0 ? (int)got : kc_source_digest(source, ret_hex, err);
}

void kc_source_close(struct kc_source *source)
{
	if (source->close)
		source->close(source);
	kc_sha256_release(&source->sha);
	*source = (struct kc_source){ 0 };
}
