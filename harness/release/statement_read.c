#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"
#include "release/statement.h"

static int check_subject(const cJSON *subject, const char *where, struct kc_error *err)
{
	const char *name = NULL, *sha256 = NULL;
	const cJSON *digest = NULL;
	int status = 0;

	if (!cJSON_IsObject(subject))
		return kc_error_set(err, EBADMSG, "%s: a subject is not an object", where);
	status = kc_json_get_string(subject, "name", where, &name, err);
	if (status == 0)
		status = kc_json_get_object(subject, "digest", where, &digest, err);
	if (status == 0)
		status = kc_json_get_string(digest, "sha256", where, &sha256, err);
	if (status == 0 && !kc_sha256_is_valid(sha256))
		status = kc_error_set(
			err, EBADMSG,
			"%s: the subject `%.200s` has the SHA-256 `%.80s`, expected 64 lower-case digits",
			where, name, sha256);
	return status;
}

static int compare_names(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(*a, *b);
}

static int refuse_twice(const cJSON *subjects, size_t count, const char *where, struct kc_error *err)
{
	KC_CLEANUP_FREE const char **names = reallocarray(NULL, count, sizeof(*names));
	const cJSON *subject;
	size_t filled = 0;

	if (!names)
		return kc_error_errno(err, ENOMEM, "%s", where);
	cJSON_ArrayForEach(subject, subjects) names[filled++] = kc_statement_subject(subject).name;
	qsort(names, filled, sizeof(*names), compare_names);
	for (size_t i = 1; i < filled; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			return kc_error_set(err, EBADMSG, "%s: the subject `%.200s` stands twice", where,
					    names[i]);
	return 0;
}

static int check_subjects(const cJSON *subjects, const char *where, struct kc_error *err)
{
	int count = cJSON_GetArraySize(subjects);
	const cJSON *subject;

	if (count < 1 || count > KC_STATEMENT_SUBJECTS_MAX)
		return kc_error_set(err, EBADMSG, "%s: %d subjects, expected 1 to %d", where, count,
				    KC_STATEMENT_SUBJECTS_MAX);
	cJSON_ArrayForEach(subject, subjects)
	{
		int status = check_subject(subject, where, err);

		if (status < 0)
			return status;
	}
	return refuse_twice(subjects, (size_t)count, where, err);
}

static int check_type(const cJSON *document, const char *where, struct kc_error *err)
{
	const char *type = NULL;
	int status = kc_json_get_string(document, "_type", where, &type, err);

	if (status == 0 && strcmp(type, KC_STATEMENT_TYPE) != 0)
		status = kc_error_set(err, EBADMSG, "%s: \"_type\" is `%.100s`, expected `%s`", where, type,
				      KC_STATEMENT_TYPE);
	return status;
}

int kc_statement_read(const char *text, size_t length, const char *name, struct kc_statement *statement,
		      struct kc_error *err)
{
	int status;

	if (length > KC_STATEMENT_LIMIT)
		return kc_error_set(err, EBADMSG, "read `%s`: %zu bytes, a statement has at most %u", name,
				    length, KC_STATEMENT_LIMIT);
	/* cJSON ends a string at it, other readers do not: they would not read the same. */
	if (memmem(text, length, "\\u0000", 6))
		return kc_error_set(err, EBADMSG, "read `%s`: a NUL in a string", name);
	status = kc_json_parse(text, length, name, &statement->document, err);
	if (status == 0)
		status = check_type(statement->document, name, err);
	if (status == 0)
		status = kc_json_get_array(statement->document, "subject", name, &statement->subjects, err);
	if (status == 0)
		status = check_subjects(statement->subjects, name, err);
	if (status == 0)
		status = kc_json_get_string(statement->document, "predicateType", name,
					    &statement->predicate_type, err);
	if (status == 0)
		status = kc_json_get_object(statement->document, "predicate", name, &statement->predicate,
					    err);
	if (status < 0)
		kc_statement_release(statement);
	return status;
}

struct kc_resource kc_statement_subject(const cJSON *subject)
{
	const cJSON *digest = cJSON_GetObjectItemCaseSensitive(subject, "digest");

	return (struct kc_resource){
		.name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(subject, "name")),
		.sha256 = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(digest, "sha256")),
	};
}

int kc_statement_check_passed(const struct kc_statement *statement, const char *name, struct kc_error *err)
{
	const cJSON *failed = cJSON_GetObjectItemCaseSensitive(statement->predicate, "failedTests");
	const cJSON *passed = NULL;
	const char *result = NULL;
	int status = 0;

	if (strcmp(statement->predicate_type, KC_STATEMENT_TEST_RESULT) != 0)
		return kc_error_set(err, EBADMSG, "%s: \"predicateType\" is `%.100s`, expected `%s`", name,
				    statement->predicate_type, KC_STATEMENT_TEST_RESULT);
	status = kc_json_get_string(statement->predicate, "result", name, &result, err);
	if (status == 0)
		status = kc_json_get_array(statement->predicate, "passedTests", name, &passed, err);
	if (status < 0)
		return status;
	if (strcmp(result, "PASSED") != 0)
		return kc_error_set(err, EBADMSG, "%s: the tests' result is `%.40s`, expected PASSED", name,
				    result);
	if (!passed->child)
		return kc_error_set(err, EBADMSG, "%s: it says PASSED, and names no test that passed", name);
	if (failed && (!cJSON_IsArray(failed) || failed->child))
		return kc_error_set(err, EBADMSG, "%s: it says PASSED, and names tests that failed", name);
	return 0;
}

void kc_statement_release(struct kc_statement *statement)
{
	cJSON_Delete(statement->document);
	*statement = (struct kc_statement){ 0 };
}
