#include "release/statement.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/json.h"

#define YEAR_10000_S INT64_C(253402300800)

/* A document in the making. The first failure sticks, and is in `err`. */
struct maker {
	cJSON *document;
	int status;
	struct kc_error *err;
};

static void check_made(struct maker *maker, const void *made)
{
	if (maker->status == 0 && !made)
		maker->status = kc_error_errno(maker->err, ENOMEM, "make a statement");
}

static cJSON *add_object(struct maker *maker, cJSON *parent, const char *key)
{
	cJSON *object = cJSON_AddObjectToObject(parent, key);

	check_made(maker, object);
	return object;
}

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* `what` is what errors call the text: "subject". */
static void check_text(struct maker *maker, const char *what, const char *text)
{
	if (maker->status < 0)
		return;
	if (!text || !*text)
		maker->status = kc_error_set(maker->err, EINVAL, "make a statement: a %s is empty", what);
	else if (!is_printable(text))
		maker->status = kc_error_set(
			maker->err, EINVAL,
			"make a statement: a %s has other characters than printable ASCII", what);
}

static void check_uri(struct maker *maker, const char *what, const char *text)
{
	size_t scheme = text ? strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-") : 0;

	check_text(maker, what, text);
	if (maker->status == 0 &&
	    (!isalpha((unsigned char)text[0]) || text[scheme] != ':' || !text[scheme + 1]))
		maker->status = kc_error_set(
			maker->err, EINVAL,
			"make a statement: the %s `%.200s` is no URI, such as https://example.org/a", what,
			text);
}

static void add_string(struct maker *maker, cJSON *parent, const char *key, const char *what,
		       const char *text)
{
	check_text(maker, what, text);
	if (maker->status == 0)
		check_made(maker, cJSON_AddStringToObject(parent, key, text));
}

static void add_uri(struct maker *maker, cJSON *parent, const char *key, const char *what, const char *text)
{
	check_uri(maker, what, text);
	add_string(maker, parent, key, what, text);
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int compare_resources(const void *left, const void *right)
{
	const struct kc_resource *a = left, *b = right;
	int order = strcmp(or_empty(a->name), or_empty(b->name));

	if (order == 0)
		order = strcmp(or_empty(a->uri), or_empty(b->uri));
	if (order == 0)
		order = strcmp(or_empty(a->sha256), or_empty(b->sha256));
	return order ? order : strcmp(or_empty(a->media_type), or_empty(b->media_type));
}

static int compare_parameters(const void *left, const void *right)
{
	const struct kc_parameter *a = left, *b = right;

	return strcmp(or_empty(a->name), or_empty(b->name));
}

static int compare_names(const void *left, const void *right)
{
	const char *const *a = left, *const *b = right;

	return strcmp(or_empty(*a), or_empty(*b));
}

/* A copy in order, which the caller frees; NULL if there is nothing, too. */
static void *sorted(struct maker *maker, const void *items, size_t count, size_t size,
		    int (*compare)(const void *, const void *))
{
	void *copy = NULL;

	if (maker->status < 0 || count == 0)
		return NULL;
	copy = reallocarray(NULL, count, size);
	check_made(maker, copy);
	if (!copy)
		return NULL;
	memcpy(copy, items, count * size);
	qsort(copy, count, size, compare);
	return copy;
}

static void refuse_twice(struct maker *maker, const char *what, const char *name)
{
	if (maker->status == 0)
		maker->status = kc_error_set(maker->err, EINVAL,
					     "make a statement: the %s `%.200s` is named twice", what, name);
}

static void add_digest(struct maker *maker, cJSON *parent, const struct kc_resource *resource,
		       const char *what)
{
	cJSON *digest;

	if (maker->status == 0 && !kc_sha256_is_valid(resource->sha256))
		maker->status = kc_error_set(
			maker->err, EINVAL,
			"make a statement: the %s `%.200s` has the SHA-256 `%.80s`, which is not 64 "
			"lower-case hexadecimal digits",
			what, or_empty(resource->name), resource->sha256);
	digest = add_object(maker, parent, "digest");
	add_string(maker, digest, "sha256", what, resource->sha256);
}

static void add_resource(struct maker *maker, cJSON *array, const struct kc_resource *resource,
			 const char *what)
{
	cJSON *object = cJSON_CreateObject();

	if (!cJSON_AddItemToArray(array, object)) {
		cJSON_Delete(object);
		check_made(maker, NULL);
		return;
	}
	if (maker->status == 0 && !resource->name && !resource->uri && !resource->sha256)
		maker->status = kc_error_set(maker->err, EINVAL,
					     "make a statement: a %s has no name, URI or digest", what);
	if (resource->name)
		add_string(maker, object, "name", what, resource->name);
	if (resource->uri)
		add_uri(maker, object, "uri", what, resource->uri);
	if (resource->sha256)
		add_digest(maker, object, resource, what);
	if (resource->media_type)
		add_string(maker, object, "mediaType", what, resource->media_type);
}

static void add_resources(struct maker *maker, cJSON *parent, const char *key,
			  const struct kc_resources *resources, const char *what)
{
	KC_CLEANUP_FREE struct kc_resource *all =
		sorted(maker, resources->items, resources->count, sizeof(*all), compare_resources);
	cJSON *array = cJSON_AddArrayToObject(parent, key);

	check_made(maker, array);
	for (size_t i = 0; maker->status == 0 && i < resources->count; i++) {
		if (i && compare_resources(&all[i - 1], &all[i]) == 0)
			refuse_twice(maker, what, all[i].name ? all[i].name : or_empty(all[i].uri));
		add_resource(maker, array, &all[i], what);
	}
}

/* Subjects are files: each with a name, which no other has, and a digest. */
static void check_subjects(struct maker *maker, const struct kc_resources *subjects)
{
	KC_CLEANUP_FREE struct kc_resource *all =
		sorted(maker, subjects->items, subjects->count, sizeof(*all), compare_resources);

	if (maker->status == 0 && subjects->count == 0)
		maker->status = kc_error_set(maker->err, EINVAL, "make a statement: it has no subject");
	for (size_t i = 0; maker->status == 0 && i < subjects->count; i++) {
		check_text(maker, "subject", all[i].name);
		if (maker->status == 0 && !all[i].sha256)
			maker->status = kc_error_set(maker->err, EINVAL,
						     "make a statement: the subject `%.200s` has no SHA-256",
						     all[i].name);
		if (i && strcmp(or_empty(all[i - 1].name), or_empty(all[i].name)) == 0)
			refuse_twice(maker, "subject", or_empty(all[i].name));
	}
}

/* Everything but the predicate, which is returned. */
static cJSON *begin(struct maker *maker, const struct kc_resources *subjects, const char *predicate_type)
{
	maker->document = cJSON_CreateObject();
	check_made(maker, maker->document);
	add_string(maker, maker->document, "_type", "type", KC_STATEMENT_TYPE);
	check_subjects(maker, subjects);
	add_resources(maker, maker->document, "subject", subjects, "subject");
	add_string(maker, maker->document, "predicateType", "type", predicate_type);
	return add_object(maker, maker->document, "predicate");
}

static int finish(struct maker *maker, struct kc_buffer *text)
{
	KC_CLEANUP_FREE char *line = maker->status == 0 ? cJSON_PrintUnformatted(maker->document) : NULL;
	int status = 0;

	check_made(maker, line);
	cJSON_Delete(maker->document);
	if (maker->status < 0)
		return maker->status;
	if (strlen(line) >= KC_STATEMENT_LIMIT)
		status = -E2BIG;
	if (status == 0)
		status = kc_buffer_printf(text, "%s\n", line);
	return status < 0 ? kc_error_errno(maker->err, -status, "make a statement") : 0;
}

static void add_names(struct maker *maker, cJSON *parent, const char *key, const struct kc_test_names *names)
{
	KC_CLEANUP_FREE const char **all =
		sorted(maker, names->items, names->count, sizeof(*all), compare_names);
	cJSON *array = cJSON_AddArrayToObject(parent, key);

	check_made(maker, array);
	for (size_t i = 0; maker->status == 0 && i < names->count; i++) {
		cJSON *name = cJSON_CreateString(or_empty(all[i]));

		check_text(maker, "test", all[i]);
		if (!cJSON_AddItemToArray(array, name)) {
			cJSON_Delete(name);
			check_made(maker, NULL);
		}
	}
}

static void append_names(const char **all, size_t *filled, const struct kc_test_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		all[(*filled)++] = names->items[i];
}

/* No test has two outcomes. */
static void check_names(struct maker *maker, const struct kc_test_result *result)
{
	size_t count = result->passed.count + result->warned.count + result->failed.count, filled = 0;
	KC_CLEANUP_FREE const char **all = reallocarray(NULL, count + 1, sizeof(*all));

	check_made(maker, all);
	if (maker->status < 0)
		return;
	append_names(all, &filled, &result->passed);
	append_names(all, &filled, &result->warned);
	append_names(all, &filled, &result->failed);
	qsort(all, count, sizeof(*all), compare_names);
	for (size_t i = 1; i < count; i++)
		if (compare_names(&all[i - 1], &all[i]) == 0)
			refuse_twice(maker, "test", or_empty(all[i]));
}

static void check_result(struct maker *maker, const struct kc_test_result *result)
{
	const char *problem = NULL;

	if (result->configuration.count == 0)
		problem = "it does not say what the tests ran on";
	else if (result->is_passed && result->failed.count)
		problem = "it says PASSED, and a test failed";
	else if (result->is_passed && result->passed.count == 0)
		problem = "it says PASSED, and no test passed";
	if (maker->status == 0 && problem)
		maker->status = kc_error_set(maker->err, EINVAL, "make a test result: %s", problem);
	check_names(maker, result);
}

int kc_statement_test_result(const struct kc_test_result *result, struct kc_buffer *text,
			     struct kc_error *err)
{
	struct maker maker = { .err = err };
	cJSON *predicate = begin(&maker, &result->subjects, KC_STATEMENT_TEST_RESULT);

	check_result(&maker, result);
	add_string(&maker, predicate, "result", "result", result->is_passed ? "PASSED" : "FAILED");
	add_resources(&maker, predicate, "configuration", &result->configuration, "configuration");
	if (result->url)
		add_uri(&maker, predicate, "url", "URL", result->url);
	add_names(&maker, predicate, "passedTests", &result->passed);
	add_names(&maker, predicate, "warnedTests", &result->warned);
	add_names(&maker, predicate, "failedTests", &result->failed);
	return finish(&maker, text);
}

static void add_parameters(struct maker *maker, cJSON *parent, const struct kc_provenance *provenance)
{
	KC_CLEANUP_FREE struct kc_parameter *all = sorted(
		maker, provenance->parameters, provenance->parameter_count, sizeof(*all), compare_parameters);
	cJSON *object = add_object(maker, parent, "externalParameters");

	for (size_t i = 0; maker->status == 0 && i < provenance->parameter_count; i++) {
		check_text(maker, "parameter", all[i].name);
		if (i && compare_parameters(&all[i - 1], &all[i]) == 0)
			refuse_twice(maker, "parameter", or_empty(all[i].name));
		if (maker->status == 0)
			add_string(maker, object, all[i].name, "parameter", all[i].value);
	}
}

static void add_time(struct maker *maker, cJSON *parent, const char *key, int64_t time_s)
{
	time_t seconds = (time_t)time_s;
	char text[32] = "";
	struct tm utc;

	if (maker->status < 0)
		return;
	if (time_s < 0 || time_s >= YEAR_10000_S || !gmtime_r(&seconds, &utc)) {
		maker->status = kc_error_set(maker->err, EINVAL,
					     "make a provenance statement: the time %" PRId64
					     " is not between the years 1970 and 9999",
					     time_s);
		return;
	}
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ",
		       &utc); /* digits in every locale, and they fit */
	add_string(maker, parent, key, "time", text);
}

int kc_statement_provenance(const struct kc_provenance *provenance, struct kc_buffer *text,
			    struct kc_error *err)
{
	struct maker maker = { .err = err };
	cJSON *predicate = begin(&maker, &provenance->subjects, KC_STATEMENT_PROVENANCE);
	cJSON *definition = add_object(&maker, predicate, "buildDefinition");
	cJSON *details, *metadata;

	add_uri(&maker, definition, "buildType", "build type", provenance->build_type);
	add_parameters(&maker, definition, provenance);
	add_resources(&maker, definition, "resolvedDependencies", &provenance->dependencies, "dependency");
	details = add_object(&maker, predicate, "runDetails");
	add_uri(&maker, add_object(&maker, details, "builder"), "id", "builder", provenance->builder_id);
	metadata = add_object(&maker, details, "metadata");
	if (provenance->invocation_id)
		add_string(&maker, metadata, "invocationId", "invocation", provenance->invocation_id);
	add_time(&maker, metadata, "startedOn", provenance->started_on_s);
	return finish(&maker, text);
}
