#include "release/artifacts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "release/envelope.h"
#include "release/json.h"
#include "release/notes.h"
#include "release/sbom.h"
#include "release/statement.h"
#include "reports/ledger.h"
#include "sys/fd.h"

#define NOTES_LIMIT (8u << 20)
#define JSON_LIMIT (64u << 20)
#define MOST_RESOURCES 512
#define BUILD_TYPE "urn:krunner-compat:release:v1"

/* "krunner-env.static-gnu.x86_64", and what comes behind it. */
static void name_of(const struct kc_artifacts *artifacts, const char *extension,
		    char ret_name[KC_CHECKSUMS_NAME_SIZE])
{
	size_t stem = strlen(artifacts->archive_name) - strlen(".tar.xz");

	(void)snprintf(ret_name, KC_CHECKSUMS_NAME_SIZE, "%.*s%s", (int)stem, artifacts->archive_name,
		       extension);
}

static int write_wheel(const struct kc_artifacts *artifacts, struct kc_staging *staging, struct kc_error *err)
{
	struct kc_wheel_order order = { .choice.architecture = artifacts->contents->arch,
					.version = artifacts->version,
					.volume_version = artifacts->volume_version,
					.volume_fd = artifacts->archive_fd,
					.volume_sha256 = artifacts->contents->sha256,
					.licence = artifacts->licence,
					.licences = artifacts->licences,
					.licence_count = artifacts->licence_count,
					.description = artifacts->description,
					.time_s = artifacts->time_s };
	KC_CLEANUP_BUFFER struct kc_buffer name = KC_BUFFER_INIT(KC_CHECKSUMS_NAME_SIZE);
	KC_CLEANUP_FD int fd = -1;
	int status;

	if (!kc_wheels_find_distribution(artifacts->wheels, artifacts->contents->distro,
					 &order.choice.distribution))
		return kc_error_set(err, EINVAL, "compat/wheels.json knows no distribution `%s`",
				    artifacts->contents->distro);
	order.licence_expression = order.choice.distribution.licence;
	status = kc_wheels_append_file_name(artifacts->wheels, &order.choice, artifacts->version,
					    KC_WHEEL_SORTED, &name);
	if (status < 0)
		return kc_error_errno(err, status, "name the wheel");
	fd = kc_staging_create(staging, kc_buffer_string(&name), err);
	if (fd < 0)
		return fd;
	status = kc_wheel_write(artifacts->wheels, &order, fd, err);
	return status < 0 ? status : kc_staging_add(staging, kc_buffer_string(&name), fd, err);
}

static int write_sbom(const struct kc_artifacts *artifacts, struct kc_staging *staging, struct kc_error *err)
{
	char name[KC_CHECKSUMS_NAME_SIZE];
	KC_CLEANUP_JSON cJSON *json = NULL;
	KC_CLEANUP_FREE char *printed = NULL;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(JSON_LIMIT);
	int status = kc_sbom_make(artifacts->contents, artifacts->time_s, &json, err);

	if (status < 0)
		return status;
	printed = cJSON_Print(json);
	status = printed ? kc_buffer_printf(&text, "%s\n", printed) : -ENOMEM;
	if (status < 0)
		return kc_error_errno(err, status, "write the bill of materials");
	name_of(artifacts, ".cdx.json", name);
	return kc_staging_write(staging, name, text.data, text.length, err);
}

static int write_notes(const struct kc_artifacts *artifacts, struct kc_staging *staging, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(NOTES_LIMIT);
	int status = kc_notes_append(artifacts, &text, err);

	return status < 0 ? status
			  : kc_staging_write(staging, "release-notes.md", text.data, text.length, err);
}

static void report_name(size_t number, char ret_name[KC_CHECKSUMS_NAME_SIZE])
{
	(void)snprintf(ret_name, KC_CHECKSUMS_NAME_SIZE, "report-%zu.json", number + 1);
}

static int write_reports(const struct kc_artifacts *artifacts, struct kc_staging *staging,
			 struct kc_error *err)
{
	int status = 0;

	for (size_t i = 0; status == 0 && i < artifacts->request->report_count; i++) {
		char name[KC_CHECKSUMS_NAME_SIZE];

		report_name(i, name);
		status = kc_staging_write(staging, name, artifacts->report_texts[i].data,
					  artifacts->report_texts[i].length, err);
	}
	return status;
}

/* --- Statements --- */

/* Signed, or bare where there are no keys. */
static int write_statement(const struct kc_artifacts *artifacts, struct kc_staging *staging,
			   const char *extension, const struct kc_buffer *statement, struct kc_error *err)
{
	KC_CLEANUP_ENVELOPE struct kc_envelope envelope;
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_ENVELOPE_LIMIT);
	char name[KC_CHECKSUMS_NAME_SIZE];
	int status;

	kc_envelope_init(&envelope);
	name_of(artifacts, extension, name);
	if (!artifacts->key_count)
		return kc_staging_write(staging, name, statement->data, statement->length, err);
	status = kc_buffer_append(&envelope.payload, statement->data, statement->length);
	if (status < 0)
		return kc_error_errno(err, status, "sign a statement");
	for (size_t i = 0; status == 0 && i < artifacts->key_count; i++)
		status = kc_envelope_sign(&envelope, &artifacts->keys[i], err);
	if (status == 0)
		status = kc_envelope_write(&envelope, &text, err);
	return status < 0 ? status : kc_staging_write(staging, name, text.data, text.length, err);
}

struct resources {
	struct kc_resource items[MOST_RESOURCES];
	char names[MOST_RESOURCES][KC_CHECKSUMS_NAME_SIZE];
	size_t count;
};

static int add_resource(struct resources *resources, const char *sha256, struct kc_error *err,
			const char *format, ...) __attribute__((format(printf, 4, 5)));
static int add_resource(struct resources *resources, const char *sha256, struct kc_error *err,
			const char *format, ...)
{
	char *name = resources->names[resources->count];
	va_list arguments;

	if (resources->count == MOST_RESOURCES)
		return kc_error_set(err, E2BIG, "a statement about more than %d things", MOST_RESOURCES);
	va_start(arguments, format);
	(void)vsnprintf(name, KC_CHECKSUMS_NAME_SIZE, format, arguments);
	va_end(arguments);
	for (size_t i = 0; i < resources->count; i++)
		if (strcmp(resources->names[i], name) == 0)
			return 0;
	resources->items[resources->count++] =
		(struct kc_resource){ .name = name, .sha256 = kc_sha256_is_valid(sha256) ? sha256 : NULL };
	return 0;
}

/* What the archive was tested on and by: images, cases, reports. */
static int list_configuration(const struct kc_artifacts *artifacts, struct resources *resources,
			      struct kc_error *err)
{
	const struct kc_gate_request *request = artifacts->request;
	int status = add_resource(resources, request->kit, err, "krunner-compat %s, its cases and policies",
				  request->version);

	for (size_t i = 0; status == 0 && i < request->report_count; i++) {
		const struct kc_read_report *report = &request->reports[i].report;

		status = add_resource(resources, report->sha256, err, "report-%zu.json", i + 1);
		for (size_t j = 0; status == 0 && j < report->plan.run.suite_count; j++) {
			const struct kc_report_suite *suite = &report->plan.run.suites[j];

			status = add_resource(resources, kc_report_fact(suite, "image.digest"), err,
					      "image %.64s, %.32s, time %.32s", suite->name,
					      kc_report_fact(suite, "image.fidelity"),
					      kc_report_fact(suite, "time"));
		}
	}
	return status;
}

static int write_test_result(const struct kc_artifacts *artifacts, struct kc_staging *staging,
			     struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
	KC_CLEANUP_FREE struct resources *resources = calloc(1, sizeof(*resources));
	const struct kc_resource subject = { .name = artifacts->archive_name,
					     .sha256 = artifacts->contents->sha256 };
	struct kc_test_result result = {
		.subjects = { &subject, 1 },
		.is_passed = true,
		.passed = { artifacts->outcome->passed, artifacts->outcome->passed_count },
		.warned = { artifacts->outcome->warned, artifacts->outcome->warned_count }
	};
	int status;

	if (!resources)
		return kc_error_errno(err, ENOMEM, "state what passed");
	status = list_configuration(artifacts, resources, err);
	result.configuration = (struct kc_resources){ resources->items, resources->count };
	if (status == 0)
		status = kc_statement_test_result(&result, &text, err);
	return status < 0 ? status
			  : write_statement(artifacts, staging, ".test-result.intoto.json", &text, err);
}

static int write_provenance(const struct kc_artifacts *artifacts, struct kc_staging *staging,
			    struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(KC_STATEMENT_LIMIT);
	KC_CLEANUP_FREE struct resources *subjects = calloc(1, sizeof(*subjects));
	const struct kc_contents *previous = artifacts->previous;
	const struct kc_parameter parameters[] = { { "version", artifacts->version },
						   { "volume-version", artifacts->volume_version } };
	const struct kc_resource dependencies[] = {
		{ .name = artifacts->archive_name, .sha256 = artifacts->contents->sha256 },
		{ .name = "the volume of the previous release",
		  .sha256 = previous ? previous->sha256 : NULL },
	};
	struct kc_provenance provenance = { .build_type = BUILD_TYPE,
					    .parameters = parameters,
					    .parameter_count = 2,
					    .dependencies = { dependencies, previous ? 2 : 1 },
					    .builder_id = "urn:krunner-compat:" KC_VERSION,
					    .started_on_s = artifacts->time_s };
	int status = subjects ? 0 : kc_error_errno(err, ENOMEM, "state what was made");

	for (size_t i = 0; status == 0 && i < staging->checksums.count; i++)
		status = add_resource(subjects, staging->checksums.items[i].sha256, err, "%s",
				      staging->checksums.items[i].name);
	if (status < 0)
		return status;
	provenance.subjects = (struct kc_resources){ subjects->items, subjects->count };
	status = kc_statement_provenance(&provenance, &text, err);
	return status < 0 ? status
			  : write_statement(artifacts, staging, ".provenance.intoto.json", &text, err);
}

int kc_artifacts_write(const struct kc_artifacts *artifacts, struct kc_staging *staging, struct kc_error *err)
{
	/* The provenance comes last: all files before it are its subjects. */
	static int (*const writers[])(const struct kc_artifacts *artifacts, struct kc_staging *staging,
				      struct kc_error *err) = { write_wheel,	   write_sbom,
								write_notes,	   write_reports,
								write_test_result, write_provenance };
	int status = 0;

	for (size_t i = 0; status == 0 && i < KC_ARRAY_LENGTH(writers); i++)
		status = writers[i](artifacts, staging, err);
	return status;
}
