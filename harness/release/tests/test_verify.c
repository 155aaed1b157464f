/* The checks of a release directory: a good one passes, and one change is found, whatever it is. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/release_maker.h"
#include "fixtures/temporary.h"
#include "options.h"
#include "release/checksums.h"
#include "release/verify.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/kc_test.h"

#define ARCHIVE KC_RELEASE_MAKER_ARCHIVE
#define RESULT KC_RELEASE_MAKER_TEST_RESULT
#define PROVENANCE KC_RELEASE_MAKER_PROVENANCE

/* pem, pem.pub, other, other.pub, ssh, ssh.pub */
static struct kc_temporary keys;

static const char *key_path(const char *name, char ret_path[PATH_MAX + 64])
{
	(void)snprintf(ret_path, PATH_MAX + 64, "%s/%s", keys.path, name);
	return ret_path;
}

static int host(const char *const argv[])
{
	const struct kc_process process = { .argv = argv, .directory = keys.path, .timeout_ms = 60000 };
	int exit_status = -1;

	return kc_process_run(&process, &exit_status, NULL) < 0 || exit_status != 0 ? -1 : 0;
}

#define HOST(...) host((const char *const[]){ __VA_ARGS__, NULL })

static int make_keys(void)
{
	struct kc_error err;
	int failed = kc_temporary_make(&keys, &err) < 0;

	failed = failed || HOST("openssl", "genpkey", "-algorithm", "ed25519", "-out", "pem") < 0;
	failed = failed || HOST("openssl", "pkey", "-in", "pem", "-pubout", "-out", "pem.pub") < 0;
	failed = failed || HOST("openssl", "genpkey", "-algorithm", "ed25519", "-out", "other") < 0;
	failed = failed || HOST("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "ssh") < 0;
	return failed ? -1 : 0;
}

static int remove_keys(void)
{
	kc_temporary_remove(&keys);
	return 0;
}

/* A release whose statements are signed by up to two keys. */
static int make_release(const char *directory, const char *const names[2], struct kc_error *err)
{
	char first[PATH_MAX + 64], second[PATH_MAX + 64];
	const char *const paths[] = { names[0] ? key_path(names[0], first) : NULL,
				      names[1] ? key_path(names[1], second) : NULL, NULL };

	return kc_release_maker_write(directory, paths, err);
}

static int verify(const char *directory, const char *key_name, bool is_unsigned,
		  struct kc_verification *verification, struct kc_error *err)
{
	KC_CLEANUP_KEY struct kc_key key = KC_KEY_INIT;
	char path[PATH_MAX + 64];
	int status = key_name ? kc_key_load(&key, key_path(key_name, path), KC_KEY_TO_VERIFY, err) : 0;

	return status < 0
		       ? status
		       : kc_release_verify(directory, key_name ? &key : NULL, is_unsigned, verification, err);
}

static bool has(const struct kc_verification *verification, enum kc_verified_verdict verdict,
		const char *object, const char *text)
{
	for (size_t i = 0; i < verification->count; i++)
		if (verification->items[i].verdict == verdict &&
		    strcmp(verification->items[i].object, object) == 0 &&
		    strstr(verification->items[i].text, text))
			return true;
	return false;
}

static void what_is_good_passes_and_only_with_its_key(void)
{
	static const struct {
		const char *signers[2];
		const char *key;
		bool is_unsigned;
		enum kc_verified_verdict expected;
		const char *text; /* of the provenance */
	} rows[] = {
		{ { "pem" }, "pem.pub", false, KC_VERIFIED_OK, "signed by the key of" },
		{ { "pem", "ssh" }, "ssh.pub", false, KC_VERIFIED_OK, "signed by the key of" },
		{ { "pem", "ssh" }, "pem.pub", false, KC_VERIFIED_OK, "signed by the key of" },
		{ { NULL }, NULL, true, KC_VERIFIED_OK, "its subjects are the files here" },
		{ { NULL }, NULL, false, KC_VERIFIED_UNKNOWN, "it is not signed: --unsigned" },
		{ { "pem" }, NULL, false, KC_VERIFIED_UNKNOWN, "it is signed: --key" },
		{ { "pem" }, NULL, true, KC_VERIFIED_UNKNOWN, "it is signed: --key" },
		{ { "other" }, "pem.pub", false, KC_VERIFIED_FAILED, "no signature of this payload" },
		{ { "pem" }, "ssh.pub", false, KC_VERIFIED_FAILED, "no signature of this payload" },
		{ { NULL }, "pem.pub", false, KC_VERIFIED_FAILED, "it is not signed" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary release = { 0 };
		KC_CLEANUP_VERIFICATION struct kc_verification verification = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(kc_temporary_make(&release, &err), err);
		KC_REQUIRE_OK(make_release(release.path, rows[i].signers, &err), err);
		KC_CHECK_OK(verify(release.path, rows[i].key, rows[i].is_unsigned, &verification, &err), err);
		KC_CHECK_INT(kc_verification_verdict(&verification), rows[i].expected);
		KC_CHECK_MESSAGE(has(&verification, rows[i].expected, PROVENANCE, rows[i].text),
				 "row %zu: %s", i, rows[i].text);
	}
}

/* Replaces one text by another in a file; "" by appending. */
static int edit(int directory, const char *name, const char *from, const char *to)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20),
					   changed = KC_BUFFER_INIT(1u << 20);
	const char *at;

	if (kc_file_read(directory, name, &text, NULL) < 0)
		return -1;
	at = *from ? strstr(kc_buffer_string(&text), from) : kc_buffer_string(&text) + text.length;
	if (!at || kc_buffer_append(&changed, text.data, (size_t)(at - text.data)) < 0 ||
	    kc_buffer_append_string(&changed, to) < 0 ||
	    kc_buffer_append_string(&changed, at + strlen(from)) < 0)
		return -1;
	return kc_file_write_atomic(directory, name, changed.data, changed.length, 0644, NULL);
}

/* SHA256SUMS anew, for the files that it lists and `added`. */
static int sum_again(int directory, const char *added)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);
	KC_CLEANUP_CHECKSUMS struct kc_checksums before = { 0 }, after = { 0 };
	char sha256[KC_SHA256_HEX_SIZE];
	int status = kc_file_read(directory, KC_CHECKSUMS_NAME, &text, NULL);

	if (status == 0)
		status = kc_checksums_read(text.data, text.length, "", &before, NULL);
	for (size_t i = 0; status == 0 && i < before.count; i++)
		if (kc_checksums_of_file(directory, before.items[i].name, sha256, NULL) == 0)
			status = kc_checksums_add(&after, before.items[i].name, sha256, NULL);
	if (status == 0 && added && kc_checksums_of_file(directory, added, sha256, NULL) == 0)
		status = kc_checksums_add(&after, added, sha256, NULL);
	kc_buffer_clear(&text);
	if (status == 0)
		status = kc_checksums_write(&after, &text, NULL);
	return status < 0 ? status
			  : kc_file_write_atomic(directory, KC_CHECKSUMS_NAME, text.data, text.length, 0644,
						 NULL);
}

enum change { EDIT, REMOVE, RENAME, LINK, DIRECTORY, PIPE, ADD };

struct mutation {
	enum change change;
	const char *name;
	const char *from, *to; /* of EDIT; `to` of the others: another name */
	bool is_summed_again;  /* SHA256SUMS is made to fit */
	const char *object, *text;
};

static int mutate(int directory, const struct mutation *mutation)
{
	switch (mutation->change) {
	case EDIT:
		return edit(directory, mutation->name, mutation->from, mutation->to);
	case REMOVE:
		return unlinkat(directory, mutation->name, 0);
	case RENAME:
		return renameat(directory, mutation->name, directory, mutation->to);
	case LINK:
		return renameat(directory, mutation->name, directory, mutation->to) < 0
			       ? -1
			       : symlinkat(mutation->to, directory, mutation->name);
	case DIRECTORY:
		return mkdirat(directory, mutation->name, 0755);
	case PIPE:
		return mkfifoat(directory, mutation->name, 0644);
	case ADD:
		return kc_file_write_atomic(directory, mutation->name, "x", 1, 0644, NULL);
	}
	return -1;
}

static const char *added_by(const struct mutation *mutation)
{
	return mutation->change == ADD ? mutation->name : mutation->change == RENAME ? mutation->to : NULL;
}

static void check_mutations(const struct mutation *rows, size_t count, const char *signer, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary release = { 0 };
		KC_CLEANUP_VERIFICATION struct kc_verification verification = { 0 };
		struct kc_error err = { 0 };
		KC_CLEANUP_FD int directory = -1;

		KC_REQUIRE_OK(kc_temporary_make(&release, &err), err);
		KC_REQUIRE_OK(make_release(release.path, (const char *const[2]){ signer, NULL }, &err), err);
		directory = kc_dir_open(AT_FDCWD, release.path, &err);
		KC_REQUIRE_OK(directory, err);
		KC_CHECK_MESSAGE(mutate(directory, &rows[i]) == 0, "row %zu: the change cannot be made", i);
		if (rows[i].is_summed_again)
			KC_CHECK_INT(sum_again(directory, added_by(&rows[i])), 0);
		KC_CHECK_OK(verify(release.path, key, !key, &verification, &err), err);
		KC_CHECK_INT(kc_verification_verdict(&verification), KC_VERIFIED_FAILED);
		KC_CHECK_MESSAGE(has(&verification, KC_VERIFIED_FAILED, rows[i].object, rows[i].text),
				 "row %zu: %s: %s", i, rows[i].object, rows[i].text);
	}
}

static void finds_what_is_wrong_with_files(void)
{
	static const struct mutation rows[] = {
		{ EDIT, ARCHIVE, "", "x", false, ARCHIVE, "its SHA-256 is" },
		{ EDIT, ARCHIVE, "", "x", true, PROVENANCE, "its subject " ARCHIVE " has the SHA-256" },
		{ EDIT, ARCHIVE, "", "x", true, RESULT, "its subject " ARCHIVE " has the SHA-256" },
		{ EDIT, ARCHIVE, "", "x", true, ARCHIVE, "is not about its SHA-256" },
		{ EDIT, "report-1.json", "", " ", true, PROVENANCE,
		  "its subject report-1.json has the SHA-256" },
		{ REMOVE, "report-1.json", NULL, NULL, false, "report-1.json",
		  "SHA256SUMS lists it, and it is missing" },
		{ REMOVE, "report-1.json", NULL, NULL, true, PROVENANCE,
		  "its subject report-1.json is missing" },
		{ REMOVE, ARCHIVE, NULL, NULL, true, "krunner-env.DISTRO.ARCH.tar.xz", "there is no volume" },
		{ REMOVE, RESULT, NULL, NULL, true, ARCHIVE, "its test result " RESULT " is missing" },
		{ REMOVE, PROVENANCE, NULL, NULL, true, ARCHIVE, "its provenance " PROVENANCE " is missing" },
		{ REMOVE, PROVENANCE, NULL, NULL, true, "release-notes.md", "no provenance statement" },
		{ REMOVE, KC_CHECKSUMS_NAME, NULL, NULL, false, KC_CHECKSUMS_NAME, "it is missing" },
		{ ADD, "extra.txt", NULL, NULL, false, "extra.txt", "SHA256SUMS does not list it" },
		{ ADD, "extra.txt", NULL, NULL, true, "extra.txt", "no provenance statement" },
		{ ADD, "krunner-env.alpine.x86_64.tar.xz", NULL, NULL, true,
		  "krunner-env.alpine.x86_64.tar.xz",
		  "its test result krunner-env.alpine.x86_64.test-result.intoto.json is missing" },
		{ ADD, ".hidden", NULL, NULL, false, ".hidden",
		  "no release has such an entry: it begins with" },
		{ ADD, "a b", NULL, NULL, false, "a b",
		  "no release has such an entry: it has other characters" },
		{ LINK, ARCHIVE, NULL, "moved", false, ARCHIVE, "it is a symbolic link" },
		{ LINK, KC_CHECKSUMS_NAME, NULL, "moved", false, KC_CHECKSUMS_NAME, "it is a symbolic link" },
		{ DIRECTORY, "reports", NULL, NULL, false, "reports", "it is a directory" },
		{ PIPE, "pipe", NULL, NULL, false, "pipe", "it is no regular file" },
		{ RENAME, "report-1.json", NULL, "report-2.json", true, PROVENANCE,
		  "its subject report-1.json is missing" },
		{ EDIT, KC_CHECKSUMS_NAME, "", "garbage\n", false, KC_CHECKSUMS_NAME, "line 8" },
		{ EDIT, KC_CHECKSUMS_NAME, "  ", " *", false, KC_CHECKSUMS_NAME,
		  "line 1: expected two spaces" },
	};

	check_mutations(rows, KC_ARRAY_LENGTH(rows), NULL, NULL);
	check_mutations(rows, KC_ARRAY_LENGTH(rows), "pem", "pem.pub");
}

static void finds_what_is_wrong_with_statements(void)
{
	static const struct mutation rows[] = {
		{ EDIT, RESULT, "PASSED", "FAILED", true, ARCHIVE,
		  "the tests' result is `FAILED`, expected PASSED" },
		{ EDIT, RESULT, "PASSED", "WARNED", true, ARCHIVE, "the tests' result is `WARNED`" },
		{ EDIT, RESULT, "\"failedTests\":[", "\"failedTests\":[\"a\"", true, ARCHIVE,
		  "names tests that failed" },
		{ EDIT, RESULT, "\"passedTests\":[", "\"passedTests\":[],\"x\":[", true, ARCHIVE,
		  "names no test that passed" },
		{ EDIT, RESULT, "\"passedTests\"", "\"x\"", true, ARCHIVE, "\"passedTests\" is missing" },
		{ EDIT, RESULT, "test-result/v0.1", "test-result/v9", true, RESULT,
		  "its \"predicateType\" is" },
		{ EDIT, RESULT, "Statement/v1", "Statement/v2", true, RESULT, "\"_type\" is" },
		{ EDIT, RESULT, "\"subject\":[", "\"subject\":[],\"x\":[", true, RESULT,
		  "0 subjects, expected 1" },
		{ EDIT, RESULT, ARCHIVE, "report-1.json", true, ARCHIVE, "is not about its SHA-256" },
		{ EDIT, RESULT, "\"sha256\":\"", "\"sha256\":\"0", true, RESULT,
		  "expected 64 lower-case digits" },
		{ EDIT, RESULT, "\"sha256\"", "\"sha512\"", true, RESULT, "\"sha256\" is missing" },
		{ EDIT, RESULT, "\"result\":", "\"result\":\"PASSED\",\"result\":", true, RESULT,
		  "stands twice" },
		{ EDIT, RESULT, "}\n", "", true, RESULT, "not valid JSON" },
		{ EDIT, RESULT, "PASSED", "PASSED\\u0000", true, RESULT, "a NUL in a string" },
		{ EDIT, PROVENANCE, "provenance/v1", "provenance/v2", true, ARCHIVE, "counts for nothing" },
		{ EDIT, PROVENANCE, "provenance/v1", "provenance/v2", true, "release-notes.md",
		  "no provenance statement" },
		{ EDIT, PROVENANCE, ARCHIVE, "report-1.json", true, PROVENANCE,
		  "the subject `report-1.json` stands twice" },
		{ RENAME, RESULT, NULL, "krunner-env.alpine.x86_64.test-result.intoto.json", true, ARCHIVE,
		  "its test result " RESULT " is missing" },
	};

	check_mutations(rows, KC_ARRAY_LENGTH(rows), NULL, NULL);
}

static void finds_what_is_wrong_with_envelopes(void)
{
	static const struct mutation rows[] = {
		{ EDIT, RESULT, "\"payload\":\"ey", "\"payload\":\"eY", true, RESULT,
		  "no signature of this payload" },
		{ EDIT, RESULT, "\"payload\":\"", "\"payload\":\"!", true, RESULT,
		  "\"payload\" is no base64" },
		{ EDIT, RESULT, "\"sig\":\"", "\"sig\":\"AAAA", true, RESULT,
		  "no signature of this payload" },
		{ EDIT, RESULT, "\"signatures\":[", "\"signatures\":[],\"x\":[", true, RESULT,
		  "0 signatures" },
		{ EDIT, RESULT, "vnd.in-toto", "vnd.other", true, RESULT, "\"payloadType\" is" },
		{ EDIT, RESULT, "\"payload\":", "\"payload\":\"e30=\",\"payload\":", true, RESULT,
		  "stands twice" },
		{ EDIT, PROVENANCE, "\"sig\":\"", "\"sig\":\"AAAA", true, "report-1.json",
		  "no provenance statement" },
		{ ADD, "extra.dsse.json", NULL, NULL, true, "extra.dsse.json", "not valid JSON" },
	};

	check_mutations(rows, KC_ARRAY_LENGTH(rows), "pem", "pem.pub");
}

/* Each in place of the other: signed by the right key, and about other things than its name says. */
static void a_statement_is_what_its_name_says(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary release = { 0 };
	KC_CLEANUP_VERIFICATION struct kc_verification verification = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&release, &err), err);
	KC_REQUIRE_OK(make_release(release.path, (const char *const[2]){ "pem", NULL }, &err), err);
	KC_CLEANUP_FD int directory = kc_dir_open(AT_FDCWD, release.path, &err);
	KC_REQUIRE_OK(directory, err);
	KC_REQUIRE(renameat2(directory, RESULT, directory, PROVENANCE, RENAME_EXCHANGE) == 0);
	KC_REQUIRE(sum_again(directory, NULL) == 0);
	KC_REQUIRE_OK(verify(release.path, "pem.pub", false, &verification, &err), err);
	KC_CHECK(has(&verification, KC_VERIFIED_FAILED, RESULT,
		     "expected `https://in-toto.io/attestation/test-result/v0.1`"));
	KC_CHECK(has(&verification, KC_VERIFIED_FAILED, PROVENANCE,
		     "expected `https://slsa.dev/provenance/v1`"));
	KC_CHECK(has(&verification, KC_VERIFIED_FAILED, ARCHIVE, "counts for nothing"));
}

#define BILL KC_RELEASE_MAKER_STEM ".cdx.json"
#define WHEEL                                                                                                \
	"backend_ai_krunner_static_gnu-4.4.0-py3-none-macosx_11_0_x86_64.manylinux2014_x86_64."              \
	"musllinux_1_1_x86_64.whl"

/* Everything is listed and signed by the right key, and does not agree. */
static void finds_what_does_not_agree(void)
{
	static const struct {
		struct kc_release_maker_flaw flaw;
		const char *object, *text;
	} rows[] = {
		{ { .file = WHEEL, .from = "[backendai_krunner_v10]", .to = "[backendai_krunner_v11]" },
		  WHEEL,
		  "zip-views: expected what libarchive can read" },
		{ { .file = WHEEL, .from = "PK", .to = "pk" }, WHEEL, "zip-views: expected" },
		{ { .is_other_volume = true }, WHEEL, "the archive in it has the SHA-256" },
		{ { .without_wheel = true }, ARCHIVE, "no wheel here holds it" },
		{ { .file = BILL, .from = "4.4.0", .to = "4.3.0" },
		  BILL,
		  "the version of its volume is `4.3.0`, and here it is `4.4.0`" },
		{ { .file = BILL, .from = "\"14\"", .to = "\"13\"" },
		  BILL,
		  "the volume version of its volume is `13`" },
		{ { .file = BILL, .from = "SHA-256", .to = "SHA-512" },
		  BILL,
		  "the SHA-256 of its volume is ``, and" },
		{ { .file = BILL, .from = "static-gnu", .to = "alpine" }, BILL, "the name of its volume is" },
		{ { .file = BILL, .from = "}", .to = "" }, BILL, "not valid JSON" },
		{ { .failing = "ssl" },
		  RESULT,
		  "it says that centos7.imports.ssl passed, and in report-1.json it is fail" },
		{ { .failing = "ssl" },
		  "report-1.json",
		  "1 of its cases did not pass: centos7.imports.ssl is fail" },
		{ { .is_other_report = true },
		  "report-1.json",
		  "on centos7 it is about a volume with the SHA-256 `0000" },
		{ { .is_other_report = true },
		  RESULT,
		  "it says that centos7.imports.zmq passed, and no report here does" },
		{ { .file = "report-1.json", .from = "no network", .to = "no reason" },
		  "report-1.json",
		  "its seal is not that of its contents" },
		{ { .file = RESULT, .from = "centos7.imports.ssl", .to = "centos7.imports.evil" },
		  RESULT,
		  "it says that centos7.imports.evil passed, and no report here does" },
		{ { .file = RESULT, .from = "centos7.imports.ssl", .to = "centos7.keepalive.ping" },
		  RESULT,
		  "it names centos7.keepalive.ping twice" },
		{ { .file = RESULT,
		    .from = "\"warnedTests\":[\"centos7.keepalive.ping\"",
		    .to = "\"warnedTests\":[\"centos7.imports.x\"" },
		  RESULT,
		  "it says that centos7.imports.x was waived or tried again, and no report here does" },
		{ { .file = RESULT, .from = "\"centos7.imports.ssl\"", .to = "7" },
		  RESULT,
		  "\"passedTests\" has an item that is no text" },
		{ { .file = RESULT,
		    .from = "\"name\":\"report-1.json\"",
		    .to = "\"name\":\"report-2.json\"" },
		  RESULT,
		  "the report report-2.json that it names is not here" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary release = { 0 };
		KC_CLEANUP_VERIFICATION struct kc_verification verification = { 0 };
		char path[PATH_MAX + 64];
		const char *const signers[] = { key_path("pem", path), NULL };
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(kc_temporary_make(&release, &err), err);
		KC_REQUIRE_OK(kc_release_maker_write_flawed(release.path, signers, &rows[i].flaw, &err), err);
		KC_CHECK_OK(verify(release.path, "pem.pub", false, &verification, &err), err);
		KC_CHECK_INT(kc_verification_verdict(&verification), KC_VERIFIED_FAILED);
		KC_CHECK_MESSAGE(has(&verification, KC_VERIFIED_FAILED, rows[i].object, rows[i].text),
				 "row %zu: %s: %s", i, rows[i].object, rows[i].text);
	}
}

static void what_cannot_be_checked_is_no_pass(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary release = { 0 };
	KC_CLEANUP_VERIFICATION struct kc_verification verification = { 0 }, none = { 0 };
	KC_CLEANUP_FREE char *before = strdup(getenv("PATH") ? getenv("PATH") : "");
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&release, &err), err);
	KC_REQUIRE_OK(make_release(release.path, (const char *const[2]){ "ssh", NULL }, &err), err);
	KC_REQUIRE(before && setenv("PATH", keys.path, 1) == 0); /* no ssh-keygen there */
	KC_CHECK_OK(verify(release.path, "ssh.pub", false, &verification, &err), err);
	KC_CHECK_INT(setenv("PATH", before, 1), 0);
	KC_CHECK_INT(kc_verification_verdict(&verification), KC_VERIFIED_UNKNOWN);
	KC_CHECK(has(&verification, KC_VERIFIED_UNKNOWN, PROVENANCE, "cannot be checked: "));
	KC_CHECK_INT(kc_verification_verdict(&none), KC_VERIFIED_UNKNOWN);
	KC_CHECK_INT(kc_release_verify("/nowhere", NULL, true, &none, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "release `/nowhere`: open");
}

static void reads_no_endless_statement(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary release = { 0 };
	KC_CLEANUP_VERIFICATION struct kc_verification verification = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&release, &err), err);
	KC_REQUIRE_OK(make_release(release.path, (const char *const[2]){ NULL }, &err), err);
	KC_CLEANUP_FD int directory = kc_dir_open(AT_FDCWD, release.path, &err);
	KC_REQUIRE_OK(directory, err);
	KC_CLEANUP_FD int file = openat(directory, PROVENANCE, O_WRONLY | O_CLOEXEC);
	KC_REQUIRE(file >= 0 && ftruncate(file, INT64_C(1) << 40) == 0);
	KC_CHECK_OK(verify(release.path, NULL, true, &verification, &err), err);
	KC_CHECK_INT(kc_verification_verdict(&verification), KC_VERIFIED_UNKNOWN);
	KC_CHECK(has(&verification, KC_VERIFIED_UNKNOWN, PROVENANCE, "it cannot be read: "));
	KC_CHECK(has(&verification, KC_VERIFIED_UNKNOWN, ARCHIVE,
		     "its provenance " PROVENANCE " cannot be read"));
	KC_CHECK(has(&verification, KC_VERIFIED_UNKNOWN, "report-1.json", "no provenance statement"));
}

/* The command itself: exit statuses, and what is printed. */
static void the_command_answers(void)
{
	static const struct {
		const char *words[3];
		int expected;
		const char *text;
	} rows[] = {
		{ { "--key", "pem.pub" }, KC_EXIT_PASSED, ", 0 failed, 0 not checked\n" },
		{ { "--key", "pem.pub", "--quiet" }, KC_EXIT_PASSED, " ok, 0 failed, 0 not checked\n" },
		{ { NULL }, KC_EXIT_NOT_RUN, "NOT CHECKED: it is signed" },
		{ { "--unsigned" }, KC_EXIT_NOT_RUN, "NOT CHECKED: it is signed" },
		{ { "--key", "ssh.pub" }, KC_EXIT_FAILED, "FAILED: no signature of this payload" },
		{ { "--key", "pem" }, KC_EXIT_NOT_RUN, "a private key; signatures are checked" },
		{ { "--unsigned", "--key", "pem.pub" }, KC_EXIT_USAGE, "exclude each other" },
	};
	KC_CLEANUP_TEMPORARY struct kc_temporary release = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&release, &err), err);
	KC_REQUIRE_OK(make_release(release.path, (const char *const[2]){ "pem", NULL }, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);
		const char *const argv[] = {
			KC_TEST_PROGRAM,  "verify",	    release.path, rows[i].words[0],
			rows[i].words[1], rows[i].words[2], NULL
		};
		const struct kc_process process = { .argv = argv,
						    .directory = keys.path,
						    .timeout_ms = 60000,
						    .output = &text,
						    .errors = &text };
		int exit_status = -1;

		KC_REQUIRE_OK(kc_process_run(&process, &exit_status, &err), err);
		KC_CHECK_MESSAGE(exit_status == rows[i].expected, "row %zu: status %d\n%s", i, exit_status,
				 kc_buffer_string(&text));
		KC_CHECK_CONTAINS(kc_buffer_string(&text), rows[i].text);
	}
}

KC_TEST_SUITE_WITH(verify, KC_LABEL_FAST, make_keys, remove_keys,
		   KC_TEST(what_is_good_passes_and_only_with_its_key),
		   KC_TEST(finds_what_is_wrong_with_files), KC_TEST(finds_what_is_wrong_with_statements),
		   KC_TEST(finds_what_is_wrong_with_envelopes), KC_TEST(a_statement_is_what_its_name_says),
		   KC_TEST(finds_what_does_not_agree), KC_TEST(what_cannot_be_checked_is_no_pass),
		   KC_TEST(reads_no_endless_statement), KC_TEST(the_command_answers));
