#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "net/registry_internal.h"
#include "sys/file.h"

enum {
	FILE_LIMIT = 1 << 20,
	/* Of "user:password", and of what base64 makes of it. */
	PLAIN_SIZE = KC_REGISTRY_USER_SIZE + KC_REGISTRY_PASSWORD_SIZE,
	ENCODED_LIMIT = (PLAIN_SIZE + 2) / 3 * 4,
	DECODED_SIZE = PLAIN_SIZE + 4, /* it comes in threes; with the NUL */
};

/* What is looked for, and in which file. */
struct search {
	const char *host, *repository;
	char path[PATH_MAX];
	struct kc_registry_login *login;
};

/* Other names under which docker and its kin keep the login of a host. */
static const struct {
	const char *host; /* NULL: any */
	const char *before, *after;
} spellings[] = {
	{ NULL, "https://", "" },      { NULL, "https://", "/v1/" },
	{ NULL, "https://", "/v2/" },  { "docker.io", "https://index.", "/v1/" },
	{ "docker.io", "index.", "" },
};

void kc_registry_login_clear(struct kc_registry_login *login)
{
	OPENSSL_cleanse(login->user, sizeof(login->user));
	OPENSSL_cleanse(login->password, sizeof(login->password));
}

static int damaged(const struct search *search, const char *what, struct kc_error *err)
{
	int status =
		kc_error_set(err, EBADMSG, "read logins `%s`: %s, for %s", search->path, what, search->host);

	kc_error_hint(err, "write it anew with `skopeo login %s` or `docker login %s`", search->host,
		      search->host);
	return status;
}

/* EVP_DecodeBlock passes over much that is no base64, and counts the padding as bytes. */
static int decode(const char *text, char ret_plain[DECODED_SIZE])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t length = strlen(text);
	size_t padding = length - strspn(text, alphabet);
	int decoded;

	if (length == 0 || length > ENCODED_LIMIT || length % 4 != 0 || padding > 2 ||
	    strspn(text + length - padding, "=") != padding)
		return -EBADMSG;
	decoded = EVP_DecodeBlock((unsigned char *)ret_plain, (const unsigned char *)text, (int)length);
	if (decoded < (int)padding)
		return -EBADMSG;
	decoded -= (int)padding;
	ret_plain[decoded] = '\0';
	/* RFC 7617: no control characters; a NUL would cut the password. */
	for (int i = 0; i < decoded; i++)
		if ((unsigned char)ret_plain[i] < ' ' || ret_plain[i] == 127)
			return -EBADMSG;
	return 0;
}

static int take_auth(const struct search *search, const char *text, struct kc_error *err)
{
	struct kc_registry_login *login = search->login;
	char plain[DECODED_SIZE];
	int status = decode(text, plain);
	const char *colon = status == 0 ? strchr(plain, ':') : NULL;

	if (!colon || colon == plain || colon - plain >= KC_REGISTRY_USER_SIZE ||
	    strlen(colon + 1) >= KC_REGISTRY_PASSWORD_SIZE) {
		status = damaged(search, "\"auth\" is not the base64 of USER:PASSWORD", err);
	} else {
		(void)snprintf(login->user, sizeof(login->user), "%.*s", (int)(colon - plain), plain);
		(void)snprintf(login->password, sizeof(login->password), "%s", colon + 1);
	}
	OPENSSL_cleanse(plain, sizeof(plain));
	return status;
}

/* Entries without a password in them are those of other ways to log in. */
static int take_entry(const struct search *search, const cJSON *entry, struct kc_error *err)
{
	const cJSON *auth = cJSON_GetObjectItemCaseSensitive(entry, "auth");
	const cJSON *token = cJSON_GetObjectItemCaseSensitive(entry, "identitytoken");

	if (!cJSON_IsObject(entry))
		return damaged(search, "an entry of \"auths\" is not an object", err);
	if (auth && !cJSON_IsString(auth))
		return damaged(search, "\"auth\" is not a string", err);
	if (cJSON_IsString(token) && token->valuestring[0]) {
		(void)snprintf(search->login->note, sizeof(search->login->note),
			       "%.160s has an identity token for %.60s, which is not supported", search->path,
			       search->host);
		return 0;
	}
	return auth && auth->valuestring[0] ? take_auth(search, auth->valuestring, err) : 0;
}

/* HOST/NAMESPACE/REPOSITORY, then shorter ones down to HOST, then what else a host is called. */
static const cJSON *find_entry(const struct search *search, const cJSON *auths)
{
	char key[3 * KC_REGISTRY_NAME_SIZE];
	const cJSON *entry = NULL;

	(void)snprintf(key, sizeof(key), "%s/%s", search->host, search->repository);
	while (!entry && strlen(key) >= strlen(search->host)) {
		char *slash = strrchr(key, '/');

		entry = cJSON_GetObjectItemCaseSensitive(auths, key);
		if (!slash)
			break;
		*slash = '\0';
	}
	for (size_t i = 0; !entry && i < KC_ARRAY_LENGTH(spellings); i++) {
		if (spellings[i].host && strcmp(spellings[i].host, search->host) != 0)
			continue;
		(void)snprintf(key, sizeof(key), "%s%s%s", spellings[i].before, search->host,
			       spellings[i].after);
		entry = cJSON_GetObjectItemCaseSensitive(auths, key);
	}
	return entry;
}

/* A helper keeps the login elsewhere, and docker leaves an empty entry behind. */
static void note_helper(const struct search *search, const cJSON *file, bool has_entry)
{
	const cJSON *helpers = cJSON_GetObjectItemCaseSensitive(file, "credHelpers");

	if (search->login->note[0])
		return;
	if (cJSON_GetObjectItemCaseSensitive(helpers, search->host) ||
	    (has_entry && cJSON_GetObjectItemCaseSensitive(file, "credsStore")))
		(void)snprintf(search->login->note, sizeof(search->login->note),
			       "%.160s leaves %.60s to a credential helper, which is not supported",
			       search->path, search->host);
}

/* Looks into one file. A missing one is a negative errno without a message. */
static int look_into(const struct search *search, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(FILE_LIMIT);
	KC_CLEANUP_JSON cJSON *file = NULL;
	const cJSON *auths, *entry;
	struct kc_error failure = { 0 };
	int status = kc_file_read(AT_FDCWD, search->path, &text, &failure);

	if (status < 0)
		return kc_error_set(err, status, "read logins: %s", failure.text);
	status = kc_json_parse(kc_buffer_string(&text), text.length, search->path, &file, &failure);
	if (text.data)
		OPENSSL_cleanse(text.data, text.length);
	if (status < 0)
		return kc_error_set(err, EBADMSG, "read logins: %s", failure.text);
	auths = cJSON_GetObjectItemCaseSensitive(file, "auths");
	if (!cJSON_IsObject(file) || (auths && !cJSON_IsObject(auths)))
		return damaged(search, "\"auths\" is not an object", err);
	entry = find_entry(search, auths);
	status = entry ? take_entry(search, entry, err) : 0;
	if (status == 0 && !search->login->user[0])
		note_helper(search, file, entry != NULL);
	return status;
}

/* One of the usual places, "" if it is none here. False after the last. */
static bool name_place(unsigned int place, char ret_path[PATH_MAX])
{
	static const struct {
		const char *variable; /* NULL: what stands for XDG_RUNTIME_DIR where there is no session */
		const char *suffix;
		const char *unless; /* a variable that names this place otherwise if it is set */
	} places[] = {
		{ "REGISTRY_AUTH_FILE", "", NULL },
		{ "XDG_RUNTIME_DIR", "/containers/auth.json", NULL },
		{ NULL, "/auth.json", "XDG_RUNTIME_DIR" },
		{ "XDG_CONFIG_HOME", "/containers/auth.json", NULL },
		{ "HOME", "/.config/containers/auth.json", "XDG_CONFIG_HOME" },
		{ "DOCKER_CONFIG", "/config.json", NULL },
		{ "HOME", "/.docker/config.json", "DOCKER_CONFIG" },
	};
	char run[64];
	const char *start = run, *instead;

	ret_path[0] = '\0';
	if (place >= KC_ARRAY_LENGTH(places))
		return false;
	(void)snprintf(run, sizeof(run), "/run/containers/%u", (unsigned int)geteuid());
	if (places[place].variable)
		start = getenv(places[place].variable);
	instead = places[place].unless ? getenv(places[place].unless) : NULL;
	if (start && *start && !(instead && *instead))
		(void)snprintf(ret_path, PATH_MAX, "%s%s", start, places[place].suffix);
	return true;
}

/* The first that has a login. Others' homes, and places where nobody has logged in yet, are passed over: whether
 * that matters the request will tell. */
static int look_in_usual_places(struct search *search, struct kc_error *err)
{
	for (unsigned int i = 0; name_place(i, search->path); i++) {
		struct kc_error failure = { 0 };
		int status = search->path[0] ? look_into(search, &failure) : 0;

		if (status < 0 && status != -ENOENT && status != -ENOTDIR && status != -EACCES) {
			if (err)
				*err = failure;
			return status;
		}
		if (search->login->user[0])
			break;
	}
	return 0;
}

int kc_registry_login_find(const char *host, const char *repository, const char *auth_file,
			   struct kc_registry_login *ret_login, struct kc_error *err)
{
	struct kc_registry_login login = { 0 };
	struct search search = { .host = host, .repository = repository, .login = &login };
	int status;

	if (auth_file) {
		(void)snprintf(search.path, sizeof(search.path), "%s", auth_file);
		status = look_into(&search, err);
	} else {
		status = look_in_usual_places(&search, err);
	}
	if (status == 0)
		*ret_login = login;
	kc_registry_login_clear(&login);
	return status;
}
