#include "release/tests/release_test.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "release/zip_settle.h"
#include "sys/fd.h"

static const struct kc_release_file licences[] = {
	{ "LICENSE.zmq.txt", "Mozilla Public License\n", 23 },
	{ "LICENSE.attrs.txt", "The MIT License (MIT)\n", 22 },
};

int kc_test_file(const void *bytes, size_t length)
{
	KC_CLEANUP_FD int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || kc_fd_write_all(fd, bytes, length) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return KC_STEAL_FD(fd);
}

int kc_test_order_volume(struct kc_test_order *test, const struct kc_buffer *xz)
{
	struct kc_error err = { 0 };

	kc_fd_close(&test->order.volume_fd);
	test->order.volume_fd = kc_test_file(xz->data, xz->length);
	if (test->order.volume_fd < 0 || kc_sha256_of(xz->data, xz->length, test->sha256, &err) < 0) {
		printf("  %s\n", err.text);
		return -1;
	}
	return 0;
}

int kc_test_order_make(struct kc_test_order *test)
{
	struct kc_error err = { 0 };

	*test = (struct kc_test_order){ .order = { .version = "9.8.7",
						   .volume_version = "14",
						   .volume_fd = -1,
						   .volume_sha256 = test->sha256,
						   .licence = { "LICENSE", "MIT License\n", 12 },
						   .licence_expression = "MIT",
						   .licences = licences,
						   .licence_count = KC_ARRAY_LENGTH(licences),
						   .time_s = 1700000000 } };
	kc_buffer_init(&test->volume, 1u << 20);
	kc_test_volume(&test->volume, NULL);
	if (kc_wheels_load_embedded(&test->wheels, &err) < 0 ||
	    !kc_wheels_select(test->wheels, "macos/x86_64", "manylinux/x86_64", &test->order.choice)) {
		printf("  %s\n", err.text);
		return -1;
	}
	return kc_test_order_volume(test, &test->volume);
}

void kc_test_order_release(struct kc_test_order *test)
{
	kc_fd_close(&test->order.volume_fd);
	kc_buffer_release(&test->volume);
	kc_wheels_release(&test->wheels);
}

int kc_test_wheel(const struct kc_test_order *test, struct kc_buffer *wheel, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = memfd_create("wheel", MFD_CLOEXEC);
	int status = fd < 0 ? -1 : kc_wheel_write(test->wheels, &test->order, fd, err);

	if (status == 0)
		status = lseek(fd, 0, SEEK_SET) < 0 ? -1 : kc_fd_read_all(fd, wheel, "wheel", err);
	return status;
}

static int write_members(int fd, const struct kc_test_member *members, size_t count)
{
	struct archive *writer = archive_write_new();
	int status = archive_write_set_format_zip(writer) | archive_write_zip_set_compression_store(writer) |
		     archive_write_set_bytes_in_last_block(writer, 1) | archive_write_open_fd(writer, fd);

	for (size_t i = 0; status == ARCHIVE_OK && i < count; i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, members[i].name);
		archive_entry_set_mode(entry, members[i].mode ? members[i].mode : S_IFREG | 0644);
		archive_entry_set_size(entry, (la_int64_t)members[i].length);
		if (S_ISLNK(members[i].mode))
			archive_entry_set_symlink(entry, members[i].bytes);
		status = archive_write_header(writer, entry);
		if (status == ARCHIVE_OK && !S_ISLNK(members[i].mode) &&
		    archive_write_data(writer, members[i].bytes, members[i].length) !=
			    (la_ssize_t)members[i].length)
			status = ARCHIVE_FATAL;
		archive_entry_free(entry);
	}
	status |= archive_write_close(writer);
	return archive_write_free(writer) == ARCHIVE_OK && status == ARCHIVE_OK ? 0 : -1;
}

int kc_test_zip(const struct kc_test_member *members, size_t count, struct kc_buffer *zip)
{
	KC_CLEANUP_FD int draft = memfd_create("draft", MFD_CLOEXEC);
	KC_CLEANUP_FD int settled = memfd_create("settled", MFD_CLOEXEC);
	struct kc_error err = { 0 };
	int status = draft < 0 || settled < 0 ? -1 : write_members(draft, members, count);

	if (status == 0)
		status = kc_zip_settle(draft, settled, 0, &err);
	if (status == 0)
		status = lseek(settled, 0, SEEK_SET) < 0 ? -1 : kc_fd_read_all(settled, zip, "zip", &err);
	return status;
}
