#include "release/base64.h"

#include <errno.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/cleanup.h"

int kc_base64_encode(const void *bytes, size_t length, struct kc_buffer *text)
{
	KC_CLEANUP_FREE unsigned char *encoded = NULL;

	if (length > INT_MAX / 2)
		return -E2BIG;
	encoded = malloc((length + 2) / 3 * 4 + 1);
	if (!encoded)
		return -ENOMEM;
	return kc_buffer_append(text, encoded, (size_t)EVP_EncodeBlock(encoded, bytes, (int)length));
}

/* A copy in the standard alphabet, which the caller frees. */
static int standardize(const char *text, char **ret_text)
{
	char *copy;

	if (strpbrk(text, "+/") && strpbrk(text, "-_"))
		return -EBADMSG;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	for (char *next = copy; *next; next++)
		*next = *next == '-' ? '+' : *next == '_' ? '/' : *next;
	*ret_text = copy;
	return 0;
}

int kc_base64_decode(const char *text, struct kc_buffer *bytes)
{
	size_t length = strlen(text), padding = 0;
	KC_CLEANUP_BUFFER struct kc_buffer again = KC_BUFFER_INIT(INT_MAX);
	KC_CLEANUP_FREE unsigned char *decoded = NULL;
	KC_CLEANUP_FREE char *standard = NULL;
	int status, decoded_length;

	if (length > INT_MAX / 2)
		return -E2BIG;
	status = standardize(text, &standard);
	if (status < 0)
		return status;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	decoded = malloc(length + 1);
	if (!decoded)
		return -ENOMEM;
	/* It passes over much that is no base64, and counts the padding as bytes: hence the way back. */
	decoded_length =
		EVP_DecodeBlock(decoded, (const unsigned char *)standard, (int)length) - (int)padding;
	if (decoded_length < 0)
		return -EBADMSG;
	status = kc_base64_encode(decoded, (size_t)decoded_length, &again);
	if (status < 0)
		return status;
	if (strcmp(kc_buffer_string(&again), standard) != 0)
		return -EBADMSG;
	return kc_buffer_append(bytes, decoded, (size_t)decoded_length);
}
