#include "release/contents.h"

#include <errno.h>
#include <stdio.h>

/* A cJSON without memory is caught at the end: what could not be added is missed then. */
struct writing {
	bool is_short;
};

static void add_string(struct writing *writing, cJSON *object, const char *key, const char *text)
{
	if (*text && !cJSON_AddStringToObject(object, key, text))
		writing->is_short = true;
}

static void add_number(struct writing *writing, cJSON *object, const char *key, double number)
{
	if (!cJSON_AddNumberToObject(object, key, number))
		writing->is_short = true;
}

static cJSON *add_list(struct writing *writing, cJSON *object, const char *key)
{
	cJSON *list = cJSON_AddArrayToObject(object, key);

	writing->is_short |= !list;
	return list;
}

static cJSON *add_item(struct writing *writing, cJSON *list)
{
	cJSON *item = cJSON_CreateObject();

	if (item && cJSON_AddItemToArray(list, item))
		return item;
	cJSON_Delete(item);
	writing->is_short = true;
	return NULL;
}

static void add_python(struct writing *writing, const struct kc_contents *contents, cJSON *document)
{
	cJSON *python = cJSON_AddObjectToObject(document, "python"), *told;

	add_string(writing, python, "version", contents->python);
	if (!cJSON_AddBoolToObject(python, "consistent", contents->is_python_consistent))
		writing->is_short = true;
	told = add_list(writing, python, "told");
	for (size_t i = 0; i < contents->told_count; i++) {
		cJSON *item = add_item(writing, told);

		add_string(writing, item, "where", contents->told[i].where);
		add_string(writing, item, "version", contents->told[i].version);
	}
}

static void add_packages(struct writing *writing, const struct kc_contents *contents, cJSON *document)
{
	static const char *const kinds[] = {
		[KC_LICENSE_ID] = "id", [KC_LICENSE_EXPRESSION] = "expression", [KC_LICENSE_NAME] = "name"
	};
	cJSON *list = add_list(writing, document, "packages");

	for (size_t i = 0; i < contents->package_count; i++) {
		const struct kc_contents_package *package = &contents->packages[i];
		cJSON *item = add_item(writing, list);

		add_string(writing, item, "name", package->name);
		add_string(writing, item, "version", package->version);
		add_string(writing, item, "path", package->path);
		if (package->license_kind == KC_LICENSE_NONE)
			continue;
		add_string(writing, item, "license", package->license);
		add_string(writing, item, "license_kind", kinds[package->license_kind]);
	}
}

static void add_components(struct writing *writing, const struct kc_contents *contents, cJSON *document)
{
	cJSON *list = add_list(writing, document, "components");

	for (size_t i = 0; i < contents->component_count; i++) {
		const struct kc_component *component = &contents->components[i].component;
		cJSON *item = add_item(writing, list);

		add_string(writing, item, "name", component->name);
		add_string(writing, item, "version", component->version);
		add_string(writing, item, "license", component->license ? component->license : "");
		add_string(writing, item, "path", contents->components[i].path);
	}
}

static void add_libraries(struct writing *writing, const struct kc_contents *contents, cJSON *document)
{
	cJSON *list = add_list(writing, document, "libraries");

	for (size_t i = 0; i < contents->library_count; i++) {
		const struct kc_contents_library *library = &contents->libraries[i];
		cJSON *item = add_item(writing, list);

		add_string(writing, item, "path", library->file->name);
		add_string(writing, item, "soname", library->soname);
		add_string(writing, item, "sha256", library->file->sha256);
		if (library->is_damaged && !cJSON_AddTrueToObject(item, "damaged"))
			writing->is_short = true;
	}
}

static void add_floors(struct writing *writing, const struct kc_contents *contents, cJSON *document)
{
	cJSON *list = add_list(writing, document, "needs");

	for (size_t i = 0; i < KC_CONTENTS_FLOORS; i++) {
		cJSON *item = *contents->floors[i].version ? add_item(writing, list) : NULL;

		if (!item)
			continue;
		add_string(writing, item, "family", contents->floors[i].family);
		add_string(writing, item, "version", contents->floors[i].version);
		add_string(writing, item, "path", contents->floors[i].path);
	}
}

static void add_files(struct writing *writing, const struct kc_contents *contents, cJSON *document)
{
	cJSON *list = add_list(writing, document, "files");
	char mode[8];

	for (size_t i = 0; i < contents->entries.count; i++) {
		const struct kc_entry *entry = &contents->entries.items[i];
		cJSON *item = entry->type == 'f' || entry->type == 'l' ? add_item(writing, list) : NULL;

		if (!item)
			continue;
		add_string(writing, item, "path", entry->name);
		if (entry->type == 'l') {
			add_string(writing, item, "target", entry->target);
			continue;
		}
		(void)snprintf(mode, sizeof(mode), "%04o", (unsigned int)entry->mode & 07777);
		add_string(writing, item, "mode", mode);
		add_number(writing, item, "bytes", (double)entry->bytes);
		add_string(writing, item, "sha256", entry->sha256);
	}
}

static void add_volume(struct writing *writing, const struct kc_contents *contents, cJSON *document)
{
	cJSON *volume = cJSON_AddObjectToObject(document, "volume");

	add_string(writing, volume, "name", contents->name);
	add_string(writing, volume, "sha256", contents->sha256);
	add_string(writing, volume, "kind", contents->is_archive ? "archive" : "directory");
	add_string(writing, volume, "distro", contents->distro);
	add_string(writing, volume, "arch", contents->arch);
	add_string(writing, volume, "package", contents->package);
	add_string(writing, volume, "package_version", contents->package_version);
	add_string(writing, volume, "volume_version", contents->volume_version);
	add_number(writing, volume, "files", (double)contents->file_count);
	add_number(writing, volume, "directories", (double)contents->directory_count);
	add_number(writing, volume, "links", (double)contents->link_count);
	add_number(writing, volume, "bytes", (double)contents->bytes);
}

int kc_contents_to_json(const struct kc_contents *contents, cJSON **ret_json, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = cJSON_CreateObject();
	struct writing writing = { .is_short = !document };

	add_number(&writing, document, "version", KC_CONTENTS_VERSION);
	add_volume(&writing, contents, document);
	add_python(&writing, contents, document);
	add_packages(&writing, contents, document);
	add_components(&writing, contents, document);
	add_libraries(&writing, contents, document);
	add_floors(&writing, contents, document);
	add_files(&writing, contents, document);
	if (writing.is_short)
		return kc_error_errno(err, ENOMEM, "write the contents of `%s`", contents->name);
	*ret_json = KC_STEAL(document);
	return 0;
}
