#include "reports/run_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "reports/bytes.h"

#define TEXT_LIMIT (1u << 20)
#define MOST_SUITES 1000
#define MOST_FACTS 1000
#define MOST_CASES 100000
/* Largest whole number that every reader of JSON keeps exactly (RFC 8259 section 6). */
#define MOST_MS 9007199254740991.0

/* Writing */

static int add_object(cJSON *list, cJSON **ret_object)
{
	cJSON *object = cJSON_CreateObject();

	if (!object || !cJSON_AddItemToArray(list, object)) {
		cJSON_Delete(object);
		return -ENOMEM;
	}
	*ret_object = object;
	return 0;
}

/* Facts are a list of pairs: their order counts. */
static int add_facts(cJSON *json, const struct kc_report_suite *suite)
{
	cJSON *list = cJSON_AddArrayToObject(json, "facts");
	int status = list ? 0 : -ENOMEM;

	for (size_t i = 0; status == 0 && i < suite->fact_count; i++) {
		cJSON *pair = cJSON_CreateArray();

		if (!pair || !cJSON_AddItemToArray(list, pair)) {
			cJSON_Delete(pair);
			return -ENOMEM;
		}
		status = kc_bytes_add(pair, NULL, suite->facts[i].name);
		if (status == 0)
			status = kc_bytes_add(pair, NULL, suite->facts[i].value);
	}
	return status;
}

static int add_suite(cJSON *list, const struct kc_report_suite *suite)
{
	cJSON *json;
	int status = add_object(list, &json);

	if (status == 0)
		status = kc_bytes_add(json, "name", suite->name);
	if (status == 0)
		status = kc_bytes_add(json, "reproduce", suite->reproduce);
	return status < 0 ? status : add_facts(json, suite);
}

/* The texts and numbers of a case, under their names in JSON. */
static const struct {
	const char *key;
	size_t offset;
} case_texts[] = {
	{ "classname", offsetof(struct kc_report_case, classname) },
	{ "name", offsetof(struct kc_report_case, name) },
	{ "what", offsetof(struct kc_report_case, what) },
	{ "file", offsetof(struct kc_report_case, file) },
};

static int add_case(cJSON *list, const struct kc_report_case *testcase)
{
	cJSON *json;
	int status = add_object(list, &json);

	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(case_texts); i++)
		status = kc_bytes_add(json, case_texts[i].key,
				      *(const char *const *)((const char *)testcase + case_texts[i].offset));
	if (status == 0 && (!cJSON_AddNumberToObject(json, "suite", (double)testcase->suite) ||
			    !cJSON_AddNumberToObject(json, "line", testcase->line) ||
			    !cJSON_AddNumberToObject(json, "timeout_ms", (double)testcase->timeout_ms) ||
			    !cJSON_AddNumberToObject(json, "repeat", testcase->repeat)))
		status = -ENOMEM;
	return status;
}

static int add_suites(cJSON *json, const struct kc_report_run *run)
{
	cJSON *list = cJSON_AddArrayToObject(json, "suites");
	int status = list ? 0 : -ENOMEM;

	for (size_t i = 0; status == 0 && i < run->suite_count; i++)
		status = add_suite(list, &run->suites[i]);
	return status;
}

static int add_cases(cJSON *json, const struct kc_report_run *run)
{
	cJSON *list = cJSON_AddArrayToObject(json, "cases");
	int status = list ? 0 : -ENOMEM;

	for (size_t i = 0; status == 0 && i < run->case_count; i++)
		status = add_case(list, &run->cases[i]);
	return status;
}

int kc_run_to_json(const struct kc_report_run *run, cJSON *json)
{
	int status = kc_bytes_add(json, "program", run->version);

	if (status == 0)
		status = kc_bytes_add(json, "hostname", run->hostname);
	if (status == 0 && !cJSON_AddNumberToObject(json, "started_ms", (double)run->started_ms))
		status = -ENOMEM;
	if (status == 0)
		status = add_suites(json, run);
	return status < 0 ? status : add_cases(json, run);
}

/* Reading */

int kc_read_count(const cJSON *json, const char *key, double most, int64_t *ret_number, struct kc_error *err)
{
	double number = 0;
	int status = kc_json_get_number(json, key, "report", &number, err);

	if (status < 0)
		return status;
	if (!(number >= 0 && number <= most) || number > (double)(int64_t)number)
		return kc_error_set(err, EBADMSG, "report: \"%s\" is no whole number up to %.0f", key, most);
	*ret_number = (int64_t)number;
	return 0;
}

/* Into the pool, of which there must be room for one more. */
static int read_text(const cJSON *item, struct kc_read_run *read, char **ret_text, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = kc_bytes_read(item, &text, err);

	if (status == 0 && kc_buffer_append(&text, "", 0) < 0)
		status = kc_error_errno(err, ENOMEM, "read a report");
	if (status < 0)
		return status;
	*ret_text = read->texts[read->text_count++] = kc_buffer_steal(&text);
	return 0;
}

static int read_member(const cJSON *json, const char *key, struct kc_read_run *read, const char **ret_text,
		       struct kc_error *err)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);
	char *text = NULL;
	int status = item ? read_text(item, read, &text, err)
			  : kc_error_set(err, EBADMSG, "report: key \"%s\" is missing", key);

	*ret_text = text;
	return status;
}

static int read_fact(const cJSON *pair, struct kc_read_run *read, struct kc_error *err)
{
	struct kc_property *fact = &read->facts[read->fact_count++];
	int status = cJSON_GetArraySize(pair) == 2
			     ? 0
			     : kc_error_set(err, EBADMSG, "report: a fact is not a name and a value");

	if (status == 0)
		status = read_text(cJSON_GetArrayItem(pair, 0), read, &fact->name, err);
	return status < 0 ? status : read_text(cJSON_GetArrayItem(pair, 1), read, &fact->value, err);
}

/* The gate would read the first of two, and a person the other. */
static int check_fact_is_new(const struct kc_report_suite *suite, const char *name, struct kc_error *err)
{
	for (size_t i = 0; i < suite->fact_count; i++)
		if (strcmp(suite->facts[i].name, name) == 0)
			return kc_error_set(err, EBADMSG, "report: fact \"%s\" stands twice", name);
	return 0;
}

static int read_facts(const cJSON *list, struct kc_report_suite *suite, struct kc_read_run *read,
		      struct kc_error *err)
{
	const cJSON *pair;

	suite->facts = &read->facts[read->fact_count];
	cJSON_ArrayForEach(pair, list)
	{
		int status = read_fact(pair, read, err);

		if (status == 0)
			status = check_fact_is_new(suite, suite->facts[suite->fact_count].name, err);
		if (status < 0)
			return status;
		suite->fact_count++;
	}
	return 0;
}

static int read_suite(const cJSON *json, struct kc_read_run *read, struct kc_error *err)
{
	static const char *const known[] = { "name", "reproduce", "facts", NULL };
	struct kc_report_suite *suite = &read->suites[read->run.suite_count++];
	const cJSON *facts = NULL;
	int status = kc_json_refuse_unknown(json, known, "suite", err);

	if (status == 0)
		status = read_member(json, "name", read, &suite->name, err);
	if (status == 0)
		status = read_member(json, "reproduce", read, &suite->reproduce, err);
	if (status == 0)
		status = kc_json_get_array(json, "facts", "suite", &facts, err);
	return status < 0 ? status : read_facts(facts, suite, read, err);
}

static int read_case_numbers(const cJSON *json, struct kc_report_case *testcase, size_t suite_count,
			     struct kc_error *err)
{
	int64_t suite = 0, line = 0, repeat = 0;
	int status = kc_read_count(json, "suite", (double)suite_count - 1, &suite, err);

	if (status == 0)
		status = kc_read_count(json, "line", UINT32_MAX, &line, err);
	if (status == 0)
		status = kc_read_count(json, "repeat", UINT32_MAX, &repeat, err);
	if (status == 0)
		status = kc_read_count(json, "timeout_ms", MOST_MS, &testcase->timeout_ms, err);
	testcase->suite = (size_t)suite;
	testcase->line = (unsigned int)line;
	testcase->repeat = (unsigned int)repeat;
	return status;
}

static int read_case(const cJSON *json, struct kc_read_run *read, struct kc_error *err)
{
	static const char *const known[] = { "suite", "classname",  "name",   "what", "file",
					     "line",  "timeout_ms", "repeat", NULL };
	struct kc_report_case *testcase = &read->cases[read->run.case_count++];
	int status = kc_json_refuse_unknown(json, known, "case", err);

	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(case_texts); i++)
		status = read_member(json, case_texts[i].key, read,
				     (const char **)((char *)testcase + case_texts[i].offset), err);
	return status < 0 ? status : read_case_numbers(json, testcase, read->run.suite_count, err);
}

/* How many facts there are. */
static int count_facts(const cJSON *suites, size_t *ret_count, struct kc_error *err)
{
	const cJSON *suite;

	*ret_count = 0;
	cJSON_ArrayForEach(suite, suites)
	{
		int facts = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(suite, "facts"));

		if (facts > MOST_FACTS)
			return kc_error_set(err, EBADMSG, "report: a suite has too many facts");
		*ret_count += (size_t)facts;
	}
	return 0;
}

/* Room for everything is made at once: texts are pointed to. */
static int make_room(const cJSON *suites, const cJSON *cases, struct kc_read_run *read, struct kc_error *err)
{
	int suite_count = cJSON_GetArraySize(suites), case_count = cJSON_GetArraySize(cases), status;
	size_t facts = 0, texts;

	if (suite_count < 1 || suite_count > MOST_SUITES || case_count > MOST_CASES)
		return kc_error_set(err, EBADMSG, "report: %d suites and %d cases are too few or too many",
				    suite_count, case_count);
	status = count_facts(suites, &facts, err);
	if (status < 0)
		return status;
	texts = 2 + 2 * (size_t)suite_count + 2 * facts + (size_t)case_count * KC_ARRAY_LENGTH(case_texts);
	read->texts = calloc(texts, sizeof(char *));
	read->suites = calloc((size_t)suite_count, sizeof(*read->suites));
	read->facts = calloc(facts + 1, sizeof(*read->facts));
	read->cases = calloc((size_t)case_count + 1, sizeof(*read->cases));
	if (!read->texts || !read->suites || !read->facts || !read->cases)
		return kc_error_errno(err, ENOMEM, "read a report");
	read->run.suites = read->suites;
	read->run.cases = read->cases;
	return 0;
}

static int read_lists(const cJSON *suites, const cJSON *cases, struct kc_read_run *read, struct kc_error *err)
{
	const cJSON *item;
	int status = 0;

	cJSON_ArrayForEach(item, suites)
	{
		status = read_suite(item, read, err);
		if (status < 0)
			return status;
	}
	cJSON_ArrayForEach(item, cases)
	{
		status = read_case(item, read, err);
		if (status < 0)
			return status;
	}
	return status;
}

int kc_read_run_parse(const cJSON *json, struct kc_read_run *read, struct kc_error *err)
{
	const cJSON *suites = NULL, *cases = NULL;
	int status = kc_json_get_array(json, "suites", "report", &suites, err);

	if (status == 0)
		status = kc_json_get_array(json, "cases", "report", &cases, err);
	if (status == 0)
		status = make_room(suites, cases, read, err);
	if (status == 0)
		status = read_member(json, "program", read, &read->run.version, err);
	if (status == 0)
		status = read_member(json, "hostname", read, &read->run.hostname, err);
	if (status == 0)
		status = kc_read_count(json, "started_ms", MOST_MS, &read->run.started_ms, err);
	return status < 0 ? status : read_lists(suites, cases, read, err);
}

void kc_read_run_release(struct kc_read_run *read)
{
	for (size_t i = 0; i < read->text_count; i++)
		free(read->texts[i]);
	free(read->facts);
	free(read->suites);
	free(read->cases);
	free(read->texts);
	*read = (struct kc_read_run){ 0 };
}
