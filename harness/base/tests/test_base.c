#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "tests/kc_test.h"

static void error_never_returns_success(void)
{
	struct kc_error err = { 0 };

	KC_CHECK_INT(kc_error_set(&err, 0, "x"), -EIO);
	KC_CHECK_INT(kc_error_set(NULL, -ENOENT, "x"), -ENOENT);
	KC_CHECK_INT(kc_error_errno(&err, ENOENT, "open `%s`", "/x"), -ENOENT);
	KC_CHECK_STRING(err.text, "open `/x`: No such file or directory");
	KC_CHECK_INT(kc_error_prefix(&err, "image %s", "centos7"), -ENOENT);
	KC_CHECK_STRING(err.text, "image centos7: open `/x`: No such file or directory");
}

static void buffer_keeps_its_content_at_the_limit(void)
{
	struct kc_buffer buffer = KC_BUFFER_INIT(8);

	KC_CHECK_INT(kc_buffer_append_string(&buffer, "12345"), 0);
	KC_CHECK_INT(kc_buffer_append_string(&buffer, "6789"), -E2BIG);
	KC_CHECK_INT(kc_buffer_printf(&buffer, "%s", "6789"), -E2BIG);
	KC_CHECK_STRING(kc_buffer_string(&buffer), "12345");
	KC_CHECK_INT(kc_buffer_append(&buffer, "678", 3), 0);
	KC_CHECK_STRING(kc_buffer_string(&buffer), "12345678");
	kc_buffer_release(&buffer);
	kc_buffer_release(&buffer);
	KC_CHECK_STRING(kc_buffer_string(&buffer), "");
}

static void excerpt_keeps_head_and_tail_of_any_stream(void)
{
	static const size_t chunks[] = { 1, 7, 4096, 5000, 100000 };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(chunks); i++) {
		KC_CLEANUP_FREE struct kc_excerpt *excerpt = calloc(1, sizeof(*excerpt));
		KC_CLEANUP_FREE char *bytes = malloc(chunks[i]);
		struct kc_buffer text = KC_BUFFER_INIT(1 << 20);
		size_t sent = 0;

		KC_REQUIRE(excerpt && bytes);
		while (sent < 200000) {
			for (size_t b = 0; b < chunks[i]; b++)
				bytes[b] = (char)('0' + (sent + b) % 10);
			kc_excerpt_add(excerpt, bytes, chunks[i]);
			sent += chunks[i];
		}
		KC_CHECK_INT(kc_excerpt_append_to(excerpt, &text), 0);
		KC_CHECK(memcmp(text.data, "0123456789", 10) == 0);
		KC_CHECK_INT(text.data[text.length - 1], '0' + (int)((sent - 1) % 10));
		KC_CHECK_INT(excerpt->dropped + excerpt->head_length + excerpt->tail_length, sent);
		kc_buffer_release(&text);
	}
}

static void digest_matches_fips_180_4(void)
{
	char hex[KC_SHA256_HEX_SIZE];
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_sha256_of("abc", 3, hex, &err), err);
	KC_CHECK_STRING(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	KC_CHECK(kc_sha256_is_valid(hex));
	KC_CHECK(!kc_sha256_is_valid("../x"));
	hex[3] = 'A';
	KC_CHECK(!kc_sha256_is_valid(hex));
}

static void json_refuses_what_cjson_lets_through(void)
{
	static const struct {
		const char *name, *text;
		int expected;
		const char *message;
	} rows[] = {
		{ "object", "{\"a\": [1, 2]}\n", 0, NULL },
		{ "empty", "", -EBADMSG, "line 1, column 1" },
		{ "unclosed", "{\"a\":\n 1", -EBADMSG, "line 2" },
		{ "trailing bytes", "{} x", -EBADMSG, "bytes after" },
		{ "duplicate key", "{\"a\":1,\"a\":2}", -EBADMSG, "stands twice" },
		{ "duplicate below", "[{\"a\":1,\"a\":2}]", -EBADMSG, "stands twice" },
	};
	struct kc_buffer deep = KC_BUFFER_INIT(4096);
	struct kc_error err;
	cJSON *json;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		kc_error_clear(&err);
		json = NULL;
		int status = kc_json_parse(rows[i].text, strlen(rows[i].text), rows[i].name, &json, &err);

		KC_CHECK_MESSAGE(status == rows[i].expected, "%s: got %d (%s)", rows[i].name, status,
				 err.text);
		if (rows[i].message)
			KC_CHECK_CONTAINS(err.text, rows[i].message);
		cJSON_Delete(json);
	}
	for (int i = 0; i < 100; i++)
		KC_CHECK_INT(kc_buffer_append_string(&deep, "["), 0);
	json = NULL;
	KC_CHECK_INT(kc_json_parse(deep.data, deep.length, "deep", &json, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "nested too deeply");
	KC_CHECK(json == NULL);
	kc_buffer_release(&deep);
}

static void json_bounds_the_keys_of_an_object(void)
{
	struct kc_buffer wide = KC_BUFFER_INIT(1 << 20);
	struct kc_error err;
	cJSON *json = NULL;

	KC_CHECK_INT(kc_buffer_append_string(&wide, "{\"a\": 0"), 0);
	for (int i = 1; i < KC_JSON_MAX_KEYS; i++)
		KC_CHECK_INT(kc_buffer_printf(&wide, ", \"%d\": 0", i), 0);
	KC_CHECK_INT(kc_buffer_append_string(&wide, "}"), 0);
	KC_CHECK_OK(kc_json_parse(wide.data, wide.length, "wide", &json, &err), err);
	cJSON_Delete(json);
	json = NULL;
	wide.data[--wide.length] = '\0';
	KC_CHECK_INT(kc_buffer_append_string(&wide, ", \"one more\": 0}"), 0);
	KC_CHECK_INT(kc_json_parse(wide.data, wide.length, "wide", &json, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "more than 4096 keys");
	KC_CHECK(json == NULL);
	kc_buffer_release(&wide);
}

KC_TEST_SUITE(base, KC_LABEL_FAST, KC_TEST(error_never_returns_success),
	      KC_TEST(buffer_keeps_its_content_at_the_limit),
	      KC_TEST(excerpt_keeps_head_and_tail_of_any_stream), KC_TEST(digest_matches_fips_180_4),
	      KC_TEST(json_refuses_what_cjson_lets_through), KC_TEST(json_bounds_the_keys_of_an_object));
