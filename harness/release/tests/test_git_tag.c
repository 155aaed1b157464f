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

/* The settings of whoever runs this count for making tags, and must not for taking them: everything is set there that could. */
static int set_up(void)
{
	static const char script[] =
		"ssh-keygen -q -t ed25519 -N '' -f key; ssh-keygen -q -t ed25519 -N '' -f other\n"
		"printf 'x@example.org %s\\n' \"$(cat key.pub)\" >signers\n"
		"printf 'x@example.org %s\\n' \"$(cat other.pub)\" >strangers\n"
		"set_config() { git config --file config \"$@\"; }\n"
		"set_config user.name X; set_config user.email x@example.org\n"
		"set_config gpg.format ssh; set_config user.signingkey $PWD/key\n"
		"set_config gpg.ssh.allowedSignersFile $PWD/strangers; set_config protocol.file.allow "
		"always\n"
		"printf '#!/bin/sh\\ntouch %s/executed\\ncat\\n' $PWD >evil; chmod +x evil\n"
		"printf '#!/bin/sh\ntouch %s/executed\nexit 1\n' $PWD >evil-remote; chmod +x evil-remote\n"
		/* What a system without a user's settings gives: two commits. */
		"mkdir base; cd base; git init -q .; git commit -q --allow-empty -m 1\n"
		"printf 'build/\\n.cache\\n' >.gitignore; echo a >file; mkdir sub; echo b >sub/file\n"
		"echo '*.filtered filter=evil diff=evil' >.gitattributes; echo c >x.filtered\n"
		"git add .; git commit -q -m 2\n";
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

struct row {
	const char *name, *script; /* in a repository of two commits, $D: the directory around it */
	const char *expected;	   /* of what is found; NULL: nothing is */
	const char *
		bait; /* that would run the repository's program, so that we know that it could be; NULL: none */
};

static const struct row tags[] = {
	{ "signed", "git tag -s -m x 4.4.0", NULL },
	{ "signed, with a v", "git tag -s -m x v4.4.0", NULL },
	{ "signed, with another beside it", "git tag -s -m x 4.4.0; git tag 4.4.1 HEAD~", NULL },
	{ "signed, packed",
	  "git tag -s -m x 4.4.0; git pack-refs --all; git gc -q; git commit-graph write --reachable", NULL },
	{ "signed, in a shallow clone",
	  "git tag -s -m x 4.4.0; cd ..; git clone -q --depth 1 -b 4.4.0 file://$D/repository clone 2>&1\n"
	  "rm -rf repository; mv clone repository",
	  NULL },
	{ "signed, in a linked tree",
	  "git tag -s -m x 4.4.0; git worktree add -q ../linked 4.4.0; cd ..; rm -rf moved\n"
	  "mv repository moved; mv linked repository; git -C moved worktree repair ../repository >/dev/null "
	  "2>&1",
	  NULL },
	{ "signed, in a repository of SHA-256",
	  "rm -rf .git; git init -q --object-format=sha256 .; git add .; git commit -q -m 1; git tag -s -m x "
	  "4.4.0",
	  NULL },
	{ "what actions/checkout sets",
	  "git tag -s -m x 4.4.0; git config http.https://github.com/.extraheader 'AUTHORIZATION: basic "
	  "eA=='\n"
	  "git config gc.auto 0; git config remote.origin.url https://github.com/x/x\n"
	  "git config submodule.x.url https://github.com/x/y; git config safe.directory $PWD",
	  NULL },
	{ "no tag", "git tag -s -m x 4.4.1", "none" },
	{ "lightweight", "git tag 4.4.0", "commit" },
	{ "unsigned", "git tag -a -m x 4.4.0", "no signature found" },
	{ "of a stranger", "git -c user.signingkey=$D/other tag -s -m x 4.4.0", "No principal matched" },
	{ "elsewhere", "git tag -s -m x 4.4.0 HEAD~", "" },
	{ "of a tree", "git tag -s -m x 4.4.0 HEAD^{tree}", "tree" },
	{ "of a tag", "git tag -s -m x 4.3.0; git tag -s -m x 4.4.0 4.3.0 2>/dev/null", "tag" },
	{ "under another name", "git tag -s -m x 4.3.0; git update-ref refs/tags/4.4.0 refs/tags/4.3.0",
	  "4.3.0" },
	{ "another name signed over",
	  "git tag -s -m x 4.3.0; git cat-file tag 4.3.0 | sed 's/tag 4.3.0/tag 4.4.0/' >../tag\n"
	  "git update-ref refs/tags/4.4.0 $(git hash-object -t tag -w ../tag)",
	  "Could not verify signature" },
	{ "of an object that is replaced",
	  "git tag -a -m x 4.4.0; git tag -s -m x other; was=$(git rev-parse 4.4.0)\n"
	  "git replace $was $(git rev-parse other)",
	  "no signature found" },
};

static const struct row trees[] = {
	{ "a new file", "touch new", "?? new" },
	{ "a new file that settings hide", "touch new; git config status.showUntrackedFiles no", "?? new" },
	{ "a new file that info/exclude hides", "touch new; echo new >.git/info/exclude", "?? new" },
	{ "a new file that core.excludesFile hides",
	  "touch new; echo new >../excludes; git config core.excludesFile $D/excludes", "?? new" },
	{ "a new file that hides itself", "mkdir new; touch new/x; echo '*' >new/.gitignore",
	  "one that could hide files" },
	{ "a new file in a directory of the commit that hides itself",
	  "touch sub/x; echo '*' >sub/.gitignore", "one that could hide files" },
	{ "a new file two levels below what hides it",
	  "mkdir -p new/er; touch new/er/x; echo '*' >new/.gitignore; echo '*' >new/er/.gitignore",
	  "one that could hide files" },
	{ "attributes that nobody signed for",
	  "echo .gitattributes >>.gitignore; git commit -q -am 3; git tag -f -s -m x 4.4.0 >/dev/null\n"
	  "echo '* text' >sub/.gitattributes",
	  "what is in them" },
	{ "code in what ident leaves out",
	  "echo '*.c ident' >.gitattributes; printf '/* $Id$ */\\n' >x.c; git add .; git commit -q -m 3\n"
	  "git tag -f -s -m x 4.4.0 >/dev/null; printf '/* $Id: */ evil /* $ */\\n' >x.c",
	  " M x.c" },
	{ "code in an encoding",
	  "echo '*.sh working-tree-encoding=UTF-7' >.gitattributes; printf '+ACM- ; evil\\n' >x.sh\n"
	  "git add .; git commit -q -m 3; git tag -f -s -m x 4.4.0 >/dev/null",
	  " M x.sh" },
	{ "ends of lines that the commit has converted",
	  "echo '*.bat text eol=crlf' >.gitattributes; printf 'x\\r\\n' >x.bat; git add . 2>/dev/null\n"
	  "git commit -q -m 3; git tag -f -s -m x 4.4.0 >/dev/null",
	  NULL },
	{ "a directory that only root can list", "mkdir evil; touch evil/x; chmod 0111 evil", "evil/" },
	{ "a changed .gitignore", "touch new; echo new >>.gitignore", " M .gitignore" },
	{ "what the commit ignores", "mkdir build; touch build/x .cache", NULL },
	{ "what the commit ignores, with a .gitignore", "mkdir -p build/y; echo '*' >build/y/.gitignore",
	  NULL },
	{ "a changed file", "echo x >file", " M file" },
	{ "a changed file, staged", "echo x >file; git add file", " M file" },
	{ "a changed mode", "chmod +x file; git config core.fileMode false", " M file" },
	{ "a missing file", "rm file", " D file" },
	{ "a link in place of a file", "ln -sf sub/file file", " T file" },
	{ "assume-unchanged", "git update-index --assume-unchanged file; echo x >file", " M file" },
	{ "skip-worktree", "git update-index --skip-worktree file; echo x >file", " M file" },
	{ "a file that the index says is fresh",
	  "touch -d @1 file; git update-index --refresh; echo z >file; touch -d @1 file\n"
	  "git config core.trustctime false; git config core.checkStat minimal",
	  " M file" },
	{ "core.worktree elsewhere",
	  "cp -r . ../clean; rm -rf ../clean/.git; git config core.worktree $D/clean\n"
	  "echo x >file",
	  " M file" },
	{ "a bare repository", "git config core.bare true; echo x >file", " M file" },
	{ "a repository inside", "git init -q inside", "?? inside/" },
	{ "a commit whose tree the commit graph misstates",
	  "echo x >file; git commit -q -am 3; git commit-graph write --reachable 2>/dev/null; evil=$(git "
	  "rev-parse HEAD^{tree})\n"
	  "good=$(git rev-parse HEAD~^{tree}); git checkout -q HEAD~; echo x >file\n"
	  "python3 - $good $evil <<'END'\n"
	  "import sys, os, hashlib\n"
	  "good, evil = map(bytes.fromhex, sys.argv[1:])\n"
	  "path = '.git/objects/info/commit-graph'\n"
	  "os.chmod(path, 0o644)\n"
	  "text = open(path, 'rb').read()[:-20].replace(good, evil)\n"
	  "open(path, 'wb').write(text + hashlib.sha1(text).digest())\n"
	  "END\n",
	  " M file" },
	{ "an object whose bytes are another's",
	  "python3 - $(git rev-parse HEAD:sub) <<'END'\n"
	  "import os, subprocess, sys, zlib\n"
	  "name = sys.argv[1]\n"
	  "blob = subprocess.run(['git', 'hash-object', '-w', '--stdin'], input=b'evil', "
	  "stdout=subprocess.PIPE, check=True).stdout\n"
	  "tree = b'100644 file\\0' + bytes.fromhex(blob.decode().strip())\n"
	  "path = f'.git/objects/{name[:2]}/{name[2:]}'\n"
	  "os.chmod(path, 0o644)\n"
	  "open(path, 'wb').write(zlib.compress(b'tree %d\\0' % len(tree) + tree))\n"
	  "open('sub/file', 'w').write('evil')\n"
	  "END\n",
	  "" },
};

/* What a repository could have us run: `executed` is there after the bait, and must not be after us. */
static const struct row programs[] = {
	{ "a filter", "git config filter.evil.clean $D/evil; touch x.filtered", NULL, "git status" },
	{ "a filter that hides a change",
	  "git config filter.evil.clean \"sh -c 'touch $D/executed; echo c'\"; echo x >x.filtered",
	  " M x.filtered", "git status" },
	{ "a process", "git config filter.evil.process $D/evil; touch x.filtered", NULL, "git status" },
	{ "a monitor", "git config core.fsmonitor $D/evil", NULL, "git status" },
	{ "a filter that is included",
	  "printf '[filter \"evil\"]\\n\\tclean = %s/evil\\n' $D >.git/more; git config include.path more; "
	  "touch x.filtered",
	  NULL, "git status" },
	{ "a filter of the linked tree",
	  "git config extensions.worktreeConfig true; git config --worktree filter.evil.clean $D/evil; touch "
	  "x.filtered",
	  NULL, "git status" },
	{ "a filter of a submodule",
	  "git clone -q $D/base inner; git add inner 2>/dev/null; git commit -q -m 3; git tag -f -s -m x "
	  "4.4.0 >/dev/null\n"
	  "git -C inner config filter.evil.clean $D/evil; touch inner/x.filtered",
	  NULL, "git status" },
	{ "a hook",
	  "cp ../evil .git/hooks/post-index-change; cp ../evil .git/hooks/reference-transaction; touch file",
	  NULL, "git status" },
	{ "a difference", "git config diff.external $D/evil; git config diff.evil.textconv $D/evil", NULL,
	  "git show --ext-diff" },
	{ "a pager and an editor",
	  "git config core.pager $D/evil; git config core.editor $D/evil; git config pager.rev-parse $D/evil",
	  NULL, "git -c core.editor=$D/evil var GIT_EDITOR; git tag -e -a t" },
	{ "a promise of objects",
	  "git config extensions.partialClone origin; git config remote.origin.promisor true\n"
	  "git config remote.origin.url $PWD; git config remote.origin.uploadpack $D/evil-remote\n"
	  "rm -f .git/objects/$(git rev-parse HEAD:sub | sed 's|..|&/|')",
	  "", "git ls-tree -r HEAD" },
	{ "a program that signs for all",
	  "git tag -d 4.4.0 >/dev/null; git -c user.signingkey=$D/other tag -s -m x 4.4.0; git config "
	  "gpg.ssh.program $D/evil",
	  "No principal matched", "git verify-tag 4.4.0" },
	{ "signers of its own",
	  "git tag -d 4.4.0 >/dev/null; git -c user.signingkey=$D/other tag -s -m x 4.4.0\n"
	  "git config gpg.ssh.allowedSignersFile $D/strangers",
	  "No principal matched", "git verify-tag 4.4.0; touch $D/executed" },
};

static const struct row submodules[] = {
	{ "as the commit says", "", NULL },
	{ "not checked out", "rm -rf inner; mkdir inner", NULL },
	{ "gone", "rm -rf inner", NULL },
	{ "a changed file", "echo x >inner/file", " M file" },
	{ "a changed file that its settings hide",
	  "echo x >inner/file; git config submodule.inner.ignore all; git -C inner update-index "
	  "--assume-unchanged file",
	  " M file" },
	{ "a new file", "touch inner/new", "?? new" },
	{ "another commit", "git -C inner checkout -q HEAD~", "" },
	{ "files in its place", "rm -rf inner; mkdir inner; touch inner/x", "not a git repository" },
	{ "a file in its place", "rm -rf inner; echo x >inner", "another kind of file" },
	{ "a link in its place", "rm -rf inner; ln -s sub inner", "another kind of file" },
	{ "one that lies in another", "git clone -q $D/base inner/deep; git -C inner add deep 2>/dev/null",
	  "?? deep/" },
};

static void look_at(const struct row *row, const char *signers, struct kc_findings *findings)
{
	char repository[PATH_MAX + 16], scratch[PATH_MAX + 16];
	const struct kc_git_tag_request request = { repository, VERSION, scratch, signers };
	struct kc_error err = { 0 };

	(void)snprintf(repository, sizeof(repository), "%s/repository", directory.path);
	(void)snprintf(scratch, sizeof(scratch), "%s/scratch", directory.path);
	KC_CHECK_OK(run("rm -rf scratch; mkdir scratch", &err), err);
	KC_CHECK_OK(kc_git_tag_check(&request, findings, &err), err);
	for (size_t i = 0; i < findings->count; i++)
		if (row->expected && strstr(findings->items[i].found, row->expected))
			return;
	if (!row->expected && !findings->count)
		return;
	printf("  %s: %zu findings, the first: %s\n", row->name, findings->count,
	       findings->count ? findings->items[0].found : "");
	KC_CHECK(false);
}

static void check(const struct row *row, const char *before)
{
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	struct kc_error err = { 0 };
	char script[4096], signers[PATH_MAX + 16];

	(void)snprintf(script, sizeof(script),
		       "D=$PWD; test ! -d repository || chmod -R u+rwX repository; rm -rf repository clean "
		       "executed; cp -a base repository; cd repository\n%s\n%s",
		       before, row->script);
	(void)snprintf(signers, sizeof(signers), "%s/signers", directory.path);
	KC_CHECK_OK(run(script, &err), err);
	if (row->bait) {
		(void)snprintf(script, sizeof(script),
			       "D=$PWD; rm -rf executed baited; cp -a repository baited; cd baited; { %s; } "
			       "|| :; cd ..\n"
			       "rm -rf baited; test -e executed",
			       row->bait);
		KC_CHECK_MESSAGE(run(script, &err) == 0, "%s: the bait: %s", row->name, err.text);
	}
	KC_CHECK_OK(run("rm -f executed", &err), err); /* making it may have run something */
	look_at(row, signers, &findings);
	KC_CHECK_MESSAGE(run("! test -e executed", &err) == 0, "%s: executed", row->name);
}

static bool is_without_git(void)
{
	if (!has_git)
		kc_test_skip(__FILE__, __LINE__, "git is not here");
	return !has_git;
}

static void is_the_versions_own_and_signed(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(tags) && !is_without_git(); i++)
		check(&tags[i], "");
}

static void tree_is_that_of_the_tag(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(trees) && !is_without_git(); i++)
		check(&trees[i], "git tag -s -m x 4.4.0");
}

static void nothing_of_the_repository_is_run(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(programs) && !is_without_git(); i++)
		check(&programs[i], "git tag -s -m x 4.4.0");
}

/* Where PATH has a relative or an empty part, a directory of the repository is one of those where programs are. */
static void git_itself_is_not_the_repositorys(void)
{
	static const char *const parts[] = { "bin:", ":", ".:", "/nowhere::bin:" };
	static const struct row row = {
		"git",
		"mkdir bin; cp ../evil git; cp ../evil bin/git; git add .; git commit -q -m 3\n"
		"git tag -s -m x 4.4.0; echo x >file",
		" M file", NULL
	};
	const char *path = getenv("PATH");
	KC_CLEANUP_FREE char *before = path ? strdup(path) : NULL;
	char changed[4096], signers[PATH_MAX + 16];
	struct kc_error err = { 0 };

	if (is_without_git())
		return;
	KC_REQUIRE(before != NULL);
	(void)snprintf(signers, sizeof(signers), "%s/signers", directory.path);
	check(&row, "");
	for (size_t i = 0; i < KC_ARRAY_LENGTH(parts); i++) {
		KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };

		(void)snprintf(changed, sizeof(changed), "%s%s", parts[i], before);
		KC_CHECK_INT(setenv("PATH", changed, 1), 0);
		KC_CHECK_MESSAGE(
			run("cd repository; git --version; test -e ../executed; rm ../executed", &err) == 0,
			"%s: the bait: %s", parts[i], err.text);
		look_at(&row, signers, &findings);
		KC_CHECK_INT(setenv("PATH", before, 1), 0);
		KC_CHECK_MESSAGE(run("! test -e executed", &err) == 0, "%s: executed", parts[i]);
	}
}

static void submodules_are_those_of_the_tag(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(submodules) && !is_without_git(); i++)
		check(&submodules[i], "git clone -q $D/base inner; git add inner 2>/dev/null; git commit -q "
				      "-m 3; git tag -s -m x 4.4.0");
}

/* Whoever calls us may have been called by git, or by somebody who wants us to look elsewhere. */
static void variables_do_not_count(void)
{
	static const struct row row = { "variables", "git tag -s -m x 4.4.0; echo x >file", " M file", NULL };
	static const char *const names[] = { "GIT_DIR",		 "GIT_WORK_TREE",    "GIT_INDEX_FILE",
					     "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0",
					     "GIT_EXTERNAL_DIFF" };
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	char signers[PATH_MAX + 16], elsewhere[PATH_MAX + 32];
	struct kc_error err = { 0 };

	if (is_without_git())
		return;
	check(&row, "");
	(void)snprintf(signers, sizeof(signers), "%s/signers", directory.path);
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/base/.git", directory.path);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++)
		(void)setenv(names[i],
			     i == 3   ? "1"
			     : i == 4 ? "status.branch"
			     : i == 5 ? "true"
				      : elsewhere,
			     1);
	look_at(&row, signers, &findings);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++)
		(void)unsetenv(names[i]);
	KC_CHECK_OK(run("! test -e executed", &err), err);
}

static void nobody_signs_by_ssh_who_is_not_named(void)
{
	static const struct row row = { "no signers", "", "none", NULL };
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 }, none = { 0 };
	const struct kc_git_tag_request request = { directory.path, VERSION, directory.path,
						    "/nowhere/signers" };
	struct kc_error err = { 0 };

	if (is_without_git())
		return;
	KC_CHECK_OK(
		run("rm -rf repository; cp -a base repository; git -C repository tag -s -m x 4.4.0", &err),
		err);
	look_at(&row, NULL, &findings);
	KC_REQUIRE(findings.count == 1);
	KC_CHECK_CONTAINS(findings.items[0].expected, "--tag-signers");
	KC_CHECK_INT(kc_git_tag_check(&request, &none, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "/nowhere/signers");
}
/* The second key is in the keyring as well, and nobody has said that it is to be trusted. */
static void a_key_of_openpgp_has_to_be_trusted(void)
{
	static const char keys[] =
		"mkdir -m 700 gnupg stranger; make_key() { gpg --homedir $1 --batch --quiet --pinentry-mode "
		"loopback "
		"--passphrase '' --quick-generate-key \"$1 <$1@example.org>\" ed25519 sign never; }\n"
		"make_key gnupg; make_key stranger\n"
		"gpg --homedir stranger --export-secret-keys | gpg --homedir gnupg --batch --quiet "
		"--import\n";
	static const struct row rows[] = {
		{ "trusted", "gnupg", NULL },
		{ "not trusted", "stranger", "Good signature from \"stranger" },
	};
	struct kc_error err = { 0 };
	char home[PATH_MAX + 16];

	if (is_without_git())
		return;
	if (run("gpg --version", &err) < 0) {
		kc_test_skip(__FILE__, __LINE__, "gpg is not here");
		return;
	}
	(void)snprintf(home, sizeof(home), "%s/gnupg", directory.path);
	(void)setenv("GNUPGHOME", home, 1);
	KC_CHECK_OK(run(keys, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
		char script[1024];

		(void)snprintf(
			script, sizeof(script),
			"rm -rf repository; cp -a base repository; cd repository; git -c gpg.format=openpgp "
			"-c user.signingkey=%s@example.org tag -s -m x 4.4.0",
			rows[i].script);
		KC_CHECK_OK(run(script, &err), err);
		look_at(&rows[i], NULL, &findings);
	}
	KC_CHECK_OK(run("gpgconf --homedir gnupg --kill all; gpgconf --homedir stranger --kill all", &err),
		    err);
	(void)unsetenv("GNUPGHOME");
}

static void is_not_asked_for_in_what_is_no_repository(void)
{
	KC_CLEANUP_FINDINGS struct kc_findings findings = { 0 };
	const struct kc_git_tag_request request = { directory.path, VERSION, directory.path, NULL };
	struct kc_error err = { 0 };

	if (is_without_git())
		return;
	KC_CHECK_OK(kc_git_tag_check(&request, &findings, &err), err);
	KC_REQUIRE(findings.count > 0);
	KC_CHECK_CONTAINS(findings.items[0].found, "not a git repository");
}

KC_TEST_SUITE_WITH(git_tag, KC_LABEL_SLOW, set_up, tear_down, KC_TEST(is_the_versions_own_and_signed),
		   KC_TEST(tree_is_that_of_the_tag), KC_TEST(nothing_of_the_repository_is_run),
		   KC_TEST(git_itself_is_not_the_repositorys), KC_TEST(submodules_are_those_of_the_tag),
		   KC_TEST(variables_do_not_count), KC_TEST(nobody_signs_by_ssh_who_is_not_named),
		   KC_TEST(a_key_of_openpgp_has_to_be_trusted),
		   KC_TEST(is_not_asked_for_in_what_is_no_repository));
