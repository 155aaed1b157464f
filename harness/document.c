/*
 * Writes what describes the command line, from its tables: kc-document man|bash|zsh|fish|schema FILE. Run by the build, not by users.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

#define ROFF_WIDTH 60 /* columns; a hyphen takes two of 80 */

/* The manual page: man-pages(7), groff_man(7) */

/* No request by accident. */
static void begin_line(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
}

/* Hyphens and backslashes that are meant as such, in lines that people can read. */
static void put_roff_within(const char *text, int width)
{
	int column = 0;

	begin_line(text);
	for (; *text; text++, column++)
		if (*text == ' ' && column + (int)strcspn(text + 1, " ") > width) {
			putchar('\n');
			column = 0;
			begin_line(text + 1);
		} else if (*text == '-') {
			fputs("\\-", stdout);
		} else if (*text == '\\') {
			fputs("\\e", stdout);
		} else {
			putchar(*text);
		}
}

static void put_roff(const char *text)
{
	put_roff_within(text, ROFF_WIDTH);
}

static void put_option(const struct kc_option_row *row)
{
	fputs(".TP\n.B ", stdout);
	if (row->letter)
		printf("\\-%c%s", row->letter, row->name ? ", " : "");
	if (row->name) {
		fputs("\\-\\-", stdout);
		put_roff(row->name);
	}
	if (row->argument)
		printf(" \\fI%s\\fR", row->argument);
	putchar('\n');
	put_roff(row->help);
	fputs(".\n", stdout);
}

static void put_command(int command)
{
	const struct kc_command_row *row = &kc_command_rows[command];

	printf(".SS %s", row->name);
	if (row->operand)
		printf(" \"\\fI%s\\fR\"", row->operand);
	putchar('\n');
	put_roff(row->help);
	fputs(".\n", stdout);
	if (row->details) {
		fputs(".PP\n", stdout);
		put_roff(row->details);
		putchar('\n');
	}
	for (size_t i = 0; i < kc_option_row_count; i++)
		if (kc_option_rows[i].commands & (1u << command))
			put_option(&kc_option_rows[i]);
}

static const struct {
	const char *arguments, *help;
} examples[] = {
	{ "run centos7", "Checks the newest release." },
	{ "run all --volume FILE --must-run --junit out.xml",
	  "Checks an archive on all that it must pass on, in CI." },
	{ "run centos7 --volume FILE --last-failed", "Checks again what did not pass." },
	{ "merge x86_64/*.json --json evidence/x86_64.json",
	  "Puts the reports of several machines together." },
	{ "release FILE --reports evidence --version 4.5.0 --volume-version 15 --texts texts --sign-with "
	  "key.pem --out dist",
	  "Makes what is published, if the reports show that all passed; otherwise tells every reason." },
	{ "release FILE ... --waivers waivers.json",
	  "Does without the skipped cases that the file names, each with a reason and a last day: "
	  "{\"version\": 1, \"waivers\": [{\"case\": \"ubuntu22.04.run.opening\", \"reason\": \"no registry "
	  "here\", \"expires\": \"2027-01-31\"}]}. What failed cannot be waived." },
	{ "verify dist --key key.pub", "Checks a release directory, offline." },
	{ "diff pypi:backend.ai-krunner-static-gnu==4.3.0 FILE --markdown notes.md",
	  "Tells what is different." },
};

static void write_man(void)
{
	fputs(".TH KRUNNER\\-COMPAT 1 2026-11-27 \"krunner\\-compat " KC_VERSION "\" \"User Commands\"\n"
	      ".SH NAME\nkrunner\\-compat \\- check that a Backend.AI krunner volume runs where it must run\n"
	      ".SH SYNOPSIS\n.B krunner\\-compat\n.I COMMAND\n.RI [ OPTION ]...\n"
	      ".SH DESCRIPTION\nBoots the volume in a sandbox on the root filesystem of each image, runs "
	      "what it "
	      "promises, and reports what held.\n.SH COMMANDS\n",
	      stdout);
	for (int i = 0; i < KC_COMMAND_COUNT; i++)
		put_command(i);
	fputs(".SH EXIT STATUS\n", stdout);
	for (size_t i = 0; i < kc_exit_row_count; i++) {
		printf(".TP\n.B %d\n", (int)kc_exit_rows[i].status);
		put_roff(kc_exit_rows[i].help);
		putchar('\n');
	}
	fputs(".SH FILES\n.TP\n.I $XDG_CACHE_HOME/krunner\\-compat\nUnpacked volumes and images, by digest; "
	      "verified before "
	      "each use. Without the variable, below\n.IR ~/.cache .\n.TP\n.I "
	      "$XDG_STATE_HOME/krunner\\-compat/last\\-run.jsonl\nThe events of the last run of whole "
	      "images. "
	      "Without the "
	      "variable, below\n.IR ~/.local/state .\n.TP\n.I ./krunner\\-compat.json\n"
	      "Settings: an object whose keys are names of options. Or\n.IR "
	      "$XDG_CONFIG_HOME/krunner\\-compat/krunner\\-compat.json ,\nwhere that is not there.\n"
	      ".SH ENVIRONMENT\n.TP\n.B KRUNNER_COMPAT_\\fIOPTION\\fR\nA setting by the name of its option "
	      "in "
	      "capitals, "
	      "such as\n.BR KRUNNER_COMPAT_MUST_RUN=true .\nThe command line overrides it, and it the "
	      "files.\n"
	      ".TP\n.B NO_COLOR\nIf set and not empty, no colors.\n"
	      ".TP\n.B GITHUB_ACTIONS\nIf\n.IR true ,\nfailures annotate the log and the report is added to "
	      "the "
	      "summary "
	      "of the job.\n"
	      ".SH EXAMPLES\n",
	      stdout);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(examples); i++) {
		fputs(".TP\n.B krunner\\-compat ", stdout);
		put_roff_within(examples[i].arguments, INT_MAX); /* a tag is one line */
		putchar('\n');
		put_roff(examples[i].help);
		putchar('\n');
	}
}

/* Completions */

static void put_words(const char *operand)
{
	for (; operand && *operand && *operand != ' '; operand++) /* after the blank others may follow */
		putchar(*operand == '|' ? ' ' : *operand);
}

/* "images|cases" of an operand that is one of these words; NULL for any other. */
static const char *words_of(const struct kc_command_row *row)
{
	return row->operand && strchr(row->operand, '|') && row->operand[0] != '[' ? row->operand : NULL;
}

static void put_choices(const struct kc_option_row *row)
{
	for (size_t i = 0; row->choices[i]; i++)
		printf("%s%s", i ? " " : "", row->choices[i]);
}

static void put_bash_values(void)
{
	fputs("\tcase $previous in\n", stdout);
	for (size_t i = 0; i < kc_option_row_count; i++)
		if (kc_option_rows[i].choices) {
			printf("\t--%s)\n\t\tCOMPREPLY=($(compgen -W \"", kc_option_rows[i].name);
			put_choices(&kc_option_rows[i]);
			fputs("\" -- \"$word\"))\n\t\treturn\n\t\t;;\n", stdout);
		} else if (kc_option_rows[i].argument && kc_option_rows[i].name) {
			printf("\t--%s)\n\t\tCOMPREPLY=($(compgen -f -- \"$word\"))\n\t\treturn\n\t\t;;\n",
			       kc_option_rows[i].name);
		}
	fputs("\tesac\n", stdout);
}

static void put_bash_command(int command)
{
	const struct kc_command_row *row = &kc_command_rows[command];

	printf("\t%s)\n\t\twords=\"", row->name);
	for (size_t i = 0; i < kc_option_row_count; i++)
		if ((kc_option_rows[i].commands & (1u << command)) && kc_option_rows[i].name)
			printf("--%s ", kc_option_rows[i].name);
	put_words(words_of(row));
	fputs("\"\n\t\t;;\n", stdout);
}

static void write_bash(void)
{
	fputs("# krunner-compat: completion for bash, made from the option table\n"
	      "_krunner_compat() {\n\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD "
	      "- 1]} "
	      "words=\n\n",
	      stdout);
	put_bash_values();
	fputs("\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W \"", stdout);
	for (int i = 0; i < KC_COMMAND_COUNT; i++)
		printf("%s ", kc_command_rows[i].name);
	fputs("\" -- \"$word\"))\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n", stdout);
	for (int i = 0; i < KC_COMMAND_COUNT; i++)
		put_bash_command(i);
	fputs("\tesac\n"
	      "\tcase ${COMP_WORDS[1]}:$word in\n  run:-*) ;;\n"
	      "  run:*) words=\"all $(krunner-compat list images 2>/dev/null | sed '1d; s/ .*//')\" ;;\n"
	      "  shell:*) words=$(krunner-compat list images 2>/dev/null | sed '1d; s/ .*//') ;;\n"
	      "  images:*) [ \"$COMP_CWORD\" -eq 2 ] ||\n"
	      "    words=$(krunner-compat list images 2>/dev/null | sed '1d; s/ .*//') ;;\n"
	      "\treport:[!-]* | report:)\n\t\tCOMPREPLY=($(compgen -f -- "
	      "\"$word\"))\n\t\treturn\n\t\t;;\n\tesac\n"
	      "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n}\ncomplete -F _krunner_compat "
	      "krunner-compat\n",
	      stdout);
}

/* In single quotes of a shell. */
static void put_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	putchar('\'');
}

static void put_fish_option(const struct kc_option_row *row, int command)
{
	printf("complete -c krunner-compat -n '__fish_seen_subcommand_from %s'",
	       kc_command_rows[command].name);
	if (row->name)
		printf(" -l %s", row->name);
	if (row->letter)
		printf(" -s %c", row->letter);
	if (row->choices) {
		fputs(" -x -a '", stdout);
		put_choices(row);
		putchar('\'');
	} else if (row->argument) {
		fputs(" -r", stdout);
	}
	fputs(" -d ", stdout);
	put_quoted(row->help);
	putchar('\n');
}

static void write_fish(void)
{
	fputs("# krunner-compat: completion for fish, made from the option table\ncomplete -c krunner-compat "
	      "-f\n",
	      stdout);
	for (int i = 0; i < KC_COMMAND_COUNT; i++) {
		printf("complete -c krunner-compat -n __fish_use_subcommand -a %s -d ",
		       kc_command_rows[i].name);
		put_quoted(kc_command_rows[i].help);
		putchar('\n');
		if (words_of(&kc_command_rows[i])) {
			printf("complete -c krunner-compat -n '__fish_seen_subcommand_from %s' -a '",
			       kc_command_rows[i].name);
			put_words(kc_command_rows[i].operand);
			fputs("'\n", stdout);
		}
		for (size_t j = 0; j < kc_option_row_count; j++)
			if (kc_option_rows[j].commands & (1u << i))
				put_fish_option(&kc_option_rows[j], i);
	}
	fputs("complete -c krunner-compat -n '__fish_seen_subcommand_from run' -a "
	      "'all (krunner-compat list images 2>/dev/null | sed \"1d; s/ .*//\")'\n"
	      "complete -c krunner-compat -n '__fish_seen_subcommand_from shell pull rm' -a "
	      "'(krunner-compat list images 2>/dev/null | sed \"1d; s/ .*//\")'\n"
	      "complete -c krunner-compat -n '__fish_seen_subcommand_from report' -F\n",
	      stdout);
}

/* Of an argument specification of _arguments (zshcompsys(1)), in single quotes: brackets and colons are its own. */
static void put_zsh(const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:\\", *text))
			putchar('\\');
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
}

static void put_zsh_option(const struct kc_option_row *row)
{
	fputs("\t\t'", stdout);
	if (row->name)
		printf("--%s%s", row->name, row->argument ? "=" : "");
	else
		printf("-%c", row->letter);
	putchar('[');
	put_zsh(row->help);
	putchar(']');
	if (row->choices) {
		printf(":%s:(", row->argument);
		put_choices(row);
		putchar(')');
	} else if (row->argument) {
		printf(":%s:_files", row->argument);
	}
	fputs("' \\\n", stdout);
}

static void put_zsh_command(int command)
{
	const struct kc_command_row *row = &kc_command_rows[command];

	printf("\t%s)\n\t\t_arguments -S \\\n", row->name);
	for (size_t i = 0; i < kc_option_row_count; i++)
		if (kc_option_rows[i].commands & (1u << command))
			put_zsh_option(&kc_option_rows[i]);
	if (command == KC_COMMAND_RUN) {
		fputs("\t\t'*:IMAGE:_krunner_compat_images'\n", stdout);
	} else if (words_of(row)) {
		fputs("\t\t'1:what:(", stdout);
		put_words(row->operand);
		fputs(")'\n", stdout);
	} else {
		fputs("\t\t'*:file:_files'\n", stdout);
	}
	fputs("\t\t;;\n", stdout);
}

static void write_zsh(void)
{
	fputs("#compdef krunner-compat\n# krunner-compat: completion for zsh, made from the option table\n"
	      "_krunner_compat_images() {\n\tcompadd all $(krunner-compat list images 2>/dev/null | cut -d' "
	      "' -f1)\n}\n"
	      "local -a commands=(\n",
	      stdout);
	for (int i = 0; i < KC_COMMAND_COUNT; i++) {
		printf("\t'%s:", kc_command_rows[i].name);
		put_zsh(kc_command_rows[i].help);
		fputs("'\n", stdout);
	}
	fputs(")\nif ((CURRENT == 2)); then\n\t_describe command commands\n\treturn\nfi\n"
	      "local command=$words[2]\nshift words\n((CURRENT--))\ncase $command in\n",
	      stdout);
	for (int i = 0; i < KC_COMMAND_COUNT; i++)
		put_zsh_command(i);
	fputs("esac\n", stdout);
}

/* The schema of the configuration file: json-schema.org, 2020-12 */

static void put_json(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

static void put_schema_type(const struct kc_option_row *row)
{
	switch (row->type) {
	case KC_OPTION_FLAG:
		fputs("\"type\": \"boolean\"", stdout);
		break;
	case KC_OPTION_STRING:
		fputs("\"type\": \"string\", \"minLength\": 1", stdout);
		break;
	case KC_OPTION_STRINGS:
		fputs("\"type\": \"array\", \"items\": {\"type\": \"string\", \"minLength\": 1}", stdout);
		break;
	case KC_OPTION_SECONDS:
	case KC_OPTION_NUMBER:
		printf("\"type\": \"integer\", \"minimum\": 1, \"maximum\": %u", row->maximum);
		break;
	case KC_OPTION_CHOICE:
		fputs("\"enum\": [", stdout);
		for (size_t i = 0; row->choices[i]; i++) {
			fputs(i ? ", " : "", stdout);
			put_json(row->choices[i]);
		}
		putchar(']');
		break;
	}
}

static void write_schema(void)
{
	fputs("{\n\t\"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n\t\"$id\": "
	      "\"config.schema.json\",\n"
	      "\t\"title\": \"krunner-compat.json\",\n\t\"type\": \"object\",\n\t\"additionalProperties\": "
	      "false,\n"
	      "\t\"properties\": {\n\t\t\"$schema\": {\"type\": \"string\"},\n\t\t\"version\": {\"const\": "
	      "1}",
	      stdout);
	for (size_t i = 0; i < kc_option_row_count; i++) {
		const struct kc_option_row *row = &kc_option_rows[i];

		if (!row->name || row->is_line_only)
			continue;
		fputs(",\n\t\t", stdout);
		put_json(row->name);
		fputs(": {", stdout);
		put_schema_type(row);
		fputs(", \"description\": ", stdout);
		put_json(row->help);
		putchar('}');
	}
	fputs("\n\t}\n}\n", stdout);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*write)(void);
	} kinds[] = { { "man", write_man },
		      { "bash", write_bash },
		      { "zsh", write_zsh },
		      { "fish", write_fish },
		      { "schema", write_schema } };

	if (argc == 3 && !freopen(argv[2], "w", stdout)) {
		perror(argv[2]);
		return 1;
	}
	for (size_t i = 0; argc == 3 && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(argv[1], kinds[i].name) == 0) {
			kinds[i].write();
			return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
		}
	fprintf(stderr, "usage: kc-document man|bash|zsh|fish|schema FILE\n");
	return 2;
}
