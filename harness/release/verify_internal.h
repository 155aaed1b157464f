/* The directory that release/verify.c checks, read once: what was hashed is what is judged. */
#ifndef KC_RELEASE_VERIFY_INTERNAL_H
#define KC_RELEASE_VERIFY_INTERNAL_H

#include "base/buffer.h"
#include "release/checksums.h"
#include "release/statement.h"
#include "release/verify.h"

#define KC_VERIFY_TEST_RESULT ".test-result.intoto.json"
#define KC_VERIFY_PROVENANCE ".provenance.intoto.json"

struct kc_release_file {
	char name[KC_CHECKSUMS_NAME_SIZE];
	char sha256[KC_SHA256_HEX_SIZE];
	struct kc_buffer content;      /* of SHA256SUMS and of statements; empty for others */
	struct kc_statement statement; /* zeroed unless it is one whose signature is as it was asked for */
	bool is_covered;	       /* a subject of a provenance statement */
	/* Of an archive: that a wheel holds it under this name, and what that wheel says */
	bool has_wheel;
	char version[64], volume_version[64];
};

struct kc_release_files {
	struct kc_release_file *items; /* in the order of names */
	size_t count;
	size_t content_bytes; /* of all files */
};

#define KC_VERIFY_CONTENT_LIMIT (32u << 20) /* bytes of all statements together */
#define KC_VERIFY_FINDINGS_MAX 20000

/* Adds a finding; -E2BIG past KC_VERIFY_FINDINGS_MAX. The first failure sticks in *status, which is what functions that find things hand on. */
void kc_verification_add(struct kc_verification *verification, int *status, enum kc_verified_verdict verdict,
			 const char *object, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Reads and hashes all that may be there; what may not becomes a finding. */
int kc_release_files_read(const char *directory, struct kc_release_files *files,
			  struct kc_verification *verification, struct kc_error *err)
	__attribute__((warn_unused_result));
struct kc_release_file *kc_release_files_find(const struct kc_release_files *files, const char *name);
void kc_release_files_release(struct kc_release_files *files);

/* Where the files are, and where what is found goes. Files are read again, and have to be what was hashed. */
struct kc_release_contents {
	int directory;
	struct kc_release_files *files;
	struct kc_verification *verification;
	int *status; /* as of kc_verification_add */
};

/* All that is in wheels, bills of materials and reports, after the statements have been read. */
void kc_release_check_contents(const struct kc_release_contents *contents);
void kc_release_check_reports(const struct kc_release_contents *contents);

/* Opens a regular file; a descriptor or a negative errno. */
int kc_release_contents_open(const struct kc_release_contents *contents, const struct kc_release_file *file);
/* Reads all of it into an empty buffer. A negative errno after a finding, or with *status set. */
int kc_release_contents_read(const struct kc_release_contents *contents, const struct kc_release_file *file,
			     struct kc_buffer *text) __attribute__((warn_unused_result));
/* It is nobody's fault: a finding that it could not be checked, or *status for what ends the whole check. */
void kc_release_contents_cannot(const struct kc_release_contents *contents,
				const struct kc_release_file *file, int status, const char *why);

/* krunner-env.DISTRO.ARCH.tar.xz that could be read. */
bool kc_release_is_archive(const struct kc_release_file *file);

#endif
