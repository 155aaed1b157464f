/* What the tests of extraction share: one call that unpacks bytes into a scratch directory. */
#ifndef KC_ARCHIVE_TESTS_EXTRACT_TEST_H
#define KC_ARCHIVE_TESTS_EXTRACT_TEST_H

#include "archive/extract.h"
#include "base/error.h"
#include "fixtures/sentinel.h"
#include "fixtures/tar_maker.h"

/* Extracts an xz stream, or a tar that it packs first, into scratch->dest_fd. */
int kc_test_extract(const struct kc_sentinel *scratch, const void *xz, size_t length,
		    const struct kc_extract_options *options, struct kc_error *err);
int kc_test_extract_tar(const struct kc_sentinel *scratch, const struct kc_buffer *tar,
			const struct kc_extract_options *options, struct kc_error *err);

#endif
