/* Floors: how new a system the volume needs, beside what each image has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/html_internal.h"

#define SCALE_WIDTH 300.0
#define PREFIX "floor-"

/* The properties "floor-FAMILY", "-file" and "-image" of a case, as cases/volume.c calls them. */
struct floor {
	const char *family, *needed;
	const char *file, *ceiling; /* "" if not told */
};

static const char *find(const struct kc_result *result, const char *name, const char *suffix)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < result->property_count; i++)
		if (strncmp(result->properties[i].name, name, length) == 0 &&
		    strcmp(result->properties[i].name + length, suffix) == 0)
			return result->properties[i].value;
	return "";
}

/* The property tells of a family, and not more of one. */
static bool read_floor(const struct kc_result *result, size_t property, struct floor *ret_floor)
{
	const char *name = result->properties[property].name;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || strchr(name + strlen(PREFIX), '-'))
		return false;
	*ret_floor = (struct floor){ .family = name + strlen(PREFIX),
				     .needed = result->properties[property].value,
				     .file = find(result, name, "-file"),
				     .ceiling = find(result, name, "-image") };
	return true;
}

/* Versions that differ in their last number only can be drawn to one scale: 2.17 and 2.36. The length of what they share; 0 if they
 * cannot. */
static size_t shared_length(const char *one, const char *other)
{
	const char *last = strrchr(one, '.');
	size_t length = last ? (size_t)(last - one) + 1 : 0;

	return length && strncmp(one, other, length) == 0 && strlen(one + length) <= 4 &&
			       strlen(other + length) <= 4 && !strchr(other + length, '.')
		       ? length
		       : 0;
}

static void draw_scale(struct kc_sink *out, const struct floor *floor)
{
	size_t length = shared_length(floor->needed, floor->ceiling);
	double needed = strtod(floor->needed + length, NULL), ceiling = strtod(floor->ceiling + length, NULL);
	double longest = needed > ceiling ? needed : ceiling;

	if (!length || longest <= 0)
		return;
	kc_sink_printf(out,
		       "<svg viewBox=\"0 0 %.0f 12\" width=\"%.0f\" height=\"12\" "
		       "preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect "
		       "class=\"%s\" x=\"0\" y=\"1\" width=\"%.1f\" height=\"10\"/><rect class=\"limit\" "
		       "x=\"%.1f\" y=\"0\" width=\"3\" height=\"12\"/></svg>",
		       SCALE_WIDTH, SCALE_WIDTH, needed > ceiling ? "bar over" : "bar",
		       needed / longest * (SCALE_WIDTH - 3), ceiling / longest * (SCALE_WIDTH - 3));
}

static void add_cell(struct kc_sink *out, const char *text)
{
	kc_sink_string(out, "<td>");
	kc_html_text(out, text);
	kc_sink_string(out, "</td>");
}

static void draw_row(struct kc_sink *out, const char *suite, const struct floor *floor)
{
	kc_sink_string(out, "<tr><th scope=\"row\" class=\"id image\">");
	kc_html_text(out, suite);
	kc_sink_string(out, "</th>");
	add_cell(out, floor->family);
	add_cell(out, floor->needed);
	add_cell(out, *floor->ceiling ? floor->ceiling : "not known");
	kc_sink_string(out, "<td>");
	draw_scale(out, floor);
	kc_sink_string(out, "</td>");
	kc_sink_string(out, "<td class=\"path\">");
	kc_html_text(out, floor->file);
	kc_sink_string(out, "</td></tr>\n");
}

static void begin(struct kc_sink *out)
{
	kc_sink_string(
		out, "<section aria-labelledby=\"floors\">\n<h2 id=\"floors\">Floors</h2>\n"
		     "<p class=\"note\">The newest versions of symbols that a file of the volume cannot do "
		     "without, and the newest that the image has: the line, which no bar may pass.</p>\n"
		     "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table of "
		     "floors\">\n<table>\n<caption>What the volume needs of its "
		     "system</caption>\n<thead><tr><th "
		     "scope=\"col\">image</th><th scope=\"col\">symbols</th><th scope=\"col\">needed</th><th "
		     "scope=\"col\">there</th><th scope=\"col\">to scale</th><th scope=\"col\">needed by "
		     "the file</th></tr></thead>\n<tbody>\n");
}

void kc_html_floors(struct kc_sink *out, const struct kc_ledger *ledger)
{
	bool is_begun = false;
	struct floor floor;

	for (size_t i = 0; i < ledger->run->case_count; i++)
		for (size_t j = 0; j < ledger->results[i].property_count; j++) {
			if (!read_floor(&ledger->results[i], j, &floor))
				continue;
			if (!is_begun)
				begin(out);
			is_begun = true;
			draw_row(out, ledger->run->suites[ledger->run->cases[i].suite].name, &floor);
		}
	if (is_begun)
		kc_sink_string(out, "</tbody>\n</table>\n</div>\n</section>\n");
}
