#include "archive/names.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ESCAPED_SIZE 5 /* "\xHH" and the NUL */

static size_t escape(unsigned char byte, char ret_escaped[ESCAPED_SIZE])
{
	bool plain = byte > ' ' && byte < 0x7f && byte != '\\';

	return (size_t)snprintf(ret_escaped, ESCAPED_SIZE, plain ? "%c" : "\\x%02x", byte);
}

const char *kc_name_show(const char *name, char shown[KC_NAME_SHOWN_SIZE])
{
	size_t used = 0;

	for (const char *byte = name; *byte; byte++) {
		char escaped[ESCAPED_SIZE];
		size_t length = *byte == ' ' ? 0 : escape((unsigned char)*byte, escaped);

		if (*byte == ' ') /* harmless in a message */
			escaped[length++] = ' ';
		if (used + length + sizeof("...") > KC_NAME_SHOWN_SIZE) {
			memcpy(shown + used, "...", sizeof("..."));
			return shown;
		}
		memcpy(shown + used, escaped, length);
		used += length;
	}
	shown[used] = '\0';
	return shown;
}

int kc_name_append_escaped(struct kc_buffer *buffer, const char *name)
{
	for (; *name; name++) {
		char escaped[ESCAPED_SIZE];
		size_t length = escape((unsigned char)*name, escaped);
		int status = kc_buffer_append(buffer, escaped, length);

		if (status < 0)
			return status;
	}
	return 0;
}

static const char *check_components(const char *name, unsigned int depth)
{
	unsigned int components = 0;

	while (*name) {
		size_t length = strcspn(name, "/");

		if (length == 0)
			return "the name has an empty component";
		if (length == 1 && name[0] == '.')
			return "the name has a `.` component";
		if (length == 2 && name[0] == '.' && name[1] == '.')
			return "the name has a `..` component";
		if (length > NAME_MAX)
			return "a component of the name is too long";
		if (++components > depth)
			return "the name is too deep";
		name += length;
		if (*name == '/' && *++name == '\0')
			return "the name ends in a slash";
	}
	return NULL;
}

const char *kc_name_check(const char *name, bool is_directory, unsigned int depth, size_t bytes,
			  char *ret_name, size_t ret_name_size)
{
	size_t length;

	if (!name || !*name)
		return "the name is empty";
	if (name[0] == '/')
		return "the name is absolute";
	if (name[0] == '.' && (name[1] == '/' || name[1] == '\0'))
		name += name[1] ? 2 : 1;
	length = strlen(name);
	if (is_directory && length > 0 && name[length - 1] == '/')
		length--;
	if (length > bytes || length >= ret_name_size)
		return "the name is too long";
	memcpy(ret_name, name, length);
	ret_name[length] = '\0';
	if (length == 0)
		return is_directory ? NULL : "the root is not a directory";
	return check_components(ret_name, depth);
}

const char *kc_link_below(const char *target, const char *mount_point)
{
	size_t length = mount_point ? strlen(mount_point) : 0;

	if (length == 0 || strncmp(target, mount_point, length) != 0)
		return NULL;
	if (target[length] != '/' && target[length] != '\0')
		return NULL;
	return target + length + (target[length] == '/');
}

/* How deep a path leads when it starts `depth` below the root; negative once it has left. */
static long walk_depth(const char *path, long depth)
{
	while (*path && depth >= 0) {
		size_t length = strcspn(path, "/");

		if (length == 2 && path[0] == '.' && path[1] == '.')
			depth--;
		else if (length > 1 || (length == 1 && path[0] != '.'))
			depth++;
		path += length + (path[length] == '/');
	}
	return depth;
}

bool kc_link_stays_inside(const char *name, const char *target, const char *mount_point)
{
	long depth = 0;

	if (target[0] == '/') {
		const char *below = kc_link_below(target, mount_point);

		return below && walk_depth(below, 0) >= 0;
	}
	for (; *name; name++)
		depth += *name == '/';
	return walk_depth(target, depth) >= 0;
}

bool kc_name_ends(const char *name, const char *end)
{
	size_t length = strlen(name), end_length = strlen(end);

	return length > end_length && strcmp(name + length - end_length, end) == 0;
}
