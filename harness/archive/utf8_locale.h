/*
 * UTF-8 for one thread and one scope.
 *
 * libarchive turns the UTF-8 of pax headers and ZIP names into the character set of the locale, and the one
 * that a C program starts in has no room for it. Nothing else of the program should depend on the locale.
 */
#ifndef KC_ARCHIVE_UTF8_LOCALE_H
#define KC_ARCHIVE_UTF8_LOCALE_H

#include <locale.h>

#include "base/cleanup.h"

/* What to go back to; (locale_t)0 if C.UTF-8 is missing: names outside ASCII are refused then. */
static inline locale_t kc_utf8_begin(void)
{
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

	return utf8 == (locale_t)0 ? (locale_t)0 : uselocale(utf8);
}

static inline void kc_utf8_end(locale_t *before)
{
	if (*before != (locale_t)0)
		freelocale(uselocale(*before));
	*before = (locale_t)0;
}

#define KC_UTF8_SCOPE                                                                                        \
	__attribute__((unused)) KC_CLEANUP(kc_utf8_end) locale_t kc_locale_before = kc_utf8_begin()

#endif
