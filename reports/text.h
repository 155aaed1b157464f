/*
 * Making bytes of any origin fit to be shown: in XML, on a terminal, in the log of a CI system.
 *
 * What comes out is always valid UTF-8 made of XML 1.0 characters, without terminal control sequences and
 * without characters that reorder or hide text. What goes in may be anything. Sequences that only style or
 * steer a terminal are dropped; every other control character and every byte that is not UTF-8 is shown as
 * `\xNN`, an unfit code point as `\u{NNNN}`. Line feeds and tabs stay; carriage returns become line feeds,
 * so that a progress meter reads as lines. ECMA-48 (sequences), XML 1.0 section 2.2 (characters), Unicode
 * UAX #9 (reordering).
 */
#ifndef KC_REPORTS_TEXT_H
#define KC_REPORTS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum kc_text_flags {
	KC_TEXT_LINE = 1 << 0,	/* one line: line feeds and tabs become spaces, those at the end vanish */
	KC_TEXT_ASCII = 1 << 1, /* nothing beyond ASCII */
	KC_TEXT_LOG =
		1
		<< 2 /* no `##`, which CI systems take for a command wherever it stands in a line; with KC_TEXT_LINE no
			      * line that begins with `::`, blanks before it or not, which GitHub takes for one */
};

/* Appends `bytes` made safe. 0, -E2BIG or -ENOMEM. */
int kc_text_append(struct kc_buffer *buffer, const char *bytes, size_t length, unsigned int flags)
	__attribute__((warn_unused_result));

/* The same, at most `cap` bytes of it: of a longer text the head, a line that says how much is missing, and
 * the tail, cut between characters. Caps below 256 count as 256. */
int kc_text_append_capped(struct kc_buffer *buffer, const char *bytes, size_t length, unsigned int flags,
			  size_t cap) __attribute__((warn_unused_result));

/* Appends `word` so that a shell reads it as one word: as it is, or in single quotes. Its bytes are not made safe. */
int kc_text_append_word(struct kc_buffer *buffer, const char *word) __attribute__((warn_unused_result));

/* The length of the UTF-8 sequence at the start of `bytes` and its code point; 0 if there is none: cut short,
 * overlong, a surrogate, beyond U+10FFFF (RFC 3629). `ret_code_point` is untouched then. */
size_t kc_text_decode_utf8(const char *bytes, size_t length, uint32_t *ret_code_point);

#endif
