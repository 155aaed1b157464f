#include "release/findings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/text.h"

/* Longer texts are cut: what is wrong shows at their beginning. */
#define SHOWN_BYTES 400u
#define ROOM_BYTES 4096u

static char *make_safe(const char *text)
{
	KC_CLEANUP_BUFFER struct kc_buffer safe = KC_BUFFER_INIT(ROOM_BYTES);
	size_t length = strnlen(text, SHOWN_BYTES + 1);
	bool is_cut = length > SHOWN_BYTES;
	int status = kc_text_append(&safe, text, is_cut ? SHOWN_BYTES : length, KC_TEXT_LINE);

	if (status == 0)
		status = kc_buffer_append_string(&safe, is_cut ? "..." : "");
	if (status < 0)
		return NULL;
	return safe.data ? kc_buffer_steal(&safe) : calloc(1, 1);
}

static void release_finding(struct kc_finding *finding)
{
	free(finding->member);
	free(finding->expected);
	free(finding->found);
}

void kc_findings_release(struct kc_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		release_finding(&findings->items[i]);
	free(findings->items);
	*findings = (struct kc_findings){ .check = findings->check };
}

void kc_finding_add(struct kc_findings *findings, const char *member, const char *expected, const char *found)
{
	struct kc_finding finding = { .check = findings->check };

	if (!findings->items)
		findings->items = calloc(KC_FINDINGS_MAX, sizeof(*findings->items));
	if (!findings->items || findings->count == KC_FINDINGS_MAX) {
		findings->dropped++;
		return;
	}
	finding.member = make_safe(member);
	finding.expected = make_safe(expected);
	finding.found = make_safe(found);
	if (finding.member && finding.expected && finding.found) {
		findings->items[findings->count++] = finding;
		return;
	}
	release_finding(&finding);
	findings->dropped++;
}

void kc_finding_add_number(struct kc_findings *findings, const char *member, const char *expected,
			   unsigned long long found)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", found);
	kc_finding_add(findings, member, expected, text);
}
