#include "release/git_tag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/process.h"

#define GIT_TIMEOUT_MS 60000
#define OUTPUT_LIMIT (1u << 20)
#define MOST_WORDS 24

struct asking {
	const char *directory;
	struct kc_findings *findings;
	struct kc_error *err;
	struct kc_buffer output;
	int status; /* of git, or a negative errno */
};

/* What it says goes to `output`, without the line feed at its end. False if it could not be asked: then all is over. */
static bool ask(struct asking *asking, const char *const words[])
{
	const char *argv[MOST_WORDS + 1] = { "git", "-C", asking->directory,
					     /* What a repository could have us run: git-config(1). */
					     "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
					     "-c", "gpg.program=gpg", "-c", "gpg.openpgp.program=gpg", "-c",
					     "gpg.x509.program=gpgsm", "-c", "gpg.ssh.program=ssh-keygen" };
	static const char *const environment[] = { "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", NULL };
	const struct kc_process process = { .argv = argv,
					    .environment = environment,
					    .timeout_ms = GIT_TIMEOUT_MS,
					    .output = &asking->output,
					    .errors = &asking->output };
	size_t count = 15;
	int status;

	for (size_t i = 0; words[i] && count < MOST_WORDS; i++)
		argv[count++] = words[i];
	kc_buffer_clear(&asking->output);
	status = kc_process_run(&process, &asking->status, asking->err);
	if (status < 0) {
		asking->status = status;
		return false;
	}
	while (asking->output.length && asking->output.data[asking->output.length - 1] == '\n')
		asking->output.data[--asking->output.length] = '\0';
	return true;
}

static void find(struct asking *asking, const char *object, const char *expected, const char *found)
{
	asking->findings->check = "git";
	kc_finding_add(asking->findings, object, expected, found);
}

static const char *said(const struct asking *asking)
{
	return asking->output.length ? kc_buffer_string(&asking->output) : "nothing";
}

static bool check_clean(struct asking *asking)
{
	static const char *const words[] = { "status", "--porcelain=v1", "--untracked-files=normal", NULL };

	if (!ask(asking, words))
		return false;
	if (asking->status != 0 || asking->output.length)
		find(asking, asking->directory, "a clean tree", said(asking));
	return true;
}

/* Whether there is one is in ret_tag, "" for none. */
static bool find_tag(struct asking *asking, const char *version, char ret_tag[160])
{
	static const char *const prefixes[] = { "", "v" };

	for (size_t i = 0; i < 2; i++) {
		const char *const words[] = { "cat-file", "-t", ret_tag, NULL };

		(void)snprintf(ret_tag, 160, "refs/tags/%s%s", prefixes[i], version);
		if (!ask(asking, words))
			return false;
		if (asking->status != 0)
			continue;
		if (strcmp(said(asking), "tag") != 0)
			find(asking, ret_tag, "an annotated tag", said(asking));
		return true;
	}
	ret_tag[0] = '\0';
	find(asking, version, "a tag of that name, or with a v before it", "none");
	return true;
}

static bool check_place(struct asking *asking, const char *tag)
{
	char object[192], head[64];
	const char *const of_head[] = { "rev-parse", "--verify", "HEAD^{commit}", NULL };
	const char *const of_tag[] = { "rev-parse", "--verify", object, NULL };

	(void)snprintf(object, sizeof(object), "%s^{commit}", tag);
	if (!ask(asking, of_head))
		return false;
	(void)snprintf(head, sizeof(head), "%.63s", said(asking));
	if (!ask(asking, of_tag))
		return false;
	if (asking->status != 0 || strcmp(said(asking), head) != 0)
		find(asking, tag, head, said(asking));
	return true;
}

/* A signature is of the object, which a reference can name as it likes: the object has a name of its own, unless it is no tag. */
static bool check_name(struct asking *asking, const char *tag)
{
	const char *const words[] = { "for-each-ref", "--format=%(tag)", tag, NULL };
	const char *name = tag + strlen("refs/tags/");

	if (!ask(asking, words))
		return false;
	if (asking->status != 0 || (asking->output.length && strcmp(said(asking), name) != 0))
		find(asking, tag, name, said(asking));
	return true;
}

static bool check_signature(struct asking *asking, const char *tag)
{
	const char *const words[] = { "verify-tag", tag, NULL };

	if (!ask(asking, words))
		return false;
	if (asking->status != 0)
		find(asking, tag, "a signature that git verify-tag takes", said(asking));
	return true;
}

int kc_git_tag_check(const char *directory, const char *version, struct kc_findings *findings,
		     struct kc_error *err)
{
	struct asking asking = { .directory = directory,
				 .findings = findings,
				 .err = err,
				 .output = KC_BUFFER_INIT(OUTPUT_LIMIT) };
	char tag[160] = "";
	bool is_told = check_clean(&asking) && find_tag(&asking, version, tag);

	if (is_told && *tag)
		is_told = check_place(&asking, tag) && check_name(&asking, tag) &&
			  check_signature(&asking, tag);
	kc_buffer_release(&asking.output);
	return is_told ? 0 : asking.status;
}
