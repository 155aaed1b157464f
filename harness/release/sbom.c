#include "release/sbom.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/pep440.h"
#include "release/json.h"
#include "release/source_date.h"

#define VOLUME_REF "volume"
#define PURL_SIZE (4 * PATH_MAX)
#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

struct bill {
	const struct kc_contents *contents;
	struct kc_json_writer writer;
	cJSON *components, *dependencies, *volume_needs;
};

/* Appends `text` as a part of a package URL: https://github.com/package-url/purl-spec, percent-encoded as RFC 3986 has it. */
static void append_encoded(char *purl, const char *text)
{
	size_t length = strlen(purl);

	for (; *text && length + 4 < PURL_SIZE; text++)
		length += (size_t)snprintf(purl + length, 4, strchr(UNRESERVED, *text) ? "%c" : "%%%02X",
					   (unsigned int)(unsigned char)*text);
}

static void add_purl(struct bill *bill, cJSON *component, const char *type, const char *name,
		     const char *version)
{
	char purl[PURL_SIZE];

	(void)snprintf(purl, sizeof(purl), "pkg:%s/", type);
	append_encoded(purl, name);
	if (*version && strlen(purl) + 2 < sizeof(purl)) {
		memcpy(purl + strlen(purl), "@", 2);
		append_encoded(purl, version);
	}
	kc_json_add_string(&bill->writer, component, "purl", purl);
}

static void add_license(struct bill *bill, cJSON *component, enum kc_license_kind kind, const char *text)
{
	cJSON *choice, *license;

	if (kind == KC_LICENSE_NONE)
		return;
	choice = kc_json_add_item(&bill->writer, kc_json_add_list(&bill->writer, component, "licenses"));
	if (kind == KC_LICENSE_EXPRESSION) {
		kc_json_add_string(&bill->writer, choice, "expression", text);
		return;
	}
	license = kc_json_add_object(&bill->writer, choice, "license");
	kc_json_add_string(&bill->writer, license, kind == KC_LICENSE_ID ? "id" : "name", text);
}

static void add_sha256(struct bill *bill, cJSON *component, const char *sha256)
{
	cJSON *hash = kc_json_add_item(&bill->writer, kc_json_add_list(&bill->writer, component, "hashes"));

	kc_json_add_string(&bill->writer, hash, "alg", "SHA-256");
	kc_json_add_string(&bill->writer, hash, "content", sha256);
}

static void add_property(struct bill *bill, cJSON *list, const char *name, const char *value)
{
	cJSON *property = *value ? kc_json_add_item(&bill->writer, list) : NULL;

	if (!property)
		return;
	kc_json_add_string(&bill->writer, property, "name", name);
	kc_json_add_string(&bill->writer, property, "value", value);
}

/* The list of places where a component was found. */
static cJSON *add_occurrences(struct bill *bill, cJSON *component)
{
	cJSON *evidence = kc_json_add_object(&bill->writer, component, "evidence");

	return kc_json_add_list(&bill->writer, evidence, "occurrences");
}

static void add_occurrence(struct bill *bill, cJSON *occurrences, const char *path)
{
	kc_json_add_string(&bill->writer, kc_json_add_item(&bill->writer, occurrences), "location", path);
}

/* A part of the volume: it is among the components, the volume needs it, and what it needs is said (the list that is returned). */
static cJSON *add_part(struct bill *bill, const char *type, const char *ref, const char *name,
		       const char *version, cJSON **ret_needs)
{
	cJSON *part = kc_json_add_item(&bill->writer, bill->components);
	cJSON *dependency = kc_json_add_item(&bill->writer, bill->dependencies);

	kc_json_add_string(&bill->writer, part, "type", type);
	kc_json_add_string(&bill->writer, part, "bom-ref", ref);
	kc_json_add_string(&bill->writer, part, "name", name);
	kc_json_add_string(&bill->writer, part, "version", version);
	kc_json_add_text(&bill->writer, bill->volume_needs, ref);
	kc_json_add_string(&bill->writer, dependency, "ref", ref);
	*ret_needs = kc_json_add_list(&bill->writer, dependency, "dependsOn");
	return part;
}

static void add_package(struct bill *bill, const struct kc_contents_package *package)
{
	char name[KC_NAME_SIZE], ref[PURL_SIZE];
	cJSON *needs, *part;

	(void)snprintf(ref, sizeof(ref), "package:%s", package->path);
	part = add_part(bill, "library", ref, package->name, package->version, &needs);
	add_license(bill, part, package->license_kind, package->license);
	if (kc_name_normalize(package->name, strlen(package->name), name) == 0)
		add_purl(bill, part, "pypi", name, package->version);
	add_occurrence(bill, add_occurrences(bill, part), package->path);
}

#define REF_SIZE 192

static void make_ref(const struct kc_component *component, char ret_ref[REF_SIZE])
{
	(void)snprintf(ret_ref, REF_SIZE, "component:%s@%s", component->name, component->version);
}

static bool is_same(const struct kc_component *a, const struct kc_component *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0;
}

/* One version of a component, wherever it was found. Returns how many entries of the contents that were. */
static size_t add_component(struct bill *bill, size_t first)
{
	const struct kc_contents *contents = bill->contents;
	const struct kc_component *component = &contents->components[first].component;
	char ref[REF_SIZE], cpe[256];
	cJSON *needs, *part, *occurrences;
	size_t i = first;

	make_ref(component, ref);
	part = add_part(bill, component->type, ref, component->name, component->version, &needs);
	if (component->license)
		add_license(bill, part, KC_LICENSE_ID, component->license);
	if (component->cpe && *component->version) {
		(void)snprintf(cpe, sizeof(cpe), "cpe:2.3:a:%s:%s:*:*:*:*:*:*:*", component->cpe,
			       component->version);
		kc_json_add_string(&bill->writer, part, "cpe", cpe);
	}
	add_purl(bill, part, "generic", component->name, component->version);
	occurrences = add_occurrences(bill, part);
	for (; i < contents->component_count && is_same(&contents->components[i].component, component); i++)
		add_occurrence(bill, occurrences, contents->components[i].path);
	return i - first;
}

static void add_library(struct bill *bill, const struct kc_contents_library *library)
{
	const struct kc_contents *contents = bill->contents;
	const char *path = library->file->name, *slash = strrchr(path, '/'), *leaf = slash ? slash + 1 : path;
	char own[PURL_SIZE], ref[REF_SIZE];
	cJSON *needs, *part;

	(void)snprintf(own, sizeof(own), "file:%s", path);
	part = add_part(bill, *library->soname ? "library" : "file", own,
			*library->soname ? library->soname : leaf, "", &needs);
	add_sha256(bill, part, library->file->sha256);
	add_occurrence(bill, add_occurrences(bill, part), path);
	for (size_t i = 0; i < contents->component_count; i++) {
		if (strcmp(contents->components[i].path, path) != 0)
			continue;
		make_ref(&contents->components[i].component, ref);
		kc_json_add_text(&bill->writer, needs, ref);
	}
}

static int make_serial_number(const struct kc_contents *contents, char ret_text[64], struct kc_error *err)
{
	char name[128], hex[KC_SHA256_HEX_SIZE];
	static const char variants[] = "89ab";
	int status;

	(void)snprintf(name, sizeof(name), "krunner-compat CycloneDX %s", contents->sha256);
	status = kc_sha256_of(name, strlen(name), hex, err);
	if (status < 0)
		return status;
	hex[12] = '8'; /* version and variant, RFC 9562 section 5.8 */
	hex[16] = variants[(unsigned char)hex[16] % 4];
	(void)snprintf(ret_text, 64, "urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		       hex + 20);
	return 0;
}

static void add_volume(struct bill *bill, cJSON *metadata)
{
	const struct kc_contents *contents = bill->contents;
	cJSON *volume = kc_json_add_object(&bill->writer, metadata, "component"), *properties;

	kc_json_add_string(&bill->writer, volume, "type", "platform");
	kc_json_add_string(&bill->writer, volume, "bom-ref", VOLUME_REF);
	kc_json_add_string(&bill->writer, volume, "name", contents->name);
	kc_json_add_string(&bill->writer, volume, "version", contents->package_version);
	if (contents->is_archive)
		add_sha256(bill, volume, contents->sha256);
	properties = kc_json_add_list(&bill->writer, volume, "properties");
	add_property(bill, properties, "krunner-compat:distro", contents->distro);
	add_property(bill, properties, "krunner-compat:architecture", contents->arch);
	add_property(bill, properties, "krunner-compat:package", contents->package);
	add_property(bill, properties, "krunner-compat:volume-version", contents->volume_version);
	add_property(bill, properties, "krunner-compat:python", contents->python);
}

static void add_head(struct bill *bill, cJSON *document, const char *serial_number, int64_t seconds)
{
	struct kc_json_writer *writer = &bill->writer;
	char timestamp[KC_TIMESTAMP_SIZE];
	cJSON *metadata, *tool;

	kc_timestamp(seconds, timestamp);
	kc_json_add_string(writer, document, "bomFormat", "CycloneDX");
	kc_json_add_string(writer, document, "specVersion", "1.6");
	kc_json_add_string(writer, document, "serialNumber", serial_number);
	kc_json_add_number(writer, document, "version", 1);
	metadata = kc_json_add_object(writer, document, "metadata");
	kc_json_add_string(writer, metadata, "timestamp", timestamp);
	tool = kc_json_add_item(
		writer,
		kc_json_add_list(writer, kc_json_add_object(writer, metadata, "tools"), "components"));
	kc_json_add_string(writer, tool, "type", "application");
	kc_json_add_string(writer, tool, "name", "krunner-compat");
	kc_json_add_string(writer, tool, "version", KC_VERSION);
	add_volume(bill, metadata);
}

int kc_sbom_make(const struct kc_contents *contents, int64_t seconds, cJSON **ret_json, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = cJSON_CreateObject();
	struct bill bill = { .contents = contents, .writer = { .is_short = !document } };
	char serial_number[64];
	cJSON *volume;
	int status = make_serial_number(contents, serial_number, err);

	if (status < 0)
		return status;
	add_head(&bill, document, serial_number, seconds);
	bill.components = kc_json_add_list(&bill.writer, document, "components");
	bill.dependencies = kc_json_add_list(&bill.writer, document, "dependencies");
	volume = kc_json_add_item(&bill.writer, bill.dependencies);
	kc_json_add_string(&bill.writer, volume, "ref", VOLUME_REF);
	bill.volume_needs = kc_json_add_list(&bill.writer, volume, "dependsOn");
	for (size_t i = 0; i < contents->package_count; i++)
		add_package(&bill, &contents->packages[i]);
	for (size_t i = 0; i < contents->component_count;)
		i += add_component(&bill, i);
	for (size_t i = 0; i < contents->library_count; i++)
		add_library(&bill, &contents->libraries[i]);
	if (bill.writer.is_short)
		return kc_error_errno(err, ENOMEM, "write the bill of materials of `%s`", contents->name);
	*ret_json = KC_STEAL(document);
	return 0;
}
