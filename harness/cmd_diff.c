/*
 * What is different between two volumes.
 *
 * The exit status is 0 whether they differ or not, unlike that of diff(1): 1 says here that a check failed, and that a release is
 * not the one before is what releases are for. Who has to tell them apart reads "different" of the JSON.
 */
#include "commands.h"

#include <errno.h>
#include <fcntl.h>

#include "looking.h"
#include "output.h"
#include "release/difference.h"
#include "sys/file.h"

static int write_json(const struct kc_difference *difference, const char *path, struct kc_error *err)
{
	KC_CLEANUP_JSON cJSON *json = NULL;
	int status = kc_difference_to_json(difference, &json, err);

	return status < 0 ? status : kc_look_write_json(json, path, err);
}

static int write_markdown(const struct kc_difference *difference, const char *path, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_DIFFERENCE_LIMIT);
	int status = kc_difference_to_markdown(difference, &text, err);

	if (status == 0)
		status = kc_file_check_replaceable(path, err);
	return status < 0 ? status : kc_file_write_atomic(AT_FDCWD, path, text.data, text.length, 0644, err);
}

static int tell(const struct kc_difference *difference, const struct kc_options *options,
		struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_DIFFERENCE_LIMIT);
	int status = options->json ? write_json(difference, options->json, err) : 0;

	if (status == 0 && options->markdown)
		status = write_markdown(difference, options->markdown, err);
	if (status == 0)
		status = kc_difference_to_text(difference, &text, err);
	return status < 0 ? status : kc_output_write(&text, err);
}

int kc_command_diff(const struct kc_options *options, enum kc_exit *ret_exit, struct kc_error *err)
{
	KC_CLEANUP_CONTENTS struct kc_contents before = { 0 };
	KC_CLEANUP_CONTENTS struct kc_contents after = { 0 };
	KC_CLEANUP_DIFFERENCE struct kc_difference difference = { 0 };
	int status = kc_look(options, options->operands[0], &before, err);

	if (status == 0)
		status = kc_look(options, options->operands[1], &after, err);
	if (status == 0)
		status = kc_difference_make(&before, &after, &difference, err);
	if (status == 0)
		status = tell(&difference, options, err);
	if (status == 0)
		*ret_exit = KC_EXIT_PASSED;
	return status;
}
