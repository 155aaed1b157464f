#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/ttyd.h"
#include "tests/kc_test.h"

static int fixed_entropy(void *context, void *bytes, size_t length)
{
	(void)context;
	memset(bytes, 0, length);
	return 0;
}

static const struct kc_entropy fixed = { .fill = fixed_entropy };

static void greets_as_the_web_page_does(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer message = KC_BUFFER_INIT(256);
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_ttyd_hello(&message, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&message), "{\"AuthToken\":\"\",\"columns\":80,\"rows\":24}");
}

static void asks_for_a_product(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer message = KC_BUFFER_INIT(256);
	struct kc_ttyd ttyd = { 0 };
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_ttyd_command(&ttyd, &fixed, &message, &err), err);
	KC_CHECK_STRING(kc_buffer_string(&message), "0echo kc-$((10000*10000))-kc\r");
	KC_CHECK_STRING(ttyd.marker, "kc-100000000-kc");
}

/* The messages of a session after the command, each ended by '|'. */
static void finds_the_result_and_only_the_result(void)
{
	static const struct {
		const char *name, *messages;
		bool found;
	} rows[] = {
		{ "nothing", "", false },
		{ "the result", "0kc-100000000-kc\r\n|", true },
		{ "the line typed and the result",
		  "0# echo kc-$((10000*10000))-kc\r\n|0kc-100000000-kc\r\n# |", true },
		{ "the result in pieces", "0kc-1|0|000000|1title|0000-|0kc|", true },
		{ "a false start", "0kc-kc-10kc-100000000-kc|", true },
		{ "among escapes", "0\x1b[?2004l\rkc-100000000-kc\x1b[0m|", true },
		{ "only the echo of the line",
		  "0# echo kc-$((10000*10000))-kc\r\n|0echo kc-$((10000*10000))-kc\r\n|", false },
		{ "another product", "0kc-100000001-kc\r\n|", false },
		{ "a product that goes on", "0kc-1000000000-kc\r\n|", false },
		{ "in a title", "1kc-100000000-kc|", false },
		{ "in preferences", "2kc-100000000-kc|", false },
		{ "messages without content", "|0|1|||", false },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer message = KC_BUFFER_INIT(256);
		struct kc_ttyd ttyd = { 0 };
		struct kc_error err = { 0 };
		const char *next = rows[i].messages;

		KC_CHECK(!kc_ttyd_receive(&ttyd, "0kc-100000000-kc", 16)); /* nobody has asked yet */
		KC_REQUIRE_OK(kc_ttyd_command(&ttyd, &fixed, &message, &err), err);
		for (const char *end; (end = strchr(next, '|')); next = end + 1)
			(void)kc_ttyd_receive(&ttyd, next, (size_t)(end - next));
		KC_CHECK_MESSAGE(ttyd.found == rows[i].found, "%s: found %d", rows[i].name, ttyd.found);
	}
}

static void asks_anew_each_time(void)
{
	struct kc_ttyd ttyd = { 0 };
	struct kc_entropy entropy = { 0 };
	char first[sizeof(ttyd.marker)] = "";
	bool differ = false;

	for (int i = 0; i < 5; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer message = KC_BUFFER_INIT(256);
		struct kc_error err = { 0 };

		KC_CHECK_OK(kc_ttyd_command(&ttyd, &entropy, &message, &err), err);
		KC_CHECK(!strstr(kc_buffer_string(&message), ttyd.marker));
		differ |= i && strcmp(first, ttyd.marker) != 0;
		memcpy(first, ttyd.marker, sizeof(first));
	}
	KC_CHECK(differ);
}

KC_TEST_SUITE(ttyd, KC_LABEL_FAST, KC_TEST(greets_as_the_web_page_does), KC_TEST(asks_for_a_product),
	      KC_TEST(finds_the_result_and_only_the_result), KC_TEST(asks_anew_each_time));
