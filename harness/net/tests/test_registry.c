/* A registry that is scripted: what it may answer, and what becomes of it. */
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
#include "tests/kc_test.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MANIFEST "{\"schemaVersion\":2,\"config\":{},\"layers\":[]}"
#define INDEX "{\"schemaVersion\":2,\"manifests\":[]}"
#define TYPE(media_type) .headers = "Content-Type: " media_type "\r\n"
#define OCI TYPE(KC_REGISTRY_OCI_MANIFEST)
#define BY_TAG .path = "/v2/a/b/manifests/t"

enum { BLOB_LENGTH = 100000 };

static struct {
	struct kc_temporary directory;
	char no_logins[PATH_MAX + 16], logins[PATH_MAX + 16];
	char blob[BLOB_LENGTH];
	char digest[KC_REGISTRY_DIGEST_SIZE]; /* of the blob */
	char blob_path[128];		      /* on the server */
	char file[PATH_MAX + 16];	      /* where it is downloaded to */
} world;

static const struct kc_http_options quick = {
	.attempts = 2, .retry_delay_ms = 1, .low_speed_s = 1, .connect_timeout_ms = 5000
};

static int setup(void)
{
	struct kc_error err;

	if (kc_temporary_make(&world.directory, &err) < 0)
		return -1;
	(void)snprintf(world.no_logins, sizeof(world.no_logins), "%s/none.json", world.directory.path);
	(void)snprintf(world.logins, sizeof(world.logins), "%s/auth.json", world.directory.path);
	(void)snprintf(world.file, sizeof(world.file), "%s/file", world.directory.path);
	for (size_t i = 0; i < BLOB_LENGTH; i++)
		world.blob[i] = (char)(i * 11 + i / 256);
	(void)snprintf(world.digest, sizeof(world.digest), "sha256:");
	if (kc_sha256_of(world.blob, BLOB_LENGTH, world.digest + 7, &err) < 0)
		return -1;
	(void)snprintf(world.blob_path, sizeof(world.blob_path), "/v2/a/b/blobs/%s", world.digest);
	return kc_file_write_atomic(AT_FDCWD, world.no_logins, "{}", 2, 0600, &err);
}

static int teardown(void)
{
	kc_temporary_remove(&world.directory);
	return 0;
}

/* A registry object for a/b:t at the peer. `auth` is base64 for the peer's host, NULL for no login. */
static int open_at(const struct kc_http_peer *peer, const char *auth, struct kc_registry **ret_registry,
		   struct kc_error *err)
{
	struct kc_registry_options options = { .http = quick, .auth_file = world.no_logins };
	struct kc_registry_reference reference;
	char name[128], text[256];
	int status;

	(void)snprintf(name, sizeof(name), "127.0.0.1:%u/a/b:t", peer->port);
	status = kc_registry_reference_parse(name, &reference, err);
	if (status == 0 && auth) {
		(void)snprintf(
			text, sizeof(text),
			"{\"auths\":{\"127.0.0.1:%u\":{\"auth\":\"%s\"},\"127.0.0.1\":{\"auth\":\"eDp5\"}}}",
			peer->port, auth);
		options.auth_file = world.logins;
		status = kc_file_write_atomic(AT_FDCWD, world.logins, text, strlen(text), 0600, err);
	}
	return status < 0 ? status : kc_registry_open(&reference, &options, ret_registry, err);
}

struct got {
	int status;
	unsigned int requests;
	char media_type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE];
	char body[256];
	char log[16384];
	struct kc_error err;
};

/* One manifest from a peer that listens already. */
static struct got get_from(struct kc_http_peer *peer, const char *auth, const struct kc_peer_reply *replies,
			   size_t count, const char *name)
{
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(8 << 20);
	struct got got = { .status = -EIO };

	if (kc_http_peer_serve(peer, replies, count) < 0)
		return got;
	got.status = open_at(peer, auth, &registry, &got.err);
	if (got.status == 0)
		got.status =
			kc_registry_get_manifest(registry, name, &body, got.media_type, got.digest, &got.err);
	(void)snprintf(got.body, sizeof(got.body), "%s", kc_buffer_string(&body));
	(void)snprintf(got.log, sizeof(got.log), "%s", kc_http_peer_log(peer));
	got.requests = kc_http_peer_requests(peer);
	kc_http_peer_stop(peer);
	return got;
}

static struct got get(const char *auth, const struct kc_peer_reply *replies, size_t count, const char *name)
{
	struct kc_http_peer peer = { .fd = -1 };

	if (kc_http_peer_listen(&peer, NULL) < 0)
		return (struct got){ .status = -EIO };
	return get_from(&peer, auth, replies, count, name);
}

/* A message is one line for a person, names the image, says what to do, and holds no secret. */
static void check_message(const struct kc_error *err, const char *row)
{
	KC_CHECK_MESSAGE(err->text[0] && err->hint[0], "%s: `%s`, hint `%s`", row, err->text, err->hint);
	KC_CHECK_CONTAINS(err->text, "/a/b:t`: ");
	KC_CHECK_MESSAGE(!strpbrk(err->text, "\n\x1b"), "%s: more than a line", row);
	KC_CHECK_MESSAGE(!strstr(err->hint, "PIP") && !strstr(err->hint, "pip ") &&
				 !strstr(err->hint, "index URL"),
			 "%s: %s", row, err->hint);
	KC_CHECK(!strstr(err->text, "s3cret") && !strstr(err->hint, "s3cret") &&
		 !strstr(err->text, "t0ken") && !strstr(err->text, "Ym9i"));
}

static void manifests_are_got(void)
{
	static const struct {
		const char *name, *media_type;
		struct kc_peer_reply reply;
	} rows[] = {
		{ "manifest", KC_REGISTRY_OCI_MANIFEST, { BY_TAG, OCI, .body = MANIFEST } },
		{ "index", KC_REGISTRY_OCI_INDEX, { BY_TAG, TYPE(KC_REGISTRY_OCI_INDEX), .body = INDEX } },
		{ "list", KC_REGISTRY_DOCKER_LIST, { BY_TAG, TYPE(KC_REGISTRY_DOCKER_LIST), .body = INDEX } },
		{ "docker's",
		  KC_REGISTRY_DOCKER_MANIFEST,
		  { BY_TAG,
		    TYPE(KC_REGISTRY_DOCKER_MANIFEST "\r\nDocker-Distribution-Api-Version: registry/2.0"),
		    .body = MANIFEST } },
		{ "parameters",
		  KC_REGISTRY_OCI_MANIFEST,
		  { BY_TAG, TYPE("application/vnd.OCI.image.manifest.v1+json; charset=utf-8"),
		    .body = MANIFEST } },
		{ "type within",
		  KC_REGISTRY_OCI_MANIFEST,
		  { BY_TAG, OCI, .body = "{\"mediaType\":\"" KC_REGISTRY_OCI_MANIFEST "\"}" } },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct got got = get(NULL, &rows[i].reply, 1, NULL);
		char digest[KC_REGISTRY_DIGEST_SIZE] = "sha256:";

		KC_CHECK_OK(got.status, got.err);
		KC_CHECK_INT(
			kc_sha256_of(rows[i].reply.body, strlen(rows[i].reply.body), digest + 7, &got.err),
			0);
		KC_CHECK_STRING(got.media_type, rows[i].media_type);
		KC_CHECK_STRING(got.digest, digest);
		KC_CHECK_STRING(got.body, rows[i].reply.body);
		KC_CHECK_CONTAINS(got.log, KC_REGISTRY_OCI_INDEX);
		KC_CHECK_CONTAINS(got.log, KC_REGISTRY_DOCKER_MANIFEST "\r\n");
		KC_CHECK(!strstr(got.log, "Authorization"));
	}
}

/* Every way a manifest fails. */
static void manifests_that_are_none_are_refused(void)
{
	static const struct {
		const char *name;
		struct kc_peer_reply reply;
		int expected;
		const char *text, *hint;
	} rows[] = {
		{ "404", { BY_TAG, .status = 404 }, -ENOENT, "has no such image or tag", "check the name" },
		{ "403", { BY_TAG, .status = 403 }, -EACCES, "allows no pull", "put a login for 127.0.0.1" },
		{ "401 without a challenge",
		  { BY_TAG, .status = 401 },
		  -EACCES,
		  "another kind of login",
		  "login" },
		{ "401 Basic",
		  { BY_TAG, .status = 401, .headers = "WWW-Authenticate: Basic realm=\"x\"\r\n" },
		  -EACCES,
		  "nothing without a login",
		  "none.json" },
		{ "401 Negotiate",
		  { BY_TAG, .status = 401, .headers = "WWW-Authenticate: Negotiate\r\n" },
		  -EACCES,
		  "another kind of login",
		  "login" },
		{ "401 in no words",
		  { BY_TAG, .status = 401, .headers = "WWW-Authenticate: Bearer realm=\"\r\n" },
		  -EPROTO,
		  "words that are none",
		  "check the name of the registry" },
		{ "429",
		  { BY_TAG, .status = 429 },
		  -EAGAIN,
		  "allows no more requests",
		  "skopeo login 127.0.0.1" },
		{ "500", { BY_TAG, .status = 500 }, -EAGAIN, "HTTP status 500", "try again later" },
		{ "418", { BY_TAG, .status = 418 }, -EPROTO, "HTTP status 418", "name of the registry" },
		{ "dropped",
		  { BY_TAG, .flags = KC_PEER_DROP },
		  -ECONNRESET,
		  "without an answer",
		  "again later" },
		{ "truncated",
		  { BY_TAG, OCI, .body = MANIFEST, .send_bytes = 5 },
		  -ECONNRESET,
		  "truncated",
		  "" },
		{ "HTML",
		  { BY_TAG, TYPE("text/html; charset=utf-8"), .body = "<html>" },
		  -EPROTO,
		  "answers in text/html",
		  "portal" },
		{ "no type", { BY_TAG, .body = MANIFEST }, -EPROTO, "something without a name", "portal" },
		{ "type in colours",
		  { BY_TAG, TYPE("\x1b[31mtext"), .body = MANIFEST },
		  -EPROTO,
		  "something without a name",
		  "" },
		{ "schema 1",
		  { BY_TAG, TYPE("application/vnd.docker.distribution.manifest.v1+prettyjws"), .body = "{}" },
		  -EPROTO,
		  "schema 1",
		  "newer tag" },
		{ "other type within",
		  { BY_TAG, OCI, .body = "{\"mediaType\":\"" KC_REGISTRY_OCI_INDEX "\",\"layers\":[]}" },
		  -EBADMSG,
		  "of another type",
		  "tell its owner" },
		{ "type within is none",
		  { BY_TAG, OCI, .body = "{\"mediaType\":7}" },
		  -EBADMSG,
		  "another type",
		  "" },
		{ "index called manifest", { BY_TAG, OCI, .body = INDEX }, -EBADMSG, "is an index", "" },
		{ "manifest called index",
		  { BY_TAG, TYPE(KC_REGISTRY_OCI_INDEX), .body = MANIFEST },
		  -EBADMSG,
		  "is no index",
		  "" },
		{ "both in one",
		  { BY_TAG, TYPE(KC_REGISTRY_OCI_INDEX), .body = "{\"manifests\":[],\"layers\":[]}" },
		  -EBADMSG,
		  "an index and a manifest in one",
		  "" },
		{ "key twice", { BY_TAG, OCI, .body = "{\"a\":1,\"a\":2}" }, -EBADMSG, "stands twice", "" },
		{ "no JSON", { BY_TAG, OCI, .body = "{" }, -EBADMSG, "not valid JSON", "" },
		{ "empty", { BY_TAG, OCI, .body = "" }, -EBADMSG, "not valid JSON", "" },
		{ "header lies",
		  { BY_TAG, OCI "Docker-Content-Digest: sha256:" HEX "\r\n", .body = MANIFEST },
		  -EBADMSG,
		  "must be sha256:" HEX,
		  "do not use them" },
		{ "header is none",
		  { BY_TAG, OCI "Docker-Content-Digest: sha512:" HEX "\r\n", .body = MANIFEST },
		  -EBADMSG,
		  "must be something else",
		  "" },
		{ "announces too much", { BY_TAG, OCI, .declared_length = 5 << 20 }, -E2BIG, "limit", "" },
		{ "sends too much",
		  { BY_TAG, OCI, .body = world.blob, .body_length = 5 << 20, .flags = KC_PEER_NO_LENGTH },
		  -E2BIG,
		  "limit of 4194304 bytes",
		  "" },
		{ "redirects to a file",
		  { BY_TAG, .status = 307, .headers = "Location: file:///etc/passwd\r\n" },
		  -EPROTONOSUPPORT,
		  "protocol refused",
		  "only https" },
		{ "redirects for ever",
		  { BY_TAG, .status = 307, .headers = "Location: /v2/a/b/manifests/t\r\n" },
		  -ELOOP,
		  "too many redirects",
		  "portal" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_FREE char *large = NULL;
		struct kc_peer_reply reply = rows[i].reply;
		struct got got;

		if (reply.body_length) {
			large = calloc(1, reply.body_length);
			reply.body = large;
		}
		got = get(NULL, &reply, 1, NULL);
		KC_CHECK_MESSAGE(got.status == rows[i].expected, "%s: got %d (%s)", rows[i].name, got.status,
				 got.err.text);
		KC_CHECK_CONTAINS(got.err.text, rows[i].text);
		KC_CHECK_CONTAINS(got.err.hint, rows[i].hint);
		if (rows[i].expected != -E2BIG)
			check_message(&got.err, rows[i].name);
		KC_CHECK_STRING(got.digest, "");
	}
}

/* By digest only its bytes will do, also where the tag has moved meanwhile. */
static void a_moved_tag_does_not_move_a_digest(void)
{
	struct kc_http_peer peer = { .fd = -1 };
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1000);
	char type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE],
		first[KC_REGISTRY_DIGEST_SIZE];
	char path[128];
	const struct kc_peer_reply replies[] = {
		{ BY_TAG, .times = 1, OCI, .body = MANIFEST },
		{ BY_TAG, OCI, .body = MANIFEST "\n" },
		{ .path = path, .times = 1, OCI, .body = MANIFEST },
		{ .path = path, OCI, .body = MANIFEST "\n" },
	};
	struct kc_error err = { 0 };

	(void)snprintf(first, sizeof(first), "sha256:");
	KC_REQUIRE_OK(kc_sha256_of(MANIFEST, strlen(MANIFEST), first + 7, &err), err);
	(void)snprintf(path, sizeof(path), "/v2/a/b/manifests/%s", first);
	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0 && kc_http_peer_serve(&peer, replies, 4) == 0);
	KC_CHECK_OK(open_at(&peer, NULL, &registry, &err), err);
	KC_CHECK_OK(kc_registry_get_manifest(registry, NULL, &body, type, digest, &err), err);
	KC_CHECK_STRING(digest, first);
	KC_CHECK_OK(kc_registry_get_manifest(registry, digest, &body, type, digest, &err), err);
	KC_CHECK_STRING(digest, first);
	KC_CHECK_OK(kc_registry_get_manifest(registry, "t", &body, type, digest, &err), err);
	KC_CHECK(strcmp(digest, first) != 0);
	KC_CHECK_INT(kc_registry_get_manifest(registry, first, &body, type, digest, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, first);
	check_message(&err, "moved");
	KC_CHECK_INT(kc_registry_get_manifest(registry, "../../x", &body, type, digest, &err), -EINVAL);
	KC_CHECK_INT(kc_registry_get_manifest(registry, "sha256:../../x", &body, type, digest, &err),
		     -EINVAL);
	KC_CHECK_INT(kc_http_peer_requests(&peer), 4);
	kc_http_peer_stop(&peer);
}

static bool has_whole_blob(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer bytes = KC_BUFFER_INIT(2 * BLOB_LENGTH);

	return kc_file_read(AT_FDCWD, world.file, &bytes, NULL) == 0 && bytes.length == BLOB_LENGTH &&
	       memcmp(bytes.data, world.blob, BLOB_LENGTH) == 0;
}

#define BLOB .path = world.blob_path, .body = world.blob, .body_length = BLOB_LENGTH

/* Every way a blob arrives or does not. */
static void blobs_end_as_they_should(void)
{
	static char other[BLOB_LENGTH];
	static const struct {
		const char *name;
		struct kc_peer_reply replies[2];
		int64_t size;
		int expected;
		unsigned int requests;
		const char *text; /* of the error; of the requests where it succeeds */
	} rows[] = {
		{ "whole", { { BLOB } }, BLOB_LENGTH, 0, 1, "GET /v2/a/b/blobs/sha256:" },
		{ "truncated, then resumed",
		  { { BLOB, .times = 1, .send_bytes = 60000 }, { BLOB, .flags = KC_PEER_RANGES } },
		  BLOB_LENGTH,
		  0,
		  2,
		  "Range: bytes=60000-" },
		{ "always truncated",
		  { { BLOB, .send_bytes = 60000 } },
		  BLOB_LENGTH,
		  -ECONNRESET,
		  2,
		  "truncated" },
		{ "other bytes",
		  { { .path = world.blob_path, .body = other, .body_length = BLOB_LENGTH } },
		  BLOB_LENGTH,
		  -EBADMSG,
		  1,
		  "wrong digest" },
		{ "larger than the manifest says", { { BLOB } }, 100, -E2BIG, 1, "limit" },
		{ "larger, unannounced",
		  { { BLOB, .flags = KC_PEER_NO_LENGTH } },
		  100,
		  -E2BIG,
		  1,
		  "announced size of 100 bytes" },
		{ "smaller than the manifest says",
		  { { BLOB } },
		  BLOB_LENGTH + 1,
		  -EBADMSG,
		  1,
		  "wrong size" },
		{ "missing", { { .path = "/other" } }, BLOB_LENGTH, -ENOENT, 1, "has no such blob sha256:" },
		{ "negative", { { BLOB } }, -1, -EINVAL, 0, "negative size" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_http_peer peer = { .fd = -1 };
		KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
		struct kc_error err = { 0 };
		size_t count = rows[i].replies[0].times ? 2 : 1;
		char part[sizeof(world.file) + 8];
		int status;

		(void)snprintf(part, sizeof(part), "%s.part", world.file);
		(void)unlink(world.file), (void)unlink(part);
		KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0 &&
			   kc_http_peer_serve(&peer, rows[i].replies, count) == 0);
		KC_CHECK_OK(open_at(&peer, NULL, &registry, &err), err);
		status = kc_registry_get_blob(registry, world.digest, rows[i].size, world.file, &err);
		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].name, status,
				 err.text);
		KC_CHECK_MESSAGE(has_whole_blob() == (rows[i].expected == 0), "%s: the file", rows[i].name);
		KC_CHECK_MESSAGE(kc_http_peer_requests(&peer) == rows[i].requests, "%s: requests",
				 rows[i].name);
		KC_CHECK_CONTAINS(status == 0 ? kc_http_peer_log(&peer) : err.text, rows[i].text);
		KC_CHECK_INT(access(part, F_OK) == 0, status == -ECONNRESET || status == -ENOENT);
		kc_http_peer_stop(&peer);
	}
}

static void a_blobs_digest_is_no_path(void)
{
	static const char *const rows[] = { "sha256:../../x",	  "",	       "sha256:", HEX,
					    ("sha256:" HEX "/x"), ("md5:" HEX) };
	struct kc_http_peer peer = { .fd = -1 };
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0);
	KC_CHECK_OK(open_at(&peer, NULL, &registry, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		KC_CHECK_INT(kc_registry_get_blob(registry, rows[i], 1, world.file, &err), -EINVAL);
	kc_http_peer_stop(&peer);
}

/* bob:s3cret */
#define BOB "Ym9iOnMzY3JldA=="
#define WANTS_BASIC "WWW-Authenticate: Basic realm=\"x\"\r\n"

/* The login goes to the registry, and not to where that has its blobs. */
static void a_login_stays_with_the_registry(void)
{
	struct kc_http_peer own = { .fd = -1 }, other = { .fd = -1 };
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	char location[128];
	const struct kc_peer_reply replies[] = {
		{ .path = world.blob_path, .times = 1, .status = 401, .headers = WANTS_BASIC },
		{ .path = world.blob_path, .status = 307, .headers = location },
	};
	const struct kc_peer_reply there[] = {
		{ .path = "/store?sig=s3cret", .body = world.blob, .body_length = BLOB_LENGTH }
	};
	struct kc_error err = { 0 };

	(void)unlink(world.file);
	KC_REQUIRE(kc_http_peer_listen(&own, NULL) == 0 && kc_http_peer_listen(&other, NULL) == 0);
	(void)snprintf(location, sizeof(location), "Location: %s/store?sig=s3cret\r\n", other.url);
	KC_CHECK(kc_http_peer_serve(&own, replies, 2) == 0 && kc_http_peer_serve(&other, there, 1) == 0);
	KC_CHECK_OK(open_at(&own, BOB, &registry, &err), err);
	KC_CHECK_OK(kc_registry_get_blob(registry, world.digest, BLOB_LENGTH, world.file, &err), err);
	KC_CHECK(has_whole_blob());
	KC_CHECK_CONTAINS(kc_http_peer_log(&own), "Authorization: Basic " BOB);
	KC_CHECK_CONTAINS(kc_http_peer_log(&other), "GET /store?sig=s3cret");
	KC_CHECK(!strcasestr(kc_http_peer_log(&other), "authorization"));
	kc_http_peer_stop(&own);
	kc_http_peer_stop(&other);
}

/* Where the registry sends us, somebody asks for a login: it is not his. */
static void somebody_elses_challenge_is_not_answered(void)
{
	static const char *const challenges[] = {
		WANTS_BASIC, "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:1/\"\r\n"
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(challenges); i++) {
		struct kc_http_peer own = { .fd = -1 }, other = { .fd = -1 };
		char location[128];
		const struct kc_peer_reply replies[] = { { BY_TAG, .status = 307, .headers = location } };
		const struct kc_peer_reply there[] = { { .status = 401, .headers = challenges[i] } };
		struct got got;

		KC_REQUIRE(kc_http_peer_listen(&own, NULL) == 0 && kc_http_peer_listen(&other, NULL) == 0);
		(void)snprintf(location, sizeof(location), "Location: %s/x\r\n", other.url);
		KC_CHECK(kc_http_peer_serve(&other, there, 1) == 0);
		got = get_from(&own, BOB, replies, 1, NULL);
		KC_CHECK_INT(got.status, -EACCES);
		KC_CHECK_INT(got.requests, 1);
		KC_CHECK_INT(kc_http_peer_requests(&other), 1);
		KC_CHECK(!strcasestr(got.log, "authorization"));
		KC_CHECK(!strcasestr(kc_http_peer_log(&other), "authorization"));
		check_message(&got.err, challenges[i]);
		kc_http_peer_stop(&other);
	}
}

static void basic_logins_are_sent_when_asked_for(void)
{
	static const struct kc_peer_reply replies[] = {
		{ BY_TAG, .times = 1, .status = 401, .headers = WANTS_BASIC },
		{ BY_TAG, OCI, .body = MANIFEST },
	};
	static const struct kc_peer_reply refuses[] = { { BY_TAG, .status = 401, .headers = WANTS_BASIC } };
	struct got got = get(BOB, replies, 2, NULL);

	KC_CHECK_OK(got.status, got.err);
	KC_CHECK_INT(got.requests, 2);
	KC_CHECK_CONTAINS(got.log, "Authorization: Basic " BOB);
	got = get(BOB, refuses, 1, NULL);
	KC_CHECK_INT(got.status, -EACCES);
	KC_CHECK_INT(got.requests, 2);
	KC_CHECK_CONTAINS(got.err.text, "refuses the login");
	KC_CHECK_CONTAINS(got.err.hint, "check the login for 127.0.0.1:");
	check_message(&got.err, "refused");
}

/* A registry whose tokens come from another port of this machine. */
struct token_world {
	struct kc_http_peer registry, server;
	char challenge[512];
};

static bool open_token_world(struct token_world *tokens, const char *realm)
{
	*tokens = (struct token_world){ .registry.fd = -1, .server.fd = -1 };
	if (kc_http_peer_listen(&tokens->registry, NULL) < 0 ||
	    kc_http_peer_listen(&tokens->server, NULL) < 0)
		return false;
	(void)snprintf(tokens->challenge, sizeof(tokens->challenge),
		       "WWW-Authenticate: Bearer realm=\"%s%s\",service=\"the registry\","
		       "scope=\"repository:a/b:pull,push repository:other:delete\"\r\n",
		       realm ? "" : tokens->server.url, realm ? realm : "/token?x=y");
	return true;
}

#define TOKEN_PATH "/token?x=y&service=the+registry&scope=repository%3aa%2fb%3apull"

/* What the token server does, and what becomes of the pull. */
static void tokens_are_fetched_or_not(void)
{
	static const struct {
		const char *name;
		const char *auth;
		struct kc_peer_reply server;
		int expected;
		unsigned int registry_requests;
		const char *said; /* in the error, or in the request to the registry */
	} rows[] = {
		{ "token",
		  NULL,
		  { .body = "{\"token\":\"t0ken\",\"access_token\":\"other\"}" },
		  0,
		  2,
		  "Authorization: Bearer t0ken\r\n" },
		{ "access_token",
		  NULL,
		  { .body = "{\"access_token\":\"t0ken\"}" },
		  0,
		  2,
		  "Authorization: Bearer t0ken\r\n" },
		{ "login",
		  BOB,
		  { .body = "{\"token\":\"t0ken\"}" },
		  0,
		  2,
		  "Authorization: Bearer t0ken\r\n" },
		{ "none", NULL, { .body = "{}" }, -EPROTO, 1, "has no token" },
		{ "empty", NULL, { .body = "{\"token\":\"\"}" }, -EPROTO, 1, "has no token" },
		{ "not a string", NULL, { .body = "{\"token\":7}" }, -EPROTO, 1, "has no token" },
		{ "ends the header",
		  NULL,
		  { .body = "{\"token\":\"a\\r\\nX: y\"}" },
		  -EPROTO,
		  1,
		  "has no token" },
		{ "HTML", NULL, { .body = "<html>" }, -EPROTO, 1, "not valid JSON" },
		{ "too much",
		  NULL,
		  { .body = world.blob, .body_length = BLOB_LENGTH },
		  -E2BIG,
		  1,
		  "larger than the limit" },
		{ "401", NULL, { .status = 401 }, -EACCES, 1, "gives nothing without a login" },
		{ "401 for the login", BOB, { .status = 401 }, -EACCES, 1, "user and password are refused" },
		{ "403 for the login", BOB, { .status = 403 }, -EACCES, 1, "user and password are refused" },
		{ "503", NULL, { .status = 503 }, -EAGAIN, 1, "HTTP status 503" },
		{ "404", NULL, { .status = 404 }, -EPROTO, 1, "there is no token server at" },
		{ "407", BOB, { .status = 407 }, -EACCES, 1, "HTTP status 407" },
		{ "redirects",
		  BOB,
		  { .status = 307, .headers = "Location: /latest/meta-data\r\n" },
		  -EPROTO,
		  1,
		  "answers with a redirect (HTTP status 307), which is not followed" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct token_world tokens;
		struct kc_peer_reply server = rows[i].server;
		const struct kc_peer_reply replies[] = {
			{ BY_TAG, .times = 1, .status = 401, .headers = tokens.challenge },
			{ BY_TAG, OCI, .body = MANIFEST },
		};
		const char *log;
		struct got got;

		server.path = TOKEN_PATH;
		KC_REQUIRE(open_token_world(&tokens, NULL) &&
			   kc_http_peer_serve(&tokens.server, &server, 1) == 0);
		got = get_from(&tokens.registry, rows[i].auth, replies, 2, NULL);
		log = kc_http_peer_log(&tokens.server);
		KC_CHECK_MESSAGE(got.status == rows[i].expected, "%s: got %d (%s)", rows[i].name, got.status,
				 got.err.text);
		KC_CHECK_CONTAINS(got.status == 0 ? got.log : got.err.text, rows[i].said);
		KC_CHECK_INT(got.requests, rows[i].registry_requests);
		KC_CHECK_CONTAINS(log, "GET " TOKEN_PATH " ");
		KC_CHECK_MESSAGE(!strcasestr(log, "authorization") == !rows[i].auth, "%s: %s", rows[i].name,
				 log);
		KC_CHECK(!strstr(log, "meta-data"));
		KC_CHECK(!strstr(got.log, BOB)); /* the password is for the token server */
		if (got.status < 0)
			check_message(&got.err, rows[i].name);
		kc_http_peer_stop(&tokens.server);
	}
}

static void strange_token_servers_are_refused(void)
{
	static const char *const realms[] = {
		"https://evil.example/token",
		"https://169.254.169.254/latest",
		"http://127.0.0.1.evil.example/",
		"http://127.0.0.1@evil.example/t",
		"file:///etc/passwd",
		"/token",
		"",
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(realms); i++) {
		struct token_world tokens;
		const struct kc_peer_reply replies[] = { { BY_TAG, .status = 401,
							   .headers = tokens.challenge } };
		struct got got;

		KC_REQUIRE(open_token_world(&tokens, realms[i]));
		got = get_from(&tokens.registry, BOB, replies, 1, NULL);
		KC_CHECK_INT(got.status, -EACCES);
		KC_CHECK_INT(got.requests, 1);
		KC_CHECK_CONTAINS(got.err.text, "which is refused");
		if (i == 0)
			KC_CHECK_CONTAINS(got.err.text, "`https://evil.example/token`");
		KC_CHECK(!strcasestr(got.log, "authorization"));
		check_message(&got.err, realms[i]);
		kc_http_peer_stop(&tokens.server);
	}
}

/* Tokens are good for some minutes; layers may take longer. */
static void a_token_that_has_run_out_is_replaced(void)
{
	struct token_world tokens;
	KC_CLEANUP_REGISTRY struct kc_registry *registry = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer body = KC_BUFFER_INIT(1000);
	const struct kc_peer_reply replies[] = {
		{ BY_TAG, .times = 1, .status = 401, .headers = tokens.challenge },
		{ BY_TAG, OCI, .body = MANIFEST },
		{ .path = world.blob_path, .times = 1, .status = 401, .headers = tokens.challenge },
		{ BLOB },
	};
	static const struct kc_peer_reply server[] = { { .times = 1, .body = "{\"token\":\"first\"}" },
						       { .body = "{\"token\":\"second\"}" } };
	char type[KC_REGISTRY_MEDIA_TYPE_SIZE], digest[KC_REGISTRY_DIGEST_SIZE];
	struct kc_error err = { 0 };

	(void)unlink(world.file);
	KC_REQUIRE(open_token_world(&tokens, NULL));
	KC_CHECK(kc_http_peer_serve(&tokens.registry, replies, 4) == 0 &&
		 kc_http_peer_serve(&tokens.server, server, 2) == 0);
	KC_CHECK_OK(open_at(&tokens.registry, NULL, &registry, &err), err);
	KC_CHECK_OK(kc_registry_get_manifest(registry, NULL, &body, type, digest, &err), err);
	KC_CHECK_OK(kc_registry_get_blob(registry, world.digest, BLOB_LENGTH, world.file, &err), err);
	KC_CHECK(has_whole_blob());
	KC_CHECK_INT(kc_http_peer_requests(&tokens.server), 2);
	KC_CHECK_INT(kc_http_peer_requests(&tokens.registry), 4);
	KC_CHECK_CONTAINS(kc_http_peer_log(&tokens.registry), "Bearer first");
	KC_CHECK_CONTAINS(kc_http_peer_log(&tokens.registry), "Bearer second");
	kc_http_peer_stop(&tokens.registry);
	kc_http_peer_stop(&tokens.server);
}

KC_TEST_SUITE_WITH(registry, KC_LABEL_FAST, setup, teardown, KC_TEST(manifests_are_got),
		   KC_TEST(manifests_that_are_none_are_refused), KC_TEST(a_moved_tag_does_not_move_a_digest),
		   KC_TEST(blobs_end_as_they_should), KC_TEST(a_blobs_digest_is_no_path),
		   KC_TEST(a_login_stays_with_the_registry),
		   KC_TEST(somebody_elses_challenge_is_not_answered),
		   KC_TEST(basic_logins_are_sent_when_asked_for), KC_TEST(tokens_are_fetched_or_not),
		   KC_TEST(strange_token_servers_are_refused), KC_TEST(a_token_that_has_run_out_is_replaced));
