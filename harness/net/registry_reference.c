#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "net/registry_internal.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static const char docker_hub[] = "docker.io";

/* What is being read, cut into its parts; each NUL-terminated within `copy`, NULL where there is none. */
struct parts {
	char copy[KC_REGISTRY_REFERENCE_TEXT_SIZE];
	char *host, *repository, *tag, *digest;
};

bool kc_registry_digest_is_valid(const char *digest)
{
	return strncmp(digest, "sha256:", 7) == 0 && kc_sha256_is_valid(digest + 7);
}

/* [a-z0-9]+ joined by '.', one or two '_', or any number of '-': one component of a repository. */
static size_t component_length(const char *text)
{
	size_t length = strspn(text, LOWER DIGITS);

	while (length) {
		size_t separator = strspn(text + length, "-");
		size_t word;

		if (separator == 0 && text[length] == '.')
			separator = 1;
		if (separator == 0)
			separator = strspn(text + length, "_");
		if (separator == 0 || (text[length] == '_' && separator > 2))
			break;
		word = strspn(text + length + separator, LOWER DIGITS);
		if (word == 0)
			break;
		length += separator + word;
	}
	return length;
}

bool kc_registry_repository_is_valid(const char *text)
{
	while (*text) {
		size_t length = component_length(text);

		if (length == 0)
			return false;
		text += length;
		if (*text == '\0')
			return true;
		if (*text++ != '/')
			return false;
	}
	return false;
}

bool kc_registry_tag_is_valid(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < KC_REGISTRY_TAG_SIZE && *text != '.' && *text != '-' &&
	       strspn(text, LOWER UPPER DIGITS "_.-") == length;
}

/* ":PORT" or nothing. */
static bool is_port(const char *text)
{
	unsigned long port = 0;

	if (*text == '\0')
		return true;
	if (*text++ != ':' || strspn(text, DIGITS) != strlen(text) || strlen(text) > 5)
		return false;
	for (; *text; text++)
		port = port * 10 + (unsigned long)(*text - '0');
	return port > 0 && port < 65536;
}

static bool is_host(const char *text)
{
	size_t length;

	if (*text == '[') {
		length = strspn(text + 1, DIGITS "abcdefABCDEF:.");
		return length > 1 && text[length + 1] == ']' && is_port(text + length + 2);
	}
	for (;;) { /* labels */
		length = strspn(text, LOWER UPPER DIGITS "-");
		if (length == 0 || text[0] == '-' || text[length - 1] == '-')
			return false;
		text += length;
		if (*text != '.')
			return is_port(text);
		text++;
	}
}

static bool looks_like_host(const char *component)
{
	return strpbrk(component, ".:") || strcmp(component, "localhost") == 0;
}

static void cut(struct parts *parts)
{
	char *slash = strchr(parts->copy, '/');
	char *at = strchr(parts->copy, '@');
	char *colon;

	if (at) {
		*at = '\0';
		parts->digest = at + 1;
	}
	parts->repository = parts->copy;
	if (slash && (!at || slash < at)) {
		*slash = '\0';
		if (looks_like_host(parts->copy)) {
			parts->host = parts->copy;
			parts->repository = slash + 1;
		} else {
			*slash = '/';
		}
	}
	colon = strchr(parts->repository, ':');
	if (colon) {
		*colon = '\0';
		parts->tag = colon + 1;
	}
}

static int refuse(const char *text, const char *what, struct kc_error *err)
{
	char shown[128];
	int status;

	(void)snprintf(shown, sizeof(shown), "%s", text);
	for (char *next = shown; *next; next++)
		if (!isprint((unsigned char)*next))
			*next = '?';
	status = kc_error_set(err, EINVAL, "read image name `%s`: %s", shown, what);
	kc_error_hint(err, "[HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST], for instance alpine:3.19 or "
			   "quay.io/centos/centos:7");
	return status;
}

static const char *find_repository_fault(const char *repository)
{
	if (strstr(repository, "//") || *repository == '/' || *repository == '\0')
		return "it has an empty component";
	if (strpbrk(repository, UPPER))
		return "a repository is written in lower case";
	if (!kc_registry_repository_is_valid(repository))
		return "a repository is made of a-z, 0-9, and single separators . _ __ - between them";
	return NULL;
}

/* The first rule that is broken, or NULL. */
static const char *find_fault(const struct parts *parts)
{
	const char *fault = find_repository_fault(parts->repository);

	if (parts->host && !is_host(parts->host))
		return "the host is none";
	if (fault)
		return fault;
	if (parts->tag && !kc_registry_tag_is_valid(parts->tag))
		return "a tag is 1 to 128 of a-z, A-Z, 0-9, _ . -, and begins with neither . nor -";
	if (parts->digest && !kc_registry_digest_is_valid(parts->digest))
		return "a digest is sha256: and 64 digits of 0-9, a-f";
	return NULL;
}

static void take_over(const struct parts *parts, struct kc_registry_reference *reference)
{
	const char *host = parts->host ? parts->host : docker_hub;
	bool is_hub;

	if (strcasecmp(host, "index.docker.io") == 0) /* its name before 2016, in many scripts still */
		host = docker_hub;
	(void)snprintf(reference->host, sizeof(reference->host), "%s", host);
	for (char *next = reference->host; *next; next++)
		*next = (char)tolower((unsigned char)*next);
	is_hub = strcmp(reference->host, docker_hub) == 0;
	(void)snprintf(reference->repository, sizeof(reference->repository), "%s%s",
		       is_hub && !strchr(parts->repository, '/') ? "library/" : "", parts->repository);
	(void)snprintf(reference->tag, sizeof(reference->tag), "%s",
		       parts->tag      ? parts->tag
		       : parts->digest ? ""
				       : "latest");
	(void)snprintf(reference->digest, sizeof(reference->digest), "%s",
		       parts->digest ? parts->digest : "");
}

int kc_registry_reference_parse(const char *text, struct kc_registry_reference *ret_reference,
				struct kc_error *err)
{
	struct kc_registry_reference reference = { 0 };
	struct parts parts = { 0 };
	const char *fault;

	if (strstr(text, "://"))
		return refuse(text, "it is a URL", err);
	if (strlen(text) >= sizeof(parts.copy))
		return refuse(text, "it is too long", err);
	(void)snprintf(parts.copy, sizeof(parts.copy), "%s", text);
	cut(&parts);
	/* The bounds that registries set together leave room for "library/". */
	if (strlen(parts.repository) + (parts.host ? strlen(parts.host) : 0) + sizeof("library/") >
	    KC_REGISTRY_NAME_SIZE)
		return refuse(text, "host and repository are longer than 247 bytes", err);
	fault = find_fault(&parts);
	if (fault)
		return refuse(text, fault, err);
	take_over(&parts, &reference);
	*ret_reference = reference;
	return 0;
}

void kc_registry_reference_print(const struct kc_registry_reference *reference,
				 char ret_text[KC_REGISTRY_REFERENCE_TEXT_SIZE])
{
	(void)snprintf(ret_text, KC_REGISTRY_REFERENCE_TEXT_SIZE, "%s/%s%s%s%s%s", reference->host,
		       reference->repository, reference->tag[0] ? ":" : "", reference->tag,
		       reference->digest[0] ? "@" : "", reference->digest);
}
