/* What policy requires of a volume, as jobs for CI: one machine per image and part. */
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/embedded.h"
#include "base/json.h"
#include "compat/policy.h"
#include "looking.h"
#include "output.h"

#define POLICY "compat/policy.json"
#define TEXT_LIMIT (1u << 20)
#define MOST_ROWS 256u /* GitHub runs no more jobs of one matrix */

/* Both on x86-64, which is what this program runs on: programs for another architecture run in qemu, which wants Linux 6.7. */
static const struct {
	const char *architecture, *runner;
} runners[] = { { "x86_64", "ubuntu-24.04" }, { "aarch64", "ubuntu-24.04" } };

/* What there is to be planned for. */
struct subject {
	char distro[KC_WHEEL_WORD_SIZE], architecture[KC_WHEEL_WORD_SIZE];
};

struct row {
	char name[160]; /* of artifacts, which take no slash */
	char shard[24];
	const char *image, *architecture, *runner;
};

static int usage(struct kc_error *err, const char *text, const char *hint)
{
	(void)kc_error_set(err, EINVAL, "plan: %s", text);
	kc_error_hint(err, "%s", hint);
	err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

static int ask_volume(const struct kc_options *options, struct subject *subject, struct kc_error *err)
{
	KC_CLEANUP(kc_store_close) struct kc_store store = { .fd = -1 };
	KC_CLEANUP(kc_volume_release) struct kc_volume volume = { 0 };
	int status = kc_store_open(&store, err);

	if (status == 0)
		status = kc_look_open(&store, options, options->volume, &volume, err);
	if (status < 0)
		return status;
	if (!*volume.distro || !*volume.arch) {
		status = kc_error_set(err, ENOENT, "plan: `%s` does not say for what it was made",
				      options->volume);
		kc_error_hint(err, "name it krunner-env.DISTRO.ARCH.tar.xz, or give --distro instead");
		return status;
	}
	(void)snprintf(subject->distro, sizeof(subject->distro), "%s", volume.distro);
	(void)snprintf(subject->architecture, sizeof(subject->architecture), "%s", volume.arch);
	return 0;
}

static int find_subject(const struct kc_options *options, struct subject *subject, struct kc_error *err)
{
	struct utsname machine;

	if (options->volume && options->distro)
		return usage(err, "--volume and --distro exclude each other", "a volume says its own distro");
	if (options->volume)
		return ask_volume(options, subject, err);
	if (!options->distro)
		return usage(err, "--volume or --distro is missing", "see `krunner-compat help plan`");
	if (uname(&machine) < 0)
		return kc_error_errno(err, errno, "ask for this machine's architecture");
	(void)snprintf(subject->distro, sizeof(subject->distro), "%s", options->distro);
	(void)snprintf(subject->architecture, sizeof(subject->architecture), "%s",
		       options->arch ? kc_arch_choices[options->arch] : machine.machine);
	return 0;
}

static int find_images(const struct subject *subject, struct kc_policy **policy,
		       struct kc_policy_names *images, struct kc_error *err)
{
	const char *text = NULL;
	size_t length = 0;
	int status;

	if (!kc_embedded_find(POLICY, &text, &length))
		return kc_error_set(err, ENOENT, "this program was built without " POLICY);
	status = kc_policy_load(text, length, POLICY, policy, err);
	return status < 0 ? status : kc_policy_images(*policy, subject->distro, images, err);
}

static int fill_row(struct row *row, const char *image, const struct subject *subject, unsigned int shard,
		    unsigned int shards, struct kc_error *err)
{
	*row = (struct row){ .image = image };
	for (size_t i = 0; i < KC_ARRAY_LENGTH(runners); i++)
		if (strcmp(runners[i].architecture, subject->architecture) == 0) {
			row->architecture = runners[i].architecture;
			row->runner = runners[i].runner;
		}
	if (!row->runner)
		return kc_error_set(err, ENOTSUP, "plan: no runner is known for volumes of architecture `%s`",
				    subject->architecture);
	(void)snprintf(row->shard, sizeof(row->shard), "%u/%u", shard, shards);
	(void)snprintf(row->name, sizeof(row->name), "%s-%s", image, row->architecture);
	if (shards > 1)
		(void)snprintf(row->name, sizeof(row->name), "%s-%s-%uof%u", image, row->architecture, shard,
			       shards);
	return 0;
}

static int add_json(cJSON *list, const struct row *row)
{
	const struct {
		const char *key, *value;
	} members[] = { { "name", row->name },
			{ "image", row->image },
			{ "arch", row->architecture },
			{ "shard", row->shard },
			{ "runner", row->runner } };
	cJSON *json = cJSON_CreateObject();

	if (!json || !cJSON_AddItemToArray(list, json)) {
		cJSON_Delete(json);
		return -ENOMEM;
	}
	for (size_t i = 0; i < KC_ARRAY_LENGTH(members); i++)
		if (!cJSON_AddStringToObject(json, members[i].key, members[i].value))
			return -ENOMEM;
	return 0;
}

static int add_text(struct kc_buffer *text, const struct row *row)
{
	char what[128];

	(void)snprintf(what, sizeof(what), "%s, shard %s", row->architecture, row->shard);
	return kc_output_row(text, row->image, what);
}

/* In both forms at once: one of them is printed. */
static int add_rows(const struct kc_policy_names *images, const struct subject *subject, unsigned int shards,
		    cJSON *list, struct kc_buffer *text, struct kc_error *err)
{
	for (size_t i = 0; i < images->count * shards; i++) {
		struct row row;
		int status = fill_row(&row, images->items[i / shards], subject,
				      (unsigned int)(i % shards) + 1, shards, err);

		if (status < 0)
			return status;
		status = add_json(list, &row);
		if (status == 0)
			status = add_text(text, &row);
		if (status < 0)
			return kc_error_errno(err, status, "plan");
	}
	return 0;
}

/* One line, for $GITHUB_OUTPUT. */
static int print_matrix(const cJSON *matrix, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer line = KC_BUFFER_INIT(TEXT_LIMIT);
	KC_CLEANUP_FREE char *printed = cJSON_PrintUnformatted(matrix);
	int status = printed ? kc_buffer_printf(&line, "%s\n", printed) : -ENOMEM;

	return status < 0 ? kc_error_errno(err, status, "plan") : kc_output_write(&line, err);
}

static int print(const struct kc_options *options, const struct kc_policy_names *images,
		 const struct subject *subject, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	KC_CLEANUP_JSON cJSON *matrix = cJSON_CreateObject();
	cJSON *list = matrix ? cJSON_AddArrayToObject(matrix, "include") : NULL;
	unsigned int shards = options->shards ? options->shards : 1;
	int status;

	if (!list)
		return kc_error_errno(err, ENOMEM, "plan");
	if (images->count * shards > MOST_ROWS)
		return usage(err, "that makes more than 256 jobs, and GitHub runs no more of one matrix",
			     "ask for fewer --shards");
	status = add_rows(images, subject, shards, list, &text, err);
	if (status < 0)
		return status;
	return options->format ? print_matrix(matrix, err) : kc_output_write(&text, err);
}

int kc_command_plan(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP(kc_policy_release) struct kc_policy *policy = NULL;
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names images = { 0 };
	struct subject subject;
	int status = find_subject(options, &subject, err);

	if (status == 0)
		status = find_images(&subject, &policy, &images, err);
	if (status == 0)
		status = print(options, &images, &subject, err);
	if (status == 0)
		*ret_exit = KC_EXIT_PASSED;
	return status;
}
