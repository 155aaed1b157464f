/* Many blobs at once, and mirrors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fixtures/http_peer.h"
#include "fixtures/temporary.h"
#include "net/registry.h"
#include "sys/file.h"
#include "sys/time.h"
#include "tests/kc_test.h"

#define MANIFEST "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}"
#define OCI .headers = "Content-Type: " KC_REGISTRY_OCI_MANIFEST "\r\n"

enum { BLOBS = 6, BLOB_LENGTH = 50000 };

static struct {
	struct kc_temporary directory;
	char auth[PATH_MAX + 16];
	char bytes[BLOBS][BLOB_LENGTH];
	char digests[BLOBS][KC_REGISTRY_DIGEST_SIZE];
	char urls[BLOBS][128]; /* on the server */
	char paths[BLOBS][PATH_MAX + 16];
	struct kc_registry_blob blobs[BLOBS];
} world;

static const struct kc_http_options quick = { .attempts = 1, .low_speed_s = 60, .connect_timeout_ms = 5000 };

static int setup(void)
{
	struct kc_error err;

	if (kc_temporary_make(&world.directory, &err) < 0)
		return -1;
	(void)snprintf(world.auth, sizeof(world.auth), "%s/auth.json", world.directory.path);
	for (size_t i = 0; i < BLOBS; i++) {
		for (size_t j = 0; j < BLOB_LENGTH; j++)
			world.bytes[i][j] = (char)(i + j * 13 + j / 256);
		(void)snprintf(world.digests[i], sizeof(world.digests[i]), "sha256:");
		if (kc_sha256_of(world.bytes[i], BLOB_LENGTH, world.digests[i] + 7, &err) < 0)
			return -1;
		(void)snprintf(world.urls[i], sizeof(world.urls[i]), "/v2/a/b/blobs/%s", world.digests[i]);
		(void)snprintf(world.paths[i], sizeof(world.paths[i]), "%s/%zu", world.directory.path, i);
		world.blobs[i] = (struct kc_registry_blob){ world.digests[i], BLOB_LENGTH, world.paths[i] };
	}
	return kc_file_write_atomic(AT_FDCWD, world.auth, "{}", 2, 0600, &err);
}

static int teardown(void)
{
	kc_temporary_remove(&world.directory);
	return 0;
}

static void remove_files(void)
{
	for (size_t i = 0; i < BLOBS; i++) {
		char part[sizeof(world.paths[i]) + 8];

		(void)snprintf(part, sizeof(part), "%s.part", world.paths[i]);
		(void)unlink(world.paths[i]);
		(void)unlink(part);
	}
}

static unsigned int count_files(void)
{
	unsigned int count = 0;

	for (size_t i = 0; i < BLOBS; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer bytes = KC_BUFFER_INIT(2 * BLOB_LENGTH);

		count += kc_file_read(AT_FDCWD, world.paths[i], &bytes, NULL) == 0 &&
			 bytes.length == BLOB_LENGTH && memcmp(bytes.data, world.bytes[i], BLOB_LENGTH) == 0;
	}
	return count;
}

static int open_at(const char *host, const struct kc_registry_options *options,
		   struct kc_registry **ret_registry, struct kc_error *err)
{
	struct kc_registry_reference reference;
	char name[160];
	int status;

	(void)snprintf(name, sizeof(name), "%s/a/b:t", host);
	status = kc_registry_reference_parse(name, &reference, err);
	return status < 0 ? status : kc_registry_open(&reference, options, ret_registry, err);
}

struct seen {
	int64_t done, total;
	int64_t interrupt_at; /* bytes; 0: never */
	bool has_shrunk;
};

static void note_progress(void *context, int64_t done, int64_t total)
{
	struct seen *seen = context;

	seen->has_shrunk |= done < seen->done;
	seen->done = done;
	seen->total = total;
}

static bool is_interrupted(void *context)
{
	const struct seen *seen = context;

	return seen->interrupt_at && seen->done >= seen->interrupt_at;
}

static int get_blobs(const struct kc_http_peer *peer, const struct kc_registry_blob *blobs, size_t count,
		     struct seen *seen, struct kc_error *err)
{
	struct kc_registry_options options = { .http = quick, .auth_file = world.auth };
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	int status;

	options.http.progress = note_progress;
	options.http.is_interrupted = is_interrupted;
	options.http.context = seen;
	status = open_at(peer->url + strlen("http://"), &options, &registry, err);
	return status < 0 ? status : kc_registry_get_blobs(registry, blobs, count, err);
}

static void blobs_arrive_together(void)
{
	struct kc_http_peer peer = { .fd = -1 };
	struct kc_peer_reply replies[BLOBS];
	struct kc_registry_blob blobs[BLOBS + 2];
	struct seen seen = { 0 };
	struct kc_error err = { 0 };

	for (size_t i = 0; i < BLOBS; i++)
		replies[i] = (struct kc_peer_reply){ .path = world.urls[i],
						     .body = world.bytes[i],
						     .body_length = BLOB_LENGTH };
	memcpy(blobs, world.blobs, sizeof(world.blobs));
	blobs[BLOBS] = world.blobs[0]; /* images repeat their empty layers */
	blobs[BLOBS + 1] = world.blobs[5];
	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0 && kc_http_peer_serve(&peer, replies, BLOBS) == 0);
	KC_CHECK_OK(get_blobs(&peer, blobs, BLOBS + 2, &seen, &err), err);
	KC_CHECK_INT(count_files(), BLOBS);
	KC_CHECK_INT(kc_http_peer_requests(&peer), BLOBS);
	KC_CHECK_INT(seen.done, BLOBS * BLOB_LENGTH);
	KC_CHECK_INT(seen.total, BLOBS * BLOB_LENGTH);
	KC_CHECK(!seen.has_shrunk);
	KC_CHECK_OK(get_blobs(&peer, NULL, 0, &seen, &err), err);
	kc_http_peer_stop(&peer);
	remove_files();
}

static void blobs_that_cannot_be_are_refused(void)
{
	const struct kc_registry_blob rows[][2] = {
		{ world.blobs[0], { world.digests[1], BLOB_LENGTH, world.paths[0] } },
		{ world.blobs[0], { world.digests[1], -1, world.paths[1] } },
		{ { world.digests[1], INT64_MAX, world.paths[1] }, { world.digests[2], 1, world.paths[2] } },
		{ { "sha256:../x", 1, world.paths[1] }, { "sha256:../x", 1, world.paths[2] } },
	};
	struct kc_http_peer peer = { .fd = -1 };
	struct seen seen = { 0 };

	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_error err = { 0 };

		KC_CHECK_INT(get_blobs(&peer, rows[i], 2, &seen, &err), -EINVAL);
		KC_CHECK_CONTAINS(err.text, "/a/b:t`: ");
	}
	KC_CHECK_INT(count_files(), 0);
	kc_http_peer_stop(&peer);
}

/* One store hangs for good; what the other says ends both at once, so they were under way together. */
static void the_first_failure_ends_the_others(void)
{
	struct kc_http_peer peer = { .fd = -1 }, hangs = { .fd = -1 };
	char location[128];
	const struct kc_peer_reply replies[] = {
		{ .path = world.urls[0], .status = 307, .headers = location },
		{ .path = world.urls[1], .body = world.bytes[1], .body_length = BLOB_LENGTH },
	};
	const struct kc_peer_reply stalls[] = { { .body = world.bytes[0],
						  .body_length = BLOB_LENGTH,
						  .send_bytes = 20000,
						  .flags = KC_PEER_STALL } };
	struct seen seen = { 0 };
	struct kc_error err = { 0 };
	int64_t began_ms = kc_now_ms();

	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0 && kc_http_peer_listen(&hangs, NULL) == 0);
	(void)snprintf(location, sizeof(location), "Location: %s/store\r\n", hangs.url);
	KC_CHECK(kc_http_peer_serve(&peer, replies, 2) == 0 && kc_http_peer_serve(&hangs, stalls, 1) == 0);
	KC_CHECK_INT(get_blobs(&peer, world.blobs, BLOBS, &seen, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "has no such blob sha256:");
	KC_CHECK(kc_now_ms() - began_ms < 30000);
	KC_CHECK(count_files() <= 1);
	kc_http_peer_stop(&peer);
	kc_http_peer_stop(&hangs);
	remove_files();
}

/* ... and the next call goes on from there. */
static void an_interruption_ends_all_and_is_made_good(void)
{
	struct kc_http_peer peer = { .fd = -1 };
	const struct kc_peer_reply replies[] = {
		{ .path = world.urls[0],
		  .times = 1,
		  .body = world.bytes[0],
		  .body_length = BLOB_LENGTH,
		  .send_bytes = 20000,
		  .flags = KC_PEER_STALL },
		{ .path = world.urls[0],
		  .body = world.bytes[0],
		  .body_length = BLOB_LENGTH,
		  .flags = KC_PEER_RANGES },
	};
	struct seen seen = { .interrupt_at = 20000 };
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0 && kc_http_peer_serve(&peer, replies, 2) == 0);
	KC_CHECK_INT(get_blobs(&peer, world.blobs, 1, &seen, &err), -EINTR);
	KC_CHECK_CONTAINS(err.text, "interrupted");
	KC_CHECK_INT(count_files(), 0);
	seen = (struct seen){ 0 };
	KC_CHECK_OK(get_blobs(&peer, world.blobs, 1, &seen, &err), err);
	KC_CHECK_INT(count_files(), 1);
	KC_CHECK_CONTAINS(kc_http_peer_log(&peer), "Range: bytes=20000-");
	kc_http_peer_stop(&peer);
	remove_files();
}

/* hub:s3cret and mirror:s3cret */
#define OF_HUB "aHViOnMzY3JldA=="
#define OF_MIRROR "bWlycm9yOnMzY3JldA=="

/* The mirror is asked in the registry's place, below its path, and with its own login only. */
static void a_mirror_gets_its_own_login_only(void)
{
	static const struct kc_peer_reply replies[] = {
		{ .path = "/v2/hub/x/a/b/manifests/t",
		  .times = 1,
		  .status = 401,
		  .headers = "WWW-Authenticate: Basic realm=\"x\"\r\n" },
		{ .path = "/v2/hub/x/a/b/manifests/t", OCI, .body = MANIFEST },
	};
	struct kc_http_peer peer = { .fd = -1 };
	char url[128], auth[256], type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE];
	const struct kc_registry_options options = { .http = quick,
						     .auth_file = world.auth,
						     .mirror_url = url };
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1000);
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0 && kc_http_peer_serve(&peer, replies, 2) == 0);
	(void)snprintf(url, sizeof(url), "%s/hub/x/", peer.url);
	(void)snprintf(auth, sizeof(auth),
		       "{\"auths\":{\"docker.io\":{\"auth\":\"" OF_HUB
		       "\"},\"127.0.0.1:%u\":{\"auth\":\"" OF_MIRROR "\"}}}",
		       peer.port);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, world.auth, auth, strlen(auth), 0600, &err), err);
	KC_CHECK_OK(open_at("docker.io", &options, &registry, &err), err);
	KC_CHECK_OK(kc_registry_get_manifest(registry, NULL, &body, type, digest, &err), err);
	KC_CHECK_CONTAINS(kc_http_peer_log(&peer), "Basic " OF_MIRROR);
	KC_CHECK(!strstr(kc_http_peer_log(&peer), OF_HUB));
	KC_CHECK_INT(kc_registry_get_manifest(registry, "other", &body, type, digest, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, "pull `docker.io/a/b:t`: registry 127.0.0.1:");
	kc_http_peer_stop(&peer);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, world.auth, "{}", 2, 0600, &err), err);
}

static void mirrors_that_are_none_are_refused(void)
{
	static const char *const rows[] = {
		"",
		"mirror.example",
		"ftp://mirror.example",
		"https://",
		"https://user:s3cret@mirror.example",
		"https://mirror.example/?x",
		"https://mirror.example/#x",
		"https://mirror.example/Upper",
		"https://mirror.example/a/../b",
		"https://mirror.example/a//b",
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		const struct kc_registry_options options = { .auth_file = world.auth, .mirror_url = rows[i] };
		KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
		struct kc_error err = { 0 };

		KC_CHECK_MESSAGE(open_at("docker.io", &options, &registry, &err) == -EINVAL, "`%s` was taken",
				 rows[i]);
		KC_CHECK(registry == NULL && !strstr(err.text, "s3cret"));
		KC_CHECK_CONTAINS(err.hint, "https://mirror.example");
	}
}

static void https_is_not_left(void)
{
	struct kc_http_peer secure = { .fd = -1 }, plain = { .fd = -1 };
	char ca[PATH_MAX + 16], location[128], challenge[192], type[KC_REGISTRY_MEDIA_TYPE_SIZE];
	char digest[KC_REGISTRY_DIGEST_SIZE];
	const struct kc_peer_reply replies[] = {
		{ .path = "/v2/a/b/manifests/t", OCI, .body = MANIFEST },
		{ .path = "/v2/a/b/manifests/token", .status = 401, .headers = challenge },
		{ .path = world.urls[0], .status = 307, .headers = location },
	};
	const struct kc_peer_reply caught[] = { { .body = world.bytes[0], .body_length = BLOB_LENGTH } };
	struct kc_registry_options options = { .http = quick,
					       .auth_file = world.auth,
					       .mirror_url = secure.url };
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	KC_CLEANUP_REGISTRY struct kc_registry *untrusted = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1000);
	struct kc_error err = { 0 };

	(void)snprintf(ca, sizeof(ca), "%s/ca.pem", world.directory.path);
	KC_REQUIRE(kc_http_peer_listen(&secure, ca) == 0 && kc_http_peer_listen(&plain, NULL) == 0);
	(void)snprintf(location, sizeof(location), "Location: %s/store\r\n", plain.url);
	(void)snprintf(challenge, sizeof(challenge), "WWW-Authenticate: Bearer realm=\"%s/t\"\r\n",
		       plain.url);
	KC_CHECK(kc_http_peer_serve(&secure, replies, 3) == 0 && kc_http_peer_serve(&plain, caught, 1) == 0);
	KC_CHECK_OK(open_at("docker.io", &options, &untrusted, &err), err);
	KC_CHECK_INT(kc_registry_get_manifest(untrusted, NULL, &body, type, digest, &err), -EKEYREJECTED);
	options.http.ca_file = ca;
	KC_CHECK_OK(open_at("docker.io", &options, &registry, &err), err);
	KC_CHECK_OK(kc_registry_get_manifest(registry, NULL, &body, type, digest, &err), err);
	KC_CHECK_INT(kc_registry_get_manifest(registry, "token", &body, type, digest, &err), -EACCES);
	KC_CHECK_CONTAINS(err.text, "which is refused");
	KC_CHECK_INT(kc_registry_get_blob(registry, world.digests[0], BLOB_LENGTH, world.paths[0], &err),
		     -EPROTONOSUPPORT);
	KC_CHECK_CONTAINS(err.hint, "only https");
	KC_CHECK_INT(kc_http_peer_requests(&plain), 0);
	kc_http_peer_stop(&secure);
	kc_http_peer_stop(&plain);
	remove_files();
}

/* In clear only to this machine: port 1 refuses whoever connects, and says which scheme came. */
static void only_loopback_is_spoken_to_in_clear(void)
{
	static const struct {
		const char *host, *url;
	} rows[] = {
		{ "127.0.0.1:1", "`http://127.0.0.1:1/v2/a/b/manifests/t`" },
		{ "[::1]:1", "`http://[::1]:1/v2/a/b/manifests/t`" },
		{ "localhost:1", "`http://localhost:1/v2/a/b/manifests/t`" },
		{ "127.0.0.2:1", "`https://127.0.0.2:1/v2/a/b/manifests/t`" },
		{ "localhost.invalid:1", "`https://localhost.invalid:1/v2/a/b/manifests/t`" },
		{ "127.0.0.1.invalid", "`https://127.0.0.1.invalid/v2/a/b/manifests/t`" },
	};
	const struct kc_registry_options options = { .http = quick, .auth_file = world.auth };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
		KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1000);
		char type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE];
		struct kc_error err = { 0 };

		KC_CHECK_OK(open_at(rows[i].host, &options, &registry, &err), err);
		KC_CHECK(kc_registry_get_manifest(registry, NULL, &body, type, digest, &err) < 0);
		KC_CHECK_CONTAINS(err.text, rows[i].url);
		KC_CHECK_CONTAINS(err.hint, "or use a mirror");
	}
}

KC_TEST_SUITE_WITH(registry_blobs, KC_LABEL_FAST, setup, teardown, KC_TEST(blobs_arrive_together),
		   KC_TEST(blobs_that_cannot_be_are_refused), KC_TEST(the_first_failure_ends_the_others),
		   KC_TEST(an_interruption_ends_all_and_is_made_good),
		   KC_TEST(a_mirror_gets_its_own_login_only), KC_TEST(mirrors_that_are_none_are_refused),
		   KC_TEST(https_is_not_left), KC_TEST(only_loopback_is_spoken_to_in_clear));
