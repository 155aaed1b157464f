#include "release/git_tag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "release/git.h"
#include "release/git_tree.h"

#define TAG_NAME_SIZE 160

struct asking {
	const struct kc_git_tag_request *request;
	struct kc_findings *findings;
	struct kc_error *err;
	struct kc_git git;
	struct kc_git_repository repository;
	char tag[TAG_NAME_SIZE];       /* "refs/tags/4.4.0"; "": there is none */
	char object[KC_GIT_NAME_SIZE]; /* that it names */
};

static void find(struct asking *asking, const char *object, const char *expected, const char *found)
{
	asking->findings->check = "git";
	kc_finding_add(asking->findings, object, expected, found);
}

static int ask(struct asking *asking, enum kc_git_side side, const char *const words[])
{
	const struct kc_git_question question = { side, words, NULL };
	int status = kc_git_ask(&asking->git, &asking->repository, &question, asking->err);
	struct kc_buffer *output = &asking->git.output;

	while (status == 0 && output->length && output->data[output->length - 1] == '\n')
		output->data[--output->length] = '\0';
	return status;
}

static int find_tag(struct asking *asking)
{
	static const char *const prefixes[] = { "", "v" };
	const char *const words[] = { "rev-parse", "--verify", "--quiet", asking->tag, NULL };

	for (size_t i = 0; i < 2; i++) {
		int status;

		(void)snprintf(asking->tag, sizeof(asking->tag), "refs/tags/%s%s", prefixes[i],
			       asking->request->version);
		status = ask(asking, KC_GIT_REFERENCES, words);
		if (status < 0)
			return status;
		if (asking->git.status == 0) {
			(void)snprintf(asking->object, sizeof(asking->object), "%.64s",
				       kc_git_said(&asking->git));
			return 0;
		}
	}
	asking->tag[0] = '\0';
	find(asking, asking->request->version, "a tag of that name, or with a v before it", "none");
	return 0;
}

/* The bytes of the tag are proven by their signature; their hash only says that nobody looks at two objects. */
static int take_tag(struct asking *asking, bool *ret_is_there)
{
	const char *const words[] = { "cat-file", "-t", asking->object, NULL };
	int status = ask(asking, KC_GIT_OBJECTS, words);

	*ret_is_there = false;
	if (status < 0)
		return status;
	if (asking->git.status != 0 || strcmp(kc_git_said(&asking->git), "tag") != 0) {
		find(asking, asking->tag, "an annotated tag", kc_git_said(&asking->git));
		return 0;
	}
	return kc_git_prove_object(&asking->git, &asking->repository, "tag", asking->object, asking->findings,
				   ret_is_there, asking->err);
}

/* A signature is of the object, which a reference can name as it likes: the object has a name of its own. */
static void check_claims(struct asking *asking)
{
	const char *text = kc_buffer_string(&asking->git.output), *name = asking->tag + strlen("refs/tags/");
	char object[KC_GIT_NAME_SIZE] = "", type[16] = "", told[TAG_NAME_SIZE] = "";

	if (sscanf(text, "object %64[0-9a-f]\ntype %15[a-z]\ntag %159[^\n]", object, type, told) != 3) {
		find(asking, asking->tag, "a tag of an object", text);
		return;
	}
	if (strcmp(type, "commit") != 0)
		find(asking, asking->tag, "a tag of a commit", type);
	else if (strcmp(object, asking->repository.head) != 0)
		find(asking, asking->tag, asking->repository.head, object);
	if (strcmp(told, name) != 0)
		find(asking, asking->tag, name, told);
}

static int check_signature(struct asking *asking, bool is_by_ssh)
{
	const char *const words[] = { "verify-tag", asking->object, NULL };
	int status;

	if (is_by_ssh && !asking->request->signers) {
		find(asking, asking->tag, "--tag-signers FILE, whose keys may sign by ssh", "none");
		return 0;
	}
	status = ask(asking, KC_GIT_OURS, words);
	if (status == 0 && asking->git.status != 0)
		find(asking, asking->tag, "a signature that git verify-tag takes", kc_git_said(&asking->git));
	return status;
}

static int check_tag(struct asking *asking)
{
	bool is_there, is_by_ssh;
	int status = find_tag(asking);

	if (status < 0 || !*asking->tag)
		return status;
	status = take_tag(asking, &is_there);
	if (status < 0 || !is_there)
		return status;
	check_claims(asking);
	is_by_ssh = strstr(kc_buffer_string(&asking->git.output), "\n-----BEGIN SSH SIGNATURE-----\n");
	return check_signature(asking, is_by_ssh);
}

/* That what is checked out is the tag's is said of the commit, so that both halves can be told at once. */
static int check(struct asking *asking)
{
	int status = kc_git_repository_open(&asking->git, asking->request->directory, &asking->repository,
					    asking->err);

	if (status < 0)
		return status;
	if (asking->git.status != 0) {
		find(asking, asking->request->directory, "the top directory of a git repository",
		     kc_git_said(&asking->git));
		return 0;
	}
	status = kc_git_tree_check(&asking->git, &asking->repository, asking->repository.head,
				   asking->findings, asking->err);
	return status < 0 ? status : check_tag(asking);
}

int kc_git_tag_check(const struct kc_git_tag_request *request, struct kc_findings *findings,
		     struct kc_error *err)
{
	struct asking asking = { .request = request, .findings = findings, .err = err };
	int status = kc_git_open(request->scratch, request->signers, &asking.git, err);

	if (status == 0)
		status = check(&asking);
	kc_git_close(&asking.git);
	return status;
}
