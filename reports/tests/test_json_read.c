/* A report in JSON read back: the same results, and nothing that was edited. */
#include "reports/json_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fixtures/temporary.h"
#include "reports/json.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define TEXT_LIMIT (1u << 20)

static const struct kc_report_suite suites[] = { { .name = "centos7",
						   .reproduce = "krunner-compat run centos7" } };
static const struct kc_report_case cases[] = {
	{ .classname = "centos7.imports",
	  .name = "zmq",
	  .what = "x",
	  .file = "f",
	  .line = 1,
	  .timeout_ms = 2 },
	{ .classname = "centos7.imports",
	  .name = "ssl",
	  .what = "x",
	  .file = "f",
	  .line = 1,
	  .timeout_ms = 2 },
};
static const struct kc_report_run run = { .version = "1.0",
					  .hostname = "host",
					  .started_ms = 5,
					  .suites = suites,
					  .suite_count = 1,
					  .cases = cases,
					  .case_count = KC_ARRAY_LENGTH(cases) };

static struct kc_temporary directory;

static int set_up(void)
{
	struct kc_error err = { 0 };

	return kc_temporary_make(&directory, &err);
}

static int tear_down(void)
{
	kc_temporary_remove(&directory);
	return 0;
}

/* One case passed, the other failed. */
static bool write_report(struct kc_buffer *text)
{
	char path[PATH_MAX + 16];
	const struct kc_json_options options = { .path = path };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	KC_CLEANUP(kc_result_release) struct kc_result passed, failed;
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/report.json", directory.path);
	kc_result_init(&passed);
	kc_result_pass(&passed);
	kc_result_init(&failed);
	kc_result_fail(&failed, "a", "b", "no ssl");
	if (kc_json_open(&options, &report, &err) < 0 || kc_report_begin(report, &run, &err) < 0)
		return false;
	kc_report_case_done(report, &cases[0], &passed);
	kc_report_case_done(report, &cases[1], &failed);
	return kc_report_end(report, true, &err) == 0 && kc_file_read(AT_FDCWD, path, text, &err) == 0;
}

static void what_was_written_is_read(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	KC_CLEANUP_READ_REPORT struct kc_read_report report = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE(write_report(&text));
	KC_REQUIRE_OK(kc_read_report_parse(text.data, text.length, "r", &report, &err), err);
	KC_CHECK(report.is_complete);
	KC_CHECK_INT(report.plan.run.case_count, 2);
	KC_CHECK_STRING(report.plan.run.suites[0].name, "centos7");
	KC_CHECK_STRING(report.plan.run.cases[1].name, "ssl");
	KC_CHECK_INT(report.results[0].verdict, KC_PASS);
	KC_CHECK_INT(report.results[1].verdict, KC_FAIL);
	KC_CHECK_STRING(report.results[1].message, "no ssl");
	KC_CHECK(kc_sha256_is_valid(report.sha256));
}

/* As the writer does it. */
static void seal(struct kc_buffer *text)
{
	char hex[KC_SHA256_HEX_SIZE];
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_sha256_of(text->data, text->length, hex, &err), err);
	KC_CHECK_INT(kc_buffer_printf(text, KC_JSON_SEAL_FORMAT, hex), 0);
}

static void seal_again(struct kc_buffer *text)
{
	text->length -= KC_JSON_SEAL_SIZE - 1;
	seal(text);
}

/* The first `from` becomes `to`. */
static void edit(struct kc_buffer *text, const char *from, const char *to)
{
	KC_CLEANUP_BUFFER struct kc_buffer edited = KC_BUFFER_INIT(TEXT_LIMIT);
	const char *place = strstr(kc_buffer_string(text), from);

	KC_REQUIRE(place != NULL);
	KC_CHECK_INT(kc_buffer_append(&edited, text->data, (size_t)(place - text->data)), 0);
	KC_CHECK_INT(kc_buffer_append_string(&edited, to), 0);
	KC_CHECK_INT(kc_buffer_append_string(&edited, place + strlen(from)), 0);
	kc_buffer_clear(text);
	KC_CHECK_INT(kc_buffer_append(text, edited.data, edited.length), 0);
}

static void what_was_edited_is_refused(void)
{
	static const struct {
		const char *name, *from, *to;
		bool is_sealed; /* by somebody who knows how */
		const char *message;
	} rows[] = {
		{ "a verdict", "\"fail\"", "\"pass\"", false, "its seal is not that of its contents" },
		{ "a blank", ",\"cases\"", ", \"cases\"", false, "its seal" },
		{ "the seal", "\"sha256\":\"", "\"sha256\":\"0", false, "its seal" },
		{ "the last byte", "}\n", "}", false, "its seal" },
		{ "a verdict, sealed", "\"verdict\":\"fail\"", "\"verdict\":\"pass\"", true, "r: " },
		{ "a count, sealed", "\"fail\":1", "\"fail\":0", true,
		  "it counts 0 fail, and 1 of its results are" },
		{ "another version", "{\"version\":1", "{\"version\":2", true, "only 1 is understood" },
		{ "a key more", "\"counts\"", "\"x\":1,\"counts\"", true, "\"x\"" },
		{ "no JSON", ",\"cases\"", ",,\"cases\"", true, "line 1, column" },
		{ "a case without a result", "\"result\"", "\"resvlt\"", true, "case 0 has no result" },
		{ "a case twice", "\"name\":\"ssl\"", "\"name\":\"zmq\"", true,
		  "r: case `centos7.imports.zmq` stands twice" },
		{ "a case twice, split elsewhere", "\"classname\":\"centos7.imports\",\"name\":\"ssl\"",
		  "\"classname\":\"centos7\",\"name\":\"imports.zmq\"", true,
		  "r: case `centos7.imports.zmq` stands twice" },
		{ "a suite twice", "\"suites\":[",
		  "\"suites\":[{\"name\":\"centos7\",\"reproduce\":\"\",\"facts\":[]},", true,
		  "r: suite `centos7` stands twice" },
		{ "a fact twice", "\"facts\":[", "\"facts\":[[\"a\",\"x\"],[\"a\",\"y\"]", true,
		  "fact \"a\" stands twice" },
		{ "half of it sound", "\"classname\":\"centos7.imports\",\"name\":\"ssl\"",
		  "\"classname\":\"centos7.imports\",\"name\":1", true, "r: " },
		{ "neither true nor false", "\"complete\":true", "\"complete\":1", true,
		  "neither true nor false" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
		KC_CLEANUP_READ_REPORT struct kc_read_report report = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE(write_report(&text));
		edit(&text, rows[i].from, rows[i].to);
		if (rows[i].is_sealed)
			seal_again(&text);
		KC_CHECK_MESSAGE(kc_read_report_parse(text.data, text.length, "r", &report, &err) < 0,
				 "%s: taken", rows[i].name);
		KC_CHECK_MESSAGE(strstr(err.text, rows[i].message) != NULL, "%s: %s", rows[i].name, err.text);
	}
}

/* The last is the first again. */
static void many_cases_are_looked_at(void)
{
	enum { MANY = 10000 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(16 * TEXT_LIMIT);

	for (size_t twice = 0; twice < 2; twice++) {
		KC_CLEANUP_READ_REPORT struct kc_read_report report = { 0 };
		struct kc_error err = { 0 };
		int status = 0;

		kc_buffer_clear(&text);
		status |= kc_buffer_printf(&text, "{\"version\":1,\"program\":\"1\",\"hostname\":\"h\","
						  "\"started_ms\":1,\"suites\":[{\"name\":\"i\","
						  "\"reproduce\":\"\",\"facts\":[]}],\"cases\":[");
		for (size_t i = 0; i < MANY; i++)
			status |= kc_buffer_printf(
				&text,
				"%s{\"suite\":0,\"classname\":\"i.g\",\"name\":\"%zu\",\"what\":\"\","
				"\"file\":\"\",\"line\":1,\"timeout_ms\":1,\"repeat\":0,\"result\":"
				"{\"verdict\":\"pass\",\"duration_ms\":0,\"properties\":[],\"measurements\":["
				"]}}",
				i ? "," : "", twice && i == MANY - 1 ? 0 : i);
		status |= kc_buffer_printf(&text,
					   "],\"counts\":{\"pass\":%d,\"fail\":0,\"broken\":0,"
					   "\"skip\":0},\"complete\":true",
					   MANY);
		KC_CHECK_INT(status, 0);
		seal(&text);
		status = kc_read_report_parse(text.data, text.length, "r", &report, &err);
		KC_CHECK_MESSAGE(twice ? status < 0 : status == 0, "%zu: %s", twice, err.text);
		if (twice)
			KC_CHECK_STRING(err.text, "r: case `i.g.0` stands twice");
	}
}

static void nothing_is_no_report(void)
{
	static const char *const texts[] = { "", "{}", "\n" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(texts); i++) {
		KC_CLEANUP_READ_REPORT struct kc_read_report report = { 0 };
		struct kc_error err = { 0 };

		KC_CHECK(kc_read_report_parse(texts[i], strlen(texts[i]), "r", &report, &err) < 0);
	}
}

KC_TEST_SUITE_WITH(json_read, KC_LABEL_FAST, set_up, tear_down, KC_TEST(what_was_written_is_read),
		   KC_TEST(what_was_edited_is_refused), KC_TEST(many_cases_are_looked_at),
		   KC_TEST(nothing_is_no_report));
