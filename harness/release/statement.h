/*
 * In-toto statements (v1): what is said about files, which are named by their digests.
 *
 * The writers turn plain structs into JSON, and into the same bytes whatever the order of what they are given: subjects, resources,
 * parameters and tests are sorted, there is one line, and it ends in LF. Everything is borrowed for the call. Text is printable ASCII: a
 * statement is read by other people's programs, and by people who trust it.
 *
 * What is no statement is refused with -EINVAL, and `err` names it: no subjects, a subject without a SHA-256 (64 lower-case
 * digits) or named twice, a resource without name, URI and digest, a test that is named twice or that both passed and
 * failed, a result that says PASSED with failed tests or without any that passed. -E2BIG past KC_STATEMENT_LIMIT or
 * what the buffer takes, -ENOMEM. After a failure nothing has been appended.
 */
#ifndef KC_RELEASE_STATEMENT_H
#define KC_RELEASE_STATEMENT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

#define KC_STATEMENT_TYPE "https://in-toto.io/Statement/v1"
#define KC_STATEMENT_TEST_RESULT "https://in-toto.io/attestation/test-result/v0.1"
#define KC_STATEMENT_PROVENANCE "https://slsa.dev/provenance/v1"
#define KC_STATEMENT_LIMIT (8u << 20) /* bytes */

/* A file, an image or a document: in-toto's ResourceDescriptor. NULL for what is not known. */
struct kc_resource {
	const char *name;
	const char *uri;
	const char *sha256; /* 64 lower-case hexadecimal digits */
	const char *media_type;
};

struct kc_resources {
	const struct kc_resource *items;
	size_t count;
};

/* Identities of cases, such as centos7.imports.zmq. */
struct kc_test_names {
	const char *const *items;
	size_t count;
};

struct kc_test_result {
	struct kc_resources subjects;
	struct kc_resources
		configuration; /* what decided and what it was decided by: images, policy, reports. Not empty */
	bool is_passed;	       /* PASSED; else FAILED, also where no test failed but one is missing */
	struct kc_test_names passed, warned, failed;
	const char *url; /* where the run can be seen; NULL: nowhere */
};

struct kc_parameter {
	const char *name, *value;
};

struct kc_provenance {
	struct kc_resources subjects;
	const char *build_type;		       /* URI: how to read the parameters */
	const struct kc_parameter *parameters; /* what the caller of the build chose */
	size_t parameter_count;
	struct kc_resources dependencies;
	const char *builder_id;	   /* URI: who is trusted to have said the truth */
	const char *invocation_id; /* NULL: none */
	int64_t started_on_s;	   /* SOURCE_DATE_EPOCH: seconds since 1970, up to the year 9999 */
};

int kc_statement_test_result(const struct kc_test_result *result, struct kc_buffer *text,
			     struct kc_error *err) __attribute__((warn_unused_result));
int kc_statement_provenance(const struct kc_provenance *provenance, struct kc_buffer *text,
			    struct kc_error *err) __attribute__((warn_unused_result));

/*
 * A statement that somebody wrote. Life cycle: 1. a zeroed object  2. kc_statement_read  3. kc_statement_release (idempotent).
 *
 * kc_statement_read refuses with -EBADMSG what is no statement of this version, has a key twice or a NUL in a string, subjects without
 * name and SHA-256, none or more than KC_STATEMENT_SUBJECTS_MAX, or two of one name. Whether it is true is another question.
 */
#define KC_STATEMENT_SUBJECTS_MAX 4096

struct kc_statement {
	cJSON *document;
	const cJSON *subjects; /* an array; kc_statement_subject reads its elements */
	const char *predicate_type;
	const cJSON *predicate;
};

#define KC_CLEANUP_STATEMENT KC_CLEANUP(kc_statement_release)

int kc_statement_read(const char *text, size_t length, const char *name, struct kc_statement *statement,
		      struct kc_error *err) __attribute__((warn_unused_result));

/* The name and digest of one of `subjects`, borrowed. */
struct kc_resource kc_statement_subject(const cJSON *subject);

/* -EBADMSG unless it is a test result that says PASSED, of at least one test, and names no test that failed. */
int kc_statement_check_passed(const struct kc_statement *statement, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));

void kc_statement_release(struct kc_statement *statement);

#endif
