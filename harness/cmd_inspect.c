/* What is in a volume, told without running anything of it. */
#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "looking.h"
#include "output.h"
#include "release/sbom.h"
#include "release/source_date.h"
#include "reports/sink.h"

#define TEXT_LIMIT (16u << 20)

static void add_row(struct kc_sink *out, const char *name, const char *what)
{
	if (*what)
		kc_sink_check(out, out->status < 0 ? 0 : kc_output_row(&out->text, name, what));
}

#define add_row_printf(out, name, ...)                                                                       \
	do {                                                                                                 \
		char kc_what[PATH_MAX + 256];                                                                \
		(void)snprintf(kc_what, sizeof(kc_what), __VA_ARGS__);                                       \
		add_row((out), (name), kc_what);                                                             \
	} while (0)

static void add_volume(struct kc_sink *out, const struct kc_contents *contents)
{
	add_row(out, "volume", contents->name);
	add_row(out, contents->is_archive ? "sha256" : "sha256 of the manifest", contents->sha256);
	add_row(out, "distribution", contents->distro);
	add_row(out, "architecture", contents->arch);
	if (*contents->package)
		add_row_printf(out, "package", "%s %s", contents->package, contents->package_version);
	add_row(out, "volume version", contents->volume_version);
	add_row_printf(out, "size", "%zu files of %" PRIu64 " bytes, %zu directories, %zu links",
		       contents->file_count, contents->bytes, contents->directory_count,
		       contents->link_count);
	for (size_t i = 0; i < KC_ELF_FAMILIES; i++)
		if (*contents->floors[i].version)
			add_row_printf(out, "needs at least", "%s %s (%s)", contents->floors[i].family,
				       contents->floors[i].version, contents->floors[i].path);
	add_row_printf(out, "Python", "%s%s", *contents->python ? contents->python : "unknown",
		       contents->is_python_consistent ? "" : ", and not all places tell the same");
	for (size_t i = 0; i < contents->told_count; i++)
		add_row_printf(out, "  told by", "%s: %s", contents->told[i].where,
			       contents->told[i].version);
}

static void add_parts(struct kc_sink *out, const struct kc_contents *contents)
{
	char name[2 * KC_METADATA_NAME_SIZE];

	kc_sink_string(out, "\npackages\n");
	for (size_t i = 0; i < contents->package_count; i++) {
		const struct kc_contents_package *package = &contents->packages[i];

		(void)snprintf(name, sizeof(name), "  %s %s", package->name, package->version);
		add_row(out, name, *package->license ? package->license : "no licence told");
	}
	kc_sink_string(out, "\ncomponents\n");
	for (size_t i = 0; i < contents->component_count; i++) {
		const struct kc_component *component = &contents->components[i].component;

		(void)snprintf(name, sizeof(name), "  %s %s", component->name,
			       *component->version ? component->version : "of an unknown version");
		add_row_printf(out, name, "%s, in %s",
			       component->license ? component->license : "no licence told",
			       contents->components[i].path);
	}
	kc_sink_string(out, "\nlibraries\n");
	for (size_t i = 0; i < contents->library_count; i++) {
		const struct kc_contents_library *library = &contents->libraries[i];

		add_row_printf(out, library->file->sha256, "%s%s%s%s", library->file->name,
			       *library->soname ? " is " : "", library->soname,
			       library->is_damaged ? " is damaged" : "");
	}
}

static int print(const struct kc_contents *contents, struct kc_error *err)
{
	KC_CLEANUP_SINK struct kc_sink out = KC_SINK_INIT(TEXT_LIMIT);

	add_volume(&out, contents);
	add_parts(&out, contents);
	return out.status < 0 ? kc_error_errno(err, out.status, "print what is in `%s`", contents->name)
			      : kc_output_write(&out.text, err);
}

static int write_json(const struct kc_contents *contents, const char *path, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = NULL;
	int status = kc_contents_to_json(contents, &json, err);

	return status < 0 ? status : kc_look_write_json(json, path, err);
}

static int write_sbom(const struct kc_contents *contents, const char *path, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = NULL;
	int64_t seconds;
	int status = kc_source_date(&seconds, err);

	if (status == 0)
		status = kc_sbom_make(contents, seconds, &json, err);
	return status < 0 ? status : kc_look_write_json(json, path, err);
}

int kc_command_inspect(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_CONTENTS struct kc_contents contents = { 0 };
	int status = kc_look(options, options->operand, &contents, err);

	if (status == 0 && options->json)
		status = write_json(&contents, options->json, err);
	if (status == 0 && options->sbom)
		status = write_sbom(&contents, options->sbom, err);
	if (status == 0)
		status = print(&contents, err);
	if (status == 0)
		*ret_exit = KC_EXIT_PASSED;
	return status;
}
