/*
 * A release: judged by reports, and made of what passed. Two halves: everything that can be wrong is found first and told at once; then
 * all artifacts are made beside their place, and put there together.
 */
#include "commands.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "archive/names.h"
#include "base/embedded.h"
#include "cases/cases.h"
#include "looking.h"
#include "output.h"
#include "release/agreement.h"
#include "release/artifacts.h"
#include "release/git_tag.h"
#include "release/source_date.h"
#include "release/texts.h"
#include "release/verify.h"
#include "reports/ledger.h"
#include "reports/text.h"
#include "required.h"
#include "run/scratch.h"
#include "sys/fd.h"
#include "sys/file.h"

#define MOST_REPORTS 200
#define MOST_KEYS 8
#define TEXT_LIMIT (4u << 20)

struct release {
	const struct kc_options *options;
	struct kc_policy *policy;
	struct kc_gate_policy gate_policy;
	struct kc_wheels *wheels;
	struct kc_waivers waivers;
	struct kc_key keys[MOST_KEYS];
	size_t key_count;
	struct kc_store store;
	struct kc_volume volume;
	struct kc_contents contents, previous;
	struct kc_release_texts texts;
	struct kc_required required;
	char kit[KC_SHA256_HEX_SIZE];
	char archive_name[NAME_MAX + 1];
	const char *volume_version;

	struct kc_buffer *report_texts;
	struct kc_gate_report *reports;
	char **report_names;
	size_t report_count;

	struct kc_findings findings;
	struct kc_gate_outcome outcome;
	struct kc_staging staging;
	int archive_fd; /* the copy in the staging directory */
};

/* --- What is needed --- */

static int load_embedded(struct release *release, struct kc_error *err)
{
	const char *policy, *gate;
	size_t policy_length, gate_length;
	int status;

	if (!kc_embedded_find("compat/policy.json", &policy, &policy_length) ||
	    !kc_embedded_find("compat/gate.json", &gate, &gate_length))
		return kc_error_set(err, ENOENT, "this program was built without its policy");
	status = kc_policy_load(policy, policy_length, "compat/policy.json", &release->policy, err);
	if (status == 0)
		status = kc_gate_policy_load(gate, gate_length, "compat/gate.json", &release->gate_policy,
					     err);
	if (status == 0)
		status = kc_wheels_load_embedded(&release->wheels, err);
	return status < 0 ? status : kc_cases_digest(release->kit, err);
}

/* The volume says what it needs only when it is open; of a wheel, and of what the package index has, is known that it brings its own. */
static bool is_archive_name(const char *operand)
{
	return operand && kc_name_ends(operand, ".tar.xz");
}

struct need {
	const char *option, *why;
	bool is_missing;
};

/* ", " before all but the first, and " and " before the last. */
static const char *joint(size_t i, size_t count)
{
	if (i == 0)
		return "";
	return i + 1 == count ? " and " : ", ";
}

/* All of them in one error, so that the next attempt is the last. */
static int tell_missing(const struct need *const missing[], size_t count, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer names = KC_BUFFER_INIT(TEXT_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer reasons = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = 0;

	for (size_t i = 0; status == 0 && i < count; i++) {
		status = kc_buffer_printf(&names, "%s%s", joint(i, count), missing[i]->option);
		if (status == 0)
			status = kc_buffer_printf(&reasons, "%s%s: %s", i ? "; " : "", missing[i]->option,
						  missing[i]->why);
	}
	if (status < 0)
		return kc_error_errno(err, status, "release: tell what is missing");
	(void)kc_error_set(err, EINVAL, "release: %s %s missing", kc_buffer_string(&names),
			   count == 1 ? "is" : "are");
	kc_error_hint(err, "%s", kc_buffer_string(&reasons));
	err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

static int check_options(const struct kc_options *options, bool is_archive, bool has_volume_version,
			 struct kc_error *err)
{
	const struct need needs[] = {
		{ "--reports", "the directory with what `run --json` wrote", !options->reports },
		{ "--version", "of the package that is released, such as 4.4.0", !options->package_version },
		{ "--out", "the directory that is to be made", !options->out },
		{ "--volume-version", "the volume's own, a whole number, which only a wheel tells",
		  !options->volume_version && !has_volume_version },
		{ "--texts", "a directory with LICENSE, README.md and the licences of what is bundled",
		  is_archive && !options->texts },
	};

	const struct need *missing[KC_ARRAY_LENGTH(needs)];
	size_t count = 0;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(needs); i++)
		if (needs[i].is_missing)
			missing[count++] = &needs[i];
	return count ? tell_missing(missing, count, err) : 0;
}

static int load_keys(struct release *release, struct kc_error *err)
{
	const struct kc_options *options = release->options;
	int status = 0;

	if (options->signing_key_count > MOST_KEYS)
		return kc_error_set(err, E2BIG, "release: more than %d keys", MOST_KEYS);
	for (size_t i = 0; status == 0 && i < options->signing_key_count; i++) {
		release->keys[i] = (struct kc_key)KC_KEY_INIT;
		release->key_count++;
		status = kc_key_load(&release->keys[i], options->signing_keys[i], KC_KEY_TO_SIGN, err);
	}
	return status;
}

/* --- The archive --- */

/* The bytes that are tested and packed are these and no others: they are read once more, into the staging directory, and have to be what
 * was unpacked. */
static int copy_archive(struct release *release, struct kc_source *source, struct kc_error *err)
{
	KC_CLEANUP_FREE char *chunk = malloc(KC_SOURCE_CHUNK_BYTES);
	char sha256[KC_SHA256_HEX_SIZE];
	ssize_t got = 0;
	int status = chunk ? 0 : kc_error_errno(err, ENOMEM, "copy the archive");

	release->archive_fd = kc_staging_create(&release->staging, release->archive_name, err);
	if (release->archive_fd < 0)
		return release->archive_fd;
	while (status == 0 && (got = kc_source_read(source, chunk, KC_SOURCE_CHUNK_BYTES, err)) > 0)
		if (kc_fd_write_all(release->archive_fd, chunk, (size_t)got) < 0)
			status = kc_error_errno(err, errno, "copy the archive");
	if (status == 0 && got < 0)
		status = (int)got;
	if (status == 0)
		status = kc_source_digest(source, sha256, err);
	if (status == 0 && strcmp(sha256, release->volume.sha256) != 0)
		status = kc_error_set(err, EUCLEAN, "%s changed while it was read", release->volume.path);
	return status < 0
		       ? status
		       : kc_staging_add(&release->staging, release->archive_name, release->archive_fd, err);
}

static int stage_archive(struct release *release, struct kc_error *err)
{
	const struct kc_volume *volume = &release->volume;
	KC_CLEANUP_FD int fd = open(volume->path, O_RDONLY | O_CLOEXEC);
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	int status;

	if (fd < 0)
		return kc_error_errno(err, errno, "open `%s`", volume->path);
	status = volume->kind == KC_VOLUME_WHEEL
			 ? kc_wheel_open_member(fd, volume->path, volume->wheel.volume_member, &source, err)
			 : kc_source_open_fd(&source, fd, volume->path, err);
	return status < 0 ? status : copy_archive(release, &source, err);
}

static int read_texts(struct release *release, struct kc_error *err)
{
	const struct kc_volume *volume = &release->volume;
	KC_CLEANUP_FD int fd = -1;

	if (release->options->texts)
		return kc_release_texts_read_directory(release->options->texts, &release->texts, err);
	fd = open(volume->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return kc_error_errno(err, errno, "open `%s`", volume->path);
	return kc_release_texts_read_wheel(fd, volume->path, &release->texts, err);
}

/* What came before: named, or the newest release of the package index. */
static int look_at_previous(struct release *release, struct kc_error *err)
{
	const struct kc_options *options = release->options;
	struct kc_wheel_distribution distribution;
	char newest[KC_WHEEL_WORD_SIZE + 8];
	int status;

	if (options->previous && strcmp(options->previous, "none") == 0)
		return 0;
	if (options->previous)
		return kc_look(options, options->previous, &release->previous, err);
	if (!kc_wheels_find_distribution(release->wheels, release->volume.distro, &distribution))
		return kc_error_set(err, EINVAL, "compat/wheels.json knows no distribution `%s`",
				    release->volume.distro);
	(void)snprintf(newest, sizeof(newest), "pypi:%s", distribution.package);
	status = kc_look(options, newest, &release->previous, err);
	if (status < 0 && !err->hint[0])
		kc_error_hint(
			err,
			"--previous pypi:%s==VERSION names the release before, --previous none says that "
			"there is none",
			distribution.package);
	return status;
}

/* It is told of as what it is released as: an archive alone has no versions, and a wheel around it may have others. */
static int label(struct release *release, struct kc_error *err)
{
	struct kc_contents *contents = &release->contents;
	struct kc_wheel_distribution distribution;

	if (!kc_wheels_find_distribution(release->wheels, release->volume.distro, &distribution))
		return kc_error_set(err, EINVAL, "compat/wheels.json knows no distribution `%s`",
				    release->volume.distro);
	(void)snprintf(contents->package, sizeof(contents->package), "%s", distribution.package);
	(void)snprintf(contents->package_version, sizeof(contents->package_version), "%s",
		       release->options->package_version);
	(void)snprintf(contents->volume_version, sizeof(contents->volume_version), "%s",
		       release->volume_version);
	return 0;
}

static int open_volume(struct release *release, struct kc_error *err)
{
	const struct kc_options *options = release->options;
	int status = kc_store_open(&release->store, err);

	if (status == 0)
		status = kc_look_open(&release->store, options, options->operand, &release->volume, err);
	if (status < 0)
		return status;
	(void)snprintf(release->archive_name, sizeof(release->archive_name), "%s", release->volume.name);
	release->volume_version =
		options->volume_version ? options->volume_version : release->volume.wheel.volume_version;
	if (release->volume.kind == KC_VOLUME_DIRECTORY)
		return kc_error_set(err, EINVAL,
				    "`%s` is a directory: a release is made of an archive or a wheel",
				    release->volume.path);
	status = check_options(options, release->volume.kind != KC_VOLUME_WHEEL,
			       *release->volume_version != '\0', err);
	if (status < 0)
		return status;
	status = kc_contents_take(&release->volume, &release->contents, err);
	return status < 0 ? status : label(release, err);
}

/* --- Reports --- */

/* Directories, too, which are reasons to refuse: what failed may be in there. What `run` writes for others (JUnit, HTML) may lie beside. */
static int is_report(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	if (entry->d_type == DT_DIR)
		return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	return length > 5 && strcasecmp(entry->d_name + length - 5, ".json") == 0;
}

static void find(struct release *release, const char *check, const char *object, const char *expected,
		 const char *found)
{
	release->findings.check = check;
	kc_finding_add(&release->findings, object, expected, found);
}

/* One that cannot be read is a reason to refuse, as one that is red is. */
static int read_report(struct release *release, const char *directory, const char *name, struct kc_error *err)
{
	struct kc_buffer *text = &release->report_texts[release->report_count];
	struct kc_gate_report *report = &release->reports[release->report_count];
	struct kc_error cause = { 0 };
	char path[PATH_MAX];
	int status;

	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return kc_error_errno(err, ENAMETOOLONG, "read `%s`", name);
	kc_buffer_init(text, KC_READ_REPORT_LIMIT);
	status = kc_file_read(AT_FDCWD, path, text, &cause);
	if (status == 0)
		status = kc_read_report_parse(kc_buffer_string(text), text->length, name, &report->report,
					      &cause);
	if (status == -ENOMEM)
		return kc_error_errno(err, ENOMEM, "read `%s`", name);
	if (status < 0) {
		kc_buffer_release(text);
		find(release, "report", name, "a report of `run --json`", cause.text);
		return 0;
	}
	report->name = release->report_names[release->report_count] = strdup(name);
	release->report_count++;
	return report->name ? 0 : kc_error_errno(err, ENOMEM, "read `%s`", name);
}

static int read_reports(struct release *release, struct kc_error *err)
{
	const char *directory = release->options->reports;
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, is_report, alphasort), status = 0;

	if (count < 0)
		return kc_error_errno(err, errno, "read the reports in `%s`", directory);
	if (count > MOST_REPORTS)
		status = kc_error_set(err, E2BIG, "`%s` has more than %d reports", directory, MOST_REPORTS);
	release->report_texts = calloc((size_t)count + 1, sizeof(*release->report_texts));
	release->reports = calloc((size_t)count + 1, sizeof(*release->reports));
	release->report_names = calloc((size_t)count + 1, sizeof(*release->report_names));
	if (!release->report_texts || !release->reports || !release->report_names)
		status = kc_error_errno(err, ENOMEM, "read reports");
	for (int i = 0; i < count; i++) {
		if (status == 0)
			status = read_report(release, directory, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return status;
}

/* --- The judgement --- */

static int judge_reports(struct release *release, struct kc_gate_request *request, struct kc_error *err)
{
	int status = kc_required_make(release->policy, release->volume.distro, release->volume.arch,
				      release->options->package_version, &release->required, err);

	if (status < 0)
		return status;
	*request = (struct kc_gate_request){ .volume_sha256 = release->volume.sha256,
					     .arch = release->volume.arch,
					     .reports = release->reports,
					     .report_count = release->report_count,
					     .images = release->required.images,
					     .image_count = release->required.count,
					     .policy = &release->gate_policy,
					     .waivers = &release->waivers,
					     .require_real = release->options->require_real,
					     .version = KC_VERSION,
					     .kit = release->kit,
					     .now_s = (int64_t)time(NULL) };
	return kc_gate_judge(request, &release->findings, &release->outcome, err);
}

/* Told with everything else that is wrong: the texts of a volume that failed are not what it was refused for. */
static int judge_texts(struct release *release, struct kc_error *err)
{
	const struct kc_options *options = release->options;
	struct kc_error cause = { 0 };
	int status = read_texts(release, &cause);

	if (status == -ENOMEM)
		return kc_error_errno(err, ENOMEM, "read the texts");
	if (status < 0)
		find(release, "texts", options->texts ? options->texts : options->operand,
		     "LICENSE and the licences of what is bundled, there or in --texts", cause.text);
	return 0;
}

static int judge_tag(struct release *release, struct kc_error *err)
{
	const struct kc_options *options = release->options;
	struct kc_git_tag_request request = { .directory = options->repository,
					      .version = options->package_version,
					      .signers = options->tag_signers };
	struct kc_scratch scratch = KC_SCRATCH_INIT;
	struct kc_error ignored = { 0 };
	int status, released;

	if (!options->repository)
		return 0;
	status = kc_scratch_make(&scratch, false, err);
	if (status < 0)
		return status;
	request.scratch = scratch.path;
	status = kc_git_tag_check(&request, &release->findings, err);
	released = kc_scratch_release(&scratch, status < 0 ? &ignored : err);
	return status < 0 ? status : released;
}

static int judge(struct release *release, struct kc_gate_request *request, struct kc_error *err)
{
	const struct kc_agreement agreement = { .version = release->options->package_version,
						.volume_version = release->volume_version,
						.contents = &release->contents,
						.wheel = &release->volume.wheel,
						.previous = *release->previous.sha256 ? &release->previous
										      : NULL };
	int status = read_reports(release, err);

	if (status == 0)
		status = judge_reports(release, request, err);
	if (status == 0)
		status = judge_texts(release, err);
	if (status == 0)
		kc_agreement_check(&agreement, &release->findings);
	return status;
}

static bool is_about_growth(const struct kc_findings *findings)
{
	static const char *const checks[] = { "version", "volume-version", "previous" };

	for (size_t i = 0; i < findings->count; i++)
		for (size_t j = 0; j < KC_ARRAY_LENGTH(checks); j++)
			if (strcmp(findings->items[i].check, checks[j]) == 0)
				return true;
	return false;
}

/* Two releases may have been compared that do not follow each other. */
static int append_next_step(const struct release *release, struct kc_buffer *text)
{
	const struct kc_contents *previous = &release->previous;

	if (!*previous->sha256 || !is_about_growth(&release->findings))
		return 0;
	return kc_buffer_printf(text,
				"next: versions have to be newer than those of the release before, which is "
				"%s %s, %s; --previous pypi:%s==VERSION names another one\n",
				*previous->package ? previous->package : previous->name,
				*previous->package_version ? previous->package_version : "without a version",
				release->options->previous ? "as --previous says"
							   : "the newest of the package index",
				release->contents.package);
}

static int tell_refusal(const struct release *release, struct kc_error *err)
{
	const struct kc_findings *findings = &release->findings;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	size_t count = findings->count + findings->dropped;
	int status = kc_buffer_printf(&text, "%s %s is not released: %zu reason%s\n", release->archive_name,
				      release->options->package_version, count, count == 1 ? "" : "s");

	for (size_t i = 0; status == 0 && i < findings->count; i++) {
		const struct kc_finding *finding = &findings->items[i];

		status = kc_buffer_printf(&text, "  %s: %s%sexpected %s, found %s\n", finding->check,
					  finding->member, finding->member[0] ? ": " : "", finding->expected,
					  finding->found[0] ? finding->found : "nothing");
	}
	if (status == 0 && findings->dropped)
		status = kc_buffer_printf(&text, "  and %zu more\n", findings->dropped);
	if (status == 0)
		status = append_next_step(release, &text);
	return status < 0 ? kc_error_errno(err, status, "tell why") : kc_output_write(&text, err);
}

/* --- The artifacts --- */

static int make_artifacts(struct release *release, const struct kc_gate_request *request,
			  struct kc_error *err)
{
	const struct kc_artifacts artifacts = { .wheels = release->wheels,
						.contents = &release->contents,
						.previous =
							*release->previous.sha256 ? &release->previous : NULL,
						.request = request,
						.outcome = &release->outcome,
						.report_texts = release->report_texts,
						.archive_name = release->archive_name,
						.archive_fd = release->archive_fd,
						.version = release->options->package_version,
						.volume_version = release->volume_version,
						.licences = release->texts.bundled,
						.licence_count = release->texts.bundled_count,
						.licence = release->texts.licence,
						.description = release->texts.description,
						.keys = release->keys,
						.key_count = release->key_count };
	struct kc_artifacts dated = artifacts;
	int status = kc_source_date(&dated.time_s, err);

	if (status == 0)
		status = kc_artifacts_write(&dated, &release->staging, err);
	return status < 0 ? status : kc_staging_commit(&release->staging, err);
}

static int append_safe(struct kc_buffer *text, const char *word)
{
	return kc_text_append(text, word, strlen(word), KC_TEXT_LINE);
}

/* Without its opening case nothing of an image was checked. */
static int append_unchecked(struct kc_buffer *text, const char *identity, const struct kc_waiver *waiver)
{
	size_t length = strlen(identity);
	int status = kc_buffer_append_string(text, "  ");

	if (kc_name_ends(identity, KC_REPORT_OPENING))
		length -= strlen(KC_REPORT_OPENING);
	if (status == 0)
		status = kc_text_append(text, identity, length, KC_TEXT_LINE);
	if (status == 0)
		status = kc_buffer_append_string(text, " was NOT checked (waiver: ");
	if (status == 0)
		status = append_safe(text, waiver->reason);
	return status < 0 ? status : kc_buffer_printf(text, ", until %s)\n", waiver->expires);
}

static int append_flaky(struct kc_buffer *text, const char *identity)
{
	int status = kc_buffer_append_string(text, "  ");

	if (status == 0)
		status = append_safe(text, identity);
	return status < 0 ? status : kc_buffer_append_string(text, " passed only when it was tried again\n");
}

static int append_warned(const struct release *release, struct kc_buffer *text)
{
	const struct kc_gate_outcome *outcome = &release->outcome;
	size_t waived = 0;
	int status;

	for (size_t i = 0; i < outcome->warned_count; i++)
		waived += kc_waivers_find(&release->waivers, outcome->warned[i]) != NULL;
	status = kc_buffer_printf(text, "released %s %s in %s: %zu cases passed", release->archive_name,
				  release->options->package_version, release->staging.out,
				  release->outcome.passed_count);
	if (status == 0 && waived)
		status = kc_buffer_printf(text, ", with %zu waiver%s", waived, waived == 1 ? "" : "s");
	if (status == 0)
		status = kc_buffer_append_string(text, outcome->warned_count ? ":\n" : "\n");
	for (size_t i = 0; status == 0 && i < outcome->warned_count; i++) {
		const struct kc_waiver *waiver = kc_waivers_find(&release->waivers, outcome->warned[i]);

		status = waiver ? append_unchecked(text, outcome->warned[i], waiver)
				: append_flaky(text, outcome->warned[i]);
	}
	return status;
}

static int append_sums(const struct release *release, struct kc_buffer *text)
{
	const struct kc_checksums *checksums = &release->staging.checksums;
	int status = append_warned(release, text);

	for (size_t i = 0; status == 0 && i < checksums->count; i++)
		status = kc_buffer_printf(text, "  %s  %s\n", checksums->items[i].sha256,
					  checksums->items[i].name);
	return status;
}

/* The release is in its place: what cannot be done now is worth a warning, and makes it no failure. Whoever calls us again would find that
 * it is there already. */
static void tell_release(const struct release *release)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	struct kc_error err = { 0 };
	int status;

	if (kc_staging_flush(&release->staging, &err) < 0)
		kc_output_note("released, but a loss of power could undo it", err.text);
	status = append_sums(release, &text);
	status = status < 0 ? kc_error_errno(&err, status, "tell what was released")
			    : kc_output_write(&text, &err);
	if (status < 0)
		kc_output_note("released, but that could not be told", err.text);
	if (!release->key_count)
		kc_output_note("not signed", "give --sign-with KEY, or nobody can tell who released it");
}

static int open_inputs(struct release *release, struct kc_error *err)
{
	const struct kc_options *options = release->options;
	const bool is_archive = is_archive_name(options->operand);
	int status = check_options(options, is_archive, !is_archive, err);

	if (status == 0)
		status = load_embedded(release, err);
	if (status == 0 && options->waivers)
		status = kc_waivers_load(options->waivers, &release->waivers, err);
	if (status == 0)
		status = load_keys(release, err);
	if (status == 0)
		status = open_volume(release, err);
	return status < 0 ? status : look_at_previous(release, err);
}

static int run(struct release *release, enum kc_exit *ret_exit, struct kc_error *err)
{
	struct kc_gate_request request = { 0 };
	int status = open_inputs(release, err);

	/* First: what is staged below the repository would be a file too many in it. */
	if (status == 0)
		status = judge_tag(release, err);
	if (status == 0)
		status = kc_staging_open(release->options->out, &release->staging, err);
	if (status == 0)
		status = stage_archive(release, err);
	if (status == 0)
		status = judge(release, &request, err);
	if (status < 0)
		return status;
	if (!kc_findings_are_none(&release->findings)) {
		*ret_exit = KC_EXIT_FAILED;
		return tell_refusal(release, err);
	}
	status = make_artifacts(release, &request, err);
	if (status < 0)
		return status;
	*ret_exit = KC_EXIT_PASSED;
	tell_release(release);
	return 0;
}

static void close_release(struct release *release)
{
	kc_fd_close(&release->archive_fd);
	kc_staging_abandon(&release->staging);
	kc_gate_outcome_release(&release->outcome);
	kc_findings_release(&release->findings);
	for (size_t i = 0; i < release->report_count; i++) {
		kc_read_report_release(&release->reports[i].report);
		kc_buffer_release(&release->report_texts[i]);
		free(release->report_names[i]);
	}
	free(release->report_texts);
	free(release->reports);
	free(release->report_names);
	kc_required_release(&release->required);
	kc_release_texts_release(&release->texts);
	kc_contents_release(&release->previous);
	kc_contents_release(&release->contents);
	kc_volume_release(&release->volume);
	kc_store_close(&release->store);
	for (size_t i = 0; i < release->key_count; i++)
		kc_key_release(&release->keys[i]);
	kc_waivers_release(&release->waivers);
	kc_wheels_release(&release->wheels);
	kc_gate_policy_release(&release->gate_policy);
	kc_policy_release(&release->policy);
}

int kc_command_release(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	struct release release = {
		.options = options, .staging = KC_STAGING_INIT, .archive_fd = -1, .store = { .fd = -1 }
	};
	int status = run(&release, ret_exit, err);

	close_release(&release);
	return status;
}
