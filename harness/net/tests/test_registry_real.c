/* A real registry, filled by others' tools: Debian's docker-registry, umoci and skopeo. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "fixtures/http_peer.h"
#include "fixtures/registry_server.h"
#include "fixtures/registry_token.h"
#include "fixtures/temporary.h"
#include "net/registry.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/kc_test.h"

#define MISSING "docker-registry, umoci or skopeo is not installed on this machine"

enum { LAYERS_MAX = 8 };

static struct {
	struct kc_temporary directory;
	struct kc_registry_server server; /* open to all */
	char auth[PATH_MAX + 16];
	bool is_missing;
} world;

static const struct kc_http_options quick = { .attempts = 2,
					      .retry_delay_ms = 1,
					      .connect_timeout_ms = 5000 };

/* Runs a tool in the directory, which must succeed. -ENOENT if there is no such tool. */
static int run(const char *const *argv, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer output = KC_BUFFER_INIT(1 << 20);
	const char *const environment[] = { "LC_ALL=C.UTF-8", NULL };
	const struct kc_process process = { .argv = argv,
					    .environment = environment,
					    .directory = world.directory.path,
					    .timeout_ms = 60000,
					    .output = &output,
					    .errors = &output };
	int exit_status = 0;
	int status = kc_process_run(&process, &exit_status, err);

	if (status == 0 && exit_status != 0)
		status = kc_error_set(err, EIO, "%s %s: exit status %d: %.700s", argv[0], argv[1],
				      exit_status, kc_buffer_string(&output));
	return status;
}

static int write_file(const char *name, const char *text, struct kc_error *err)
{
	char path[PATH_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/%s", world.directory.path, name);
	return kc_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err);
}

/* An image of two layers in an OCI layout, by umoci; both kinds of manifest in the registry, by skopeo. */
static int fill_registry(struct kc_error *err)
{
	char as_oci[128], as_docker[128];
	const char *const commands[][10] = {
		{ "umoci", "init", "--layout", "layout" },
		{ "umoci", "new", "--image", "layout:t" },
		{ "umoci", "insert", "--rootless", "--image", "layout:t", "one", "/etc/one" },
		{ "umoci", "insert", "--rootless", "--image", "layout:t", "two", "/etc/two" },
		{ "skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "oci:layout:t", as_oci },
		{ "skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false", "--format", "v2s2",
		  "oci:layout:t", as_docker },
	};
	int status = write_file("one", "first layer\n", err);

	(void)snprintf(as_oci, sizeof(as_oci), "docker://%s/a/b:oci", world.server.host);
	(void)snprintf(as_docker, sizeof(as_docker), "docker://%s/a/b:docker", world.server.host);
	if (status == 0)
		status = write_file("two", "second layer\n", err);
	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(commands); i++)
		status = run(commands[i], err);
	return status;
}

static int setup(void)
{
	struct kc_error err = { 0 };
	int status = kc_temporary_make(&world.directory, &err);

	(void)snprintf(world.auth, sizeof(world.auth), "%s/auth.json", world.directory.path);
	if (status == 0)
		status = write_file("auth.json", "{}", &err);
	if (status == 0)
		status = kc_registry_server_start(&world.server, world.directory.path, NULL, &err);
	if (status == 0)
		status = fill_registry(&err);
	world.is_missing = status == -ENOENT;
	if (status < 0 && !world.is_missing)
		(void)fprintf(stderr, "%s\n", err.text);
	return status < 0 && !world.is_missing ? -1 : 0;
}

static int teardown(void)
{
	kc_registry_server_stop(&world.server);
	kc_temporary_remove(&world.directory);
	return 0;
}

/* The registry object for a/b:oci, or another name, at a server. `auth` is base64, NULL for no login. */
static int open_at(const char *host, const char *name, const char *auth, struct kc_registry **ret_registry,
		   struct kc_error *err)
{
	const struct kc_registry_options options = { .http = quick, .auth_file = world.auth };
	struct kc_registry_reference reference;
	char text[256];
	int status;

	(void)snprintf(text, sizeof(text), "{\"auths\":{\"%s\":{\"auth\":\"%s\"}}}", host, auth ? auth : "");
	status = write_file("auth.json", text, err);
	(void)snprintf(text, sizeof(text), "%s/%s", host, name);
	if (status == 0)
		status = kc_registry_reference_parse(text, &reference, err);
	return status < 0 ? status : kc_registry_open(&reference, &options, ret_registry, err);
}

/* All blobs that a manifest names, to files of their number. Returns how many, or a negative errno. */
static int get_all_blobs(struct kc_registry *registry, const struct kc_buffer *manifest, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *document = NULL;
	struct kc_registry_blob blobs[LAYERS_MAX];
	char paths[LAYERS_MAX][PATH_MAX + 32];
	const cJSON *descriptor;
	size_t count = 0;
	int status = kc_json_parse(manifest->data, manifest->length, "manifest", &document, err);

	if (status < 0)
		return status;
	descriptor = cJSON_GetObjectItem(document, "config");
	while (descriptor && count < LAYERS_MAX) {
		(void)snprintf(paths[count], sizeof(paths[count]), "%s/blob-%zu", world.directory.path,
			       count);
		(void)unlink(paths[count]);
		blobs[count].digest = cJSON_GetStringValue(cJSON_GetObjectItem(descriptor, "digest"));
		blobs[count].size = (int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(descriptor, "size"));
		blobs[count].path = paths[count];
		count++;
		descriptor = count == 1 ? cJSON_GetArrayItem(cJSON_GetObjectItem(document, "layers"), 0)
					: descriptor->next;
	}
	status = kc_registry_get_blobs(registry, blobs, count, err);
	for (size_t i = 0; status == 0 && i < count; i++)
		if (access(blobs[i].path, R_OK) < 0)
			status = kc_error_errno(err, errno, "open `%s`", blobs[i].path);
	return status < 0 ? status : (int)count;
}

static void images_are_pulled_by_tag_and_by_digest(void)
{
	static const struct {
		const char *name, *media_type;
	} rows[] = {
		{ "a/b:oci", KC_REGISTRY_OCI_MANIFEST },
		{ "a/b:docker", KC_REGISTRY_DOCKER_MANIFEST },
	};

	if (world.is_missing)
		KC_SKIP(MISSING);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_REGISTRY struct kc_registry *by_tag = NULL;
		KC_CLEANUP_REGISTRY struct kc_registry *by_digest = NULL;
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1 << 20);
		KC_CLEANUP_BUFFER struct kc_buffer again = KC_BUFFER_INIT(1 << 20);
		char type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE];
		char name[128], same[KC_REGISTRY_DIGEST_SIZE];
		struct kc_error err = { 0 };

		KC_REQUIRE_OK(open_at(world.server.host, rows[i].name, NULL, &by_tag, &err), err);
		KC_REQUIRE_OK(kc_registry_get_manifest(by_tag, NULL, &body, type, digest, &err), err);
		KC_CHECK_STRING(type, rows[i].media_type);
		KC_CHECK_INT(get_all_blobs(by_tag, &body, &err), 3);
		(void)snprintf(name, sizeof(name), "a/b:no-such-tag@%s", digest);
		KC_REQUIRE_OK(open_at(world.server.host, name, NULL, &by_digest, &err), err);
		KC_REQUIRE_OK(kc_registry_get_manifest(by_digest, NULL, &again, type, same, &err), err);
		KC_CHECK_STRING(same, digest);
		KC_CHECK_STRING(kc_buffer_string(&again), kc_buffer_string(&body));
	}
}

static void what_is_not_there_is_named(void)
{
	static const char none[] = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1 << 20);
	char type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE], path[PATH_MAX + 16];
	struct kc_error err = { 0 };

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(path, sizeof(path), "%s/none", world.directory.path);
	KC_REQUIRE_OK(open_at(world.server.host, "a/nothing:7", NULL, &registry, &err), err);
	KC_CHECK_INT(kc_registry_get_manifest(registry, NULL, &body, type, digest, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "/a/nothing:7`: registry 127.0.0.1:");
	KC_CHECK_CONTAINS(err.text, "has no such image or tag");
	KC_CHECK_INT(kc_registry_get_manifest(registry, none, &body, type, digest, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "has no such image or digest");
	KC_CHECK_INT(kc_registry_get_blob(registry, none, 10, path, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, none);
	KC_CHECK(access(path, F_OK) < 0);
}

/* puller:right-horse, puller:wrong-horse; the hash is what `htpasswd -Bbn` makes of the first. */
#define RIGHT "cHVsbGVyOnJpZ2h0LWhvcnNl"
#define WRONG "cHVsbGVyOndyb25nLWhvcnNl"
#define HASH "puller:$2y$04$c3MMSONj7mY1edyEr.924eR/43T/EJsoJX1tA6CFHC3qeh3k3P0p6\n"

static void a_registry_with_passwords_wants_the_right_one(void)
{
	static const struct {
		const char *auth;
		int expected;
		const char *text, *hint;
	} rows[] = {
		{ NULL, -EACCES, "nothing without a login", "put a login for 127.0.0.1:" },
		{ RIGHT, 0, "", "" },
		{ WRONG, -EACCES, "refuses the login", "check the login for 127.0.0.1:" },
	};
	struct kc_registry_server server = { 0 };
	char auth[PATH_MAX + 128];
	struct kc_error err = { 0 };

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(auth, sizeof(auth), "{htpasswd: {realm: a-test, path: \"%s/htpasswd\"}}",
		       world.directory.path);
	KC_REQUIRE_OK(write_file("htpasswd", HASH, &err), err);
	KC_REQUIRE_OK(kc_registry_server_start(&server, world.directory.path, auth, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1 << 20);
		char type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE];

		err = (struct kc_error){ 0 };
		KC_CHECK_OK(open_at(server.host, "a/b:oci", rows[i].auth, &registry, &err), err);
		KC_CHECK_INT(kc_registry_get_manifest(registry, NULL, &body, type, digest, &err),
			     rows[i].expected);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_CONTAINS(err.hint, rows[i].hint);
		KC_CHECK(!strstr(err.text, "horse") && !strstr(err.hint, "horse"));
		if (rows[i].expected == 0)
			KC_CHECK_INT(get_all_blobs(registry, &body, &err), 3);
	}
	kc_registry_server_stop(&server);
}

/* The file is skopeo's own. */
static void a_login_of_skopeos_is_found(void)
{
	struct kc_registry_server server = { 0 };
	const struct kc_registry_options options = { .http = quick, .auth_file = world.auth };
	const char *const log_in[] = { "skopeo",     "login",	 "--tls-verify=false",
				       "--authfile", world.auth, "-u",
				       "puller",     "-p",	 "right-horse",
				       server.host,  NULL };
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1 << 20);
	struct kc_registry_reference reference;
	char type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE];
	char text[PATH_MAX + 128];
	struct kc_error err = { 0 };

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(text, sizeof(text), "{htpasswd: {realm: a-test, path: \"%s/htpasswd\"}}",
		       world.directory.path);
	KC_REQUIRE_OK(write_file("htpasswd", HASH, &err), err);
	KC_REQUIRE_OK(kc_registry_server_start(&server, world.directory.path, text, &err), err);
	(void)unlink(world.auth);
	KC_CHECK_OK(run(log_in, &err), err);
	(void)snprintf(text, sizeof(text), "%s/a/b:oci", server.host);
	KC_CHECK_OK(kc_registry_reference_parse(text, &reference, &err), err);
	KC_CHECK_OK(kc_registry_open(&reference, &options, &registry, &err), err);
	if (registry)
		KC_CHECK_OK(kc_registry_get_manifest(registry, NULL, &body, type, digest, &err), err);
	kc_registry_server_stop(&server);
}

/* One pull with what the token server says. */
static int pull_with_token(const char *host, struct kc_http_peer *tokens, const char *answer,
			   struct kc_error *err)
{
	const struct kc_peer_reply replies[] = { { .body = answer } };
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1 << 20);
	char type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE];
	int status = kc_http_peer_serve(tokens, replies, 1) < 0 ? -EIO : 0;

	if (status == 0)
		status = open_at(host, "a/b:oci", NULL, &registry, err);
	if (status == 0)
		status = kc_registry_get_manifest(registry, NULL, &body, type, digest, err);
	if (status == 0)
		status = get_all_blobs(registry, &body, err);
	return status;
}

static void a_registry_with_tokens_verifies_them(void)
{
	static const struct {
		const char *repository, *actions;
		bool is_forged; /* signed by somebody else */
		int expected;
	} rows[] = {
		{ "a/b", "[\"pull\"]", false, 3 },
		{ "a/b", "[]", false, -EACCES },
		{ "a/c", "[\"pull\"]", false, -EACCES },
		{ "a/b", "[\"pull\"]", true, -EACCES },
	};
	struct kc_registry_signer signer = { 0 }, forger = { 0 };
	char certificate[PATH_MAX + 32], forged[PATH_MAX + 32], auth[2 * PATH_MAX];
	struct kc_error err = { 0 };

	if (world.is_missing)
		KC_SKIP(MISSING);
	(void)snprintf(certificate, sizeof(certificate), "%s/tokens.pem", world.directory.path);
	(void)snprintf(forged, sizeof(forged), "%s/forged.pem", world.directory.path);
	KC_CHECK_OK(kc_registry_signer_make(&signer, certificate, &err), err);
	KC_CHECK_OK(kc_registry_signer_make(&forger, forged, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer answer = KC_BUFFER_INIT(1 << 16);
		struct kc_registry_server server = { 0 };
		struct kc_http_peer tokens = { .fd = -1 };

		err = (struct kc_error){ 0 };
		KC_CHECK_INT(kc_http_peer_listen(&tokens, NULL), 0);
		(void)snprintf(auth, sizeof(auth),
			       "{token: {realm: \"%s/token\", service: \"" KC_REGISTRY_TOKEN_SERVICE
			       "\", issuer: \"" KC_REGISTRY_TOKEN_ISSUER "\", rootcertbundle: \"%s\"}}",
			       tokens.url, certificate);
		KC_CHECK_OK(kc_registry_signer_sign(rows[i].is_forged ? &forger : &signer, rows[i].repository,
						    rows[i].actions, &answer, &err),
			    err);
		KC_CHECK_OK(kc_registry_server_start(&server, world.directory.path, auth, &err), err);
		KC_CHECK_INT(pull_with_token(server.host, &tokens, kc_buffer_string(&answer), &err),
			     rows[i].expected);
		KC_CHECK_CONTAINS(kc_http_peer_log(&tokens),
				  "GET /token?service=registry+of+a+test&scope=repository%3aa%2fb%3apull ");
		if (rows[i].expected < 0)
			KC_CHECK_CONTAINS(err.text, "needs a login for it");
		kc_http_peer_stop(&tokens);
		kc_registry_server_stop(&server);
	}
	kc_registry_signer_release(&signer);
	kc_registry_signer_release(&forger);
}

KC_TEST_SUITE_WITH(registry_real, KC_LABEL_FAST, setup, teardown,
		   KC_TEST(images_are_pulled_by_tag_and_by_digest), KC_TEST(what_is_not_there_is_named),
		   KC_TEST(a_registry_with_passwords_wants_the_right_one),
		   KC_TEST(a_login_of_skopeos_is_found), KC_TEST(a_registry_with_tokens_verifies_them));
