/* A repository is taken at a signed tag of the version, clean, and at no other. */
#include "release/git_tag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixtures/temporary.h"
#include "sys/process.h"
#include "tests/kc_test.h"

#define VERSION "4.4.0"
#define TIMEOUT_MS 60000

static struct kc_temporary directory;
static bool has_git;

/* Called in the directory: 0 if the shell says so. */
static int run(const char *script, struct kc_error *err)
{
	const char *const argv[] = { "sh", "-ec", script, NULL };
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1u << 20);
	const struct kc_process process = { .argv = argv,
					    .directory = directory.path,
					    .timeout_ms = TIMEOUT_MS,
					    .output = &output,
					    .errors = &output };
	int exit_status = -1, status = kc_process_run(&process, &exit_status, err);

	if (status == 0 && exit_status != 0)
		return kc_error_set(err, EINVAL, "%.200s: status %d: %.500s", script, exit_status,
				    kc_buffer_string(&output));
	return status;
}

/* Whoever runs this has settings for git, which are not those of this test. */
static int set_up(void)
{
	static const char script[] =
		"ssh-keygen -q -t ed25519 -N '' -f key; ssh-keygen -q -t ed25519 -N '' -f other\n"
		"printf 'x@example.org %s\\n' \"$(cat key.pub)\" >signers\n"
		"git config --file config user.name X; git config --file config user.email x@example.org\n"
		"git config --file config gpg.format ssh; git config --file config user.signingkey $PWD/key\n"
		"git config --file config gpg.ssh.allowedSignersFile $PWD/signers\n";
	struct kc_error err = { 0 };
	char config[PATH_MAX + 16];
	int status = kc_temporary_make(&directory, &err);

	(void)snprintf(config, sizeof(config), "%s/config", directory.path);
	if (status < 0 || setenv("GIT_CONFIG_GLOBAL", config, 1) < 0 ||
	    setenv("GIT_CONFIG_NOSYSTEM", "1", 1) < 0)
		return -1;
	has_git = run("git --version", &err) == 0;
	status = has_git ? run(script, &err) : 0;
	if (status < 0)
		printf("  %s\n", err.text);
	return status;
}

static int tear_down(void)
{
	(void)unsetenv("GIT_CONFIG_GLOBAL");
	(void)unsetenv("GIT_CONFIG_NOSYSTEM");
	kc_temporary_remove(&directory);
	return 0;
}

static const struct row {
	const char *name, *script; /* in a repository of two commits */
	const char *expected;	   /* of what is found, in the only finding; NULL: there is none */
} rows[] = {
	{ "signed", "git tag -s -m x 4.4.0", NULL },
	{ "signed, with a v", "git tag -s -m x v4.4.0", NULL },
	{ "signed, with another beside it", "git tag -s -m x 4.4.0; git tag 4.4.1 HEAD~", NULL },
	{ "no tag", "git tag -s -m x 4.4.1", "none" },
	{ "lightweight", "git tag 4.4.0", "commit" },
	{ "unsigned", "git tag -a -m x 4.4.0", "no signature found" },
	{ "of a stranger", "git -c user.signingkey=$PWD/../other tag -s -m x 4.4.0", "No principal matched" },
	{ "elsewhere", "git tag -s -m x 4.4.0 HEAD~", "" },
	{ "under another name", "git tag -s -m x 4.3.0; git update-ref refs/tags/4.4.0 refs/tags/4.3.0",
	  "4.3.0" },
	{ "a new file", "git tag -s -m x 4.4.0; touch new", "?? new" },
	{ "a new file that settings hide",
	  "git tag -s -m x 4.4.0; touch new; git config status.showUntrackedFiles no", "?? new" },
	{ "a changed file", "git tag -s -m x 4.4.0; echo x >file", " M file" },
	{ "a program of the repository's", "git tag -s -m x 4.4.0; git config gpg.ssh.program true", NULL },
	{ "a hidden signature", "git tag -a -m x 4.4.0; git config gpg.ssh.program true",
	  "no signature found" },
};

static void check(const struct row *row)
{
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	struct kc_error err = { 0 };
	char script[1024], repository[PATH_MAX + 16];
	bool is_found = false;

	(void)snprintf(
		script, sizeof(script),
		"rm -rf repository; git init -q repository; cd repository; git commit -q --allow-empty "
		"-m 1; touch file; git add file; git commit -q -m 2\n%s",
		row->script);
	(void)snprintf(repository, sizeof(repository), "%s/repository", directory.path);
	KC_CHECK_OK(run(script, &err), err);
	KC_CHECK_OK(kc_git_tag_check(repository, VERSION, &findings, &err), err);
	for (size_t i = 0; i < findings.count; i++)
		is_found |= row->expected && strstr(findings.items[i].found, row->expected);
	if (is_found != (row->expected != NULL) || (!row->expected && findings.count)) {
		printf("  %s: %zu findings, the first: %s\n", row->name, findings.count,
		       findings.count ? findings.items[0].found : "");
		KC_CHECK(false);
	}
}

static void is_the_versions_own_and_signed(void)
{
	if (!has_git) {
		kc_test_skip(__FILE__, __LINE__, "git is not here");
		return;
	}
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		check(&rows[i]);
}

static void is_not_asked_for_in_what_is_no_repository(void)
{
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	struct kc_error err = { 0 };

	if (!has_git) {
		kc_test_skip(__FILE__, __LINE__, "git is not here");
		return;
	}
	KC_CHECK_OK(kc_git_tag_check(directory.path, VERSION, &findings, &err), err);
	KC_REQUIRE(findings.count > 0);
	KC_CHECK_CONTAINS(findings.items[0].found, "not a git repository");
}

KC_TEST_SUITE_WITH(git_tag, KC_LABEL_FAST, set_up, tear_down, KC_TEST(is_the_versions_own_and_signed),
		   KC_TEST(is_not_asked_for_in_what_is_no_repository));
