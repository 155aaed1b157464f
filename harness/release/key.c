#include "release/key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "release/key_internal.h"
#include "sys/fd.h"

static const struct {
	const char *label;
	enum kc_key_kind kind;
} labels[] = {
	{ "-----BEGIN PRIVATE KEY-----", KC_KEY_PEM_PRIVATE },
	{ "-----BEGIN ENCRYPTED PRIVATE KEY-----", KC_KEY_PEM_PRIVATE },
	{ "-----BEGIN OPENSSH PRIVATE KEY-----", KC_KEY_SSH_PRIVATE },
	{ "-----BEGIN PUBLIC KEY-----", KC_KEY_PEM_PUBLIC },
};

static bool is_private(const struct kc_key *key)
{
	return key->kind == KC_KEY_PEM_PRIVATE || key->kind == KC_KEY_SSH_PRIVATE;
}

static int unknown(const struct kc_key *key, const char *what, int length, struct kc_error *err)
{
	int status = kc_error_set(err, EINVAL, "key `%s`: %.*s is no key that signs or checks releases",
				  key->path, length, what);

	kc_error_hint(err, "it takes an ed25519 key in PEM (`openssl genpkey -algorithm ed25519`) or a key "
			   "of ssh-keygen");
	return status;
}

static int recognize(struct kc_key *key, struct kc_error *err)
{
	const char *text = kc_buffer_string(&key->content);

	if (strlen(text) != key->content.length)
		return unknown(key, "a file with NUL bytes", INT_MAX, err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(labels); i++)
		if (strncmp(text, labels[i].label, strlen(labels[i].label)) == 0)
			key->kind = labels[i].kind;
	if (key->kind == KC_KEY_NONE && strncmp(text, "-----BEGIN ", 11) == 0)
		return unknown(key, text, (int)strcspn(text, "\r\n"), err);
	if (key->kind == KC_KEY_NONE)
		key->kind = KC_KEY_SSH_PUBLIC; /* which its own reader looks into */
	return 0;
}

static int check_use(const struct kc_key *key, enum kc_key_use use, struct kc_error *err)
{
	int status;

	if (is_private(key) == (use == KC_KEY_TO_SIGN))
		return 0;
	if (use == KC_KEY_TO_SIGN) {
		status = kc_error_set(err, EINVAL, "key `%s`: a public key cannot sign", key->path);
		kc_error_hint(err, "give the private key that belongs to it");
		return status;
	}
	status = kc_error_set(err, EINVAL,
			      "key `%s`: a private key; signatures are checked with the public one",
			      key->path);
	kc_error_hint(err,
		      key->kind == KC_KEY_PEM_PRIVATE ? "make it with `openssl pkey -in %s -pubout`"
						      : "make it with `ssh-keygen -y -f %s`",
		      key->path);
	return status;
}

/* As ssh(1) has it: what others own, others have to protect. */
static int check_mode(const struct kc_key *key, const struct stat *file, struct kc_error *err)
{
	int status;

	if (!is_private(key) || file->st_uid != getuid() || !(file->st_mode & 077))
		return 0;
	status =
		kc_error_set(err, EACCES, "key `%s`: a private key that others may read or write (mode %04o)",
			     key->path, (unsigned int)file->st_mode & 07777);
	kc_error_hint(err, "chmod 600 %s; if others may have read it, make a new one", key->path);
	return status;
}

static int read_file(struct kc_key *key, struct stat *ret_file, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = open(key->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return kc_error_errno(err, errno, "key `%s`: open", key->path);
	if (fstat(fd, ret_file) < 0)
		return kc_error_errno(err, errno, "key `%s`: stat", key->path);
	if (!S_ISREG(ret_file->st_mode))
		return kc_error_set(err, EINVAL, "key `%s`: not a regular file", key->path);
	return kc_fd_read_all(fd, &key->content, key->path, err);
}

int kc_key_load(struct kc_key *key, const char *path, enum kc_key_use use, struct kc_error *err)
{
	struct stat file;
	int status;

	if (snprintf(key->path, sizeof(key->path), "%s", path) >= (int)sizeof(key->path))
		return kc_error_errno(err, ENAMETOOLONG, "key `%.200s...`", path);
	status = read_file(key, &file, err);
	if (status == 0)
		status = recognize(key, err);
	if (status == 0)
		status = check_use(key, use, err);
	if (status == 0)
		status = check_mode(key, &file, err);
	if (status < 0)
		return status;
	return key->kind == KC_KEY_PEM_PRIVATE || key->kind == KC_KEY_PEM_PUBLIC ? kc_key_pem_load(key, err)
										 : kc_key_ssh_load(key, err);
}

int kc_key_sign(const struct kc_key *key, const struct kc_buffer *message, struct kc_signature *signature,
		struct kc_error *err)
{
	return key->pem ? kc_key_pem_sign(key, message, signature, err)
			: kc_key_ssh_sign(key, message, signature, err);
}

int kc_key_verify(const struct kc_key *key, const struct kc_buffer *message,
		  const struct kc_signature *signature, struct kc_error *err)
{
	return key->pem ? kc_key_pem_verify(key, message, signature, err)
			: kc_key_ssh_verify(key, message, signature, err);
}

int kc_key_refuse_encrypted(const struct kc_key *key, const char *command, struct kc_error *err)
{
	int status = kc_error_set(err, ENOKEY,
				  "key `%s`: it is encrypted, and nobody is here to type the passphrase",
				  key->path);

	kc_error_hint(err, "give a copy without a passphrase that only you can read: %s", command);
	return status;
}

void kc_key_release(struct kc_key *key)
{
	if (key->content.data)
		OPENSSL_cleanse(key->content.data, key->content.length);
	kc_buffer_release(&key->content);
	kc_key_pem_release(key);
	key->kind = KC_KEY_NONE;
}
