#include "release/contents.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/names.h"
#include "base/embedded.h"
#include "sys/fd.h"

#define RULES "compat/components.json"
#define PYTHON_COMPONENT "python"
#define PATCHLEVEL_LIMIT (64u << 10)

/* A file of the volume in memory; length 0 for an empty one. */
struct mapping {
	void *bytes;
	size_t length;
};

struct taking {
	const struct kc_volume *volume;
	struct kc_contents *contents;
	char python[16]; /* X.Y */
};

static void unmap(struct mapping *mapping)
{
	if (mapping->length)
		(void)munmap(mapping->bytes, mapping->length); /* fails only for a mapping that is none */
}

/* Room for one more in a list that grows by doubling. */
static int grow(void *list, size_t count, size_t size, const char *what, struct kc_error *err)
{
	void **items = list;
	void *more;

	if (count >= KC_CONTENTS_MAX)
		return kc_error_set(err, E2BIG, "the volume has more than %d %s", KC_CONTENTS_MAX, what);
	if (count && (count < 16 || count & (count - 1)))
		return 0;
	more = realloc(*items, (count < 16 ? 16 : 2 * count) * size);
	if (!more)
		return kc_error_errno(err, ENOMEM, "list the %s of the volume", what);
	*items = more;
	return 0;
}

/* --- Files --- */

static int open_entry(const struct taking *taking, const struct kc_entry *entry, struct kc_error *err)
{
	char path[PATH_MAX];
	struct stat status;
	int code = kc_entry_path(entry->name, path, err), fd;

	if (code < 0)
		return code;
	fd = kc_volume_open_file(taking->volume, path, O_RDONLY | O_NOFOLLOW, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		code = kc_error_errno(err, errno, "look at `%s`", entry->name);
	else if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != entry->bytes)
		code = kc_error_set(err, EUCLEAN, "`%s` is not what it was when the volume was opened",
				    entry->name);
	if (code < 0)
		kc_fd_close(&fd);
	return code < 0 ? code : fd;
}

/* Up to `size` bytes from the start. */
static ssize_t read_head(int fd, const char *name, char *head, size_t size, struct kc_error *err)
{
	size_t length = 0;

	while (length < size) {
		ssize_t got = pread(fd, head + length, size - length, (off_t)length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return kc_error_errno(err, errno, "read `%s`", name);
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

/* --- Packages --- */

static void set_license(struct kc_contents_package *package, enum kc_license_kind kind, const char *text)
{
	package->license_kind = kind;
	(void)snprintf(package->license, sizeof(package->license), "%s", text);
}

/* An expression is the package's last word. Of the older fields the first that means one licence counts, else the first at all. */
static void choose_license(const struct kc_contents *contents, const struct kc_metadata *metadata,
			   struct kc_contents_package *package)
{
	bool is_text = metadata->is_license_text && *metadata->classifier;
	const char *const said[] = { metadata->expression, is_text ? metadata->classifier : metadata->license,
				     is_text ? metadata->license : metadata->classifier };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(said); i++) {
		const char *id = kc_components_spdx(contents->rules, said[i]);

		if (id) {
			set_license(package, KC_LICENSE_ID, id);
			return;
		}
		if (said[i] == metadata->expression && kc_metadata_is_expression(said[i])) {
			set_license(package, KC_LICENSE_EXPRESSION, said[i]);
			return;
		}
		if (*said[i] && package->license_kind == KC_LICENSE_NONE)
			set_license(package, KC_LICENSE_NAME, said[i]);
	}
}

static int add_package(struct taking *taking, const struct kc_entry *entry, struct kc_error *err)
{
	struct kc_contents *contents = taking->contents;
	KC_CLEANUP_FREE char *head = malloc(KC_METADATA_HEAD_BYTES);
	KC_CLEANUP_FD int fd =
		head ? open_entry(taking, entry, err) : kc_error_errno(err, ENOMEM, "read `%s`", entry->name);
	struct kc_contents_package *package;
	struct kc_metadata metadata = { 0 };
	ssize_t length;
	int status;

	if (fd < 0)
		return fd;
	length = read_head(fd, entry->name, head, KC_METADATA_HEAD_BYTES, err);
	if (length < 0)
		return (int)length;
	status = kc_metadata_parse(head, (size_t)length, entry->bytes <= (uint64_t)length, entry->name,
				   &metadata, err);
	if (status == 0)
		status =
			grow(&contents->packages, contents->package_count, sizeof(*package), "packages", err);
	if (status < 0)
		return status;
	package = &contents->packages[contents->package_count++];
	*package = (struct kc_contents_package){ .path = entry->name };
	memcpy(package->name, metadata.name, sizeof(package->name));
	memcpy(package->version, metadata.version, sizeof(package->version));
	choose_license(contents, &metadata, package);
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* What pip and what older tools leave behind. */
static bool is_metadata(const char *name)
{
	return ends_with(name, ".dist-info/METADATA") || ends_with(name, ".egg-info/PKG-INFO");
}

/* --- ELF files --- */

static int add_components(struct taking *taking, const struct kc_entry *entry, const struct mapping *mapping,
			  struct kc_error *err)
{
	struct kc_contents *contents = taking->contents;
	struct kc_component found[KC_COMPONENTS_MAX];
	size_t count = 0;
	int status = kc_components_scan(contents->rules, entry->name, taking->python, mapping->bytes,
					mapping->length, found, &count, err);

	for (size_t i = 0; status == 0 && i < count; i++) {
		status = grow(&contents->components, contents->component_count, sizeof(*contents->components),
			      "components", err);
		if (status == 0)
			contents->components[contents->component_count++] =
				(struct kc_contents_component){ .path = entry->name, .component = found[i] };
	}
	return status;
}

static void raise_floors(struct kc_contents *contents, const struct kc_entry *entry, const struct kc_elf *elf)
{
	for (size_t i = 0; i < KC_ELF_FAMILIES; i++)
		if (kc_elf_raise_floor(elf, contents->floors[i].family, contents->floors[i].version))
			contents->floors[i].path = entry->name;
}

static int add_library(struct kc_contents *contents, const struct kc_entry *entry, const struct kc_elf *elf,
		       struct kc_error *err)
{
	struct kc_contents_library *library;
	char shown[KC_NAME_SHOWN_SIZE];
	int status = grow(&contents->libraries, contents->library_count, sizeof(*library), "libraries", err);

	if (status < 0)
		return status;
	library = &contents->libraries[contents->library_count++];
	*library = (struct kc_contents_library){ .file = entry, .is_damaged = !elf };
	if (elf && elf->soname)
		(void)snprintf(library->soname, sizeof(library->soname), "%s",
			       kc_name_show(elf->soname, shown));
	return 0;
}

static bool is_library(const struct kc_entry *entry, const struct kc_elf *elf)
{
	const char *leaf = strrchr(entry->name, '/');

	return elf->type == ET_DYN && !elf->interpreter &&
	       (elf->soname || strstr(leaf ? leaf : entry->name, ".so"));
}

static int examine_elf(struct taking *taking, const struct kc_entry *entry, const struct mapping *mapping,
		       struct kc_error *err)
{
	KC_CLEANUP_ELF struct kc_elf elf = { 0 };
	struct kc_error wrong = { 0 };
	int status = kc_elf_read(mapping->bytes, mapping->length, &elf, &wrong);

	if (status == -ENOMEM) {
		if (err)
			*err = wrong;
		return status;
	}
	if (status == 0)
		raise_floors(taking->contents, entry, &elf);
	if (status < 0 || is_library(entry, &elf))
		status = add_library(taking->contents, entry, status < 0 ? NULL : &elf, err);
	return status < 0 ? status : add_components(taking, entry, mapping, err);
}

static int examine_file(struct taking *taking, const struct kc_entry *entry, struct kc_error *err)
{
	KC_CLEANUP(unmap) struct mapping mapping = { 0 };
	KC_CLEANUP_FD int fd = entry->bytes < sizeof(Elf32_Ehdr) ? -1 : open_entry(taking, entry, err);
	char magic[SELFMAG];
	ssize_t got;

	if (entry->bytes < sizeof(Elf32_Ehdr))
		return 0;
	if (fd < 0)
		return fd;
	got = read_head(fd, entry->name, magic, sizeof(magic), err);
	if (got < 0)
		return (int)got;
	if (got < SELFMAG || memcmp(magic, ELFMAG, SELFMAG) != 0)
		return 0;
	mapping.bytes = mmap(NULL, (size_t)entry->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapping.bytes == MAP_FAILED)
		return kc_error_errno(err, errno, "map `%s`", entry->name);
	mapping.length = (size_t)entry->bytes;
	return examine_elf(taking, entry, &mapping, err);
}

static int examine(struct taking *taking, const struct kc_entry *entry, struct kc_error *err)
{
	struct kc_contents *contents = taking->contents;

	contents->directory_count += entry->type == 'd';
	contents->link_count += entry->type == 'l';
	if (entry->type != 'f')
		return 0;
	contents->file_count++;
	contents->bytes += entry->bytes;
	return is_metadata(entry->name) ? add_package(taking, entry, err) : examine_file(taking, entry, err);
}

/* --- Python --- */

static void tell(struct kc_contents *contents, const char *where, const char *version)
{
	struct kc_contents_told *told = &contents->told[contents->told_count];

	if (!*version || contents->told_count == KC_CONTENTS_TOLD_MAX)
		return;
	contents->told_count++;
	(void)snprintf(told->where, sizeof(told->where), "%s", where);
	(void)snprintf(told->version, sizeof(told->version), "%s", version);
}

/* #define PY_VERSION "3.13.2" */
static void read_patchlevel(const char *text, char *version, size_t size)
{
	static const char define[] = "#define PY_VERSION";
	const char *at = strstr(text, define), *end;

	if (!at)
		return;
	at += strlen(define);
	at += strspn(at, " \t");
	end = *at == '"' ? strchr(at + 1, '"') : NULL;
	if (end && end > at + 1 && (size_t)(end - at) < size &&
	    strspn(at + 1, "0123456789abcrdev.+") >= (size_t)(end - at - 1))
		(void)snprintf(version, size, "%.*s", (int)(end - at - 1), at + 1);
}

/* The header that names the version; NULL for none. */
static const struct kc_entry *find_patchlevel(const struct taking *taking)
{
	/* Of ABIs: Python up to 3.7, and one without the global lock. */
	static const char *const flags[] = { "", "m", "t" };
	const struct kc_entry *entry = NULL;
	char path[64];

	for (size_t i = 0; !entry && i < KC_ARRAY_LENGTH(flags); i++) {
		(void)snprintf(path, sizeof(path), "include/python%s%s/patchlevel.h", taking->python,
			       flags[i]);
		entry = kc_entries_find(&taking->contents->entries, path);
	}
	return entry && entry->type == 'f' ? entry : NULL;
}

static int tell_patchlevel(struct taking *taking, struct kc_error *err)
{
	KC_CLEANUP_FREE char *text = calloc(1, PATCHLEVEL_LIMIT + 1);
	KC_CLEANUP_FD int fd = -1;
	const struct kc_entry *entry = find_patchlevel(taking);
	char version[KC_COMPONENTS_VERSION_SIZE] = "";
	ssize_t length;

	if (!entry)
		return 0;
	fd = text ? open_entry(taking, entry, err) : kc_error_errno(err, ENOMEM, "read `%s`", entry->name);
	if (fd < 0)
		return fd;
	length = read_head(fd, entry->name, text, PATCHLEVEL_LIMIT, err);
	if (length < 0)
		return (int)length;
	read_patchlevel(text, version, sizeof(version));
	tell(taking->contents, entry->name, version);
	return 0;
}

/* True if one is the other, or its beginning up to a dot. A "+" is a build from between two releases. */
static bool agrees(const char *part, const char *full)
{
	size_t length = strcspn(part, "+");

	return strncmp(part, full, length) == 0 && (!full[length] || strchr(".+", full[length]));
}

static void settle_python(struct kc_contents *contents)
{
	for (size_t i = 0; i < contents->told_count; i++)
		if (strlen(contents->told[i].version) > strlen(contents->python))
			(void)snprintf(contents->python, sizeof(contents->python), "%s",
				       contents->told[i].version);
	contents->is_python_consistent = *contents->python;
	for (size_t i = 0; i < contents->told_count; i++)
		if (!agrees(contents->told[i].version, contents->python))
			contents->is_python_consistent = false;
}

static int find_python(struct taking *taking, struct kc_error *err)
{
	struct kc_contents *contents = taking->contents;
	int status = tell_patchlevel(taking, err);

	tell(contents, "bin/python", taking->python);
	for (size_t i = 0; i < contents->component_count; i++)
		if (strcmp(contents->components[i].component.name, PYTHON_COMPONENT) == 0)
			tell(contents, contents->components[i].path,
			     contents->components[i].component.version);
	tell(contents, "the wheel's label", taking->volume->wheel.python_version);
	settle_python(contents);
	return status;
}

/* --- All of it --- */

static int compare_packages(const void *a, const void *b)
{
	const struct kc_contents_package *left = a, *right = b;
	int order = strcasecmp(left->name, right->name);

	if (order == 0)
		order = strcmp(left->version, right->version);
	return order ? order : strcmp(left->path, right->path);
}

static int compare_components(const void *a, const void *b)
{
	const struct kc_contents_component *left = a, *right = b;
	int order = strcmp(left->component.name, right->component.name);

	if (order == 0)
		order = strcmp(left->component.version, right->component.version);
	return order ? order : strcmp(left->path, right->path);
}

static void sort(struct kc_contents *contents)
{
	if (contents->package_count)
		qsort(contents->packages, contents->package_count, sizeof(*contents->packages),
		      compare_packages);
	if (contents->component_count)
		qsort(contents->components, contents->component_count, sizeof(*contents->components),
		      compare_components);
}

static void copy_labels(const struct kc_volume *volume, struct kc_contents *contents)
{
	char shown[KC_NAME_SHOWN_SIZE];

	(void)snprintf(contents->name, sizeof(contents->name), "%s", kc_name_show(volume->name, shown));
	memcpy(contents->sha256, volume->sha256, sizeof(contents->sha256));
	contents->is_archive = volume->kind != KC_VOLUME_DIRECTORY;
	memcpy(contents->distro, volume->distro, sizeof(contents->distro));
	memcpy(contents->arch, volume->arch, sizeof(contents->arch));
	memcpy(contents->package, volume->wheel.package, sizeof(contents->package));
	memcpy(contents->package_version, volume->wheel.version, sizeof(contents->package_version));
	memcpy(contents->volume_version, volume->wheel.volume_version, sizeof(contents->volume_version));
	for (size_t i = 0; i < KC_ELF_FAMILIES; i++)
		contents->floors[i].family = kc_elf_families[i];
}

static int load_rules(struct kc_contents *contents, struct kc_error *err)
{
	const char *text = NULL;
	size_t length = 0;

	if (!kc_embedded_find(RULES, &text, &length))
		return kc_error_set(err, ENOENT, "this program was built without " RULES);
	return kc_components_load(text, length, RULES, &contents->rules, err);
}

static int take(struct taking *taking, struct kc_error *err)
{
	struct kc_contents *contents = taking->contents;
	int status = load_rules(contents, err);

	if (status == 0)
		status = kc_entries_read(&taking->volume->manifest, &contents->entries, err);
	for (size_t i = 0; status == 0 && i < contents->entries.count; i++)
		status = examine(taking, &contents->entries.items[i], err);
	if (status < 0)
		return status;
	sort(contents);
	return find_python(taking, err);
}

int kc_contents_take(const struct kc_volume *volume, struct kc_contents *ret_contents, struct kc_error *err)
{
	struct taking taking = { .volume = volume, .contents = ret_contents };
	int status;

	*ret_contents = (struct kc_contents){ 0 };
	copy_labels(volume, ret_contents);
	kc_volume_python_version(volume, taking.python);
	status = take(&taking, err);
	if (status < 0) {
		kc_contents_release(ret_contents);
		return kc_error_prefix(err, "contents of `%s`", volume->path);
	}
	return 0;
}

void kc_contents_release(struct kc_contents *contents)
{
	free(contents->packages);
	free(contents->components);
	free(contents->libraries);
	kc_entries_release(&contents->entries);
	kc_components_release(&contents->rules);
	*contents = (struct kc_contents){ 0 };
}
