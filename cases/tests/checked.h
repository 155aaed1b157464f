/*
 * One run of the program on a volume, and the JUnit file it wrote, for the tests of this folder.
 *
 * Life cycle: 1. kc_checked_start, which returns at once  2. kc_checked_finish, which waits  3. readers  4. kc_checked_release
 * (idempotent, fit for a zeroed object; kills what still runs).
 */
#ifndef KC_CASES_TESTS_CHECKED_H
#define KC_CASES_TESTS_CHECKED_H

#include <libxml/tree.h>
#include <limits.h>
#include <sys/types.h>

#include "archive/store.h"
#include "base/buffer.h"
#include "base/error.h"
#include "fixtures/temporary.h"
#include "reports/result.h"

#define KC_CHECKED_WORDS 12

struct kc_checked {
	pid_t pid; /* 0: nothing runs */
	struct kc_temporary directory;
	int status;		 /* the program's exit status */
	struct kc_buffer errors; /* its standard error */
	xmlDoc *report;		 /* NULL if there is none, or if it is not XML */
};

#define KC_CLEANUP_CHECKED KC_CLEANUP(kc_checked_release)

/* `krunner-compat run centos7 --volume VOLUME --junit ... WORDS`; `words` is NULL-terminated, or NULL. */
int kc_checked_start(const char *volume, const char *const words[], struct kc_checked *ret_checked,
		     struct kc_error *err) __attribute__((warn_unused_result));
int kc_checked_finish(struct kc_checked *checked, struct kc_error *err) __attribute__((warn_unused_result));
void kc_checked_release(struct kc_checked *checked);

/* The next testcase element after `previous` in the document, NULL for the first or past the last. */
xmlNode *kc_checked_next(const struct kc_checked *checked, xmlNode *previous);

/* The one of this identity ("centos7.imports.zmq"), or NULL. */
xmlNode *kc_checked_find(const struct kc_checked *checked, const char *identity);

/* BROKEN for a NULL testcase. */
enum kc_verdict kc_checked_verdict(xmlNode *testcase);

/* The number of testcases with this verdict. */
unsigned int kc_checked_count(const struct kc_checked *checked, enum kc_verdict verdict);

/* What a failure, error or skip says: its message, then its text. "" if there is none. */
void kc_checked_say(xmlNode *testcase, char *ret_text, size_t size);

void kc_checked_identity(xmlNode *testcase, char *ret_identity, size_t size);

/* A property's value, "" if there is none; and as a number, -1 if it is none. */
void kc_checked_property(xmlNode *testcase, const char *name, char *ret_value, size_t size);
double kc_checked_number(xmlNode *testcase, const char *name);

/* --- What the tests work on --- */

/* The wheel of this release ("4.4.0") in the shared store, downloaded if need be. */
int kc_released_wheel(const char *version, char ret_path[PATH_MAX], struct kc_error *err)
	__attribute__((warn_unused_result));

/* The unpacked volume of 4.4.0 in the shared store, for looking at only. The image is made, too, so that no run has to wait
 * for it. */
int kc_released_tree(char ret_tree[PATH_MAX], struct kc_error *err) __attribute__((warn_unused_result));

/* True if `err` says that the package index is out of reach: a reason to skip. */
bool kc_is_offline(const struct kc_error *err);

#endif
