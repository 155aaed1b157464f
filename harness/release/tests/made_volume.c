#include "release/tests/made_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/tests/store_test.h"
#include "run/inputs.h"
#include "sys/file.h"

static const struct kc_made_file usual[] = {
	{ "bin/python3.13",
	  KC_MADE_BYTES("\177ELF\0no more than its magic, and some bytes to fill it up to a header") },
	{ "include/python3.13/patchlevel.h", "/* x */\n#define PY_VERSION              \"3.13.2\"\n" },
	{ "lib/libpython3.13.so.1.0",
	  KC_MADE_BYTES("\177ELF\0\0\0003.13.2\0OpenSSL 3.0.16 11 Feb 2025\0 and so on and on") },
	{ KC_MADE_SITE "six-1.17.0.dist-info/METADATA", "Name: six\nVersion: 1.17.0\nLicense: MIT\n" },
	{ NULL },
};

static bool add(const struct kc_made_volume *made, const struct kc_made_file *file)
{
	char path[2 * PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", made->path, file->path);
	if (!file->bytes)
		return unlink(path) == 0;
	for (char *slash = path + strlen(made->path); (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return false;
		*slash = '/';
	}
	return kc_file_write_atomic(AT_FDCWD, path, file->bytes,
				    file->length ? file->length : strlen(file->bytes), 0644, NULL) == 0;
}

bool kc_made_volume_add(const struct kc_made_volume *made, const struct kc_made_file *files)
{
	bool is_done = true;

	for (; is_done && files->path; files++)
		is_done = add(made, files);
	return is_done;
}

bool kc_made_volume_make(struct kc_made_volume *made)
{
	char link[2 * PATH_MAX];

	*made = (struct kc_made_volume){ 0 };
	if (kc_temporary_make(&made->directory, NULL) < 0)
		return false;
	(void)snprintf(made->path, sizeof(made->path), "%s/krunner-env.static-gnu.x86_64",
		       made->directory.path);
	(void)snprintf(link, sizeof(link), "%s/bin/python", made->path);
	return kc_made_volume_add(made, usual) && symlink("python3.13", link) == 0;
}

int kc_made_volume_take(const struct kc_made_volume *made, struct kc_contents *ret_contents,
			struct kc_error *err)
{
	KC_CLEANUP_TEST_STORE struct kc_test_store test;
	KC_CLEANUP(kc_volume_release) struct kc_volume volume = { 0 };
	int status = kc_test_store_make(&test) ? 0 : kc_error_set(err, EIO, "make a store");

	if (status == 0)
		status = kc_volume_open(&test.store, made->path, &volume, err);
	return status < 0 ? status : kc_contents_take(&volume, ret_contents, err);
}

void kc_made_volume_release(struct kc_made_volume *made)
{
	kc_temporary_remove(&made->directory);
}

int kc_published_contents(const char *package, const char *version, struct kc_contents *ret_contents,
			  struct kc_error *err)
{
	KC_CLEANUP(kc_store_close) struct kc_store store = { .fd = -1 };
	KC_CLEANUP(kc_volume_release) struct kc_volume volume = { 0 };
	char name[128];
	int status = kc_store_open(&store, err);

	(void)snprintf(name, sizeof(name), "pypi:backend.ai-krunner-%s==%s", package, version);
	if (status == 0)
		status = kc_inputs_open_volume(
			&store, &(struct kc_inputs_request){ .volume = name, .architecture = "x86_64" },
			&volume, err);
	return status < 0 ? status : kc_contents_take(&volume, ret_contents, err);
}
