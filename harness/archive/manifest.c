#include "archive/manifest.h"

#include <errno.h>
#include <inttypes.h>

#include "archive/names.h"

static int finish_line(int status, const char *name, struct kc_error *err)
{
	char shown[KC_NAME_SHOWN_SIZE];

	return status < 0 ? kc_error_errno(err, status, "list `%s`", kc_name_show(name, shown)) : 0;
}

int kc_manifest_add_directory(struct kc_buffer *lines, const char *name, mode_t mode, struct kc_error *err)
{
	int status = kc_name_append_escaped(lines, name);

	if (status == 0)
		status = kc_buffer_printf(lines, " d %04o\n", (unsigned int)mode);
	return finish_line(status, name, err);
}

int kc_manifest_add_file(struct kc_buffer *lines, const char *name, mode_t mode, uint64_t size,
			 const char *digest, struct kc_error *err)
{
	int status = kc_name_append_escaped(lines, name);

	if (status == 0)
		status =
			kc_buffer_printf(lines, " f %04o %" PRIu64 " %s\n", (unsigned int)mode, size, digest);
	return finish_line(status, name, err);
}

int kc_manifest_add_link(struct kc_buffer *lines, const char *name, const char *target, struct kc_error *err)
{
	int status = kc_name_append_escaped(lines, name);

	if (status == 0)
		status = kc_buffer_append_string(lines, " l ");
	if (status == 0)
		status = kc_name_append_escaped(lines, target);
	if (status == 0)
		status = kc_buffer_append_string(lines, "\n");
	return finish_line(status, name, err);
}
