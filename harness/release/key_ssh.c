#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "release/base64.h"
#include "release/key_internal.h"
#include "sys/fd.h"
#include "sys/process.h"

enum {
	TIMEOUT_MS = 60000,
	OUTPUT_LIMIT = 64 << 10,
	PRINCIPALS_MAX = 16,
	BLOB_LIMIT = 64 << 10,
};

static const char private_begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
static const char private_end[] = "-----END OPENSSH PRIVATE KEY-----";
static const char signature_begin[] = "-----BEGIN SSH SIGNATURE-----";
static const char signature_end[] = "-----END SSH SIGNATURE-----";
/* Without these ssh-keygen asks for a passphrase at the terminal, or in a window. */
static const char *const environment[] = { "LC_ALL=C", "SSH_ASKPASS=/bin/false", "SSH_ASKPASS_REQUIRE=force",
					   NULL };

/* The bytes between two lines of an armored text. -EBADMSG if there is no such thing. */
static int unarmor(const char *text, const char *begin, const char *end, struct kc_buffer *blob)
{
	KC_CLEANUP_BUFFER struct kc_buffer base64 = KC_BUFFER_INIT(2 * BLOB_LIMIT);
	const char *next = text + strlen(begin), *last;
	int status = 0;

	if (strncmp(text, begin, strlen(begin)) != 0)
		return -EBADMSG;
	last = strstr(next, end);
	while (status == 0 && last && next < last) {
		size_t length = strcspn(next, "\r\n-");

		status = kc_buffer_append(&base64, next, length);
		next += length ? length : 1;
	}
	if (status == 0 && last)
		status = kc_base64_decode(kc_buffer_string(&base64), blob);
	if (base64.data)
		OPENSSL_cleanse(base64.data, base64.length);
	return last ? status : -EBADMSG;
}

/* Takes a string of SSH (RFC 4251, 5) from `blob` at `*at`; NULL if there is no whole one. */
static const char *take_string(const struct kc_buffer *blob, size_t *at, size_t *ret_length)
{
	const unsigned char *bytes = (const unsigned char *)blob->data;
	size_t length;

	if (*at > blob->length || blob->length - *at < 4)
		return NULL;
	length = (size_t)bytes[*at] << 24 | (size_t)bytes[*at + 1] << 16 | (size_t)bytes[*at + 2] << 8 |
		 bytes[*at + 3];
	*at += 4;
	if (length > blob->length - *at)
		return NULL;
	*at += length;
	*ret_length = length;
	return blob->data + *at - length;
}

/* What encrypts the key stands in clear before it: "openssh-key-v1", a NUL, the cipher's name. */
static int load_private(const struct kc_key *key, struct kc_error *err)
{
	static const char magic[] = "openssh-key-v1";
	KC_CLEANUP_BUFFER struct kc_buffer blob = KC_BUFFER_INIT(BLOB_LIMIT);
	size_t at = sizeof(magic), length = 0;
	const char *cipher = NULL;
	int status = unarmor(kc_buffer_string(&key->content), private_begin, private_end, &blob);
	int is_plain = 0;

	if (status == 0 && blob.length > sizeof(magic) && memcmp(blob.data, magic, sizeof(magic)) == 0)
		cipher = take_string(&blob, &at, &length);
	is_plain = cipher && length == 4 && memcmp(cipher, "none", 4) == 0;
	if (blob.data)
		OPENSSL_cleanse(blob.data, blob.length);
	if (!cipher)
		return kc_error_set(err, EINVAL,
				    "key `%s`: it is cut off or damaged: no OpenSSH key between its lines",
				    key->path);
	if (!is_plain)
		return kc_key_refuse_encrypted(key, "`ssh-keygen -p -N '' -f COPY`", err);
	return 0;
}

/* The line of an allowed_signers file for a line of a public key: "TYPE AAAA...". */
static int append_signer(struct kc_buffer *signers, const char *line, size_t length)
{
	size_t type = strcspn(line, " \t"), gap = strspn(line + type, " \t");
	int is_public_key = type + gap < length && strncmp(line + type + gap, "AAAA", 4) == 0;
	int status = 0;

	if (is_public_key)
		status = kc_buffer_append_string(signers, "* namespaces=\"" KC_KEY_SSH_NAMESPACE "\" ");
	if (status == 0)
		status = kc_buffer_append(signers, line, length);
	if (status == 0)
		status = kc_buffer_append_string(signers, "\n");
	return status;
}

static int load_public(struct kc_key *key, struct kc_error *err)
{
	struct kc_buffer signers = KC_BUFFER_INIT(2 * KC_KEY_FILE_LIMIT);
	int status = 0, has_key = 0;
	size_t length;

	for (const char *line = kc_buffer_string(&key->content); status == 0 && *line; line += length) {
		line += strspn(line, " \t\r\n");
		length = strcspn(line, "\r\n");
		if (!length || *line == '#')
			continue;
		has_key |= memmem(line, length, " AAAA", 5) != NULL;
		status = append_signer(&signers, line, length);
	}
	kc_buffer_release(&key->content);
	key->content = signers;
	if (status < 0)
		return kc_error_errno(err, status, "key `%s`", key->path);
	if (has_key)
		return 0;
	status = kc_error_set(err, EINVAL, "key `%s`: neither a key nor an allowed_signers file", key->path);
	kc_error_hint(err, "it takes an ed25519 key in PEM, or what ssh-keygen writes into KEY.pub");
	return status;
}

int kc_key_ssh_load(struct kc_key *key, struct kc_error *err)
{
	return key->kind == KC_KEY_SSH_PRIVATE ? load_private(key, err) : load_public(key, err);
}

static int run_keygen(const char *const argv[], const struct kc_buffer *input, struct kc_buffer *output,
		      struct kc_buffer *errors, int *ret_status, struct kc_error *err)
{
	const struct kc_process process = { .argv = argv,
					    .environment = environment,
					    .timeout_ms = TIMEOUT_MS,
					    .input = input,
					    .output = output,
					    .errors = errors };
	int status = kc_process_run(&process, ret_status, err);

	if (status == -ENOENT)
		kc_error_hint(
			err,
			"OpenSSH's keys need the program ssh-keygen: install the package openssh-client");
	return status;
}

/* The fingerprint of the key in a signature: after "SSHSIG" and the version. */
static int set_id(struct kc_signature *signature)
{
	KC_CLEANUP_BUFFER struct kc_buffer blob = KC_BUFFER_INIT(BLOB_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer id = KC_BUFFER_INIT(KC_KEY_ID_SIZE - 1);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_length = 0;
	size_t at = 10, length = 0;
	const char *public_key;
	int status = unarmor(kc_buffer_string(&signature->bytes), signature_begin, signature_end, &blob);

	if (status < 0)
		return status;
	public_key = take_string(&blob, &at, &length);
	if (!public_key || memcmp(blob.data, "SSHSIG", 6) != 0)
		return -EBADMSG;
	if (EVP_Digest(public_key, length, digest, &digest_length, EVP_sha256(), NULL) != 1)
		return -EIO;
	status = kc_buffer_append_string(&id, "SHA256:");
	if (status == 0)
		status = kc_base64_encode(digest, digest_length, &id);
	if (status == 0)
		(void)snprintf(signature->key_id, sizeof(signature->key_id), "%.*s",
			       (int)strcspn(kc_buffer_string(&id), "="), kc_buffer_string(&id));
	return status;
}

int kc_key_ssh_sign(const struct kc_key *key, const struct kc_buffer *message, struct kc_signature *signature,
		    struct kc_error *err)
{
	const char *const argv[] = { "ssh-keygen",	   "-Y", "sign",    "-n",
				     KC_KEY_SSH_NAMESPACE, "-f", key->path, NULL };
	KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(OUTPUT_LIMIT);
	int exit_status = 0;
	int status = run_keygen(argv, message, &signature->bytes, &errors, &exit_status, err);

	if (status < 0)
		return kc_error_prefix(err, "sign with `%s`", key->path);
	if (exit_status != 0)
		return kc_error_set(err, EIO, "sign with `%s`: ssh-keygen -Y sign: status %d: %.400s",
				    key->path, exit_status, kc_buffer_string(&errors));
	status = set_id(signature);
	return status < 0 ? kc_error_errno(err, status, "sign with `%s`: read what ssh-keygen -Y sign wrote",
					   key->path)
			  : 0;
}

/* What ssh-keygen reads for a check; nothing of it ever is on a disk. */
struct check {
	int signature_fd, signers_fd;
	char signature[KC_FD_PATH_SIZE], signers[KC_FD_PATH_SIZE];
};

static int open_check(struct check *check, const struct kc_key *key, const struct kc_signature *signature,
		      struct kc_error *err)
{
	check->signature_fd = kc_fd_of_bytes("signature", signature->bytes.data, signature->bytes.length);
	if (check->signature_fd < 0)
		return kc_error_errno(err, check->signature_fd, "write the signature");
	check->signers_fd = kc_fd_of_bytes("signers", key->content.data, key->content.length);
	if (check->signers_fd < 0)
		return kc_error_errno(err, check->signers_fd, "write the signers");
	kc_fd_path(check->signature_fd, check->signature);
	kc_fd_path(check->signers_fd, check->signers);
	return 0;
}

static void close_check(struct check *check)
{
	kc_fd_close(&check->signature_fd);
	kc_fd_close(&check->signers_fd);
}

static int reject(const struct kc_key *key, const struct kc_buffer *words, struct kc_error *err)
{
	const char *text = kc_buffer_string(words);

	return kc_error_set(err, EKEYREJECTED, "no key of `%s` made this signature: ssh-keygen: %.*s",
			    key->path, (int)strcspn(text, "\r\n"), text);
}

/* Whom the allowed_signers file says the key belongs to, one a line: which keys they are is all that counts here. */
static int try_principals(const struct kc_key *key, const struct check *check, char *principals,
			  const struct kc_buffer *message, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer words = KC_BUFFER_INIT(OUTPUT_LIMIT);
	char *rest = NULL, *principal = strtok_r(principals, "\r\n", &rest);

	for (int i = 0; principal && i < PRINCIPALS_MAX; i++) {
		const char *const argv[] = {
			"ssh-keygen",	"-Y", "verify",	 "-n", KC_KEY_SSH_NAMESPACE, "-f",
			check->signers, "-I", principal, "-s", check->signature,     NULL
		};
		int exit_status = 0, status;

		kc_buffer_clear(&words);
		status = run_keygen(argv, message, &words, &words, &exit_status, err);
		if (status < 0 || exit_status == 0)
			return status;
		principal = strtok_r(NULL, "\r\n", &rest);
	}
	return reject(key, &words, err);
}

int kc_key_ssh_verify(const struct kc_key *key, const struct kc_buffer *message,
		      const struct kc_signature *signature, struct kc_error *err)
{
	KC_CLEANUP(close_check) struct check check = { .signature_fd = -1, .signers_fd = -1 };
	KC_CLEANUP_BUFFER struct kc_buffer principals = KC_BUFFER_INIT(OUTPUT_LIMIT);
	KC_CLEANUP_BUFFER struct kc_buffer errors = KC_BUFFER_INIT(OUTPUT_LIMIT);
	const char *const argv[] = { "ssh-keygen",    "-Y", "find-principals", "-s",
				     check.signature, "-f", check.signers,     NULL };
	int exit_status = 0, status;

	/* What is no such text needs no program. */
	if (strncmp(kc_buffer_string(&signature->bytes), signature_begin, strlen(signature_begin)) != 0)
		return kc_error_set(err, EKEYREJECTED,
				    "`%s` did not make this signature, which is none of OpenSSH", key->path);
	status = open_check(&check, key, signature, err);
	if (status == 0)
		status = run_keygen(argv, NULL, &principals, &errors, &exit_status, err);
	if (status < 0)
		return kc_error_prefix(err, "check with `%s`", key->path);
	if (exit_status != 0 || principals.length == 0)
		return reject(key, &errors, err);
	status = try_principals(key, &check, principals.data, message, err);
	return status < 0 && status != -EKEYREJECTED ? kc_error_prefix(err, "check with `%s`", key->path)
						     : status;
}
