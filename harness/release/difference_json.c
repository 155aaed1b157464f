#include <errno.h>
#include <stdio.h>

#include "release/difference.h"
#include "release/json.h"

static void add_volume(struct kc_json_writer *writer, const struct kc_contents *contents, cJSON *document,
		       const char *key)
{
	cJSON *volume = kc_json_add_object(writer, document, key);

	kc_json_add_string(writer, volume, "name", contents->name);
	kc_json_add_string(writer, volume, "sha256", contents->sha256);
	kc_json_add_string(writer, volume, "package", contents->package);
	kc_json_add_string(writer, volume, "package_version", contents->package_version);
	kc_json_add_string(writer, volume, "volume_version", contents->volume_version);
	kc_json_add_string(writer, volume, "python", contents->python);
	kc_json_add_number(writer, volume, "files", (double)contents->file_count);
	kc_json_add_number(writer, volume, "bytes", (double)contents->bytes);
}

static void add_facts(struct kc_json_writer *writer, const struct kc_difference *difference, cJSON *document)
{
	cJSON *list = kc_json_add_list(writer, document, "facts");

	for (size_t i = 0; i < difference->fact_count; i++) {
		cJSON *item = kc_json_add_item(writer, list);

		kc_json_add_string(writer, item, "name", difference->facts[i].name);
		kc_json_add_string(writer, item, "before", difference->facts[i].before);
		kc_json_add_string(writer, item, "after", difference->facts[i].after);
	}
}

static void add_parts(struct kc_json_writer *writer, const struct kc_difference_parts *parts, cJSON *document,
		      const char *key)
{
	cJSON *list = kc_json_add_list(writer, document, key);

	for (size_t i = 0; i < parts->count; i++) {
		const struct kc_difference_part *part = &parts->items[i];
		cJSON *item = kc_json_add_item(writer, list);

		kc_json_add_string(writer, item, "change", kc_change_name(part->change));
		kc_json_add_string(writer, item, "name", part->name);
		kc_json_add_string(writer, item, "before", part->before);
		kc_json_add_string(writer, item, "after", part->after);
		kc_json_add_string(writer, item, "license_before", part->license_before);
		kc_json_add_string(writer, item, "license_after", part->license_after);
	}
}

static void add_entry(struct kc_json_writer *writer, const struct kc_entry *entry, cJSON *item,
		      const char *key)
{
	static const struct {
		char type;
		const char *name;
	} types[] = { { 'f', "file" }, { 'd', "directory" }, { 'l', "link" } };
	const char *type = "other";
	char mode[8];
	cJSON *object;

	if (!entry)
		return;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(types); i++)
		if (types[i].type == entry->type)
			type = types[i].name;
	object = kc_json_add_object(writer, item, key);
	kc_json_add_string(writer, object, "type", type);
	if (entry->target) {
		kc_json_add_string(writer, object, "target", entry->target);
		return;
	}
	(void)snprintf(mode, sizeof(mode), "%04o", (unsigned int)entry->mode & 07777);
	kc_json_add_string(writer, object, "mode", mode);
	if (!entry->sha256)
		return;
	kc_json_add_number(writer, object, "bytes", (double)entry->bytes);
	kc_json_add_string(writer, object, "sha256", entry->sha256);
}

static void add_files(struct kc_json_writer *writer, const struct kc_difference *difference, cJSON *document)
{
	cJSON *list = kc_json_add_list(writer, document, "files");

	for (size_t i = 0; i < difference->file_count; i++) {
		const struct kc_difference_file *file = &difference->files[i];
		cJSON *item = kc_json_add_item(writer, list);

		kc_json_add_string(writer, item, "change", kc_change_name(file->change));
		kc_json_add_string(writer, item, "path", (file->after ? file->after : file->before)->name);
		add_entry(writer, file->before, item, "before");
		add_entry(writer, file->after, item, "after");
	}
}

int kc_difference_to_json(const struct kc_difference *difference, cJSON **ret_json, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = cJSON_CreateObject();
	struct kc_json_writer writer = { .is_short = !document };
	cJSON *counts;

	kc_json_add_number(&writer, document, "version", KC_DIFFERENCE_VERSION);
	kc_json_add_bool(&writer, document, "different", kc_difference_is_any(difference));
	add_volume(&writer, difference->before, document, "before");
	add_volume(&writer, difference->after, document, "after");
	add_facts(&writer, difference, document);
	add_parts(&writer, &difference->packages, document, "packages");
	add_parts(&writer, &difference->components, document, "components");
	counts = kc_json_add_object(&writer, document, "counts");
	for (enum kc_change i = 0; i < KC_CHANGE_COUNT; i++)
		kc_json_add_number(&writer, counts, kc_change_name(i), (double)difference->changes[i]);
	add_files(&writer, difference, document);
	if (writer.is_short)
		return kc_error_errno(err, ENOMEM, "write the difference");
	*ret_json = KC_STEAL(document);
	return 0;
}
