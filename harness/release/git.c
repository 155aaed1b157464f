#include "release/git.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/process.h"

#define TIMEOUT_MS 600000 /* all files are hashed */
#define MOST_WORDS 64

/* The last word on what git does, whatever a file says: git-config(1). What a repository of ours has by default stands here as well where
 * `git init` looks at the file system to decide it. */
static const char *const settings[] = {
	"core.fsmonitor=false",	       "core.untrackedCache=false",
	"core.hooksPath=/dev/null",    "core.attributesFile=/dev/null",
	"core.excludesFile=/dev/null", "core.bare=false",
	"core.fileMode=true",	       "core.symlinks=true",
	"core.ignoreCase=false",       "core.quotePath=true",
	"core.commitGraph=false",      "status.showUntrackedFiles=normal",
	"protocol.allow=never",	       "gpg.program=gpg",
	"gpg.openpgp.program=gpg",     "gpg.x509.program=gpgsm",
	"gpg.ssh.program=ssh-keygen",  "gpg.ssh.revocationFile=/dev/null",
	"gpg.minTrustLevel=fully",
};

static const char *const variables[] = {
	"LC_ALL=C",
	"GIT_CONFIG_GLOBAL=/dev/null",
	"GIT_CONFIG_SYSTEM=/dev/null",
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_ATTR_NOSYSTEM=1",
	"GIT_NO_REPLACE_OBJECTS=1",
	"GIT_NO_LAZY_FETCH=1",
	"GIT_ALLOW_PROTOCOL=none",
	"GIT_TERMINAL_PROMPT=0",
	"GIT_PAGER=cat",
};

/* --- What it is called with --- */

static int add_variable(struct kc_git *git, const char *text, size_t length)
{
	git->environment[git->environment_count] = strndup(text, length);
	return git->environment[git->environment_count++] ? 0 : -ENOMEM;
}

/* git, and what it starts, is looked for in this PATH, from a directory of the repository: what is relative would be found there. An empty
 * part is the current directory, environ(7). */
static int add_path(struct kc_git *git)
{
	static const char name[] = "PATH";
	const char *path = getenv(name);
	KC_CLEANUP_FREE char *parts = path ? strdup(path) : NULL;
	KC_CLEANUP_BUFFER struct kc_buffer kept = KC_BUFFER_INIT(1u << 20);
	char *rest = NULL;
	int status = parts || !path ? kc_buffer_append_string(&kept, name) : -ENOMEM;

	for (char *part = parts ? strtok_r(parts, ":", &rest) : NULL; status == 0 && part;
	     part = strtok_r(NULL, ":", &rest))
		if (*part == '/')
			status = kc_buffer_printf(&kept, "%c%s", kept.length == strlen(name) ? '=' : ':',
						  part);
	/* With nothing that is absolute it is unset, which is the system's own directories, execvp(3). */
	return status < 0 ? status : add_variable(git, kept.data, kept.length);
}

/* First those that are to go, then ours: they are put in this order. */
static int make_environment(struct kc_git *git, struct kc_error *err)
{
	size_t count = 0;
	int status = 0;

	while (environ[count])
		count++;
	git->environment = calloc(count + KC_ARRAY_LENGTH(variables) + 3, sizeof(*git->environment));
	if (!git->environment)
		return kc_error_errno(err, ENOMEM, "run git");
	for (size_t i = 0; status == 0 && i < count; i++)
		if (strncmp(environ[i], "GIT_", 4) == 0)
			status = add_variable(git, environ[i], strcspn(environ[i], "="));
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(variables); i++)
		status = add_variable(git, variables[i], strlen(variables[i]));
	if (status == 0)
		status = add_path(git);
	return status < 0 ? kc_error_errno(err, status, "run git") : 0;
}

struct command {
	const char *argv[MOST_WORDS + 1];
	size_t count;
	char git_dir[PATH_MAX + 32], work_tree[PATH_MAX + 32], objects[PATH_MAX + 32];
	char signers[PATH_MAX + 40];
};

static void add_word(struct command *command, const char *word)
{
	if (command->count < MOST_WORDS)
		command->argv[command->count++] = word;
}

static void compose(struct command *command, const struct kc_git *git,
		    const struct kc_git_repository *repository, const struct kc_git_question *question)
{
	const char *git_dir = question->side == KC_GIT_REFERENCES ? repository->tree : repository->own;

	(void)snprintf(command->git_dir, sizeof(command->git_dir), "--git-dir=%s%s", git_dir,
		       question->side == KC_GIT_REFERENCES ? "/.git" : "");
	(void)snprintf(command->work_tree, sizeof(command->work_tree), "--work-tree=%s", repository->tree);
	(void)snprintf(command->objects, sizeof(command->objects), "GIT_OBJECT_DIRECTORY=%s",
		       repository->objects);
	(void)snprintf(command->signers, sizeof(command->signers), "gpg.ssh.allowedSignersFile=%s",
		       *git->signers ? git->signers : "/dev/null");
	add_word(command, "git");
	add_word(command, "--no-pager");
	add_word(command, command->git_dir);
	if (question->side == KC_GIT_TREE)
		add_word(command, command->work_tree);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(settings); i++) {
		add_word(command, "-c");
		add_word(command, settings[i]);
	}
	add_word(command, "-c");
	add_word(command, command->signers);
	for (size_t i = 0; question->words[i]; i++)
		add_word(command, question->words[i]);
}

static void strip_line_feeds(struct kc_buffer *text)
{
	while (text->length && text->data[text->length - 1] == '\n')
		text->data[--text->length] = '\0';
}

int kc_git_ask(struct kc_git *git, const struct kc_git_repository *repository,
	       const struct kc_git_question *question, struct kc_error *err)
{
	struct command command = { 0 };
	const bool is_theirs = question->side == KC_GIT_OBJECTS || question->side == KC_GIT_TREE;
	const struct kc_process process = { .argv = command.argv,
					    .environment = (const char *const *)git->environment,
					    .directory = question->side == KC_GIT_TREE ? repository->tree
										       : git->scratch,
					    .input = question->input,
					    .timeout_ms = TIMEOUT_MS,
					    .output = &git->output,
					    .errors = &git->errors };
	int status;

	compose(&command, git, repository, question);
	kc_buffer_clear(&git->output);
	kc_buffer_clear(&git->errors);
	git->environment[git->environment_count] = is_theirs ? command.objects : NULL;
	status = kc_process_run(&process, &git->status, err);
	git->environment[git->environment_count] = NULL;
	strip_line_feeds(&git->errors);
	return status;
}

const char *kc_git_said(const struct kc_git *git)
{
	const struct kc_buffer *text = git->status == 0 || !git->errors.length ? &git->output : &git->errors;

	return text->length ? kc_buffer_string(text) : "nothing";
}

/* --- Repositories --- */

/* One line, that is a name of an object or a path. */
static int take_line(struct kc_git *git, char *ret_line, size_t size, struct kc_error *err)
{
	if (git->status != 0)
		return 0;
	strip_line_feeds(&git->output);
	if (!git->output.length || git->output.length >= size ||
	    memchr(git->output.data, '\0', git->output.length))
		return kc_error_set(err, EBADMSG, "git said %.200s, which is no answer", kc_git_said(git));
	memcpy(ret_line, kc_buffer_string(&git->output), git->output.length + 1);
	return 0;
}

static int find_theirs(struct kc_git *git, struct kc_git_repository *repository, struct kc_error *err)
{
	static const char *const head[] = { "rev-parse", "--verify", "HEAD", NULL };
	static const char *const objects[] = { "rev-parse", "--git-path", "objects", NULL };
	const struct kc_git_question of_head = { KC_GIT_REFERENCES, head, NULL };
	const struct kc_git_question of_objects = { KC_GIT_REFERENCES, objects, NULL };
	int status = kc_git_ask(git, repository, &of_head, err);

	if (status == 0)
		status = take_line(git, repository->head, sizeof(repository->head), err);
	if (status < 0 || git->status != 0)
		return status;
	status = kc_git_ask(git, repository, &of_objects, err);
	return status < 0 ? status : take_line(git, repository->objects, sizeof(repository->objects), err);
}

/* What a checkout makes of a file may be another text than the one that was signed: "ident" and encodings hide whole lines from a
 * comparison. So nothing is converted but ends of lines. This file goes before every .gitattributes, gitattributes(5). */
static int write_attributes(const struct kc_git_repository *repository, struct kc_error *err)
{
	static const char text[] = "* !ident !working-tree-encoding !filter\n";
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/info", repository->own);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return kc_error_errno(err, errno, "create `%s`", path);
	(void)snprintf(path, sizeof(path), "%s/info/attributes", repository->own);
	return kc_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err);
}

/* With no template: the default one has files of the system. */
static int make_ours(struct kc_git *git, struct kc_git_repository *repository, struct kc_error *err)
{
	const char *format = strlen(repository->head) == KC_GIT_NAME_SIZE - 1 ? "--object-format=sha256"
									      : "--object-format=sha1";
	const char *const words[] = { "init", "--quiet", "--bare", "--template=", format, NULL };
	const struct kc_git_question question = { KC_GIT_OURS, words, NULL };
	int status = kc_git_ask(git, repository, &question, err);

	if (status == 0 && git->status != 0)
		status = kc_error_set(err, EIO, "git init: %.400s", kc_git_said(git));
	return status < 0 ? status : write_attributes(repository, err);
}

int kc_git_repository_open(struct kc_git *git, const char *directory, struct kc_git_repository *repository,
			   struct kc_error *err)
{
	int length, status;

	*repository = (struct kc_git_repository){ 0 };
	if (!realpath(directory, repository->tree))
		return kc_error_errno(err, errno, "open the repository `%s`", directory);
	length = snprintf(repository->own, sizeof(repository->own), "%s/%u.git", git->scratch,
			  git->repository_count++);
	if (length >= (int)sizeof(repository->own))
		return kc_error_errno(err, ENAMETOOLONG, "open the repository `%s`", directory);
	status = find_theirs(git, repository, err);
	return status < 0 || git->status != 0 ? status : make_ours(git, repository, err);
}

int kc_git_open(const char *scratch, const char *signers, struct kc_git *git, struct kc_error *err)
{
	git->scratch = scratch;
	if (signers && (!realpath(signers, git->signers) || access(git->signers, R_OK) < 0)) {
		int status = kc_error_errno(err, errno, "read the allowed signers `%s`", signers);
		kc_error_hint(err, "a line has a principal and a public key: ssh-keygen(1), ALLOWED SIGNERS");
		return status;
	}
	kc_buffer_init(&git->output, KC_GIT_OUTPUT_LIMIT);
	kc_buffer_init(&git->errors, KC_GIT_OUTPUT_LIMIT);
	return make_environment(git, err);
}

void kc_git_close(struct kc_git *git)
{
	for (size_t i = 0; i < git->environment_count; i++)
		free(git->environment[i]);
	free(git->environment);
	git->environment = NULL;
	git->environment_count = 0;
	kc_buffer_release(&git->output);
	kc_buffer_release(&git->errors);
}
