/* The pictures of the page: inline SVG, with their content in words for those who cannot see it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/html_internal.h"

#define MOST_MARKS 16
#define MOST_LANES 64 /* of a case */
#define MOST_BARS 40
#define WIDTH 760.0
#define LANE_HEIGHT 34
#define LABEL_WIDTH 130.0

/* Keepalive: a lane for each client, from the opening of its connection on. */

/* "CLIENT-ping-N-at" and "-after", "CLIENT-hangup-at" and "-after", as cases/terminal.c calls them: since the opening, and since
 * the last sign of life, which is what is promised. */
struct mark {
	char event[32];	     /* "ping-1", "hangup" */
	double at_s;	     /* NAN: not told */
	double from_s, to_s; /* where it was promised; NAN: nothing was */
};

struct lane {
	char client[64];
	struct mark marks[MOST_MARKS];
	size_t count;
};

/* Takes "CLIENT-EVENT-WHAT" apart. */
static bool take_apart(const char *name, char client[64], char event[32], char what[8])
{
	const char *last = strrchr(name, '-'), *middle = strstr(name, "-ping-");

	if (!middle)
		middle = strstr(name, "-hangup-");
	if (!middle || middle >= last || middle - name > 63 || last - middle > 31 || strlen(last) > 7)
		return false;
	(void)snprintf(client, 64, "%.*s", (int)(middle - name), name);
	(void)snprintf(event, 32, "%.*s", (int)(last - middle - 1), middle + 1);
	(void)snprintf(what, 8, "%s", last + 1);
	return strcmp(what, "at") == 0 || strcmp(what, "after") == 0;
}

static struct lane *find_lane(struct lane *lanes, size_t *count, const char *client)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(lanes[i].client, client) == 0)
			return &lanes[i];
	if (*count == MOST_LANES)
		return NULL;
	(void)snprintf(lanes[*count].client, sizeof(lanes->client), "%s", client);
	return &lanes[(*count)++];
}

static struct mark *find_mark(struct lane *lane, const char *event)
{
	struct mark *mark;

	for (size_t i = 0; lane && i < lane->count; i++)
		if (strcmp(lane->marks[i].event, event) == 0)
			return &lane->marks[i];
	if (!lane || lane->count == MOST_MARKS)
		return NULL;
	mark = &lane->marks[lane->count++];
	*mark = (struct mark){ .at_s = NAN, .from_s = NAN, .to_s = NAN };
	(void)snprintf(mark->event, sizeof(mark->event), "%s", event);
	return mark;
}

static size_t fill_lanes(const struct kc_result *result, struct lane *lanes)
{
	size_t count = 0;

	for (size_t i = 0; i < result->measurement_count; i++) {
		const struct kc_measurement *measurement = &result->measurements[i];
		char client[64], event[32], what[8];
		struct mark *mark;

		if (!take_apart(measurement->name, client, event, what))
			continue;
		mark = find_mark(find_lane(lanes, &count, client), event);
		if (!mark)
			continue;
		/* "at" comes before "after". */
		if (strcmp(what, "at") == 0) {
			mark->at_s = measurement->value;
			continue;
		}
		mark->from_s = mark->at_s - measurement->value + measurement->least;
		mark->to_s = mark->at_s - measurement->value + measurement->most;
	}
	return count;
}

static double longest(const struct lane *lanes, size_t count)
{
	double longest_s = 1;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < lanes[i].count; j++) {
			const struct mark *mark = &lanes[i].marks[j];

			if (mark->at_s > longest_s) /* false for NAN */
				longest_s = mark->at_s;
			if (mark->to_s > longest_s)
				longest_s = mark->to_s;
		}
	return longest_s;
}

static bool is_hangup(const struct mark *mark)
{
	return strcmp(mark->event, "hangup") == 0;
}

static double x_of(double at_s, double longest_s)
{
	return LABEL_WIDTH + at_s / longest_s * (WIDTH - LABEL_WIDTH - 20);
}

static void draw_mark(struct kc_sink *out, const struct mark *mark, double y, double longest_s)
{
	double x = x_of(mark->at_s, longest_s);

	if (isnan(mark->at_s))
		return;
	if (!isnan(mark->from_s) && !isnan(mark->to_s))
		kc_sink_printf(out,
			       "<rect class=\"band\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"18\"/>",
			       x_of(mark->from_s, longest_s), y - 9,
			       x_of(mark->to_s, longest_s) - x_of(mark->from_s, longest_s));
	if (is_hangup(mark))
		kc_sink_printf(out,
			       "<rect class=\"hangup\" x=\"%.1f\" y=\"%.1f\" width=\"4\" height=\"18\"/>",
			       x - 2, y - 9);
	else
		kc_sink_printf(out, "<circle class=\"ping\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x, y);
	kc_sink_printf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.3f</text>\n", x, y + 22,
		       mark->at_s);
}

static void draw_lane(struct kc_sink *out, const struct lane *lane, size_t number, double longest_s)
{
	double y = (double)number * LANE_HEIGHT + 20;

	kc_sink_printf(out, "<text x=\"0\" y=\"%.1f\">", y + 4);
	kc_html_text(out, lane->client);
	kc_sink_printf(out, "</text><line class=\"axis\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
		       LABEL_WIDTH, y, WIDTH - 20, y);
	for (size_t i = 0; i < lane->count; i++)
		draw_mark(out, &lane->marks[i], y, longest_s);
}

static void say_lanes(struct kc_sink *out, const struct lane *lanes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		kc_html_text(out, lanes[i].client);
		kc_sink_string(out, ":");
		for (size_t j = 0; j < lanes[i].count; j++)
			kc_sink_printf(out, "%s %s after %.3f s", j ? "," : "",
				       is_hangup(&lanes[i].marks[j]) ? "hung up" : "ping",
				       lanes[i].marks[j].at_s);
		kc_sink_string(out, ". ");
	}
}

static void draw_case(struct kc_sink *out, const struct kc_report_case *testcase, const struct lane *lanes,
		      size_t count)
{
	double longest_s = longest(lanes, count);

	kc_sink_string(out, "<figure tabindex=\"0\">\n<figcaption class=\"id\">");
	kc_html_identity(out, testcase);
	kc_sink_printf(out, "</figcaption>\n<svg viewBox=\"0 0 %.0f %zu\" role=\"img\" aria-label=\"", WIDTH,
		       count * LANE_HEIGHT + 16);
	say_lanes(out, lanes, count);
	kc_sink_string(out, "\">\n");
	for (size_t i = 0; i < count; i++)
		draw_lane(out, &lanes[i], i, longest_s);
	kc_sink_string(out, "</svg>\n</figure>\n");
}

void kc_html_keepalive(struct kc_sink *out, const struct kc_ledger *ledger)
{
	bool is_begun = false;

	for (size_t i = 0; i < ledger->run->case_count; i++) {
		struct lane *lanes = calloc(MOST_LANES, sizeof(*lanes));
		size_t count = lanes ? fill_lanes(&ledger->results[i], lanes) : 0;

		if (count && !is_begun)
			kc_sink_string(
				out,
				"<section aria-labelledby=\"keepalive\">\n<h2 "
				"id=\"keepalive\">Keepalive</h2>\n"
				"<p class=\"note\">Seconds since a client connected. A dot is a ping, a bar "
				"the hangup, and the field behind it where it was promised.</p>\n");
		if (count)
			draw_case(out, &ledger->run->cases[i], lanes, count);
		is_begun |= count > 0;
		free(lanes);
	}
	if (is_begun)
		kc_sink_string(out, "</section>\n");
}

/* Times: the longest first. */

struct bar {
	const struct kc_report_case *testcase;
	int64_t duration_ms;
};

static int compare(const void *a, const void *b)
{
	const struct bar *one = a, *other = b;

	return (one->duration_ms < other->duration_ms) - (one->duration_ms > other->duration_ms);
}

static void draw_bars(struct kc_sink *out, const struct bar *bars, size_t count)
{
	double longest_ms = (double)(bars[0].duration_ms ? bars[0].duration_ms : 1);

	kc_sink_string(
		out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of "
		     "times\">\n<table>\n"
		     "<caption>The longest cases</caption>\n<thead><tr><th scope=\"col\">case</th>"
		     "<th scope=\"col\">seconds</th><th scope=\"col\">to scale</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < count && i < MOST_BARS; i++) {
		kc_sink_string(out, "<tr><th scope=\"row\" class=\"id\">");
		kc_html_identity(out, bars[i].testcase);
		kc_sink_printf(
			out,
			"</th><td>%.3f</td><td><svg viewBox=\"0 0 300 12\" width=\"300\" height=\"12\" "
			"aria-hidden=\"true\"><rect class=\"bar\" x=\"0\" y=\"1\" width=\"%.1f\" "
			"height=\"10\"/></svg></td></tr>\n",
			(double)bars[i].duration_ms / 1000, (double)bars[i].duration_ms / longest_ms * 300);
	}
	kc_sink_string(out, "</tbody>\n</table>\n</div>\n");
}

void kc_html_times(struct kc_sink *out, const struct kc_ledger *ledger)
{
	struct bar *bars = calloc(ledger->run->case_count + 1, sizeof(*bars));
	size_t count = 0;

	if (!bars) {
		kc_sink_check(out, -ENOMEM);
		return;
	}
	for (size_t i = 0; i < ledger->run->case_count; i++)
		if (ledger->is_done[i])
			bars[count++] =
				(struct bar){ &ledger->run->cases[i], ledger->results[i].duration_ms };
	qsort(bars, count, sizeof(*bars), compare);
	if (count) {
		kc_sink_string(out, "<section aria-labelledby=\"times\">\n<h2 id=\"times\">Times</h2>\n");
		draw_bars(out, bars, count);
		kc_sink_string(out, "</section>\n");
	}
	free(bars);
}
