/* Container images on disk, made in code: what is put together of their layers, and what is refused. HOSTILE section 2c. */
#include "image/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/sentinel.h"
#include "fixtures/tar_maker.h"
#include "fixtures/temporary.h"
#include "sys/file.h"
#include "tests/kc_test.h"

enum { MIB = 1 << 20 };

static struct kc_temporary cache;
static struct kc_store store;
static char *kept_cache;

static int setup(void)
{
	const char *variable = getenv("XDG_CACHE_HOME");
	struct kc_error err = { 0 };

	kept_cache = variable ? strdup(variable) : NULL;
	if (kc_temporary_make(&cache, &err) < 0 || setenv("XDG_CACHE_HOME", cache.path, 1) < 0)
		return -1;
	return kc_store_open(&store, &err);
}

static int teardown(void)
{
	kc_store_close(&store);
	kc_temporary_remove(&cache);
	if (kept_cache)
		(void)setenv("XDG_CACHE_HOME", kept_cache, 1);
	else
		(void)unsetenv("XDG_CACHE_HOME");
	free(kept_cache);
	return 0;
}

/* A layer of one file `name` with `text`, or, where `text` is NULL, one mark `name`. */
static void make_layer(const char *name, const char *text, struct kc_buffer *tar,
		       char ret_digest[KC_SHA256_HEX_SIZE])
{
	const struct kc_tar_item item = { .name = name, .data = text };
	struct kc_error err = { 0 };

	kc_tar_make(tar, &item, 1);
	KC_CHECK_OK(kc_sha256_of(tar->data, tar->length, ret_digest, &err), err);
}

static void write_in(const char *directory, const char *name, const void *bytes, size_t length)
{
	char path[PATH_MAX * 2];
	struct kc_error err = { 0 };

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, path, bytes, length, 0600, &err), err);
}

/* What differs from a sound image. */
struct flaw {
	const char *name;
	const char *layer_file;	  /* the first layer's file in manifest.json; NULL: as it is */
	const char *diff_id;	  /* of the first layer in the config; NULL: the real one */
	const char *architecture; /* NULL: "amd64" */
	bool one_layer_only;	  /* manifest.json lists one */
	const char *error;
};

#define WRONG_DIGEST "0000000000000000000000000000000000000000000000000000000000000000"

static const struct flaw saved_flaws[] = {
	{ .name = "sound" },
	{ .name = "another digest", .diff_id = WRONG_DIGEST, .error = "the tar inside has SHA-256" },
	{ .name = "a file outside", .layer_file = "../outside.tar", .error = "open its `../outside.tar`" },
	{ .name = "an absolute file", .layer_file = "/etc/passwd", .error = "open its `/etc/passwd`" },
	{ .name = "a link outside", .layer_file = "link.tar", .error = "open its `link.tar`" },
	{ .name = "a FIFO", .layer_file = "fifo", .error = "is not a file" },
	{ .name = "no such file", .layer_file = "none.tar", .error = "open its `none.tar`" },
	{ .name = "fewer layers than the config has",
	  .one_layer_only = true,
	  .error = "2 layers, and the manifest has 1" },
};

static void write_saved(const char *directory, const struct flaw *flaw)
{
	KC_CLEANUP_BUFFER struct kc_buffer lower = KC_BUFFER_INIT(MIB), upper = KC_BUFFER_INIT(MIB);
	char lower_digest[KC_SHA256_HEX_SIZE], upper_digest[KC_SHA256_HEX_SIZE], text[1024],
		path[PATH_MAX * 2];

	make_layer("a", flaw->name, &lower,
		   lower_digest); /* another one for each row: nothing is found in the store */
	make_layer("b", "upper", &upper, upper_digest);
	write_in(directory, "lower.tar", lower.data, lower.length);
	write_in(directory, "upper.tar", upper.data, upper.length);
	(void)snprintf(path, sizeof(path), "%s/link.tar", directory);
	KC_CHECK_INT(symlink("/etc/passwd", path), 0);
	(void)snprintf(path, sizeof(path), "%s/fifo", directory);
	KC_CHECK_INT(mkfifo(path, 0600), 0);
	(void)snprintf(text, sizeof(text),
		       "{\"os\": \"linux\", \"architecture\": \"amd64\", \"rootfs\": {\"diff_ids\": "
		       "[\"sha256:%s\", \"sha256:%s\"]}}",
		       flaw->diff_id ? flaw->diff_id : lower_digest, upper_digest);
	write_in(directory, "config.json", text, strlen(text));
	(void)snprintf(text, sizeof(text),
		       "[{\"Config\": \"config.json\", \"RepoTags\": [\"x:1\"], \"Layers\": [\"%s\"%s]}]",
		       flaw->layer_file ? flaw->layer_file : "lower.tar",
		       flaw->one_layer_only ? "" : ", \"upper.tar\"");
	write_in(directory, "manifest.json", text, strlen(text));
}

static void what_docker_saved_is_layer_upon_layer(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(saved_flaws); i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
		struct kc_container container;
		struct kc_error err = { 0 };
		int status;

		KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
		write_saved(directory.path, &saved_flaws[i]);
		status = kc_container_open_saved(&store, directory.path, "", &container, &err);
		KC_CHECK_MESSAGE((status == 0) == !saved_flaws[i].error, "%s: %d %s", saved_flaws[i].name,
				 status, err.text);
		if (saved_flaws[i].error) {
			KC_CHECK_CONTAINS(err.text, saved_flaws[i].error);
		} else {
			KC_CHECK_INT(container.layers.count, 2);
			KC_CHECK(kc_layers_have_file(&container.layers, "/a") &&
				 kc_layers_have_file(&container.layers, "/b"));
			KC_CHECK_STRING(container.architecture, "x86_64");
		}
		kc_layers_release(&container.layers);
	}
}

/* --- OCI layout --- */

static void put_blob(const char *directory, const void *bytes, size_t length,
		     char ret_digest[KC_SHA256_HEX_SIZE])
{
	char path[160];
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_sha256_of(bytes, length, ret_digest, &err), err);
	(void)snprintf(path, sizeof(path), "blobs/sha256/%s", ret_digest);
	write_in(directory, path, bytes, length);
}

static void make_blobs_directory(const char *directory)
{
	char path[PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/blobs", directory);
	KC_CHECK_INT(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/blobs/sha256", directory);
	KC_CHECK_INT(mkdir(path, 0700), 0);
}

/* Digests of what was written: the layer twice, once hiding and once bringing. */
struct layout {
	char layer[KC_SHA256_HEX_SIZE], hider[KC_SHA256_HEX_SIZE], config[KC_SHA256_HEX_SIZE],
		manifest[KC_SHA256_HEX_SIZE];
};

/* `name` makes its layer another one than those of other tests. The layer, one that hides its file, the layer again. */
static void write_layout(const char *directory, const char *name, struct layout *layout)
{
	KC_CLEANUP_BUFFER struct kc_buffer layer = KC_BUFFER_INIT(MIB), hider = KC_BUFFER_INIT(MIB);
	char text[2048];

	make_blobs_directory(directory);
	make_layer("a", name, &layer, layout->layer);
	make_layer(".wh.a", NULL, &hider, layout->hider);
	put_blob(directory, layer.data, layer.length, layout->layer);
	put_blob(directory, hider.data, hider.length, layout->hider);
	(void)snprintf(text, sizeof(text),
		       "{\"os\": \"linux\", \"architecture\": \"amd64\", \"rootfs\": {\"diff_ids\": "
		       "[\"sha256:%s\", \"sha256:%s\", \"sha256:%s\"]}}",
		       layout->layer, layout->hider, layout->layer);
	put_blob(directory, text, strlen(text), layout->config);
	(void)snprintf(
		text, sizeof(text),
		"{\"schemaVersion\": 2, \"config\": {\"digest\": \"sha256:%s\", \"size\": %zu}, \"layers\": ["
		"{\"digest\": \"sha256:%s\", \"size\": %zu}, {\"digest\": \"sha256:%s\", \"size\": %zu}, "
		"{\"digest\": \"sha256:%s\", \"size\": %zu}]}",
		layout->config, strlen(text), layout->layer, layer.length, layout->hider, hider.length,
		layout->layer, layer.length);
	put_blob(directory, text, strlen(text), layout->manifest);
	(void)snprintf(text + 1024, sizeof(text) - 1024,
		       "{\"schemaVersion\": 2, \"manifests\": [{\"digest\": \"sha256:%s\", \"size\": %zu}]}",
		       layout->manifest, strlen(text));
	write_in(directory, "index.json", text + 1024, strlen(text + 1024));
}

/* What the upper layer brings again is seen, although one between hides it; and it is mounted once only. */
static void a_layer_may_come_twice(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	struct kc_container container;
	struct kc_error err = { 0 };
	struct layout layout;

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	write_layout(directory.path, "twice", &layout);
	KC_REQUIRE_OK(kc_container_open_layout(&store, directory.path, "x86_64", "", &container, &err), err);
	KC_CHECK_INT(container.layers.count, 2);
	KC_CHECK(kc_layers_have_file(&container.layers, "/a"));
	KC_CHECK_STRING(container.digest, layout.config);
	kc_layers_release(&container.layers);
}

/* A bit of each document and layer flipped, or its end cut off. */
static void blobs_that_are_not_what_they_are_named_by_are_refused(void)
{
	static const size_t blobs[] = { offsetof(struct layout, layer), offsetof(struct layout, config),
					offsetof(struct layout, manifest) };

	for (size_t i = 0; i < 2 * KC_ARRAY_LENGTH(blobs); i++) {
		KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer bytes = KC_BUFFER_INIT(MIB);
		struct kc_container container;
		struct kc_error err = { 0 };
		struct layout layout;
		char name[16], path[160], full[PATH_MAX * 2];

		KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
		(void)snprintf(name, sizeof(name), "flaw %zu", i);
		write_layout(directory.path, name, &layout);
		(void)snprintf(path, sizeof(path), "blobs/sha256/%s", (char *)&layout + blobs[i / 2]);
		(void)snprintf(full, sizeof(full), "%s/%s", directory.path, path);
		KC_REQUIRE_OK(kc_file_read(AT_FDCWD, full, &bytes, &err), err);
		if (i % 2)
			bytes.length -= 1;
		else
			bytes.data[0] ^= 1;
		write_in(directory.path, path, bytes.data, bytes.length);
		KC_CHECK_MESSAGE(kc_container_open_layout(&store, directory.path, "x86_64", "", &container,
							  &err) == -EBADMSG,
				 "%zu: %s", i, err.text);
		kc_layers_release(&container.layers);
	}
}

static void a_directory_that_is_no_layout_says_what_was_looked_for(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	struct kc_container container;
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	KC_CHECK_INT(kc_container_open_layout(&store, directory.path, "x86_64", "", &container, &err),
		     -ENOENT);
	KC_CHECK_CONTAINS(err.text, "index.json");
	KC_CHECK_INT(kc_container_open_saved(&store, directory.path, "", &container, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "manifest.json");
	KC_CHECK_CONTAINS(err.hint, "docker save");
}

KC_TEST_SUITE_WITH(container, KC_LABEL_FAST, setup, teardown, KC_TEST(what_docker_saved_is_layer_upon_layer),
		   KC_TEST(a_layer_may_come_twice),
		   KC_TEST(blobs_that_are_not_what_they_are_named_by_are_refused),
		   KC_TEST(a_directory_that_is_no_layout_says_what_was_looked_for));
