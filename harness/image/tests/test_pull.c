/* Images of a real registry, made by umoci and pushed by skopeo: the tree that comes out is the one that umoci makes of the same
 * image, whiteouts included; and nothing is asked twice. */
#include "image/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/embedded.h"
#include "fixtures/registry_server.h"
#include "fixtures/sentinel.h"
#include "fixtures/temporary.h"
#include "image/inventory.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"
#include "sys/fd.h"
#include "sys/process.h"
#include "sys/time.h"
#include "tests/kc_test.h"

#define MISSING "docker-registry, umoci, skopeo or busybox-static is not installed"
#define INNER_ID 2147400000u
#define PATIENCE_MS 60000

static struct {
	struct kc_temporary directory, cache;
	struct kc_registry_server server;
	struct kc_seccomp_filter filter;
	struct kc_store store;
	char *kept_cache;
	struct utsname machine;
	bool is_missing;
} world;

/* A rootfs of busybox and files; a layer that hides some, and puts files for directories and the other way round; one that is
 * opaque. $1: the registry; $2: who is to own what umoci unpacked, or "". */
static const char making[] =
	"set -e; for t in umoci skopeo busybox; do command -v $t >/dev/null || exit 77; done\n"
	"umoci init --layout layout; umoci new --image layout:t; umoci unpack --rootless --image layout:t "
	"one\n"
	"cd one/rootfs; mkdir -p bin dev proc tmp etc/apk/keys etc/network/if-up.d media/cdrom srv usr/lib; "
	"cp /bin/busybox bin/sh\n"
	"for f in etc/apk/keys/one etc/motd etc/hostname etc/issue etc/network/interfaces usr/lib/a; do echo "
	"$f >$f; done\n"
	"for t in find sort cat readlink sha256sum wc grep; do ln -s sh bin/$t; done\n"
	"ln usr/lib/a usr/lib/hard; mkdir lib; cp bin/sh lib/ld-musl-$(uname -m).so.1; printf "
	"'\\0001.2.3\\000' >>lib/ld-musl-$(uname -m).so.1; chmod 755 bin/sh; cd ../..; umoci repack --image "
	"layout:t one\n"
	"umoci unpack --rootless --image layout:t two; cd two/rootfs\n"
	"rm -r etc/apk etc/motd etc/hostname media\n"
	"mkdir etc/hostname; echo in >etc/hostname/in; echo file >media; ln -s motd etc/link; echo new "
	">etc/issue\n"
	"rm -r srv; ln -s usr srv; cd ../..; umoci repack --image layout:t two\n"
	"mkdir opaque; echo only >opaque/only\n"
	"umoci insert --rootless --opaque --image layout:t opaque /etc/network\n"
	"umoci unpack --rootless --image layout:t expected; [ ! \"$2\" ] || chown -R \"$2:$2\" "
	"expected/rootfs\n"
	"push() { skopeo --insecure-policy copy --dest-tls-verify=false \"$@\"; }\n"
	"push oci:layout:t docker://$1/a/b:gzip\n"
	"umoci tag --image layout:t u; umoci insert --rootless --image layout:u opaque /moved\n"
	"push oci:layout:t docker://$1/a/b:tag; push oci:layout:u docker://$1/a/b:later\n"
	"push --dest-compress-format zstd oci:layout:t docker://$1/a/b:zstd\n"
	"push --format v2s2 oci:layout:t docker://$1/a/b:docker\n";

/* Everything that is in a root filesystem, but for what a sandbox puts there itself. */
static const char listing[] =
	"cd /; find . -xdev \\( -path ./proc -o -path ./dev -o -path ./tmp \\) -prune -o -print | sort "
	">/tmp/all\n"
	"while read -r f; do if [ -L \"$f\" ]; then echo \"$f -> $(readlink \"$f\")\"; elif [ -d \"$f\" ]; "
	"then echo \"$f/\"\n"
	"else echo \"$f $(sha256sum <\"$f\")\"; fi; done </tmp/all >/tmp/list\n"
	"wc -l </tmp/list; sha256sum </tmp/list; grep -E '^./(etc|media|srv)' /tmp/list\n";

static int make_image(struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 20);
	char owner[16] = "";
	const char *const argv[] = { "sh", "-c", making, "sh", world.server.host, owner, NULL };
	const struct kc_process process = { .argv = argv,
					    .directory = world.directory.path,
					    .timeout_ms = PATIENCE_MS,
					    .output = &output,
					    .errors = &output };
	int exit_status = -1, status;

	if (geteuid() == 0)
		(void)snprintf(owner, sizeof(owner), "%u", INNER_ID);
	status = kc_process_run(&process, &exit_status, err);
	if (status == 0 && exit_status == 77)
		return -ENOENT;
	return status == 0 && exit_status != 0
		       ? kc_error_set(err, EIO, "make an image: exit status %d: %.800s", exit_status,
				      kc_buffer_string(&output))
		       : status;
}

static int make_store(struct kc_error *err)
{
	const char *variable = getenv("XDG_CACHE_HOME"), *profile = NULL;
	size_t length = 0;

	world.kept_cache = variable ? strdup(variable) : NULL;
	if (kc_temporary_make(&world.cache, err) < 0 || setenv("XDG_CACHE_HOME", world.cache.path, 1) < 0 ||
	    !kc_embedded_find("compat/seccomp.json", &profile, &length))
		return -EIO;
	if (kc_seccomp_compile(profile, length, "compat/seccomp.json", &world.filter, err) < 0)
		return -EIO;
	return kc_store_open(&world.store, err);
}

static int setup(void)
{
	struct kc_error err = { 0 };
	int status = kc_temporary_make(&world.directory, &err);

	if (uname(&world.machine) < 0)
		return -1;

	if (status == 0)
		status = make_store(&err);
	if (status == 0)
		status = kc_registry_server_start(&world.server, world.directory.path, NULL, &err);
	if (status == 0)
		status = make_image(&err);
	world.is_missing = status == -ENOENT;
	if (status < 0 && !world.is_missing)
		(void)fprintf(stderr, "%s\n", err.text);
	return status < 0 && !world.is_missing ? -1 : 0;
}

static int teardown(void)
{
	kc_registry_server_stop(&world.server);
	kc_store_close(&world.store);
	kc_seccomp_release(&world.filter);
	if (world.kept_cache)
		(void)setenv("XDG_CACHE_HOME", world.kept_cache, 1);
	else
		(void)unsetenv("XDG_CACHE_HOME");
	free(world.kept_cache);
	kc_temporary_remove(&world.cache);
	kc_temporary_remove(&world.directory);
	return 0;
}

/* What `listing` says of a root filesystem of these layers. */
static void list_layers(const struct kc_layers *layers, struct kc_buffer *text)
{
	static const char *const environment[] = { "PATH=/bin:/usr/bin", "LC_ALL=C", NULL };
	static const char *const argv[] = { "/bin/sh", "-c", listing, NULL };
	KC_CLEANUP(kc_sandbox_release) struct kc_sandbox *sandbox = kc_sandbox_new();
	KC_CLEANUP_FREE struct kc_excerpt *excerpt = calloc(1, sizeof(*excerpt));
	struct kc_sandbox_outcome outcome;
	struct kc_error err = { 0 };

	KC_REQUIRE(sandbox && excerpt);
	kc_sandbox_set_inner_id(sandbox, INNER_ID);
	for (size_t i = 0; i < layers->count; i++)
		kc_sandbox_add_layer(sandbox, layers->trees[i]);
	kc_sandbox_set_filter(sandbox, &world.filter);
	kc_sandbox_set_command(sandbox, argv, environment);
	KC_REQUIRE_OK(kc_sandbox_start(sandbox, &err), err);
	KC_CHECK_OK(kc_sandbox_wait(sandbox, kc_now_ms() + PATIENCE_MS, excerpt, excerpt, &outcome, &err),
		    err);
	KC_CHECK_INT(kc_excerpt_append_to(excerpt, text), 0);
	KC_CHECK_MESSAGE(outcome.end == KC_END_EXITED && outcome.status == 0, "%s", kc_buffer_string(text));
}

/* An architecture that the images are not for. */
static const char *other(void)
{
	return strcmp(world.machine.machine, "aarch64") == 0 ? "x86_64" : "aarch64";
}

static int pull(const char *image, bool is_offline, struct kc_container *ret_container, struct kc_error *err)
{
	const struct kc_image_request request = { .is_offline = is_offline, .http = { .attempts = 1 } };
	char text[256];

	(void)snprintf(text, sizeof(text), "%s/%s", world.server.host, image);
	return kc_pull(&world.store, &request, text, world.machine.machine, ret_container, err);
}

static void the_tree_is_that_of_umoci(void)
{
	static const char *const images[] = { "a/b:gzip", "a/b:zstd", "a/b:docker" };
	KC_CLEANUP_BUFFER struct kc_buffer expected = KC_BUFFER_INIT(1 << 20);
	KC_CLEANUP_LAYERS struct kc_layers unpacked = { 0 };
	struct kc_error err = { 0 };
	char path[PATH_MAX + 32];

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(path, sizeof(path), "%s/expected/rootfs", world.directory.path);
	KC_REQUIRE_OK(kc_layers_add(&unpacked, path, &err), err);
	list_layers(&unpacked, &expected);
	/* What the layers were to hide and to bring; without it the comparison would prove little. */
	KC_CHECK_CONTAINS(kc_buffer_string(&expected), "./etc/network/only ");
	KC_CHECK_CONTAINS(kc_buffer_string(&expected), "./etc/hostname/in ");
	KC_CHECK_CONTAINS(kc_buffer_string(&expected), "./media ");
	KC_CHECK_CONTAINS(kc_buffer_string(&expected), "./srv -> usr\n");
	KC_CHECK(!strstr(kc_buffer_string(&expected), "./etc/network/if-up.d") &&
		 !strstr(kc_buffer_string(&expected), "./etc/apk") &&
		 !strstr(kc_buffer_string(&expected), "./etc/motd "));
	for (size_t i = 0; i < KC_ARRAY_LENGTH(images); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer got = KC_BUFFER_INIT(1 << 20);
		struct kc_container container = { .digest = "" };

		KC_CHECK_OK(pull(images[i], false, &container, &err), err);
		list_layers(&container.layers, &got);
		KC_CHECK_STRING(kc_buffer_string(&got), kc_buffer_string(&expected));
		kc_layers_release(&container.layers);
	}
}

static void what_was_pulled_needs_no_registry(void)
{
	struct kc_container first, again, unknown;
	struct kc_error err = { 0 };

	if (world.is_missing)
		KC_SKIP(MISSING);
	KC_REQUIRE_OK(pull("a/b:gzip", false, &first, &err), err);
	KC_CHECK_OK(pull("a/b:gzip", true, &again, &err), err);
	KC_CHECK_STRING(again.digest, first.digest);
	KC_CHECK_INT(again.layers.count, first.layers.count);
	KC_CHECK_INT(pull("a/b:other", true, &unknown, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "not in the store, and nothing may be downloaded (--offline)");
	kc_layers_release(&first.layers);
	kc_layers_release(&again.layers);
}

/* A tag that is moved moves nothing here, until that is asked for. */
static void a_moved_tag_is_followed_when_that_is_asked_for(void)
{
	const struct kc_image_request renewing = { .renew = true, .http = { .attempts = 1 } };
	char from[128], to[128], text[128];
	const char *const argv[] = { "skopeo",
				     "--insecure-policy",
				     "copy",
				     "--dest-tls-verify=false",
				     "--src-tls-verify=false",
				     from,
				     to,
				     NULL };
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 20);
	const struct kc_process process = {
		.argv = argv, .timeout_ms = PATIENCE_MS, .output = &output, .errors = &output
	};
	struct kc_container first, again, renewed, later;
	struct kc_error err = { 0 };
	int exit_status = -1;

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(from, sizeof(from), "docker://%s/a/b:later", world.server.host);
	(void)snprintf(to, sizeof(to), "docker://%s/a/b:tag", world.server.host);
	(void)snprintf(text, sizeof(text), "%s/a/b:tag", world.server.host);
	KC_REQUIRE_OK(pull("a/b:tag", false, &first, &err), err);
	KC_CHECK_OK(kc_process_run(&process, &exit_status, &err), err);
	KC_CHECK_MESSAGE(exit_status == 0, "%s", kc_buffer_string(&output));
	KC_CHECK_OK(pull("a/b:tag", false, &again, &err), err);
	KC_CHECK_STRING(again.digest, first.digest);
	KC_CHECK_OK(kc_pull(&world.store, &renewing, text, world.machine.machine, &renewed, &err), err);
	KC_CHECK_OK(pull("a/b:later", false, &later, &err), err);
	KC_CHECK_STRING(renewed.digest, later.digest);
	KC_CHECK(strcmp(renewed.digest, first.digest) != 0);
	KC_CHECK(kc_layers_have_file(&renewed.layers, "/moved/only") &&
		 !kc_layers_have_file(&first.layers, "/moved/only"));
	kc_layers_release(&first.layers);
	kc_layers_release(&again.layers);
	kc_layers_release(&renewed.layers);
	kc_layers_release(&later.layers);
}

/* Nothing of a download is left beside the layers. */
static void downloads_are_removed(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer names = KC_BUFFER_INIT(1 << 16);
	char path[PATH_MAX + 32];
	const char *const argv[] = { "ls", "-A", path, NULL };
	const struct kc_process process = { .argv = argv, .timeout_ms = PATIENCE_MS, .output = &names };
	struct kc_error err = { 0 };
	int exit_status;

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(path, sizeof(path), "%s/downloads/blobs", world.store.path);
	KC_CHECK_OK(kc_process_run(&process, &exit_status, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&names), "lock\n");
}

static void another_architecture_is_refused(void)
{
	const struct kc_image_request request = { .http = { .attempts = 1 } };
	struct kc_container container;
	struct kc_error err = { 0 };
	char text[256];

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(text, sizeof(text), "%s/a/b:gzip", world.server.host);
	KC_CHECK_INT(kc_pull(&world.store, &request, text, other(), &container, &err), -ENOTSUP);
	KC_CHECK_CONTAINS(err.text, "it is for linux/");
	KC_CHECK_CONTAINS(err.text, other());
}

static bool has_item(const struct kc_inventory *inventory, const char *start)
{
	for (size_t i = 0; i < inventory->count; i++)
		if (strncmp(inventory->items[i], start, strlen(start)) == 0)
			return true;
	return false;
}

static size_t count_layers(void)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/trees", world.store.path);
	return kc_count_names(AT_FDCWD, path);
}

/* Two images that share their layers, and one that is nobody's. Last: it empties the store. */
static void what_no_image_needs_can_be_removed(void)
{
	KC_CLEANUP_INVENTORY struct kc_inventory items = { .items = NULL };
	struct kc_container container;
	struct kc_error err = { 0 };
	static const char *const others[] = { "docker", "zstd", "tag", "later" };
	char gzip[256], path[PATH_MAX + 64];
	size_t count, layers;

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(gzip, sizeof(gzip), "oci:%s/a/b:gzip", world.server.host);
	KC_CHECK_OK(pull("a/b:docker", false, &container, &err), err);
	kc_layers_release(&container.layers);
	layers = count_layers();
	KC_CHECK_OK(kc_inventory_of(&world.store, gzip, NULL, &items, &err), err);
	KC_CHECK(has_item(&items, "trees/layer-") && has_item(&items, "images/registry-"));
	KC_CHECK_INT(kc_inventory_of(&world.store, gzip, other(), NULL, &err), -ENOENT);
	/* The other's layers stay. */
	KC_CHECK_OK(kc_inventory_remove(&world.store, gzip, &count, &err), err);
	KC_CHECK_INT(count, 1);
	KC_CHECK_INT(count_layers(), layers);
	KC_CHECK_INT(kc_inventory_remove(&world.store, gzip, &count, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "is not in the store");
	/* Nobody's things go, somebody's stay. */
	(void)snprintf(path, sizeof(path), "%s/trees/layer-nobodys", world.store.path);
	KC_CHECK_INT(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/downloads/blobs/half.part", world.store.path);
	KC_CHECK(kc_write_small(AT_FDCWD, path, "half"));
	KC_CHECK_OK(kc_inventory_prune(&world.store, &count, &err), err);
	KC_CHECK_INT(count, 2);
	KC_CHECK_INT(count_layers(), layers);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(others); i++) {
		(void)snprintf(path, sizeof(path), "oci:%s/a/b:%s", world.server.host, others[i]);
		KC_CHECK_OK(kc_inventory_remove(&world.store, path, &count, &err), err);
	}
	KC_CHECK_INT(count_layers(), 0);
}

KC_TEST_SUITE_WITH(pull, KC_LABEL_SANDBOX, setup, teardown, KC_TEST(the_tree_is_that_of_umoci),
		   KC_TEST(what_was_pulled_needs_no_registry),
		   KC_TEST(a_moved_tag_is_followed_when_that_is_asked_for), KC_TEST(downloads_are_removed),
		   KC_TEST(another_architecture_is_refused), KC_TEST(what_no_image_needs_can_be_removed));
