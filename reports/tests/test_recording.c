/* Runs as events: written down, told again, cut short, and damaged. */
#include "reports/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "reports/events.h"
#include "reports/html.h"
#include "reports/json.h"
#include "reports/junit.h"
#include "reports/markdown.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define FILE_LIMIT (1u << 20)
#define PLACE_MAX (PATH_MAX + 16)
#define CASE(case_name)                                                                                      \
	{                                                                                                    \
		.classname = "centos7.imports", .name = (case_name), .what = "imports",                      \
		.file = "cases/imports.c", .line = 32, .timeout_ms = 20000                                   \
	}

static char fact_name[] = "volume \xff", fact_value[] = "sha256:\"\n";
static const struct kc_property facts[] = { { fact_name, fact_value } };
static const struct kc_report_suite suites[] = {
	{ .name = "centos7", .facts = facts, .fact_count = 1, .reproduce = "krunner-compat run centos7" }
};
static const struct kc_report_case cases[] = { CASE("ssl"), CASE("zmq\xfe"), CASE("never") };
static const struct kc_report_run run = { .version = "1.2.3",
					  .hostname = "host",
					  .started_ms = 1784808000123,
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

static const char *place(const char *name, char ret_path[PLACE_MAX])
{
	(void)snprintf(ret_path, PLACE_MAX, "%s/%s", directory.path, name);
	return ret_path;
}

/* One passed case with a measurement, one failed, one that never reports. */
static int tell(struct kc_report *report, const char *bytes, bool complete, struct kc_error *err)
{
	struct kc_result results[2];
	int status = kc_report_begin(report, &run, err);

	if (status < 0)
		return status;
	kc_result_init(&results[0]);
	kc_result_init(&results[1]);
	kc_result_pass(&results[0]);
	kc_result_measure(&results[0], bytes, "s", 20.001, 18.5, NAN);
	kc_result_measure(&results[0], "pings", "", 4319, NAN, NAN);
	kc_result_fail(&results[1], "import zmq", bytes, "CXXABI_1.3.9 is missing%s", bytes);
	kc_result_output(&results[1], bytes, strlen(bytes));
	kc_result_property(&results[1], bytes, "%s", bytes);
	for (size_t i = 0; i < 2; i++) {
		kc_report_case_started(report, &cases[i]);
		kc_report_case_done(report, &cases[i], &results[i]);
		kc_result_release(&results[i]);
	}
	return kc_report_end(report, complete, err);
}

static int write_events(const char *path, const char *bytes, struct kc_error *err)
{
	const struct kc_events_options options = { .path = path };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	int status = kc_events_open(&options, &report, err);

	return status < 0 ? status : tell(report, bytes, true, err);
}

static int read_text(const char *path, struct kc_buffer *text, struct kc_error *err)
{
	kc_buffer_clear(text);
	return kc_file_read(AT_FDCWD, path, text, err);
}

/* What `report` and the kept events make of the same run, byte for byte. */
static void check_same(const char *name, struct kc_report *live, struct kc_report *again, const char *bytes)
{
	KC_CLEANUP_RECORDING struct kc_recording recording = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer one = KC_BUFFER_INIT(FILE_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer other = KC_BUFFER_INIT(FILE_LIMIT);
	char events[PLACE_MAX], path[PLACE_MAX];
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(write_events(place("events", events), bytes, &err), err);
	KC_CHECK_OK(tell(live, bytes, true, &err), err);
	KC_REQUIRE_OK(kc_recording_read(events, &recording, &err), err);
	KC_CHECK_OK(kc_recording_tell(&recording, again, &err), err);
	KC_REQUIRE_OK(read_text(place("live", path), &one, &err), err);
	KC_REQUIRE_OK(read_text(place("again", path), &other, &err), err);
	KC_CHECK_MESSAGE(one.length > 500 && strcmp(kc_buffer_string(&one), kc_buffer_string(&other)) == 0,
			 "%s: told again it is another report", name);
}

static const char *const awkward[] = { "",	  "\xff\xc3\xed\xa0\x80", "\x1b[31m\x01\x7f",	  "]]>&<\"'",
				       "\n\n \n", "\xef\x9f\xbf",	  "{\"event\":\"end\"}\n" };

static void every_report_can_be_made_again(void)
{
	char live[PLACE_MAX], again[PLACE_MAX];
	const struct kc_junit_options junit[] = { { .path = place("live", live) },
						  { .path = place("again", again) } };
	const struct kc_json_options json[] = { { .path = live }, { .path = again } };
	const struct kc_html_options html[] = { { .path = live }, { .path = again } };
	const struct kc_markdown_options markdown[] = { { .path = live }, { .path = again } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(awkward); i++) {
		KC_CLEANUP_REPORT struct kc_report *live_junit = NULL, *live_json = NULL;
		KC_CLEANUP_REPORT struct kc_report *live_html = NULL, *live_markdown = NULL;
		KC_CLEANUP_REPORT struct kc_report *new_junit = NULL, *new_json = NULL;
		KC_CLEANUP_REPORT struct kc_report *new_html = NULL, *new_markdown = NULL;
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(kc_junit_open(&junit[0], &live_junit, &err), err);
		KC_REQUIRE_OK(kc_junit_open(&junit[1], &new_junit, &err), err);
		check_same("junit", live_junit, new_junit, awkward[i]);
		KC_REQUIRE_OK(kc_json_open(&json[0], &live_json, &err), err);
		KC_REQUIRE_OK(kc_json_open(&json[1], &new_json, &err), err);
		check_same("json", live_json, new_json, awkward[i]);
		KC_REQUIRE_OK(kc_html_open(&html[0], &live_html, &err), err);
		KC_REQUIRE_OK(kc_html_open(&html[1], &new_html, &err), err);
		check_same("html", live_html, new_html, awkward[i]);
		KC_REQUIRE_OK(kc_markdown_open(&markdown[0], &live_markdown, &err), err);
		KC_REQUIRE_OK(kc_markdown_open(&markdown[1], &new_markdown, &err), err);
		check_same("markdown", live_markdown, new_markdown, awkward[i]);
	}
}

/* Killed after any byte: never complete, never another verdict than the whole file has, and no error once there is a plan. */
static void what_a_kill_leaves_is_incomplete(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer whole = KC_BUFFER_INIT(FILE_LIMIT);
	char events[PLACE_MAX], cut[PLACE_MAX];
	struct kc_error err = { 0 };
	size_t plan;

	KC_REQUIRE_OK(write_events(place("events", events), "bytes \xff", &err), err);
	KC_REQUIRE_OK(read_text(events, &whole, &err), err);
	plan = strcspn(whole.data, "\n") + 1;
	(void)place("cut", cut);
	for (size_t length = 0; length <= whole.length; length++) {
		KC_CLEANUP_RECORDING struct kc_recording recording = { 0 };
		int status;

		KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, cut, whole.data, length, 0600, &err), err);
		status = kc_recording_read(cut, &recording, &err);
		KC_CHECK_MESSAGE((status == 0) == (length >= plan), "%zu bytes: %s", length, err.text);
		KC_CHECK(recording.is_complete == (length == whole.length));
		for (size_t i = 0; i < recording.count; i++)
			if (recording.records[i].kind == KC_RECORDED_DONE)
				KC_CHECK_INT(recording.records[i].result.verdict,
					     recording.records[i].number == 0 ? KC_PASS : KC_FAIL);
	}
}

#define PLAN                                                                                                 \
	"{\"event\":\"plan\",\"version\":1,\"program\":\"1\",\"hostname\":\"h\",\"started_ms\":1,"           \
	"\"suites\":"                                                                                        \
	"[{\"name\":\"s\",\"reproduce\":\"r\",\"facts\":[]}],\"cases\":[{\"suite\":0,\"classname\":\"s.g\"," \
	"\"name\":\"n\",\"what\":\"w\",\"file\":\"f\",\"line\":1,\"timeout_ms\":1,\"repeat\":0}]}\n"
#define RESULT "\"result\":{\"verdict\":\"pass\",\"duration_ms\":1,\"properties\":[]}"
#define DONE "{\"event\":\"case_done\",\"case\":0,\"at_ms\":1," RESULT "}\n"
#define END "{\"event\":\"end\",\"complete\":true,\"at_ms\":2}\n"

static void damaged_events_are_refused_with_their_line(void)
{
	static const struct {
		const char *name, *text, *message;
	} rows[] = {
		{ "nothing", "", "no plan of a run" },
		{ "no JSON", "hello\n", "events:1: " },
		{ "a list", "[]\n", "events:1: not a JSON object" },
		{ "no event", "{}\n", "\"event\" is missing" },
		{ "of the future", "{\"event\":\"plan\",\"version\":2}\n", "only 1 is understood" },
		{ "no plan first", DONE, "before any plan" },
		{ "another event", PLAN "{\"event\":\"case_donne\"}\n", "events:2: unknown event" },
		{ "a misspelt key", PLAN "{\"event\":\"case_started\",\"case\":0,\"at\":1}\n", "\"at\"" },
		{ "a case that is not planned", PLAN "{\"event\":\"case_started\",\"case\":1,\"at_ms\":1}\n",
		  "\"case\" is no whole number up to 0" },
		{ "half a case", PLAN "{\"event\":\"case_started\",\"case\":0.5,\"at_ms\":1}\n",
		  "no whole number" },
		{ "before the run", PLAN "{\"event\":\"case_started\",\"case\":0,\"at_ms\":-1}\n",
		  "no whole number" },
		{ "done twice", PLAN DONE DONE, "events:3: case 0 was done before" },
		{ "after the end", PLAN END DONE, "events:3: \"case_done\" after the end" },
		{ "neither true nor false", PLAN "{\"event\":\"end\",\"complete\":1,\"at_ms\":2}\n",
		  "neither true nor" },
		{ "no verdict",
		  PLAN "{\"event\":\"case_done\",\"case\":0,\"at_ms\":1,\"result\":{\"duration_ms\":1,"
		       "\"properties\":[]}}\n",
		  "\"verdict\" is missing" },
		{ "another run behind it", PLAN DONE END PLAN DONE END, "events:4: a second plan" },
		{ "another plan in the middle", PLAN DONE PLAN END, "events:3: a second plan" },
		{ "two keys alike", PLAN "{\"event\":\"end\",\"event\":\"end\"}\n", "events:2: " },
	};
	char path[PLACE_MAX];

	(void)place("events", path);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_RECORDING struct kc_recording recording = { 0 };
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(
			kc_file_write_atomic(AT_FDCWD, path, rows[i].text, strlen(rows[i].text), 0600, &err),
			err);
		KC_CHECK_MESSAGE(kc_recording_read(path, &recording, &err) < 0, "%s: taken", rows[i].name);
		KC_CHECK_MESSAGE(strstr(err.text, rows[i].message) != NULL, "%s: %s", rows[i].name, err.text);
	}
}

static void a_new_plan_takes_the_place_of_the_old(void)
{
	static const char text[] = PLAN PLAN END;
	KC_CLEANUP_RECORDING struct kc_recording recording = { 0 };
	struct kc_error err = { 0 };
	char path[PLACE_MAX];

	KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, place("events", path), text, strlen(text), 0600, &err),
		      err);
	KC_REQUIRE_OK(kc_recording_read(path, &recording, &err), err);
	KC_CHECK_INT(recording.count, 0);
	KC_CHECK(recording.is_complete);
	KC_CHECK_STRING(recording.plan.run.cases[0].classname, "s.g");
}

/* From begin on there is nothing of an earlier run, and what cannot be written is an error. */
static void events_never_stand_for_another_run(void)
{
	const struct kc_events_options options = { .path = "/dev/full" };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(FILE_LIMIT);
	struct kc_error err = { 0 };
	char path[PLACE_MAX];

	KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, place("events", path), "old\n", 4, 0600, &err), err);
	KC_REQUIRE_OK(write_events(path, "", &err), err);
	KC_REQUIRE_OK(read_text(path, &text, &err), err);
	KC_CHECK(strncmp(kc_buffer_string(&text), "{\"event\":\"plan\"", 15) == 0);
	KC_REQUIRE_OK(kc_events_open(&options, &report, &err), err);
	KC_CHECK_INT(kc_report_begin(report, &run, &err), -EINVAL);
	KC_CHECK_CONTAINS(err.text, "not a regular file");
}

static void the_document_is_red_until_the_run_has_ended(void)
{
	char path[PLACE_MAX];
	const struct kc_json_options options = { .path = place("report", path) };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(FILE_LIMIT);
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_json_open(&options, &report, &err), err);
	KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
	KC_REQUIRE_OK(read_text(path, &text, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text),
			  "\"counts\":{\"broken\":3,\"pass\":0,\"fail\":0,\"skip\":0}");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "\"complete\":false");
	KC_REQUIRE_OK(tell(report, "", true, &err), err);
	KC_REQUIRE_OK(read_text(path, &text, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text),
			  "\"counts\":{\"broken\":1,\"pass\":1,\"fail\":1,\"skip\":0}");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "\"complete\":true");
}

static void the_page_is_red_until_the_run_has_ended(void)
{
	char path[PLACE_MAX];
	const struct kc_html_options options = { .path = place("page", path) };
	KC_CLEANUP_REPORT struct kc_report *report = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(FILE_LIMIT);
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_html_open(&options, &report, &err), err);
	KC_REQUIRE_OK(kc_report_begin(report, &run, &err), err);
	KC_REQUIRE_OK(read_text(path, &text, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "<title>krunner-compat: not passed</title>");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "The run is incomplete");
	KC_REQUIRE_OK(tell(report, "<b>", true, &err), err);
	KC_REQUIRE_OK(read_text(path, &text, &err), err);
	KC_CHECK(!strstr(kc_buffer_string(&text), "The run is incomplete"));
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "CXXABI_1.3.9 is missing&lt;b&gt;");
	KC_CHECK(!strstr(kc_buffer_string(&text), "<b>"));
}

KC_TEST_SUITE_WITH(recording, KC_LABEL_FAST, set_up, tear_down, KC_TEST(every_report_can_be_made_again),
		   KC_TEST(what_a_kill_leaves_is_incomplete),
		   KC_TEST(damaged_events_are_refused_with_their_line),
		   KC_TEST(a_new_plan_takes_the_place_of_the_old),
		   KC_TEST(events_never_stand_for_another_run),
		   KC_TEST(the_document_is_red_until_the_run_has_ended),
		   KC_TEST(the_page_is_red_until_the_run_has_ended));
