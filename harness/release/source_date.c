#include "release/source_date.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define VARIABLE "SOURCE_DATE_EPOCH"
#define LAST_SECOND 253402300799 /* of the year 9999: what follows has no four digits */

int kc_source_date(int64_t *ret_seconds, struct kc_error *err)
{
	const char *text = getenv(VARIABLE);
	char *end;
	long long seconds;

	if (!text) {
		*ret_seconds = time(NULL);
		return 0;
	}
	errno = 0;
	seconds = strtoll(text, &end, 10);
	if (isdigit((unsigned char)*text) && !*end && errno == 0 && seconds <= LAST_SECOND) {
		*ret_seconds = seconds;
		return 0;
	}
	(void)kc_error_set(err, EINVAL, VARIABLE ": `%.40s` is no number of seconds since 1970", text);
	kc_error_hint(err, "unset it, or set it to what `date +%%s` or `git log -1 --format=%%ct` print");
	if (err)
		err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

void kc_timestamp(int64_t seconds, char ret_text[KC_TIMESTAMP_SIZE])
{
	struct tm parts = { 0 };
	time_t moment = (time_t)seconds;

	(void)gmtime_r(&moment, &parts); /* fails beyond the year 2^31 only */
	(void)strftime(ret_text, KC_TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
