#include "release/notes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "release/difference.h"
#include "reports/ledger.h"
#include "reports/markdown_code.h"

static void add_pair(struct kc_sink *out, const char *name, const char *value)
{
	kc_sink_printf(out, "- %s: ", name);
	kc_markdown_span(out, value, false);
	kc_sink_string(out, "\n");
}

static const struct kc_report_suite *find_suite(const struct kc_gate_request *request, const char *image)
{
	for (size_t i = 0; i < request->report_count; i++) {
		const struct kc_report_run *run = &request->reports[i].report.plan.run;

		for (size_t j = 0; j < run->suite_count; j++)
			if (strcmp(run->suites[j].name, image) == 0)
				return &run->suites[j];
	}
	return NULL;
}

/* How many identities begin with the image's name and a dot. */
static size_t count_of(const char *const *identities, size_t count, const char *image)
{
	size_t length = strlen(image), found = 0;

	for (size_t i = 0; i < count; i++)
		found += strncmp(identities[i], image, length) == 0 && identities[i][length] == '.';
	return found;
}

static void add_images(struct kc_sink *out, const struct kc_artifacts *artifacts)
{
	const struct kc_gate_request *request = artifacts->request;
	const struct kc_gate_outcome *outcome = artifacts->outcome;

	kc_sink_string(
		out, "\n## Checked\n\n| image | fidelity | passed | with a warning |\n|---|---|---:|---:|\n");
	for (size_t i = 0; i < request->image_count; i++) {
		const char *name = request->images[i].name;
		const struct kc_report_suite *suite = find_suite(request, name);

		kc_sink_string(out, "| ");
		kc_markdown_span(out, name, true);
		kc_sink_string(out, " | ");
		kc_markdown_span(out, suite ? kc_report_fact(suite, "image.fidelity") : "", true);
		kc_sink_printf(out, " | %zu | %zu |\n",
			       count_of(outcome->passed, outcome->passed_count, name),
			       count_of(outcome->warned, outcome->warned_count, name));
	}
}

static void add_warnings(struct kc_sink *out, const struct kc_artifacts *artifacts)
{
	const struct kc_gate_outcome *outcome = artifacts->outcome;

	if (!outcome->warned_count)
		return;
	kc_sink_string(out, "\n## Not checked, or not at once\n\n");
	for (size_t i = 0; i < outcome->warned_count; i++) {
		const struct kc_waiver *waiver =
			kc_waivers_find(artifacts->request->waivers, outcome->warned[i]);

		kc_sink_string(out, "- ");
		kc_markdown_span(out, outcome->warned[i], false);
		if (!waiver) {
			kc_sink_string(out, ": flaky, it passed when it was tried again\n");
			continue;
		}
		kc_sink_string(out, ": waived until ");
		kc_markdown_span(out, waiver->expires, false);
		kc_sink_string(out, ", ");
		kc_markdown_span(out, waiver->reason, false);
		kc_sink_string(out, "\n");
	}
}

static int add_difference(const struct kc_artifacts *artifacts, struct kc_buffer *text, struct kc_error *err)
{
	KC_CLEANUP_DIFFERENCE struct kc_difference difference = { 0 };
	int status;

	if (!artifacts->previous) {
		status = kc_buffer_append_string(text, "\nThe first release.\n");
		return status < 0 ? kc_error_errno(err, status, "write release notes") : 0;
	}
	status = kc_buffer_append_string(text, "\n");
	if (status < 0)
		return kc_error_errno(err, status, "write release notes");
	status = kc_difference_make(artifacts->previous, artifacts->contents, &difference, err);
	return status < 0 ? status : kc_difference_to_markdown(&difference, text, err);
}

int kc_notes_append(const struct kc_artifacts *artifacts, struct kc_buffer *text, struct kc_error *err)
{
	KC_CLEANUP_SINK struct kc_sink out = KC_SINK_INIT(text->limit);

	kc_sink_string(&out, "# ");
	kc_markdown_span(&out, artifacts->archive_name, false);
	kc_sink_string(&out, "\n\n");
	add_pair(&out, "package version", artifacts->version);
	add_pair(&out, "volume version", artifacts->volume_version);
	add_pair(&out, "Python", artifacts->contents->python);
	add_pair(&out, "sha256", artifacts->contents->sha256);
	add_images(&out, artifacts);
	add_warnings(&out, artifacts);
	kc_sink_check(&out, out.status < 0 ? 0 : kc_buffer_append(text, out.text.data, out.text.length));
	if (out.status < 0)
		return kc_error_errno(err, out.status, "write release notes");
	return add_difference(artifacts, text, err);
}
