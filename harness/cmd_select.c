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

/* Of the `index`-th row of the table: its host or its container. NULL from the end on. */
static const char *place_of(const struct kc_wheels *wheels, size_t index, bool is_container)
{
	const char *host, *container;

	if (!kc_wheels_row(wheels, index, &host, &container))
		return NULL;
	return is_container ? container : host;
}

static bool is_before(const struct kc_wheels *wheels, size_t end, bool is_container, const char *place)
{
	for (size_t i = 0; i < end; i++)
		if (strcmp(place_of(wheels, i, is_container), place) == 0)
			return true;
	return false;
}

/* "manylinux/x86_64, musllinux/x86_64": each of that column once. */
static int append_column(const struct kc_wheels *wheels, bool is_container, struct kc_buffer *text)
{
	const char *place;
	int status = 0;

	for (size_t i = 0; status == 0 && (place = place_of(wheels, i, is_container)); i++)
		if (!is_before(wheels, i, is_container, place))
			status = kc_buffer_printf(text, "%s%s", text->length ? ", " : "", place);
	return status;
}

/* Likewise: containers of the table for `host`. */
static int append_containers(const struct kc_wheels *wheels, const char *host, struct kc_buffer *text)
{
	const char *row_host, *row_container;
	int status = 0;

	for (size_t i = 0; status == 0 && kc_wheels_row(wheels, i, &row_host, &row_container); i++)
		if (strcmp(host, row_host) == 0)
			status = kc_buffer_printf(text, "%s%s", text->length ? ", " : "", row_container);
	return status;
}

/* "musl/x86_64" begins "musllinux/x86_64", however many letters are missing. */
static bool is_short_for(const char *typed, const char *place)
{
	size_t typed_length = strcspn(typed, "/"), length = strcspn(place, "/");

	return typed_length >= 3 && typed_length < length && strncmp(typed, place, typed_length) == 0 &&
	       strcmp(typed + typed_length, place + length) == 0;
}

static int refuse_place(const struct kc_wheels *wheels, bool is_container, const char *place,
			const char *meant, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer there_is = KC_BUFFER_INIT(TEXT_LIMIT);
	const char *option = is_container ? "container" : "host";
	int status = append_column(wheels, is_container, &there_is);

	if (status < 0)
		return kc_error_errno(err, status, "select a wheel");
	if (!strchr(place, '/'))
		(void)kc_error_set(err, EINVAL, "select --%s: `%s` lacks its /ARCH: expected PLATFORM/ARCH",
				   option, place);
	else
		(void)kc_error_set(err, EINVAL, "select --%s: unknown PLATFORM/ARCH `%s`", option, place);
	(void)usage(err, meant);
	if (!meant)
		kc_error_hint(err, "there is %s", kc_buffer_string(&there_is));
	return -EINVAL;
}

/* Is `place` anywhere in that column of the table? Else a usage error. */
static int check_place(const struct kc_wheels *wheels, bool is_container, const char *place,
		       struct kc_error *err)
{
	struct kc_nearest nearest = KC_NEAREST_INIT(place);
	const char *known, *meant = NULL;

	for (size_t i = 0; (known = place_of(wheels, i, is_container)); i++) {
		if (strcmp(known, place) == 0)
			return 0;
		if (is_short_for(place, known))
			meant = known;
		if (strchr(place, '/'))
			kc_nearest_try(&nearest, known);
	}
	return refuse_place(wheels, is_container, place, meant ? meant : nearest.word, err);
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
	status = check_place(wheels, false, options->host, err);
	return status < 0 ? status : check_place(wheels, true, options->container, err);
}

static int refuse(const struct kc_wheels *wheels, const struct kc_options *options, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer there_is = KC_BUFFER_INIT(TEXT_LIMIT);
	int status = append_containers(wheels, options->host, &there_is);

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
