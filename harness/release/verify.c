#include "release/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "archive/names.h"
#include "release/envelope.h"
#include "release/verify_internal.h"
#include "sys/fd.h"

/* A check under way. */
struct checker {
	const struct kc_key *key; /* NULL: none */
	bool is_unsigned;
	struct kc_release_files files;
	struct kc_verification *verification;
	int status; /* the first failure to write a finding down */
};

#define OK(checker, ...)                                                                                     \
	kc_verification_add((checker)->verification, &(checker)->status, KC_VERIFIED_OK, __VA_ARGS__)
#define UNKNOWN(checker, ...)                                                                                \
	kc_verification_add((checker)->verification, &(checker)->status, KC_VERIFIED_UNKNOWN, __VA_ARGS__)
#define FAILED(checker, ...)                                                                                 \
	kc_verification_add((checker)->verification, &(checker)->status, KC_VERIFIED_FAILED, __VA_ARGS__)

/* Unreadable files are findings already. */
static bool is_read(const struct kc_release_file *file)
{
	return file->sha256[0];
}

static void check_listed(struct checker *checker, const struct kc_checksums *checksums)
{
	for (size_t i = 0; i < checker->files.count; i++) {
		const struct kc_release_file *file = &checker->files.items[i];
		const struct kc_checksum *listed = kc_checksums_find(checksums, file->name);

		if (strcmp(file->name, KC_CHECKSUMS_NAME) == 0 || !is_read(file))
			continue;
		if (!listed)
			FAILED(checker, file->name, KC_CHECKSUMS_NAME " does not list it");
		else if (strcmp(listed->sha256, file->sha256) != 0)
			FAILED(checker, file->name, "its SHA-256 is %s, " KC_CHECKSUMS_NAME " says %s",
			       file->sha256, listed->sha256);
		else
			OK(checker, file->name, KC_CHECKSUMS_NAME " has its SHA-256");
	}
}

static void check_checksums(struct checker *checker)
{
	const struct kc_release_file *file = kc_release_files_find(&checker->files, KC_CHECKSUMS_NAME);
	KC_CLEANUP_CHECKSUMS struct kc_checksums checksums = { 0 };
	struct kc_error found = { 0 };
	size_t missing = 0;

	if (!file)
		FAILED(checker, KC_CHECKSUMS_NAME, "it is missing");
	if (!file || !is_read(file))
		return;
	if (kc_checksums_read(kc_buffer_string(&file->content), file->content.length, KC_CHECKSUMS_NAME,
			      &checksums, &found) < 0) {
		FAILED(checker, KC_CHECKSUMS_NAME, "%s", found.text);
		return;
	}
	check_listed(checker, &checksums);
	for (size_t i = 0; i < checksums.count; i++) {
		if (kc_release_files_find(&checker->files, checksums.items[i].name))
			continue;
		FAILED(checker, checksums.items[i].name, KC_CHECKSUMS_NAME " lists it, and it is missing");
		missing++;
	}
	if (!missing)
		OK(checker, KC_CHECKSUMS_NAME, "every file that it lists is here");
}

/* The statement of an envelope, or of a file that is one itself. */
static void read_statement(struct checker *checker, struct kc_release_file *file,
			   const struct kc_buffer *text)
{
	struct kc_error found = { 0 };

	if (kc_statement_read(kc_buffer_string(text), text->length, file->name, &file->statement, &found) < 0)
		FAILED(checker, file->name, "%s", found.text);
}

static void take_bare(struct checker *checker, struct kc_release_file *file)
{
	if (checker->key)
		FAILED(checker, file->name, "it is not signed");
	else if (!checker->is_unsigned)
		UNKNOWN(checker, file->name,
			"it is not signed: --unsigned takes a release without signatures");
	if (!checker->key)
		read_statement(checker, file, &file->content);
}

/* Where nobody knows who signed it, what the envelope says is still held to the files, for the sake of one who has to find out what
 * is wrong. What somebody else signed says nothing. */
static void take_envelope(struct checker *checker, struct kc_release_file *file)
{
	KC_CLEANUP_ENVELOPE struct kc_envelope envelope = { 0 };
	struct kc_error found = { 0 };
	int status;

	kc_envelope_init(&envelope);
	status = kc_envelope_read(kc_buffer_string(&file->content), file->content.length, file->name,
				  &envelope, &found);
	if (status < 0) {
		FAILED(checker, file->name, "%s", found.text);
		return;
	}
	if (!checker->key) {
		UNKNOWN(checker, file->name, "it is signed: --key checks by whom");
		read_statement(checker, file, &envelope.payload);
		return;
	}
	status = kc_envelope_verify(&envelope, checker->key, &found);
	if (status == 0)
		OK(checker, file->name, "signed by the key of %s", checker->key->path);
	else if (status == -EKEYREJECTED)
		FAILED(checker, file->name, "%s", found.text);
	else
		UNKNOWN(checker, file->name, "its signature cannot be checked: %s", found.text);
	if (status == -EINTR)
		checker->status = -EINTR;
	else if (status != -EKEYREJECTED)
		read_statement(checker, file, &envelope.payload);
}

static void check_predicate(struct checker *checker, const struct kc_release_file *file)
{
	const char *expected = NULL;

	if (kc_name_ends(file->name, KC_VERIFY_TEST_RESULT))
		expected = KC_STATEMENT_TEST_RESULT;
	else if (kc_name_ends(file->name, KC_VERIFY_PROVENANCE))
		expected = KC_STATEMENT_PROVENANCE;
	if (expected && strcmp(file->statement.predicate_type, expected) != 0)
		FAILED(checker, file->name, "its \"predicateType\" is `%.100s`, expected `%s`",
		       file->statement.predicate_type, expected);
}

static bool is_provenance(const struct kc_release_file *file)
{
	return kc_name_ends(file->name, KC_VERIFY_PROVENANCE) && file->statement.document &&
	       strcmp(file->statement.predicate_type, KC_STATEMENT_PROVENANCE) == 0;
}

static void check_subjects(struct checker *checker, const struct kc_release_file *file)
{
	const cJSON *next;
	size_t wrong = 0;

	cJSON_ArrayForEach(next, file->statement.subjects)
	{
		struct kc_resource subject = kc_statement_subject(next);
		struct kc_release_file *other = kc_release_files_find(&checker->files, subject.name);
		bool is_same = other && strcmp(other->sha256, subject.sha256) == 0;

		if (!other)
			FAILED(checker, file->name, "its subject %.200s is missing", subject.name);
		else if (!is_read(other))
			UNKNOWN(checker, file->name, "its subject %.200s cannot be read", subject.name);
		else if (!is_same)
			FAILED(checker, file->name, "its subject %.200s has the SHA-256 %s here, it says %s",
			       subject.name, other->sha256, subject.sha256);
		wrong += !is_same;
		if (is_same && is_provenance(file))
			other->is_covered = true;
	}
	if (!wrong)
		OK(checker, file->name, "its subjects are the files here");
}

static void check_statement(struct checker *checker, struct kc_release_file *file)
{
	bool is_one = kc_name_ends(file->name, ".intoto.json") || kc_name_ends(file->name, ".dsse.json");

	if (!is_one || !is_read(file))
		return;
	if (kc_envelope_is_one(kc_buffer_string(&file->content), file->content.length) ||
	    kc_name_ends(file->name, ".dsse.json"))
		take_envelope(checker, file);
	else
		take_bare(checker, file);
	if (!file->statement.document)
		return;
	check_predicate(checker, file);
	check_subjects(checker, file);
}

/* Whether a statement has this very file as a subject. */
static bool names(const struct kc_statement *statement, const struct kc_release_file *file)
{
	const cJSON *next;

	cJSON_ArrayForEach(next, statement->subjects)
	{
		struct kc_resource subject = kc_statement_subject(next);

		if (strcmp(subject.name, file->name) == 0 && strcmp(subject.sha256, file->sha256) == 0)
			return true;
	}
	return false;
}

static struct kc_release_file *find_statement(const struct checker *checker,
					      const struct kc_release_file *archive, const char *suffix,
					      char ret_name[2 * KC_CHECKSUMS_NAME_SIZE])
{
	(void)snprintf(ret_name, 2 * KC_CHECKSUMS_NAME_SIZE, "%.*s%s",
		       (int)(strlen(archive->name) - strlen(".tar.xz")), archive->name, suffix); /* it fits */
	return kc_release_files_find(&checker->files, ret_name);
}

static void check_passed(struct checker *checker, const struct kc_release_file *archive)
{
	char name[2 * KC_CHECKSUMS_NAME_SIZE];
	const struct kc_release_file *file = find_statement(checker, archive, KC_VERIFY_TEST_RESULT, name);
	struct kc_error found = { 0 };

	if (!file)
		FAILED(checker, archive->name, "its test result %s is missing", name);
	else if (!is_read(file))
		UNKNOWN(checker, archive->name, "its test result %s cannot be read", name);
	else if (!file->statement.document)
		FAILED(checker, archive->name, "its test result %s counts for nothing", name);
	else if (!names(&file->statement, archive))
		FAILED(checker, archive->name, "its test result %s is not about its SHA-256", name);
	else if (kc_statement_check_passed(&file->statement, name, &found) < 0)
		FAILED(checker, archive->name, "%s", found.text);
	else
		OK(checker, archive->name, "%s says that it passed", name);
}

static void check_origin(struct checker *checker, const struct kc_release_file *archive)
{
	char name[2 * KC_CHECKSUMS_NAME_SIZE];
	const struct kc_release_file *file = find_statement(checker, archive, KC_VERIFY_PROVENANCE, name);

	if (!file)
		FAILED(checker, archive->name, "its provenance %s is missing", name);
	else if (!is_read(file))
		UNKNOWN(checker, archive->name, "its provenance %s cannot be read", name);
	else if (!is_provenance(file))
		FAILED(checker, archive->name, "its provenance %s counts for nothing", name);
	else if (!names(&file->statement, archive))
		FAILED(checker, archive->name, "its provenance %s is not about its SHA-256", name);
	else
		OK(checker, archive->name, "%s says how it was made", name);
}

static void check_archives(struct checker *checker)
{
	size_t count = 0;

	for (size_t i = 0; i < checker->files.count; i++) {
		const struct kc_release_file *file = &checker->files.items[i];

		if (strncmp(file->name, "krunner-env.", strlen("krunner-env.")) != 0 ||
		    !kc_name_ends(file->name, ".tar.xz"))
			continue;
		count++;
		if (!is_read(file))
			continue;
		check_passed(checker, file);
		check_origin(checker, file);
	}
	if (!count)
		FAILED(checker, "krunner-env.DISTRO.ARCH.tar.xz", "there is no volume");
}

static bool are_all_provenances_read(const struct checker *checker)
{
	for (size_t i = 0; i < checker->files.count; i++)
		if (kc_name_ends(checker->files.items[i].name, KC_VERIFY_PROVENANCE) &&
		    !is_read(&checker->files.items[i]))
			return false;
	return true;
}

/* What no provenance covers could be anybody's, whatever SHA256SUMS says, which nobody signs. */
static void check_covered(struct checker *checker)
{
	enum kc_verified_verdict verdict =
		are_all_provenances_read(checker) ? KC_VERIFIED_FAILED : KC_VERIFIED_UNKNOWN;
	size_t open = 0;

	for (size_t i = 0; i < checker->files.count; i++) {
		const struct kc_release_file *file = &checker->files.items[i];

		if (file->is_covered || strcmp(file->name, KC_CHECKSUMS_NAME) == 0 || !is_read(file) ||
		    kc_name_ends(file->name, KC_VERIFY_PROVENANCE))
			continue;
		kc_verification_add(checker->verification, &checker->status, verdict, file->name,
				    "no provenance statement that counts has it as a subject");
		open++;
	}
	if (!open)
		OK(checker, "*" KC_VERIFY_PROVENANCE, "every file is a subject");
}

static void check_contents(struct checker *checker, const char *directory)
{
	KC_CLEANUP_FD int opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct kc_release_contents contents = { .directory = opened,
						      .files = &checker->files,
						      .verification = checker->verification,
						      .status = &checker->status };

	if (opened < 0)
		UNKNOWN(checker, directory, "what is in its files cannot be checked: %s", strerror(errno));
	else if (checker->status == 0)
		kc_release_check_contents(&contents);
}

int kc_release_verify(const char *directory, const struct kc_key *key, bool is_unsigned,
		      struct kc_verification *verification, struct kc_error *err)
{
	struct checker checker = { .key = key, .is_unsigned = is_unsigned, .verification = verification };
	int status = kc_release_files_read(directory, &checker.files, verification, err);

	if (status == 0) {
		check_checksums(&checker);
		for (size_t i = 0; i < checker.files.count && checker.status == 0; i++)
			check_statement(&checker, &checker.files.items[i]);
		check_archives(&checker);
		check_covered(&checker);
		check_contents(&checker, directory);
		status = checker.status < 0 ? kc_error_errno(err, checker.status, "release `%s`", directory)
					    : 0;
	}
	kc_release_files_release(&checker.files);
	return status;
}
