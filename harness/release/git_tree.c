#include "release/git_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "sys/fd.h"

#define DEEPEST 8 /* submodules in submodules */

struct checking {
	struct kc_git *git;
	const struct kc_git_repository *repository;
	struct kc_findings *findings;
	struct kc_error *err;
	struct kc_buffer files; /* what ls-tree says of the commit */
	unsigned int depth;
};

static void find(struct checking *checking, const char *object, const char *expected, const char *found)
{
	checking->findings->check = "git";
	kc_finding_add(checking->findings, object, expected, found);
}

static int ask(struct checking *checking, enum kc_git_side side, const char *const words[],
	       const struct kc_buffer *input)
{
	const struct kc_git_question question = { side, words, input };

	return kc_git_ask(checking->git, checking->repository, &question, checking->err);
}

/* The output of the last question, without its end of line, is that name. */
static bool is_name(const struct kc_git *git, const char *name)
{
	size_t length = strlen(name);

	return git->status == 0 && git->output.length == length + 1 && git->output.data[length] == '\n' &&
	       memcmp(git->output.data, name, length) == 0;
}

/* --- The names of files are proven by the name of the tree --- */

static int prove(struct checking *checking, const char *type, const char *name, bool *ret_is_proven)
{
	const char *const read[] = { "cat-file", type, name, NULL };
	const char *const hash[] = { "hash-object", "-t", type, "-w", "--stdin", NULL };
	KC_CLEANUP_BUFFER struct kc_buffer object = KC_BUFFER_INIT(KC_GIT_OUTPUT_LIMIT);
	struct kc_git *git = checking->git;
	int status = ask(checking, KC_GIT_OBJECTS, read, NULL);

	*ret_is_proven = false;
	if (status == 0 && git->status == 0) {
		status = kc_buffer_append(&object, git->output.data, git->output.length);
		if (status < 0)
			return kc_error_errno(checking->err, status, "read the %s %s", type, name);
		status = ask(checking, KC_GIT_OURS, hash, &object);
	}
	if (status < 0)
		return status;
	*ret_is_proven = is_name(git, name);
	if (!*ret_is_proven)
		find(checking, name, "an object that has this name", kc_git_said(git));
	kc_buffer_clear(&git->output);
	status = kc_buffer_append(&git->output, object.data, object.length);
	return status < 0 ? kc_error_errno(checking->err, status, "read the %s %s", type, name) : 0;
}

int kc_git_prove_object(struct kc_git *git, const struct kc_git_repository *repository, const char *type,
			const char *name, struct kc_findings *findings, bool *ret_is_proven,
			struct kc_error *err)
{
	struct checking checking = { .git = git, .repository = repository, .findings = findings, .err = err };

	return prove(&checking, type, name, ret_is_proven);
}

/* Our index is made of what their database says is in the tree; whether that is so shows in the name of what we write from it.
 * git-read-tree(1) would believe the names of the trees that it has read. */
static int make_index(struct checking *checking, const char *tree, bool *ret_is_proven)
{
	const char *const list[] = { "ls-tree", "-r", "-z", "--full-tree", tree, NULL };
	static const char *const fill[] = { "update-index", "-z", "--index-info", NULL };
	static const char *const write[] = { "write-tree", "--missing-ok", NULL };
	struct kc_git *git = checking->git;
	int status = ask(checking, KC_GIT_OBJECTS, list, NULL);

	if (status == 0 && git->status == 0) {
		status = kc_buffer_append(&checking->files, git->output.data, git->output.length);
		if (status < 0)
			return kc_error_errno(checking->err, status, "list the files of %s", tree);
		status = ask(checking, KC_GIT_OURS, fill, &checking->files);
	}
	if (status == 0 && git->status == 0)
		status = ask(checking, KC_GIT_OURS, write, NULL);
	if (status < 0)
		return status;
	*ret_is_proven = is_name(git, tree);
	if (!*ret_is_proven)
		find(checking, tree, "a tree that has this name", kc_git_said(git));
	return 0;
}

static int take_commit(struct checking *checking, const char *commit, bool *ret_is_proven)
{
	const char *const head[] = { "update-ref", "--no-deref", "HEAD", commit, NULL };
	struct kc_git *git = checking->git;
	char tree[KC_GIT_NAME_SIZE] = "";
	int status = prove(checking, "commit", commit, ret_is_proven);

	if (status < 0 || !*ret_is_proven)
		return status;
	if (sscanf(kc_buffer_string(&git->output), "tree %64[0-9a-f]", tree) != 1) {
		find(checking, commit, "a commit of a tree", kc_git_said(git));
		*ret_is_proven = false;
		return 0;
	}
	status = make_index(checking, tree, ret_is_proven);
	if (status < 0 || !*ret_is_proven)
		return status;
	status = ask(checking, KC_GIT_OURS, head, NULL);
	if (status == 0 && git->status != 0)
		status = kc_error_set(checking->err, EIO, "git update-ref: %.400s", kc_git_said(git));
	return status;
}

/* --- The bytes of files --- */

/* What git complains of, such as a directory that it cannot list, it has not looked at. */
static bool complains(struct checking *checking, int worst_status)
{
	const struct kc_git *git = checking->git;

	if (git->status <= worst_status && !git->errors.length)
		return false;
	find(checking, checking->repository->tree, "a tree that can be read",
	     git->errors.length ? kc_buffer_string(&git->errors) : "a git that failed without a word");
	return true;
}

/* Our index knows nothing of these files, so that all of them are hashed. What would be asked of submodules is done with their settings. */
static int check_files(struct checking *checking)
{
	static const char *const words[] = { "status",
					     "--porcelain=v1",
					     "--untracked-files=normal",
					     "--ignored=no",
					     "--no-renames",
					     "--ignore-submodules=all",
					     NULL };
	int status = ask(checking, KC_GIT_TREE, words, NULL);

	if (status < 0 || complains(checking, 0) || !checking->git->output.length)
		return status;
	checking->git->output.data[--checking->git->output.length] = '\0';
	find(checking, checking->repository->tree, "a clean tree", kc_git_said(checking->git));
	return 0;
}

/* "a/b/.gitignore" -> "a/b", in place. */
static void cut_name(char *path)
{
	char *slash = strrchr(path, '/');

	if (slash)
		*slash = '\0';
}

/* Both lists are NUL-separated and in the same order; `ignored` is a part of `directories`. */
static void compare_ignored(struct checking *checking, const struct kc_buffer *directories,
			    const struct kc_buffer *ignored)
{
	const char *other = kc_buffer_string(ignored), *other_end = other + ignored->length;

	for (size_t at = 0; at < directories->length; at += strlen(directories->data + at) + 1) {
		const char *directory = directories->data + at;

		if (other < other_end && strcmp(directory, other) == 0)
			other += strlen(other) + 1;
		else
			find(checking, directory, "no .gitignore or .gitattributes but those of the commit",
			     "one that could hide files or what is in them, itself among them");
	}
}

/* Of the files that git has listed. */
static int take_directories(struct checking *checking, struct kc_buffer *directories)
{
	const struct kc_buffer *listed = &checking->git->output;
	int status = 0;

	for (size_t at = 0; status == 0 && at < listed->length;) {
		char *path = listed->data + at;

		at += strlen(path) + 1;
		if (!strchr(path, '/')) {
			find(checking, path, "no .gitignore or .gitattributes but those of the commit",
			     "one that could hide files or what is in them");
			continue;
		}
		cut_name(path);
		status = kc_buffer_append(directories, path, strlen(path) + 1);
	}
	return status < 0 ? kc_error_errno(checking->err, status, "list what is ignored") : 0;
}

/* Files may be ignored by those .gitignore that were signed for, and ends of lines converted by those .gitattributes. Another one can hide
 * itself and everything beside it, and does no harm only where its directory is ignored without it (build/, a virtual environment). The
 * topmost of such files is judged by signed ones alone. */
static int check_ignoring(struct checking *checking)
{
	static const char *const list[] = {
		"ls-files", "-z", "--others", "--", ":(glob)**/.gitignore", ":(glob)**/.gitattributes", NULL
	};
	static const char *const ask_ignored[] = { "check-ignore", "-z", "--stdin", "--no-index", NULL };
	KC_CLEANUP_BUFFER struct kc_buffer directories = KC_BUFFER_INIT(KC_GIT_OUTPUT_LIMIT);
	struct kc_git *git = checking->git;
	int status = ask(checking, KC_GIT_TREE, list, NULL);

	if (status < 0 || complains(checking, 0))
		return status;
	status = take_directories(checking, &directories);
	if (status < 0 || !directories.length)
		return status;
	status = ask(checking, KC_GIT_TREE, ask_ignored, &directories);
	if (status == 0 && !complains(checking, 1)) /* 1: none of them is ignored, git-check-ignore(1) */
		compare_ignored(checking, &directories, &git->output);
	return status;
}

/* --- Submodules --- */

static int check_tree(struct checking *checking, const char *commit);

static bool is_filled(const char *path)
{
	KC_CLEANUP_DIR DIR *directory = opendir(path);
	const struct dirent *entry;

	if (!directory)
		return errno != ENOENT;
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return true;
	return false;
}

static int check_checked_out(struct checking *checking, const char *directory, const char *commit)
{
	struct kc_git_repository repository;
	int status = kc_git_repository_open(checking->git, directory, &repository, checking->err);

	checking->repository = &repository;
	if (status == 0 && checking->git->status != 0)
		find(checking, directory, "the submodule, or nothing", kc_git_said(checking->git));
	else if (status == 0 && strcmp(repository.head, commit) != 0)
		find(checking, directory, commit, repository.head);
	else if (status == 0)
		status = check_tree(checking, commit);
	kc_buffer_release(&checking->files);
	checking->repository = NULL;
	return status;
}

/* One that is not checked out is an empty directory, or none. */
static int check_submodule(struct checking *checking, const char *commit, const char *path)
{
	struct checking inner = { .git = checking->git,
				  .findings = checking->findings,
				  .err = checking->err,
				  .files = KC_BUFFER_INIT(KC_GIT_OUTPUT_LIMIT),
				  .depth = checking->depth + 1 };
	char directory[PATH_MAX];
	struct stat there;

	if (snprintf(directory, sizeof(directory), "%s/%s", checking->repository->tree, path) >=
	    (int)sizeof(directory))
		return kc_error_errno(checking->err, ENAMETOOLONG, "check the submodule `%s`", path);
	if (lstat(directory, &there) == 0 && !S_ISDIR(there.st_mode))
		find(checking, directory, "the submodule, or nothing", "another kind of file");
	else if (is_filled(directory) && inner.depth > DEEPEST)
		find(checking, directory, "fewer submodules in submodules", "too many");
	else if (is_filled(directory))
		return check_checked_out(&inner, directory, commit);
	return 0;
}

static int check_submodules(struct checking *checking)
{
	int status = 0;

	for (size_t at = 0; status == 0 && at < checking->files.length;) {
		const char *line = checking->files.data + at, *tab = strchr(line, '\t');
		char commit[KC_GIT_NAME_SIZE];

		at += strlen(line) + 1;
		if (tab && sscanf(line, "160000 commit %64[0-9a-f]", commit) == 1)
			status = check_submodule(checking, commit, tab + 1);
	}
	return status;
}

static int check_tree(struct checking *checking, const char *commit)
{
	bool is_proven = false;
	int status = take_commit(checking, commit, &is_proven);

	if (status == 0 && is_proven)
		status = check_files(checking);
	if (status == 0 && is_proven)
		status = check_ignoring(checking);
	return status == 0 && is_proven ? check_submodules(checking) : status;
}

int kc_git_tree_check(struct kc_git *git, const struct kc_git_repository *repository, const char *commit,
		      struct kc_findings *findings, struct kc_error *err)
{
	struct checking checking = { .git = git,
				     .repository = repository,
				     .findings = findings,
				     .err = err,
				     .files = KC_BUFFER_INIT(KC_GIT_OUTPUT_LIMIT) };
	int status = check_tree(&checking, commit);

	kc_buffer_release(&checking.files);
	return status;
}
