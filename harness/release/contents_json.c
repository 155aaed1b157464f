#include "release/contents.h"

#include <errno.h>
#include <stdio.h>

#include "release/json.h"

static void add_python(struct kc_json_writer *writer, const struct kc_contents *contents, cJSON *document)
{
	cJSON *python = kc_json_add_object(writer, document, "python"), *told;

	kc_json_add_string(writer, python, "version", contents->python);
	kc_json_add_bool(writer, python, "consistent", contents->is_python_consistent);
	told = kc_json_add_list(writer, python, "told");
	for (size_t i = 0; i < contents->told_count; i++) {
		cJSON *item = kc_json_add_item(writer, told);

		kc_json_add_string(writer, item, "where", contents->told[i].where);
		kc_json_add_string(writer, item, "version", contents->told[i].version);
	}
}

static void add_packages(struct kc_json_writer *writer, const struct kc_contents *contents, cJSON *document)
{
	static const char *const kinds[] = {
		[KC_LICENSE_ID] = "id", [KC_LICENSE_EXPRESSION] = "expression", [KC_LICENSE_NAME] = "name"
	};
	cJSON *list = kc_json_add_list(writer, document, "packages");

	for (size_t i = 0; i < contents->package_count; i++) {
		const struct kc_contents_package *package = &contents->packages[i];
		cJSON *item = kc_json_add_item(writer, list);

		kc_json_add_string(writer, item, "name", package->name);
		kc_json_add_string(writer, item, "version", package->version);
		kc_json_add_string(writer, item, "path", package->path);
		if (package->license_kind == KC_LICENSE_NONE)
			continue;
		kc_json_add_string(writer, item, "license", package->license);
		kc_json_add_string(writer, item, "license_kind", kinds[package->license_kind]);
	}
}

static void add_components(struct kc_json_writer *writer, const struct kc_contents *contents, cJSON *document)
{
	cJSON *list = kc_json_add_list(writer, document, "components");

	for (size_t i = 0; i < contents->component_count; i++) {
		const struct kc_component *component = &contents->components[i].component;
		cJSON *item = kc_json_add_item(writer, list);

		kc_json_add_string(writer, item, "name", component->name);
		kc_json_add_string(writer, item, "version", component->version);
		kc_json_add_string(writer, item, "license", component->license ? component->license : "");
		kc_json_add_string(writer, item, "path", contents->components[i].path);
	}
}

static void add_libraries(struct kc_json_writer *writer, const struct kc_contents *contents, cJSON *document)
{
	cJSON *list = kc_json_add_list(writer, document, "libraries");

	for (size_t i = 0; i < contents->library_count; i++) {
		const struct kc_contents_library *library = &contents->libraries[i];
		cJSON *item = kc_json_add_item(writer, list);

		kc_json_add_string(writer, item, "path", library->file->name);
		kc_json_add_string(writer, item, "soname", library->soname);
		kc_json_add_string(writer, item, "sha256", library->file->sha256);
		if (library->is_damaged)
			kc_json_add_bool(writer, item, "damaged", true);
	}
}

static void add_floors(struct kc_json_writer *writer, const struct kc_contents *contents, cJSON *document)
{
	cJSON *list = kc_json_add_list(writer, document, "needs");

	for (size_t i = 0; i < KC_ELF_FAMILIES; i++) {
		cJSON *item = *contents->floors[i].version ? kc_json_add_item(writer, list) : NULL;

		if (!item)
			continue;
		kc_json_add_string(writer, item, "family", contents->floors[i].family);
		kc_json_add_string(writer, item, "version", contents->floors[i].version);
		kc_json_add_string(writer, item, "path", contents->floors[i].path);
	}
}

static void add_files(struct kc_json_writer *writer, const struct kc_contents *contents, cJSON *document)
{
	cJSON *list = kc_json_add_list(writer, document, "files");
	char mode[8];

	for (size_t i = 0; i < contents->entries.count; i++) {
		const struct kc_entry *entry = &contents->entries.items[i];
		cJSON *item =
			entry->type == 'f' || entry->type == 'l' ? kc_json_add_item(writer, list) : NULL;

		if (!item)
			continue;
		kc_json_add_string(writer, item, "path", entry->name);
		if (entry->type == 'l') {
			kc_json_add_string(writer, item, "target", entry->target);
			continue;
		}
		(void)snprintf(mode, sizeof(mode), "%04o", (unsigned int)entry->mode & 07777);
		kc_json_add_string(writer, item, "mode", mode);
		kc_json_add_number(writer, item, "bytes", (double)entry->bytes);
		kc_json_add_string(writer, item, "sha256", entry->sha256);
	}
}

static void add_volume(struct kc_json_writer *writer, const struct kc_contents *contents, cJSON *document)
{
	cJSON *volume = kc_json_add_object(writer, document, "volume");

	kc_json_add_string(writer, volume, "name", contents->name);
	kc_json_add_string(writer, volume, "sha256", contents->sha256);
	kc_json_add_string(writer, volume, "kind", contents->is_archive ? "archive" : "directory");
	kc_json_add_string(writer, volume, "distro", contents->distro);
	kc_json_add_string(writer, volume, "arch", contents->arch);
	kc_json_add_string(writer, volume, "package", contents->package);
	kc_json_add_string(writer, volume, "package_version", contents->package_version);
	kc_json_add_string(writer, volume, "volume_version", contents->volume_version);
	kc_json_add_number(writer, volume, "files", (double)contents->file_count);
	kc_json_add_number(writer, volume, "directories", (double)contents->directory_count);
	kc_json_add_number(writer, volume, "links", (double)contents->link_count);
	kc_json_add_number(writer, volume, "bytes", (double)contents->bytes);
}

int kc_contents_to_json(const struct kc_contents *contents, cJSON **ret_json, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = cJSON_CreateObject();
	struct kc_json_writer writer = { .is_short = !document };

	kc_json_add_number(&writer, document, "version", KC_CONTENTS_VERSION);
	add_volume(&writer, contents, document);
	add_python(&writer, contents, document);
	add_packages(&writer, contents, document);
	add_components(&writer, contents, document);
	add_libraries(&writer, contents, document);
	add_floors(&writer, contents, document);
	add_files(&writer, contents, document);
	if (writer.is_short)
		return kc_error_errno(err, ENOMEM, "write the contents of `%s`", contents->name);
	*ret_json = KC_STEAL(document);
	return 0;
}
