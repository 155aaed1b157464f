/* Envelopes: who signed what, with keys that the host's own programs make; and hostile ones. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "fixtures/temporary.h"
#include "release/base64.h"
#include "release/envelope.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/kc_test.h"

/* Made once for the suite: in its directory, NAME and NAME.pub. */
static struct kc_temporary keys;

static const char *key_path(const char *name)
{
	static char path[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", keys.path, name);
	return path;
}

/* A program of the host in the directory of the keys, which has to succeed. */
static int host(const char *const argv[], const struct kc_buffer *input, struct kc_buffer *output)
{
	const struct kc_process process = { .argv = argv,
					    .directory = keys.path,
					    .timeout_ms = 60000,
					    .input = input,
					    .output = output,
					    .errors = output };
	struct kc_error err = { 0 };
	int exit_status = -1;

	return kc_process_run(&process, &exit_status, &err) < 0 || exit_status != 0 ? -1 : 0;
}

#define HOST(input, output, ...) host((const char *const[]){ __VA_ARGS__, NULL }, input, output)

static int make_ssh_key(const char *name, const char *type, const char *passphrase)
{
	return HOST(NULL, NULL, "ssh-keygen", "-q", "-t", type, "-N", passphrase, "-C", "a comment", "-f",
		    name);
}

static int make_pem_key(const char *name, const char *public_name)
{
	return HOST(NULL, NULL, "openssl", "genpkey", "-algorithm", "ed25519", "-out", name) < 0 ||
			       HOST(NULL, NULL, "openssl", "pkey", "-in", name, "-pubout", "-out",
				    public_name) < 0
		       ? -1
		       : 0;
}

/* "PRINCIPAL OPTIONS KEY", of a public key that ssh-keygen wrote. */
static int write_signers(const char *name, const char *before, const char *public_name)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(4096);

	if (kc_buffer_printf(&text, "# who may sign\n%s ", before) < 0 ||
	    kc_file_read(AT_FDCWD, key_path(public_name), &text, NULL) < 0)
		return -1;
	return kc_file_write_atomic(AT_FDCWD, key_path(name), text.data, text.length, 0644, NULL);
}

/* What is no key, or none of ours. */
static int write_files(void)
{
	static const char *const files[][2] = {
		{ "text", "not a key\n" },
		{ "empty", "" },
		{ "cut", "-----BEGIN PRIVATE KEY-----\nMC4C\n" },
		{ "cut.ssh", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n" },
		{ "certificate", "-----BEGIN CERTIFICATE-----\n" },
	};
	static const char *const signers[][2] = {
		{ "signers", "*@example.org,releases" },
		{ "signers.other", "a namespaces=\"file\"" },
		{ "signers.expired", "a valid-before=\"20200101\"" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(files); i++)
		if (kc_file_write_atomic(AT_FDCWD, key_path(files[i][0]), files[i][1], strlen(files[i][1]),
					 0600, NULL) < 0)
			return -1;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(signers); i++)
		if (write_signers(signers[i][0], signers[i][1], "ssh.pub") < 0)
			return -1;
	return 0;
}

static int make_odd_keys(void)
{
	int failed = make_ssh_key("ssh.encrypted", "ed25519", "a passphrase") < 0;

	failed = failed || HOST(NULL, NULL, "openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass",
				"pass:x", "-out", "pem.encrypted") < 0;
	failed = failed || HOST(NULL, NULL, "openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
				"ec_paramgen_curve:P-256", "-out", "ec") < 0;
	return failed ? -1 : 0;
}

static int make_keys(void)
{
	struct kc_error err;
	int failed = kc_temporary_make(&keys, &err) < 0;

	failed = failed || make_pem_key("pem", "pem.pub") < 0 || make_pem_key("pem2", "pem2.pub") < 0;
	failed = failed || make_ssh_key("ssh", "ed25519", "") < 0 || make_ssh_key("ssh2", "ecdsa", "") < 0;
	return failed || make_odd_keys() < 0 || write_files() < 0 ? -1 : 0;
}

static int remove_keys(void)
{
	kc_temporary_remove(&keys);
	return 0;
}

static const char payload[] = "{\"_type\":\"https://in-toto.io/Statement/v1\"}\n";

/* An envelope of `content`, signed by these keys, NULL-terminated. */
static int sign(struct kc_envelope *envelope, const char *content, const char *const names[],
		struct kc_error *err)
{
	int status = kc_buffer_append_string(&envelope->payload, content);

	for (size_t i = 0; status == 0 && names[i]; i++) {
		KC_CLEANUP_KEY struct kc_key key = KC_KEY_INIT;

		status = kc_key_load(&key, key_path(names[i]), KC_KEY_TO_SIGN, err);
		if (status == 0)
			status = kc_envelope_sign(envelope, &key, err);
	}
	return status;
}

static int verify(const struct kc_envelope *envelope, const char *name, struct kc_error *err)
{
	KC_CLEANUP_KEY struct kc_key key = KC_KEY_INIT;
	int status = kc_key_load(&key, key_path(name), KC_KEY_TO_VERIFY, err);

	return status < 0 ? status : kc_envelope_verify(envelope, &key, err);
}

static void each_key_checks_what_it_signed(void)
{
	static const struct {
		const char *signer, *checker;
		int expected;
	} rows[] = {
		{ "pem", "pem.pub", 0 },
		{ "ssh", "ssh.pub", 0 },
		{ "ssh2", "ssh2.pub", 0 },
		{ "ssh", "signers", 0 },
		{ "pem", "pem2.pub", -EKEYREJECTED },
		{ "ssh", "ssh2.pub", -EKEYREJECTED },
		{ "ssh2", "signers", -EKEYREJECTED },
		{ "ssh", "signers.other", -EKEYREJECTED },
		{ "ssh", "signers.expired", -EKEYREJECTED },
		{ "pem", "ssh.pub", -EKEYREJECTED },
		{ "ssh", "pem.pub", -EKEYREJECTED },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_ENVELOPE struct kc_envelope envelope = { 0 }, again = { 0 };
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_ENVELOPE_LIMIT);
		struct kc_error err = { 0 };

		kc_envelope_init(&envelope);
		kc_envelope_init(&again);
		KC_REQUIRE_OK(sign(&envelope, payload, (const char *const[]){ rows[i].signer, NULL }, &err),
			      err);
		KC_REQUIRE_OK(kc_envelope_write(&envelope, &text, &err), err);
		KC_REQUIRE_OK(kc_envelope_read(text.data, text.length, "a", &again, &err), err);
		KC_CHECK_STRING(kc_buffer_string(&again.payload), payload);
		KC_CHECK_MESSAGE(verify(&again, rows[i].checker, &err) == rows[i].expected, "%s by %s: %s",
				 rows[i].signer, rows[i].checker, err.text);
	}
}

static void several_sign(void)
{
	static const char *const names[] = { "pem", "ssh", "pem2", NULL };
	static const char *const twice[] = { "pem", "pem", NULL };
	KC_CLEANUP_ENVELOPE struct kc_envelope envelope = { 0 }, other = { 0 };
	struct kc_error err = { 0 };

	kc_envelope_init(&envelope);
	kc_envelope_init(&other);
	KC_REQUIRE_OK(sign(&envelope, payload, names, &err), err);
	KC_CHECK_INT(envelope.signature_count, 3);
	KC_CHECK_OK(verify(&envelope, "pem.pub", &err), err);
	KC_CHECK_OK(verify(&envelope, "ssh.pub", &err), err);
	KC_CHECK_OK(verify(&envelope, "pem2.pub", &err), err);
	KC_CHECK_INT(verify(&envelope, "ssh2.pub", &err), -EKEYREJECTED);
	KC_CHECK_CONTAINS(err.text, "it has 3, said to be of: ");
	KC_CHECK_CONTAINS(err.text, ", SHA256:");
	KC_CHECK_INT(sign(&other, payload, twice, &err), -EEXIST);
}

static void nothing_may_change(void)
{
	static const char *const checkers[][2] = { { "pem", "pem.pub" }, { "ssh", "ssh.pub" } };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(checkers); i++) {
		KC_CLEANUP_ENVELOPE struct kc_envelope envelope = { 0 }, other = { 0 };
		const char *const names[] = { checkers[i][0], NULL };
		struct kc_error err = { 0 };

		kc_envelope_init(&envelope);
		kc_envelope_init(&other);
		KC_REQUIRE_OK(sign(&envelope, payload, names, &err), err);
		KC_REQUIRE_OK(sign(&other, "{}", names, &err), err);
		KC_CHECK_OK(verify(&envelope, checkers[i][1], &err), err);
		envelope.payload.data[5] ^= 1; /* one bit of the payload */
		KC_CHECK_INT(verify(&envelope, checkers[i][1], &err), -EKEYREJECTED);
		envelope.payload.data[5] ^= 1;
		other.payload.data[0] = '['; /* the signature of another payload */
		KC_CHECK_INT(verify(&other, checkers[i][1], &err), -EKEYREJECTED);
		envelope.payload.length--;
		KC_CHECK_INT(verify(&envelope, checkers[i][1], &err), -EKEYREJECTED);
		envelope.payload.length++;
		envelope.signatures[0].bytes.data[envelope.signatures[0].bytes.length / 2] ^= 1;
		KC_CHECK_INT(verify(&envelope, checkers[i][1], &err), -EKEYREJECTED);
		envelope.signatures[0].bytes.data[envelope.signatures[0].bytes.length / 2] ^= 1;
		KC_CHECK_OK(verify(&envelope, checkers[i][1], &err), err);
		envelope.signatures[0].bytes.length -= 8;
		envelope.signatures[0].bytes.data[envelope.signatures[0].bytes.length] = '\0';
		KC_CHECK_INT(verify(&envelope, checkers[i][1], &err), -EKEYREJECTED);
		envelope.signature_count = 0; /* zero signatures are never verified */
		KC_CHECK_INT(verify(&envelope, checkers[i][1], &err), -EKEYREJECTED);
		KC_CHECK_CONTAINS(err.text, "it has 0, said to be of: nobody");
	}
}

static void refuses_keys(void)
{
	static const struct {
		const char *name;
		enum kc_key_use use;
		int expected;
		const char *text;
	} rows[] = {
		{ "pem.encrypted", KC_KEY_TO_SIGN, -ENOKEY, "it is encrypted" },
		{ "ssh.encrypted", KC_KEY_TO_SIGN, -ENOKEY, "it is encrypted" },
		{ "ec", KC_KEY_TO_SIGN, -EINVAL, "its type is EC, expected ed25519" },
		{ "cut", KC_KEY_TO_SIGN, -EINVAL, "cut off or damaged" },
		{ "cut.ssh", KC_KEY_TO_SIGN, -EINVAL, "cut off or damaged" },
		{ "certificate", KC_KEY_TO_SIGN, -EINVAL, "-----BEGIN CERTIFICATE----- is no key" },
		{ "pem.pub", KC_KEY_TO_SIGN, -EINVAL, "a public key cannot sign" },
		{ "signers", KC_KEY_TO_SIGN, -EINVAL, "a public key cannot sign" },
		{ "pem", KC_KEY_TO_VERIFY, -EINVAL, "a private key; signatures are checked" },
		{ "ssh", KC_KEY_TO_VERIFY, -EINVAL, "a private key; signatures are checked" },
		{ "text", KC_KEY_TO_VERIFY, -EINVAL, "neither a key nor an allowed_signers file" },
		{ "empty", KC_KEY_TO_VERIFY, -EINVAL, "neither a key nor an allowed_signers file" },
		{ "missing", KC_KEY_TO_VERIFY, -ENOENT, "No such file" },
		{ ".", KC_KEY_TO_VERIFY, -EINVAL, "not a regular file" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_KEY struct kc_key key = KC_KEY_INIT;
		struct kc_error err = { 0 };

		KC_CHECK_MESSAGE(kc_key_load(&key, key_path(rows[i].name), rows[i].use, &err) ==
					 rows[i].expected,
				 "%s: %s", rows[i].name, err.text);
		KC_CHECK_CONTAINS(err.text, rows[i].text);
		KC_CHECK_CONTAINS(err.text, key_path(rows[i].name));
	}
}

static void refuses_private_keys_that_others_may_read(void)
{
	static const char *const names[] = { "pem", "ssh" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(names); i++) {
		KC_CLEANUP_KEY struct kc_key key = KC_KEY_INIT;
		struct kc_error err = { 0 };

		KC_REQUIRE(chmod(key_path(names[i]), 0640) == 0);
		KC_CHECK_INT(kc_key_load(&key, key_path(names[i]), KC_KEY_TO_SIGN, &err), -EACCES);
		KC_CHECK_CONTAINS(err.text, "others may read or write (mode 0640)");
		KC_CHECK_CONTAINS(err.hint, "chmod 600");
		KC_CHECK_INT(chmod(key_path(names[i]), 0600), 0);
	}
}

#define TYPE "\"payloadType\":\"application/vnd.in-toto+json\""
#define ONE "\"signatures\":[{\"keyid\":\"a\",\"sig\":\"AAAA\"}]"

static void refuses_hostile_envelopes(void)
{
	static const struct {
		const char *text;
		int expected;
		const char *words;
	} rows[] = {
		{ "{\"payload\":\"e30=\"," TYPE "," ONE "}", 0, "" },
		{ "{\"payload\":\"_-8=\"," TYPE "," ONE "}", 0, "" }, /* URL-safe */
		{ "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"sig\":\"AAAA\"}]}", 0, "" },
		{ "", -EBADMSG, "not valid JSON" },
		{ "{\"payload\":\"e30=\"," TYPE "," ONE, -EBADMSG, "not valid JSON" },
		{ "{\"payload\":\"e30=\"," TYPE "," ONE "}{}", -EBADMSG, "bytes after" },
		{ "{\"payload\":\"e30=\",\"payload\":\"W10=\"," TYPE "," ONE "}", -EBADMSG, "stands twice" },
		{ "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"sig\":\"AAAA\",\"sig\":\"AAAA\"}]}",
		  -EBADMSG, "stands twice" },
		{ "{\"payload\":\"e30=\",\"payloadType\":\"text/plain\"," ONE "}", -EBADMSG,
		  "is `text/plain`, expected `app" },
		{ "{\"payload\":\"e30=\"," ONE "}", -EBADMSG, "\"payloadType\" is missing" },
		{ "{" TYPE "," ONE "}", -EBADMSG, "\"payload\" is missing" },
		{ "{\"payload\":7," TYPE "," ONE "}", -EBADMSG, "must be a string" },
		{ "{\"payload\":\"e30\"," TYPE "," ONE "}", -EBADMSG, "\"payload\" is no base64" },
		{ "{\"payload\":\"e31=\"," TYPE "," ONE "}", -EBADMSG, "\"payload\" is no base64" },
		{ "{\"payload\":\" e30=\"," TYPE "," ONE "}", -EBADMSG, "\"payload\" is no base64" },
		{ "{\"payload\":\"_+8=\"," TYPE "," ONE "}", -EBADMSG, "\"payload\" is no base64" },
		{ "{\"payload\":\"e30=\\u0000\"," TYPE "," ONE "}", -EBADMSG, "a NUL in a string" },
		{ "{\"payload\":\"e30=\"," TYPE "}", -EBADMSG, "\"signatures\" is missing" },
		{ "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[]}", -EBADMSG,
		  "0 signatures, expected 1 to 16" },
		{ "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[7]}", -EBADMSG, "not an object" },
		{ "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"keyid\":\"a\"}]}", -EBADMSG,
		  "\"sig\" is missing" },
		{ "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"keyid\":7,\"sig\":\"AAAA\"}]}", -EBADMSG,
		  "must be a string" },
		{ "{\"payload\":\"e30=\"," TYPE ",\"signatures\":[{\"sig\":\"A===\"}]}", -EBADMSG,
		  "\"sig\" is no base64" },
		{ "{\"payload\":\"e30=\"," TYPE
		  ",\"signatures\":[{\"keyid\":\"a\",\"sig\":\"\"},{\"keyid\":\"a\",\"sig\":\"\"}]}",
		  -EBADMSG, "two signatures with the \"keyid\" a" },
		{ "[]", -EBADMSG, "\"payloadType\" is missing" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_ENVELOPE struct kc_envelope envelope = { 0 };
		struct kc_error err = { 0 };

		kc_envelope_init(&envelope);
		KC_CHECK_MESSAGE(kc_envelope_read(rows[i].text, strlen(rows[i].text), "a.json", &envelope,
						  &err) == rows[i].expected,
				 "%s: %s", rows[i].text, err.text);
		KC_CHECK_CONTAINS(err.text, rows[i].words);
		KC_CHECK(verify(&envelope, "pem.pub", &err) < 0);
	}
}

static void refuses_what_is_too_much(void)
{
	KC_CLEANUP_ENVELOPE struct kc_envelope envelope = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_ENVELOPE_LIMIT + 1);
	struct kc_error err = { 0 };

	kc_envelope_init(&envelope);
	KC_CHECK_INT(kc_envelope_write(&envelope, &text, &err), -EINVAL);
	KC_CHECK_CONTAINS(err.text, "nobody has signed it");
	KC_CHECK_INT(kc_envelope_read("", KC_ENVELOPE_LIMIT + 1, "a.json", &envelope, &err), -E2BIG);
	KC_REQUIRE(kc_buffer_append_string(&text, "{\"payload\":\"e30=\"," TYPE
						  ",\"signatures\":[{\"sig\":\"") == 0);
	for (size_t i = 0; i <= KC_KEY_SIGNATURE_LIMIT / 12; i++)
		KC_REQUIRE(kc_buffer_append_string(&text, "AAAAAAAAAAAAAAAA") == 0);
	KC_REQUIRE(kc_buffer_append_string(&text, "\"}]}") == 0);
	KC_CHECK_INT(kc_envelope_read(text.data, text.length, "a.json", &envelope, &err), -E2BIG);
	kc_buffer_clear(&text);
	KC_REQUIRE(kc_buffer_append_string(&text, "{\"payload\":\"e30=\"," TYPE
						  ",\"signatures\":[{\"sig\":\"\"}") == 0);
	for (int i = 0; i < KC_ENVELOPE_SIGNATURES_MAX; i++)
		KC_REQUIRE(kc_buffer_append_string(&text, ",{\"sig\":\"\"}") == 0);
	KC_REQUIRE(kc_buffer_append_string(&text, "]}") == 0);
	kc_buffer_clear(&envelope.payload);
	KC_CHECK_INT(kc_envelope_read(text.data, text.length, "a.json", &envelope, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "17 signatures, expected 1 to 16");
}

/* Other people's programs take what is signed as it is. */
static void the_hosts_own_programs_agree(void)
{
	static const char *const names[] = { "pem", "ssh", NULL };
	KC_CLEANUP_ENVELOPE struct kc_envelope envelope = { 0 };
	KC_CLEANUP_BUFFER struct kc_buffer message = KC_BUFFER_INIT(KC_STATEMENT_LIMIT),
					   output = KC_BUFFER_INIT(65536);
	const struct kc_buffer *pem = &envelope.signatures[0].bytes, *ssh = &envelope.signatures[1].bytes;
	struct kc_error err = { 0 };

	kc_envelope_init(&envelope);
	KC_REQUIRE_OK(sign(&envelope, payload, names, &err), err);
	KC_REQUIRE(kc_envelope_encode(&envelope.payload, &message) == 0);
	KC_CHECK_STRING(kc_buffer_string(&message), "DSSEv1 28 application/vnd.in-toto+json 44 "
						    "{\"_type\":\"https://in-toto.io/Statement/v1\"}\n");
	KC_REQUIRE_OK(
		kc_file_write_atomic(AT_FDCWD, key_path("message"), message.data, message.length, 0600, &err),
		err);
	KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, key_path("pem.sig"), pem->data, pem->length, 0600, &err),
		      err);
	KC_REQUIRE_OK(kc_file_write_atomic(AT_FDCWD, key_path("ssh.sig"), ssh->data, ssh->length, 0600, &err),
		      err);
	KC_CHECK_INT(HOST(NULL, NULL, "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "pem.pub",
			  "-rawin", "-in", "message", "-sigfile", "pem.sig"),
		     0);
	KC_CHECK_INT(HOST(&message, NULL, "ssh-keygen", "-Y", "verify", "-n", "in-toto", "-I", "releases",
			  "-f", "signers", "-s", "ssh.sig"),
		     0);
	KC_CHECK_INT(HOST(NULL, &output, "ssh-keygen", "-l", "-f", "ssh.pub"), 0);
	KC_CHECK_CONTAINS(kc_buffer_string(&output), envelope.signatures[1].key_id);
	kc_buffer_clear(&output);
	KC_CHECK_INT(HOST(NULL, NULL, "openssl", "pkey", "-pubin", "-in", "pem.pub", "-outform", "DER",
			  "-out", "pem.der"),
		     0);
	KC_CHECK_INT(HOST(NULL, &output, "sha256sum", "pem.der"), 0);
	KC_CHECK_CONTAINS(kc_buffer_string(&output), envelope.signatures[0].key_id);
	message.data[9] ^= 1; /* the controls */
	KC_REQUIRE_OK(
		kc_file_write_atomic(AT_FDCWD, key_path("message"), message.data, message.length, 0600, &err),
		err);
	KC_CHECK_INT(HOST(NULL, NULL, "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "pem.pub",
			  "-rawin", "-in", "message", "-sigfile", "pem.sig"),
		     -1);
	KC_CHECK_INT(HOST(&message, NULL, "ssh-keygen", "-Y", "verify", "-n", "in-toto", "-I", "releases",
			  "-f", "signers", "-s", "ssh.sig"),
		     -1);
}

static void says_that_ssh_keygen_is_missing(void)
{
	static const char *const names[] = { "ssh", NULL };
	KC_CLEANUP_ENVELOPE struct kc_envelope envelope = { 0 };
	KC_CLEANUP_FREE char *before = strdup(getenv("PATH") ? getenv("PATH") : "");
	struct kc_error err = { 0 };

	kc_envelope_init(&envelope);
	KC_REQUIRE(before && setenv("PATH", keys.path, 1) == 0);
	KC_CHECK_INT(sign(&envelope, payload, names, &err), -ENOENT);
	KC_CHECK_INT(setenv("PATH", before, 1), 0);
	KC_CHECK_CONTAINS(err.text, "run `ssh-keygen`");
	KC_CHECK_CONTAINS(err.hint, "openssh-client");
}

KC_TEST_SUITE_WITH(envelope, KC_LABEL_FAST, make_keys, remove_keys, KC_TEST(each_key_checks_what_it_signed),
		   KC_TEST(several_sign), KC_TEST(nothing_may_change), KC_TEST(refuses_keys),
		   KC_TEST(refuses_private_keys_that_others_may_read), KC_TEST(refuses_hostile_envelopes),
		   KC_TEST(refuses_what_is_too_much), KC_TEST(the_hosts_own_programs_agree),
		   KC_TEST(says_that_ssh_keygen_is_missing));
