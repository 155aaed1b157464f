#include "reports/markdown_code.h"

#include <string.h>

#include "reports/text.h"

#define CODE_LIMIT 64000
#define SPAN_CAP 4096
#define BLOCK_CAP 16384

static size_t longest_run(const char *text, char wanted)
{
	size_t longest = 0, length = 0;

	for (; *text; text++) {
		length = *text == wanted ? length + 1 : 0;
		if (length > longest)
			longest = length;
	}
	return longest;
}

static void add_fence(struct kc_sink *out, size_t length)
{
	while (length--)
		kc_sink_add(out, "`", 1);
}

void kc_markdown_span(struct kc_sink *out, const char *text, bool is_cell)
{
	KC_CLEANUP_SINK struct kc_sink safe = KC_SINK_INIT(CODE_LIMIT);
	const char *shown;
	size_t fence;

	kc_sink_check(&safe, kc_text_append_capped(&safe.text, text, strlen(text), KC_TEXT_LINE | KC_TEXT_LOG,
						   SPAN_CAP));
	shown = safe.text.length ? kc_buffer_string(&safe.text) : "-";
	fence = longest_run(shown, '`') + 1;
	add_fence(out, fence);
	/* The blanks keep backticks at the ends apart; a reader takes one away on either side. */
	kc_sink_string(out, " ");
	for (; *shown; shown++)
		kc_sink_printf(out, is_cell && *shown == '|' ? "\\%c" : "%c", *shown);
	kc_sink_string(out, " ");
	add_fence(out, fence);
	kc_sink_check(out, safe.status);
}

void kc_markdown_block(struct kc_sink *out, const char *text)
{
	KC_CLEANUP_SINK struct kc_sink safe = KC_SINK_INIT(CODE_LIMIT);
	size_t fence;

	kc_sink_check(&safe, kc_text_append_capped(&safe.text, text, strlen(text), KC_TEXT_LOG, BLOCK_CAP));
	fence = longest_run(kc_buffer_string(&safe.text), '`') + 1;
	fence = fence < 3 ? 3 : fence;
	add_fence(out, fence);
	kc_sink_printf(out, "text\n%s\n", kc_buffer_string(&safe.text));
	add_fence(out, fence);
	kc_sink_string(out, "\n\n");
	kc_sink_check(out, safe.status);
}
