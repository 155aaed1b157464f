#include "required.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases/cases.h"
#include "image/definition.h"
#include "run/plan.h"

static int take_identities(const struct kc_plan *plan, struct kc_gate_image *image)
{
	char **identities = calloc(plan->count + 1, sizeof(*identities));

	if (!identities)
		return -ENOMEM;
	image->identities = (const char *const *)identities;
	for (size_t i = 0; i < plan->count; i++) {
		if (asprintf(&identities[i], "%s.%s", plan->cases[i].classname, plan->cases[i].name) < 0) {
			identities[i] = NULL;
			return -ENOMEM;
		}
		image->count++;
	}
	return 0;
}

static int add_image(struct kc_required *required, const char *name, const struct kc_plan_list lists[2],
		     struct kc_error *err)
{
	const struct kc_plan_request request = {
		.image = name, .tables = kc_case_tables, .lists = lists, .list_count = 2
	};
	KC_CLEANUP_PLAN struct kc_plan plan = { 0 };
	KC_CLEANUP_DEFINITION struct kc_definition definition = { 0 };
	struct kc_gate_image *image = &required->images[required->count++];
	int status = kc_definition_load(name, &definition, err);

	if (status == 0)
		status = kc_plan_make(&plan, &request, err);
	if (status < 0)
		return status;
	image->name = name;
	memcpy(image->definition, definition.digest, sizeof(image->definition));
	status = take_identities(&plan, image);
	return status < 0 ? kc_error_errno(err, status, "list the cases of %s", name) : 0;
}

int kc_required_make(const struct kc_policy *policy, const char *distro, const char *architecture,
		     const char *version, struct kc_required *required, struct kc_error *err)
{
	KC_CLEANUP_POLICY_NAMES struct kc_policy_names promised = { 0 }, levels = { 0 };
	int status = kc_policy_images(policy, distro, &required->names, err);

	if (status == 0)
		status = kc_policy_promised_imports(policy, distro, version, &promised, err);
	if (status == 0)
		status = kc_policy_cpu_levels(policy, architecture, &levels, err);
	if (status < 0)
		return status;
	required->images = calloc(required->names.count + 1, sizeof(*required->images));
	if (!required->images)
		return kc_error_errno(err, ENOMEM, "list what policy requires");
	for (size_t i = 0; status == 0 && i < required->names.count; i++) {
		const struct kc_plan_list lists[2] = {
			{ .each = KC_EACH_PROMISED_IMPORT, .items = promised.items, .count = promised.count },
			{ .each = KC_EACH_CPU_LEVEL, .items = levels.items, .count = levels.count },
		};

		status = add_image(required, required->names.items[i], lists, err);
	}
	return status;
}

void kc_required_release(struct kc_required *required)
{
	for (size_t i = 0; i < required->count; i++) {
		char **identities = (char **)(uintptr_t)required->images[i].identities;

		for (size_t j = 0; identities && j < required->images[i].count; j++)
			free(identities[j]);
		free(identities);
	}
	free(required->images);
	kc_policy_names_release(&required->names);
	*required = (struct kc_required){ 0 };
}
