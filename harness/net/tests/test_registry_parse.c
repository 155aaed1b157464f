/* What the registry client reads before it trusts anybody: names, challenges, addresses of token servers, and files
 * of logins. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/temporary.h"
#include "net/registry_internal.h"
#include "sys/file.h"
#include "tests/kc_test.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LONG_64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_128 LONG_64 LONG_64

static void references_are_completed(void)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "alpine", "docker.io/library/alpine:latest" },
		{ "alpine:3.19", "docker.io/library/alpine:3.19" },
		{ "lablup/python:3.9-ubuntu20.04", "docker.io/lablup/python:3.9-ubuntu20.04" },
		{ "docker.io/alpine", "docker.io/library/alpine:latest" },
		{ "index.docker.io/a/b", "docker.io/a/b:latest" },
		{ "quay.io/centos/centos:7", "quay.io/centos/centos:7" },
		{ "CR.Backend.AI/stable/python", "cr.backend.ai/stable/python:latest" },
		{ "localhost/a", "localhost/a:latest" },
		{ "localhost:5000/a/b/c:T_1.-x", "localhost:5000/a/b/c:T_1.-x" },
		{ "127.0.0.1:5000/a", "127.0.0.1:5000/a:latest" },
		{ "[::1]:5000/a:b", "[::1]:5000/a:b" },
		{ "r.example/a@sha256:" HEX, "r.example/a@sha256:" HEX },
		{ "r.example/a:b@sha256:" HEX, "r.example/a:b@sha256:" HEX },
		{ "r.example/a.b/c__d/e---f/g_h", "r.example/a.b/c__d/e---f/g_h:latest" },
		{ "a:" LONG_128, "docker.io/library/a:" LONG_128 },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_registry_reference reference;
		char text[KC_REGISTRY_REFERENCE_TEXT_SIZE] = "";
		struct kc_error err = { 0 };

		if (KC_CHECK_OK(kc_registry_reference_parse(rows[i].text, &reference, &err), err))
			kc_registry_reference_print(&reference, text);
		KC_CHECK_STRING(text, rows[i].expected);
	}
}

static void references_that_are_none_are_refused(void)
{
	static const struct {
		const char *text, *what;
	} rows[] = {
		{ "", "empty component" },
		{ "/a", "empty component" },
		{ "r.example/", "empty component" },
		{ "r.example//a", "empty component" },
		{ "a//b", "empty component" },
		{ "a/", "single separators" },
		{ "Alpine", "lower case" },
		{ "r.example/A", "lower case" },
		{ "a..b", "single separators" },
		{ "a/../b", "single separators" },
		{ "r.example/../../etc", "single separators" },
		{ "a___b", "single separators" },
		{ "a.-b", "single separators" },
		{ "-a", "single separators" },
		{ "a-", "single separators" },
		{ "a b", "single separators" },
		{ "a%2e", "single separators" },
		{ "a?b", "single separators" },
		{ "a#b", "single separators" },
		{ "a\nb", "single separators" },
		{ "a:", "a tag is" },
		{ "a:.b", "a tag is" },
		{ "a:-b", "a tag is" },
		{ "a:b c", "a tag is" },
		{ "a:b:c", "a tag is" },
		{ "a:b/c", "the host is none" },
		{ "a:../b", "the host is none" },
		{ "a:" LONG_128 "a", "a tag is" },
		{ "a@sha256:abc", "a digest is" },
		{ "a@", "a digest is" },
		{ "a@sha512:" HEX HEX, "a digest is" },
		{ "a@sha256:" HEX "0", "a digest is" },
		{ "a@sha256:../../x", "a digest is" },
		{ "a@sha256:" HEX "@sha256:" HEX, "a digest is" },
		{ "https://r.example/a", "a URL" },
		{ "docker://alpine", "a URL" },
		{ "r.example:0/a", "the host is none" },
		{ "r.example:65536/a", "the host is none" },
		{ "r.example:x/a", "the host is none" },
		{ "r.example:/a", "the host is none" },
		{ "user:pw@r.example/a", "a digest is" },
		{ ".example/a", "the host is none" },
		{ "r..example/a", "the host is none" },
		{ "-r.example/a", "the host is none" },
		{ "[::1/a:b", "the host is none" },
		{ "[::1]x:5/a", "the host is none" },
		{ "r.example\\evil/a", "the host is none" },
		{ LONG_128 LONG_64 LONG_64, "longer than" },
		{ LONG_128 LONG_128 LONG_128 LONG_128 LONG_128 LONG_128, "too long" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_registry_reference reference;
		struct kc_error err = { 0 };

		KC_CHECK_MESSAGE(kc_registry_reference_parse(rows[i].text, &reference, &err) == -EINVAL,
				 "`%s` was taken", rows[i].text);
		KC_CHECK_CONTAINS(err.text, rows[i].what);
		KC_CHECK_CONTAINS(err.hint, "REPOSITORY");
		KC_CHECK(!strchr(err.text, '\n'));
	}
}

static void challenges_are_read(void)
{
	static const struct {
		const char *text;
		int expected;
		bool has_basic, has_bearer;
		const char *realm, *service;
	} rows[] = {
		{ "Bearer realm=\"https://a.example/t\",service=\"r\",scope=\"repository:x:pull\"", 0, false,
		  true, "https://a.example/t", "r" },
		{ "bearer Realm = https , SERVICE=r", 0, false, true, "https", "r" },
		{ "Basic realm=\"the registry\"", 0, true, false, "", "" },
		{ "Basic realm=\"a\", Bearer realm=\"b\", service=\"c\"", 0, true, true, "b", "c" },
		{ "Bearer realm=\"b\", Basic realm=\"a\", service=\"c\"", 0, true, true, "b", "" },
		{ "Bearer realm=\"first\", Bearer realm=\"second\"", 0, false, true, "first", "" },
		{ "Negotiate", 0, false, false, "", "" },
		{ "Negotiate YWJj==, Basic realm=x", 0, true, false, "", "" },
		{ "Digest qop=\"auth, Bearer realm=\", nonce=x", 0, false, false, "", "" },
		{ "Bearer realm=\"a\\\"b\\\\c\"", 0, false, true, "a\"b\\c", "" },
		{ "Bearer", 0, false, true, "", "" },
		{ " , ,Basic", 0, true, false, "", "" },
		{ "", 0, false, false, "", "" },
		{ "Bearer realm=\"open", -EPROTO, false, false, "", "" },
		{ "Bearer realm=\"open\\", -EPROTO, false, false, "", "" },
		{ "Bearer realm=\"a\x01\"", -EPROTO, false, false, "", "" },
		{ "Bearer realm=a/b", -EPROTO, false, false, "", "" },
		{ "\"Bearer\"", -EPROTO, false, false, "", "" },
		{ "Bearer service=\"" LONG_128 LONG_128 "\"", -EPROTO, false, false, "", "" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_registry_challenge challenge = { 0 };

		KC_CHECK_MESSAGE(kc_registry_challenge_parse(rows[i].text, &challenge) == rows[i].expected,
				 "%s", rows[i].text);
		KC_CHECK_MESSAGE(challenge.has_basic == rows[i].has_basic &&
					 challenge.has_bearer == rows[i].has_bearer,
				 "%s", rows[i].text);
		KC_CHECK_STRING(challenge.realm, rows[i].realm);
		KC_CHECK_STRING(challenge.service, rows[i].service);
	}
}

static void challenges_have_limits(void)
{
	struct kc_registry_challenge challenge = { 0 };
	char text[KC_REGISTRY_CHALLENGE_LIMIT + 2];
	size_t length;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	KC_CHECK_INT(kc_registry_challenge_parse(text, &challenge), -EPROTO);
	length = (size_t)snprintf(text, sizeof(text), "Bearer realm=\"");
	text[length] = 'a';
	text[length + KC_URL_SIZE] = '"';
	text[length + KC_URL_SIZE + 1] = '\0';
	KC_CHECK_INT(kc_registry_challenge_parse(text, &challenge), -EPROTO);
}

static void token_servers_are_related(void)
{
	static const struct {
		const char *base, *realm;
		bool is_allowed;
	} rows[] = {
		{ "https://registry-1.docker.io", "https://auth.docker.io/token", true },
		{ "https://quay.io", "https://quay.io/v2/auth", true },
		{ "https://registry.gitlab.com", "https://gitlab.com/jwt/auth", true },
		{ "https://r.corp.example", "https://auth.corp.example/t", true },
		{ "https://r.example:5000", "https://r.example:5000/t", true },
		{ "https://r.example:5000", "https://r.example/t", true },
		{ "https://r.example", "https://r.example:8443/t", false },
		{ "https://r.example.co.uk", "https://auth.example.co.uk/t", true },
		{ "https://example.co.uk", "https://evil.co.uk/t", false },
		{ "https://quay.io", "https://evil.io/t", false },
		{ "https://registry-1.docker.io", "https://auth.evil.example/t", false },
		{ "https://registry-1.docker.io", "https://evildocker.io/t", false },
		{ "https://registry-1.docker.io", "https://auth.docker.io.evil.example/t", false },
		{ "https://registry-1.docker.io", "https://auth.docker.io@evil.example/t", false },
		{ "https://registry-1.docker.io", "https://user:pw@auth.docker.io/t", false },
		{ "https://registry-1.docker.io", "http://auth.docker.io/token", false },
		{ "https://registry-1.docker.io", "https://auth.docker.io:444/token", false },
		{ "https://one.azurecr.io", "https://other.azurecr.io/t", false },
		{ "https://1.dkr.ecr.eu.amazonaws.com", "https://2.dkr.ecr.eu.amazonaws.com/t", false },
		{ "https://10.0.0.1", "https://11.0.0.1/t", false },
		{ "https://10.0.0.1", "https://169.254.169.254/t", false },
		{ "https://r.example", "https://127.0.0.1/t", false },
		{ "http://127.0.0.1:5000", "http://127.0.0.1:5001/t", true },
		{ "http://127.0.0.1:5000", "http://localhost:5001/t", true },
		{ "http://127.0.0.1:5000", "https://a.example/t", false },
		{ "https://127.0.0.1:5000", "http://127.0.0.1:5001/t", false },
		{ "http://mirror.example", "http://auth.mirror.example/t", false },
		{ "https://r.example", "file:///etc/passwd", false },
		{ "https://r.example", "/token", false },
		{ "https://r.example", "", false },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		KC_CHECK_MESSAGE(kc_registry_realm_is_allowed(rows[i].base, rows[i].realm) ==
					 rows[i].is_allowed,
				 "%s at %s", rows[i].base, rows[i].realm);
}

/* bob:s3cret, amy:other:pw, bob:, :s3cret, nocolon, "bo\nb:x" */
#define BOB "Ym9iOnMzY3JldA=="
#define AMY "YW15Om90aGVyOnB3"
#define BOB_EMPTY "Ym9iOg=="
#define NOBODY "OnMzY3JldA=="
#define NO_COLON "bm9jb2xvbg=="
#define NEWLINE "Ym8KYjp4"

static void logins_are_found(void)
{
	static const struct {
		const char *text, *host;
		int expected;
		const char *user, *password;
		const char *said; /* in the note, or in the error */
	} rows[] = {
		{ "{\"auths\":{\"r.example\":{\"auth\":\"" BOB "\"}}}", "r.example", 0, "bob", "s3cret", "" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\"" AMY "\"}}}", "r.example", 0, "amy", "other:pw",
		  "" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\"" BOB_EMPTY "\"}}}", "r.example", 0, "bob", "", "" },
		{ "{\"auths\":{\"r.example:5000\":{\"auth\":\"" BOB "\"}}}", "r.example", 0, "", "", "" },
		{ "{\"auths\":{\"r.example.evil\":{\"auth\":\"" BOB "\"}}}", "r.example", 0, "", "", "" },
		{ "{\"auths\":{\"https://r.example/v1/\":{\"auth\":\"" BOB "\"}}}", "r.example", 0, "bob",
		  "s3cret", "" },
		{ "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"" BOB "\"}}}", "docker.io", 0,
		  "bob", "s3cret", "" },
		{ "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"" BOB "\"}}}", "r.example", 0, "",
		  "", "" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\"" BOB "\"},\"r.example/ns\":{\"auth\":\"" AMY
		  "\"}}}",
		  "r.example", 0, "amy", "other:pw", "" },
		{ "{\"auths\":{\"r.example/ns\":{\"auth\":\"" BOB "\"},\"r.example/ns/repo\":{\"auth\":\"" AMY
		  "\"}}}",
		  "r.example", 0, "amy", "other:pw", "" },
		{ "{\"auths\":{\"r.example/n\":{\"auth\":\"" BOB "\"}}}", "r.example", 0, "", "", "" },
		{ "{}", "r.example", 0, "", "", "" },
		{ "{\"auths\":{\"r.example\":{}}}", "r.example", 0, "", "", "" },
		{ "{\"auths\":{\"r.example\":{\"identitytoken\":\"x\"}}}", "r.example", 0, "", "",
		  "identity token" },
		{ "{\"auths\":{\"r.example\":{}},\"credsStore\":\"desktop\"}", "r.example", 0, "", "",
		  "credential helper" },
		{ "{\"credHelpers\":{\"r.example\":\"x\"}}", "r.example", 0, "", "", "credential helper" },
		{ "{\"credHelpers\":{\"r.example\":\"x\"}}", "q.example", 0, "", "", "" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\"" NOBODY "\"}}}", "r.example", -EBADMSG, "", "",
		  "USER:PASSWORD" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\"" NO_COLON "\"}}}", "r.example", -EBADMSG, "", "",
		  "USER:PASSWORD" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\"" NEWLINE "\"}}}", "r.example", -EBADMSG, "", "",
		  "USER:PASSWORD" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\"Ym9iOnMzY3JldA\"}}}", "r.example", -EBADMSG, "", "",
		  "USER:PASSWORD" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\"Ym9=OnMzY3JldA==\"}}}", "r.example", -EBADMSG, "",
		  "", "USER:PASSWORD" },
		{ "{\"auths\":{\"r.example\":{\"auth\":\" " BOB "\"}}}", "r.example", -EBADMSG, "", "",
		  "USER:PASSWORD" },
		{ "{\"auths\":{\"r.example\":{\"auth\":7}}}", "r.example", -EBADMSG, "", "", "not a string" },
		{ "{\"auths\":{\"r.example\":7}}", "r.example", -EBADMSG, "", "", "not an object" },
		{ "{\"auths\":{\"r.example\":7}}", "q.example", 0, "", "", "" },
		{ "{\"auths\":[]}", "r.example", -EBADMSG, "", "", "not an object" },
		{ "[]", "r.example", -EBADMSG, "", "", "not an object" },
		{ "{\"auths\":{\"r.example\":{},\"r.example\":{}}}", "r.example", -EBADMSG, "", "",
		  "stands twice" },
		{ "", "r.example", -EBADMSG, "", "", "not valid JSON" },
	};
	KC_CLEANUP_TEMPORARY struct kc_temporary directory = { 0 };
	char path[PATH_MAX + 16];
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&directory, &err), err);
	(void)snprintf(path, sizeof(path), "%s/auth.json", directory.path);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_registry_login login = { 0 };
		int status;

		err = (struct kc_error){ 0 };
		KC_REQUIRE_OK(
			kc_file_write_atomic(AT_FDCWD, path, rows[i].text, strlen(rows[i].text), 0600, &err),
			err);
		status = kc_registry_login_find(rows[i].host, "ns/repo", path, &login, &err);
		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].text, status,
				 err.text);
		KC_CHECK_STRING(login.user, rows[i].user);
		KC_CHECK_STRING(login.password, rows[i].password);
		KC_CHECK_CONTAINS(status < 0 ? err.text : login.note, rows[i].said);
		if (status < 0)
			KC_CHECK_CONTAINS(err.text, path);
		KC_CHECK(!strstr(err.text, "s3cret") && !strstr(err.text, BOB));
	}
}

/* The variables that name the usual places. */
static const char *const variables[] = { "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "HOME", "DOCKER_CONFIG",
					 "XDG_CONFIG_HOME" };

static struct {
	char *saved[KC_ARRAY_LENGTH(variables)];
} world;

static int setup(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(variables); i++) {
		const char *value = getenv(variables[i]);

		world.saved[i] = value ? strdup(value) : NULL;
	}
	return 0;
}

static int teardown(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(variables); i++) {
		if (world.saved[i])
			(void)setenv(variables[i], world.saved[i], 1);
		else
			(void)unsetenv(variables[i]);
		free(KC_STEAL(world.saved[i]));
	}
	return 0;
}

/* Each row adds a file of logins, which goes before those of the rows above it. */
static void the_usual_places_are_looked_into_in_their_order(void)
{
	static const struct {
		const char *directory, *file, *user;
		const char *encoded;	      /* "USER:x" */
		const char *variable, *value; /* set by now; below the root */
	} rows[] = {
		{ "home/.docker", "config.json", "last", "bGFzdDp4", "HOME", "home" },
		{ "docker", "config.json", "docker", "ZG9ja2VyOng=", "DOCKER_CONFIG", "docker" },
		{ "home/.config/containers", "auth.json", "home", "aG9tZTp4", "HOME", "home" },
		{ "config/containers", "auth.json", "config", "Y29uZmlnOng=", "XDG_CONFIG_HOME", "config" },
		{ "run/containers", "auth.json", "run", "cnVuOng=", "XDG_RUNTIME_DIR", "run" },
		{ ".", "named.json", "named", "bmFtZWQ6eA==", "REGISTRY_AUTH_FILE", "named.json" },
	};
	KC_CLEANUP_TEMPORARY struct kc_temporary root = { 0 };
	struct kc_error err = { 0 };

	KC_REQUIRE_OK(kc_temporary_make(&root, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(variables); i++)
		(void)unsetenv(variables[i]);
	(void)setenv("XDG_RUNTIME_DIR", root.path, 1); /* or else this machine's own logins count */
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		struct kc_registry_login login = { 0 };
		char path[PATH_MAX + 64], text[128];

		(void)snprintf(path, sizeof(path), "%s/%s", root.path, rows[i].directory);
		KC_CHECK_OK(kc_dir_make(path, &err), err);
		(void)snprintf(path, sizeof(path), "%s/%s/%s", root.path, rows[i].directory, rows[i].file);
		(void)snprintf(text, sizeof(text), "{\"auths\":{\"r.example\":{\"auth\":\"%s\"}}}",
			       rows[i].encoded);
		KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, &err), err);
		(void)snprintf(path, sizeof(path), "%s/%s", root.path, rows[i].value);
		(void)setenv(rows[i].variable, path, 1);
		KC_CHECK_OK(kc_registry_login_find("r.example", "a", NULL, &login, &err), err);
		KC_CHECK_STRING(login.user, rows[i].user);
	}
}

static void a_damaged_file_is_named_and_a_missing_one_only_if_it_was_asked_for(void)
{
	KC_CLEANUP_TEMPORARY struct kc_temporary root = { 0 };
	struct kc_registry_login login = { 0 };
	struct kc_error err = { 0 };
	char path[PATH_MAX + 16];

	KC_REQUIRE_OK(kc_temporary_make(&root, &err), err);
	(void)snprintf(path, sizeof(path), "%s/named.json", root.path);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(variables); i++)
		(void)setenv(variables[i], path, 1);
	KC_CHECK_OK(kc_registry_login_find("r.example", "a", NULL, &login, &err), err);
	KC_CHECK_INT(kc_registry_login_find("r.example", "a", path, &login, &err), -ENOENT);
	KC_CHECK_CONTAINS(err.text, path);
	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, path, "{", 1, 0600, &err), err);
	KC_CHECK_INT(kc_registry_login_find("r.example", "a", NULL, &login, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, path);
}

KC_TEST_SUITE_WITH(registry_parse, KC_LABEL_FAST, setup, teardown, KC_TEST(references_are_completed),
		   KC_TEST(references_that_are_none_are_refused), KC_TEST(challenges_are_read),
		   KC_TEST(challenges_have_limits), KC_TEST(token_servers_are_related),
		   KC_TEST(logins_are_found), KC_TEST(the_usual_places_are_looked_into_in_their_order),
		   KC_TEST(a_damaged_file_is_named_and_a_missing_one_only_if_it_was_asked_for));
