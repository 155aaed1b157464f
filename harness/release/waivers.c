#include "release/waivers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/json.h"
#include "sys/file.h"

/* What errors point into. */
struct source {
	const char *path, *text;
};

void kc_waivers_release(struct kc_waivers *waivers)
{
	cJSON_Delete(waivers->document);
	free(waivers->items);
	*waivers = (struct kc_waivers){ 0 };
}

const struct kc_waiver *kc_waivers_find(const struct kc_waivers *waivers, const char *identity)
{
	for (size_t i = 0; i < waivers->count; i++)
		if (strcmp(waivers->items[i].identity, identity) == 0)
			return &waivers->items[i];
	return NULL;
}

/* False for what is no day, as February 30, which timegm(3) would take for another. */
static bool read_day(const char *text, int64_t *ret_end_s)
{
	struct tm day = { 0 }, again;
	const char *end = strptime(text, "%Y-%m-%d", &day);
	char back[16];
	time_t start = timegm(&day);

	if (!end || *end || !gmtime_r(&start, &again) || !strftime(back, sizeof(back), "%Y-%m-%d", &again) ||
	    strcmp(back, text) != 0)
		return false;
	*ret_end_s = (int64_t)start + 86400;
	return true;
}

/* Says where in the file it stands. */
static int refuse_unknown(const cJSON *object, const char *const known[], unsigned int depth,
			  const char *where, const struct source *source, struct kc_error *err)
{
	const char *unknown = kc_json_find_unknown(object, known);
	size_t line, column;

	if (!unknown)
		return 0;
	if (kc_json_locate_key(source->text, unknown, depth, &line, &column))
		(void)kc_error_set(err, EBADMSG, "%s:%zu:%zu: %s: unknown key \"%s\"", source->path, line,
				   column, where, unknown);
	else
		(void)kc_error_set(err, EBADMSG, "%s: %s: unknown key \"%s\"", source->path, where, unknown);
	return -EBADMSG;
}

static int add(struct kc_waivers *waivers, const cJSON *json, struct kc_error *err)
{
	struct kc_waiver waiver = { 0 };
	int status = kc_json_get_string(json, "case", "waiver", &waiver.identity, err);

	if (status == 0)
		status = kc_json_get_string(json, "reason", "waiver", &waiver.reason, err);
	if (status == 0)
		status = kc_json_get_string(json, "expires", "waiver", &waiver.expires, err);
	if (status < 0)
		return status;
	if (kc_waivers_find(waivers, waiver.identity))
		return kc_error_set(err, EBADMSG, "case `%s` stands twice", waiver.identity);
	if (!waiver.reason[strspn(waiver.reason, " \t\r\n")])
		return kc_error_set(err, EBADMSG, "case `%s`: its reason is empty", waiver.identity);
	if (!read_day(waiver.expires, &waiver.expires_s))
		return kc_error_set(err, EBADMSG, "case `%s`: `%s` is no day, such as 2026-12-31",
				    waiver.identity, waiver.expires);
	waivers->items[waivers->count++] = waiver;
	return 0;
}

static int read_all(struct kc_waivers *waivers, struct kc_error *err)
{
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(waivers->document, "version"), *list = NULL,
		    *item;
	int status = 0;

	if (!cJSON_IsNumber(version) || version->valueint != 1)
		status = kc_error_set(err, EBADMSG, "\"version\" is not 1");
	if (status == 0)
		status = kc_json_get_array(waivers->document, "waivers", "waivers", &list, err);
	if (status == 0 && cJSON_GetArraySize(list) > KC_WAIVERS_MAX)
		status = kc_error_set(err, EBADMSG, "more than %d waivers", KC_WAIVERS_MAX);
	if (status < 0)
		return status;
	waivers->items = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*waivers->items));
	if (!waivers->items)
		return kc_error_errno(err, ENOMEM, "read waivers");
	cJSON_ArrayForEach(item, list)
	{
		status = add(waivers, item, err);
		if (status < 0)
			return status;
	}
	return 0;
}

static int refuse_all_unknown(const struct kc_waivers *waivers, const struct source *source,
			      struct kc_error *err)
{
	static const char *const known[] = { "$schema", "version", "waivers", NULL };
	static const char *const known_of_one[] = { "case", "reason", "expires", NULL };
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(waivers->document, "waivers"), *item;
	int status = refuse_unknown(waivers->document, known, 1, "waivers", source, err);

	if (status < 0)
		kc_error_hint(err, "known are version and waivers");
	cJSON_ArrayForEach(item, list)
	{
		if (status < 0 || !cJSON_IsObject(item))
			break;
		status = refuse_unknown(item, known_of_one, 3, "waiver", source, err);
		if (status < 0)
			kc_error_hint(err, "known are case, reason and expires");
	}
	return status;
}

int kc_waivers_load(const char *path, struct kc_waivers *waivers, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_WAIVERS_LIMIT);
	struct kc_error cause = { 0 };
	int status = kc_file_read(AT_FDCWD, path, &text, err);

	if (status == 0)
		status = kc_json_parse(kc_buffer_string(&text), text.length, path, &waivers->document, err);
	if (status == 0)
		status = refuse_all_unknown(waivers, &(struct source){ path, kc_buffer_string(&text) }, err);
	if (status == 0 && read_all(waivers, &cause) < 0)
		status = kc_error_set(err, cause.code < 0 ? -cause.code : cause.code, "%s: %s", path,
				      cause.text);
	if (status < 0)
		kc_waivers_release(waivers);
	return status;
}
