#include "commands.h"

#include <errno.h>
#include <string.h>

#include "compat/wheels.h"
#include "net/pep440.h"
#include "nearest.h"
#include "output.h"

#define TEXT_LIMIT 4096u
/* What upstream's table has in place of a version. */
#define ANY_VERSION "X.X.X"

static int usage(struct kc_error *err, const char *nearest)
{
	if (nearest)
		kc_error_hint(err, "did you mean `%s`?", nearest);
	else
		kc_error_hint(err, "see `krunner-compat help select`");
	if (err)
		err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

/* "manylinux/x86_64, musllinux/x86_64": containers of the table for `host`, or all its hosts where that is NULL. */
static int append_places(const struct kc_wheels *wheels, const char *host, struct kc_buffer *text)
{
	const char *row_host, *row_container, *last = "";
	int status = 0;

	for (size_t i = 0; status == 0 && kc_wheels_row(wheels, i, &row_host, &row_container); i++) {
		const char *place = host ? row_container : row_host;

		if ((host && strcmp(host, row_host) != 0) || strcmp(place, last) == 0)
			continue;
		status = kc_buffer_printf(text, "%s%s", text->length ? ", " : "", place);
		last = place;
	}
	return status;
}

/* Is `place` anywhere in that column of the table? Else a usage error. */
static int check_place(const struct kc_wheels *wheels, const char *option, const char *place,
		       struct kc_error *err)
{
	struct kc_nearest nearest = KC_NEAREST_INIT(place);
	const char *places[2];

	for (size_t i = 0; kc_wheels_row(wheels, i, &places[0], &places[1]); i++) {
		const char *known = places[strcmp(option, "container") == 0];

		if (strcmp(known, place) == 0)
			return 0;
		kc_nearest_try(&nearest, known);
	}
	(void)kc_error_set(err, EINVAL, "select --%s: unknown PLATFORM/ARCH `%s`", option, place);
	return usage(err, nearest.word);
}

static int check(const struct kc_wheels *wheels, const struct kc_options *options, struct kc_error *err)
{
	struct kc_version version;
	int status;

	if (!options->host || !options->container) {
		(void)kc_error_set(err, EINVAL, "select: --%s is missing",
				   options->host ? "container" : "host");
		return usage(err, NULL);
	}
	if (options->package_version && kc_version_parse(options->package_version, &version) < 0) {
		(void)kc_error_set(err, EINVAL, "select --version: `%s` is not a version (PEP 440)",
				   options->package_version);
		return usage(err, NULL);
	}
	status = check_place(wheels, "host", options->host, err);
	return status < 0 ? status : check_place(wheels, "container", options->container, err);
}

static int refuse(const struct kc_wheels *wheels, const struct kc_options *options, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer there_is = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = append_places(wheels, options->host, &there_is);

	if (status < 0)
		return kc_error_errno(err, status, "select a wheel");
	status = kc_error_set(
		err, ENOENT,
		"select: no wheel serves containers of %s on %s: they run on the host's own architecture",
		options->container, options->host);
	kc_error_hint(err, "on %s there can be %s", options->host, kc_buffer_string(&there_is));
	if (err)
		err->kind = KC_ERROR_SELECTION;
	return status;
}

static int append_line(struct kc_buffer *text, const char *title, const char *what)
{
	return kc_buffer_printf(text, "%-9s  %s\n", title, what);
}

static int append_file_name(const struct kc_wheels *wheels, const struct kc_wheel_choice *choice,
			    const char *version, enum kc_wheel_tag_order order, const char *title,
			    struct kc_buffer *text)
{
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(TEXT_LIMIT);
	int status =
		kc_wheels_append_file_name(wheels, choice, version ? version : ANY_VERSION, order, &name);

	return status < 0 ? status : append_line(text, title, kc_buffer_string(&name));
}

int kc_command_select(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_WHEELS struct kc_wheels *wheels = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(TEXT_LIMIT);
	struct kc_wheel_choice choice;
	int status = kc_wheels_load_embedded(&wheels, err);

	if (status == 0)
		status = check(wheels, options, err);
	if (status < 0)
		return status;
	if (!kc_wheels_select(wheels, options->host, options->container, &choice))
		return refuse(wheels, options, err);
	status = append_file_name(wheels, &choice, options->package_version, KC_WHEEL_SORTED, "wheel", &text);
	if (status == 0)
		status = append_line(&text, "package", choice.distribution.package);
	if (status == 0)
		status = append_file_name(wheels, &choice, options->package_version, KC_WHEEL_AS_LISTED,
					  "published", &text);
	if (status < 0)
		return kc_error_errno(err, status, "select a wheel");
	status = kc_output_write(&text, err);
	if (status == 0)
		*ret_exit = KC_EXIT_PASSED;
	return status;
}
