#include "net/ttyd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_IO '0' /* ttyd's INPUT and OUTPUT */

int kc_ttyd_hello(struct kc_buffer *message, struct kc_error *err)
{
	int status = kc_buffer_append_string(message, "{\"AuthToken\":\"\",\"columns\":80,\"rows\":24}");

	return status < 0 ? kc_error_errno(err, status, "greet ttyd") : 0;
}

int kc_ttyd_command(struct kc_ttyd *ttyd, const struct kc_entropy *entropy, struct kc_buffer *message,
		    struct kc_error *err)
{
	uint32_t random[2];
	uint64_t first, second;
	int status = kc_entropy_fill(entropy, random, sizeof(random), err);

	if (status < 0)
		return status;
	/* At least five digits each, so that the product is not by chance a number on the screen; a shell
	 * computes in long, of which POSIX promises 31 bits: the product stays below. */
	first = 10000 + random[0] % 30000;
	second = 10000 + random[1] % 30000;
	*ttyd = (struct kc_ttyd){ 0 };
	(void)snprintf(ttyd->marker, sizeof(ttyd->marker), "kc-%" PRIu64 "-kc", first * second);
	status = kc_buffer_printf(message, "%cecho kc-$((%" PRIu64 "*%" PRIu64 "))-kc\r", MESSAGE_IO, first,
				  second);
	return status < 0 ? kc_error_errno(err, status, "make a command for ttyd") : 0;
}

bool kc_ttyd_receive(struct kc_ttyd *ttyd, const void *message, size_t length)
{
	const char *bytes = message;
	size_t wanted = strlen(ttyd->marker);

	if (length == 0 || bytes[0] != MESSAGE_IO || wanted == 0 || ttyd->found)
		return ttyd->found;
	ttyd->output_bytes += length - 1;
	for (size_t i = 1; i < length && !ttyd->found; i++) {
		if (ttyd->window_length == wanted)
			memmove(ttyd->window, ttyd->window + 1, --ttyd->window_length);
		ttyd->window[ttyd->window_length++] = bytes[i];
		ttyd->found =
			ttyd->window_length == wanted && memcmp(ttyd->window, ttyd->marker, wanted) == 0;
	}
	return ttyd->found;
}
