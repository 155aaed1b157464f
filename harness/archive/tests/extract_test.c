#include "archive/tests/extract_test.h"

#include "archive/source.h"
#include "sys/fd.h"

int kc_test_extract(const struct kc_sentinel *scratch, const void *xz, size_t length,
		    const struct kc_extract_options *options, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = kc_memory_file(xz, length);
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	int status = kc_source_open_fd(&source, fd, "test.tar.xz", err);

	return status < 0 ? status : kc_extract_tar_xz(&source, scratch->dest_fd, options, err);
}

int kc_test_extract_tar(const struct kc_sentinel *scratch, const struct kc_buffer *tar,
			const struct kc_extract_options *options, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer xz = KC_BUFFER_INIT(64 << 20);

	kc_xz_pack(&xz, kc_buffer_string(tar), tar->length);
	return kc_test_extract(scratch, xz.data, xz.length, options, err);
}
