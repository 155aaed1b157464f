/* Text made safe: golden rows, and the promises of text.h for any bytes. */
#include "reports/text.h"

#include <errno.h>
#include <string.h>

#include "reports/tests/random_bytes.h"
#include "tests/kc_test.h"

static void shows_what_is_unfit_and_keeps_the_rest(void)
{
	static const struct {
		const char *name, *input;
		unsigned int flags;
		const char *expected;
	} rows[] = {
		{ "plain text", "a <b> & \"c\"\n\td", 0, "a <b> & \"c\"\n\td" },
		{ "UTF-8", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d", 0,
		  "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8d" },
		{ "UTF-8 for ASCII readers", "caf\xc3\xa9", KC_TEXT_ASCII, "caf\\u{00e9}" },
		{ "colours", "\x1b[1;31mred\x1b[0m", 0, "red" },
		{ "cursor movement and clearing",
		  "a\x1b[2J\x1b[1;1Hb\x1b(B\x1b"
		  "7c",
		  0, "abc" },
		{ "window title",
		  "\x1b]0;owned\x07"
		  "a\x1b]8;;http://x\x1b\\b",
		  0, "ab" },
		{ "title without an end swallows nothing", "\x1b]0;owned\nFAILED", 0,
		  "\\x1b]0;owned\nFAILED" },
		{ "escape at the end", "a\x1b", 0, "a\\x1b" },
		{ "sequence cut short", "a\x1b[31", 0, "a\\x1b[31" },
		{ "doubled escape", "\x1b\x1b[31mx", 0, "\\x1bx" },
		{ "other controls", "\x01\x08\x7f\x0c", 0, "\\x01\\x08\\x7f\\x0c" },
		{ "8-bit controls",
		  "\xc2\x9b"
		  "31m",
		  0, "\\u{009b}31m" },
		{ "progress meter", "1%\r2%\r\ndone", 0, "1%\n2%\ndone" },
		{ "0xFF", "a\xff", 0, "a\\xff" },
		{ "overlong", "\xc0\xaf", 0, "\\xc0\\xaf" },
		{ "surrogate", "\xed\xa0\x80", 0, "\\xed\\xa0\\x80" },
		{ "beyond Unicode", "\xf4\x90\x80\x80", 0, "\\xf4\\x90\\x80\\x80" },
		{ "cut sequence", "\xe2\x82", 0, "\\xe2\\x82" },
		{ "noncharacters", "\xef\xbf\xbe\xef\xbf\xbf", 0, "\\u{fffe}\\u{ffff}" },
		{ "reordering",
		  "a\xe2\x80\xae"
		  "b",
		  0, "a\\u{202e}b" },
		{ "one line", "a\n\tb\r\nc \n\n", KC_TEXT_LINE, "a  b c" },
		{ "CI command", "##[error]x ##vso[x]", KC_TEXT_LOG, "#\\x23[error]x #\\x23vso[x]" },
		{ "CI command through a sequence", "#\x1b[m#[error]x", KC_TEXT_LOG, "#\\x23[error]x" },
		{ "GitHub's command", "::error::x", KC_TEXT_LOG | KC_TEXT_LINE, ":\\x3aerror::x" },
		{ "with blanks before it", " \t::error::x", KC_TEXT_LOG | KC_TEXT_LINE, "  :\\x3aerror::x" },
		{ "through line feeds", "\n::error::x", KC_TEXT_LOG | KC_TEXT_LINE, " :\\x3aerror::x" },
		{ "no command", "std::error", KC_TEXT_LOG | KC_TEXT_LINE, "std::error" },
		{ "two hashes elsewhere", "## title", 0, "## title" },
	};

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1000);

		KC_CHECK_INT(kc_text_append(&text, rows[i].input, strlen(rows[i].input), rows[i].flags), 0);
		KC_CHECK_MESSAGE(strcmp(kc_buffer_string(&text), rows[i].expected) == 0,
				 "%s: got \"%s\", want \"%s\"", rows[i].name, kc_buffer_string(&text),
				 rows[i].expected);
	}
}

/* Independent of the code under test: only what every reader takes. */
static bool is_safe(const struct kc_buffer *text, unsigned int flags)
{
	size_t taken;

	for (size_t i = 0; i < text->length; i += taken) {
		uint32_t c = 0;

		taken = kc_text_decode_utf8(text->data + i, text->length - i, &c);
		if (!taken || (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) ||
		    c == 0xfffe || c == 0xffff || c == 0x202e)
			return false;
		if (flags & KC_TEXT_LINE && (c == '\n' || c == '\t'))
			return false;
		if (flags & KC_TEXT_ASCII && c > 0x7e)
			return false;
	}
	return !(flags & KC_TEXT_LOG) || !text->data || !strstr(text->data, "##");
}

static void any_bytes_become_safe_and_stay_under_the_cap(void)
{
	for (uint32_t seed = 0; seed < 2000; seed++) {
		KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 20);
		KC_CLEANUP_BUFFER struct kc_buffer capped = KC_BUFFER_INIT(1 << 20);
		unsigned int flags = seed % 8;
		char bytes[700];

		random_string(seed, bytes, sizeof(bytes));
		KC_CHECK_INT(kc_text_append(&text, bytes, strlen(bytes), flags), 0);
		KC_CHECK_MESSAGE(is_safe(&text, flags), "seed %u, flags %u", seed, flags);
		KC_CHECK_INT(kc_text_append_capped(&capped, bytes, strlen(bytes), flags, 300), 0);
		KC_CHECK_MESSAGE(is_safe(&capped, flags) && capped.length <= 300, "seed %u capped, %zu bytes",
				 seed, capped.length);
	}
}

static void a_capped_text_keeps_both_ends(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1000);
	char bytes[5000];

	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "first", 5);
	memcpy(bytes + sizeof(bytes) - 4, "last", 4);
	KC_CHECK_INT(kc_text_append_capped(&text, bytes, sizeof(bytes), 0, 500), 0);
	KC_CHECK(memcmp(text.data, "first", 5) == 0);
	KC_CHECK_STRING(text.data + text.length - 4, "last");
	KC_CHECK_CONTAINS(text.data, "\n[... 4564 bytes left out ...]\n");
	KC_CHECK_INT(kc_text_append(&text, bytes, sizeof(bytes), 0), -E2BIG);
}

KC_TEST_SUITE(text, KC_LABEL_FAST, KC_TEST(shows_what_is_unfit_and_keeps_the_rest),
	      KC_TEST(any_bytes_become_safe_and_stay_under_the_cap), KC_TEST(a_capped_text_keeps_both_ends));
