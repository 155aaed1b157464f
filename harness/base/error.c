#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static int record(struct kc_error *err, int errno_value,
							const char *format, va_list arguments)
{
	int code = errno_value ? -(errno_value < 0 ? -errno_value : errno_value) : -EIO;

	if (err) {
		err->code = code;
		err->kind = KC_ERROR_RUN;
		err->hint[0] = '\0';
		(void)vsnprintf(err->text, sizeof(err->text), format, arguments);
	}
	return code;
}

int kc_error_set(struct kc_error *err, int errno_value, const char *format, ...)
{
	va_list arguments;
	int code;

	va_start(arguments, format);
	code = record(err, errno_value, format, arguments);
	va_end(arguments);
	return code;
}

int kc_error_errno(struct kc_error *err, int errno_value, const char *format, ...)
{
	va_list arguments;
	int code;

	va_start(arguments, format);
	code = record(err, errno_value, format, arguments);
	va_end(arguments);
	if (err) {
		size_t used = strlen(err->text);

		(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(-code));
	}
	return code;
}

int kc_error_prefix(struct kc_error *err, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list arguments;
	size_t used;

	if (!err)
		return -EIO;
	memcpy(text, err->text, sizeof(text));
	va_start(arguments, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, arguments);
	va_end(arguments);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", text);
	return err->code;
}

void kc_error_hint(struct kc_error *err, const char *format, ...)
{
	va_list arguments;

	if (!err)
		return;
	va_start(arguments, format);
	(void)vsnprintf(err->hint, sizeof(err->hint), format, arguments);
	va_end(arguments);
}

void kc_error_clear(struct kc_error *err)
{
	if (err)
		memset(err, 0, sizeof(*err));
}
