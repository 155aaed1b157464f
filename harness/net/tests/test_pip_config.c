#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/pip_config.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define HELP(url)                                                                                            \
	"\nUsage:\n  pip download [options]\n\nPackage Index Options:\n"                                     \
	"  -i, --index-url <url>       Base URL of the Python Package Index (default " url                   \
	"). This should point to a repository compliant with PEP 503.\n"                                     \
	"  --extra-index-url <url>     Extra URLs (default nothing). Same rules.\n"

static void takes_what_pip_prints(void)
{
	static const struct {
		const char *name, *text, *index_url, *cert, *proxy;
	} rows[] = {
		{ .name = "pip's own default",
		  HELP("https://index.example/simple"),
		  "https://index.example/simple" },
		{ .name = "settings beside it",
		  "global.cert='/etc/ca.pem'\nglobal.proxy='http://proxy.example:3128'\n" HELP(
			  "https://i/simple"),
		  "https://i/simple",
		  "/etc/ca.pem",
		  "http://proxy.example:3128" },
		{ .name = "variable before file, command before common",
		  ":env:.cert='/env'\ndownload.proxy='p1'\nglobal.cert='/file'\nglobal.proxy='p2'\n" HELP(
			  "https://i/simple"),
		  "https://i/simple",
		  "/env",
		  "p1" },
		{ .name = "the last of several files",
		  "global.cert='/one'\nglobal.cert='/two'\n" HELP("https://i/s"),
		  "https://i/s",
		  "/two" },
		{ .name = "a hidden password",
		  "global.index-url='https://bob:se%cret@i/simple'\n" HELP("https://bob:****@i/simple"),
		  "https://bob:se%cret@i/simple" },
		{ .name = "a hidden token",
		  "global.index-url='https://t0ken@i/simple'\n" HELP("https://****@i/simple"),
		  "https://t0ken@i/simple" },
		{ .name = "quotes", "global.cert=\"/it's\"\n" HELP("https://i/s"), "https://i/s", "/it's" },
		{ .name = "escaped quotes",
		  "global.cert='/a\\'b\\\\c'\n" HELP("https://i/s"),
		  "https://i/s",
		  "/a'b\\c" },
		{ .name = "wrapped help",
		  "  -i, --index-url <url>       Base URL of the (default\n            "
		  "                  https://i/simple). This\n  --other\n",
		  "https://i/simple" },
		{ .name = "no help, but a setting",
		  "global.index-url='https://i/simple'\n",
		  "https://i/simple" },
		{ .name = "nothing", "", NULL },
		{ .name = "another option's default",
		  "  --index-url <url>  Base URL.\n  --x <url> (default https://no).\n",
		  NULL },
		{ .name = "hidden and nowhere else", HELP("https://bob:****@i/simple"), NULL },
		{ .name = "not a literal", "global.index-url=https://i/simple\n", NULL },
		{ .name = "unfinished literal", "global.index-url='https://i/simple\n", NULL },
		{ .name = "escape at the end", "global.index-url='https://i/\\'\n", NULL },
		{ .name = "escapes that no URL needs", "global.index-url='https://i/\\x1b[0m'\n", NULL },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_PIP_CONFIG struct kc_pip_config config = { 0 };
		struct kc_error err = { 0 };
		int status = kc_pip_config_parse(rows[i].text, &config, &err);

		KC_CHECK_MESSAGE(status == (rows[i].index_url ? 0 : -ENOENT), "%s: got %d", rows[i].name,
				 status);
		if (!rows[i].index_url) {
			KC_CHECK_CONTAINS(err.hint, "PIP_INDEX_URL");
			continue;
		}
		KC_CHECK_STRING(config.index_url, rows[i].index_url);
		KC_CHECK_STRING(config.cert ? config.cert : "", rows[i].cert ? rows[i].cert : "");
		KC_CHECK_STRING(config.proxy ? config.proxy : "", rows[i].proxy ? rows[i].proxy : "");
	}
}

/* Runs kc_pip_config_read with a `python3` that is this script (none if NULL) and nothing else in PATH. */
static int read_with_python(const char *script, struct kc_pip_config *config, struct kc_error *err)
{
	const char *tmp = getenv("TMPDIR");
	const char *path = getenv("PATH"), *index_url = getenv("PIP_INDEX_URL");
	KC_CLEANUP_FREE char *old_path = path ? strdup(path) : NULL;
	KC_CLEANUP_FREE char *old_index = index_url ? strdup(index_url) : NULL;
	char directory[256], python[300];
	int status = 0;

	(void)snprintf(directory, sizeof(directory), "%s/kc-pip-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(directory))
		return -EIO;
	(void)snprintf(python, sizeof(python), "%s/python3", directory);
	if (script)
		status = kc_file_write_atomic(AT_FDCWD, python, script, strlen(script), 0700, err);
	(void)setenv("PATH", directory, 1);
	(void)unsetenv("PIP_INDEX_URL");
	if (status == 0)
		status = kc_pip_config_read(config, err);
	(void)setenv("PATH", old_path ? old_path : "/usr/bin:/bin", 1);
	if (old_index)
		(void)setenv("PIP_INDEX_URL", old_index, 1);
	if (kc_tree_remove(AT_FDCWD, directory, NULL) < 0)
		return -EIO;
	return status;
}

static void says_what_to_do_without_pip(void)
{
	static const struct {
		const char *script, *text;
	} rows[] = {
		{ NULL, "No such file" },
		{ "#!/bin/sh\necho 'ImportError: No module named pip' >&2\nexit 1\n", "No module named pip" },
		{ "#!/bin/sh\necho 'unexpected'\n", "no --index-url" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_PIP_CONFIG struct kc_pip_config config = { 0 };
		struct kc_error err = { 0 };

		KC_CHECK_INT(read_with_python(rows[i].script, &config, &err), -ENOENT);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_CONTAINS(err.hint, "python3-pip");
		KC_CHECK(config.index_url == NULL);
	}
}

static void asks_pip_once(void)
{
	/* Fails on a second start: its own file is gone then. */
	static const char script[] = "#!/bin/sh\nPATH=/usr/bin:/bin\nrm \"$0\"\ncat <<'END'\n" HELP(
		"https://index.example/simple") "END\n";
	KC_CLEANUP_PIP_CONFIG struct kc_pip_config config = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(read_with_python(script, &config, &err), err);
	KC_CHECK_STRING(config.index_url, "https://index.example/simple");
}

static void the_variable_needs_no_pip(void)
{
	const char *index_url = getenv("PIP_INDEX_URL");
	KC_CLEANUP_FREE char *old_index = index_url ? strdup(index_url) : NULL;
	const char *path = getenv("PATH");
	KC_CLEANUP_FREE char *old_path = path ? strdup(path) : NULL;
	KC_CLEANUP_PIP_CONFIG struct kc_pip_config config = { 0 };
	struct kc_error err = { 0 };

	(void)setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple", 1);
	(void)setenv("PATH", "/nonexistent", 1);
	KC_CHECK_OK(kc_pip_config_read(&config, &err), err);
	KC_CHECK_STRING(config.index_url, "http://127.0.0.1:1/simple");
	(void)setenv("PATH", old_path ? old_path : "/usr/bin:/bin", 1);
	if (old_index)
		(void)setenv("PIP_INDEX_URL", old_index, 1);
	else
		(void)unsetenv("PIP_INDEX_URL");
}

KC_TEST_SUITE(pip_config, KC_LABEL_FAST, KC_TEST(takes_what_pip_prints), KC_TEST(says_what_to_do_without_pip),
	      KC_TEST(asks_pip_once), KC_TEST(the_variable_needs_no_pip));
