#include "options.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config.h"
#include "nearest.h"

static int usage(struct kc_error *err)
{
	if (err)
		err->kind = KC_ERROR_USAGE;
	return -EINVAL;
}

/* The hint of a word that is none of those expected: the nearest one, or where to look. */
static void advise(struct kc_error *err, const char *nearest, const char *command)
{
	if (nearest)
		kc_error_hint(err, "did you mean `%s`?", nearest);
	else if (command)
		kc_error_hint(err, "see `krunner-compat help %s`", command);
	else
		kc_error_hint(err, "see `krunner-compat help`");
}

int kc_options_find_command(const char *word, enum kc_command *ret_command, struct kc_error *err)
{
	struct kc_nearest nearest = KC_NEAREST_INIT(word);

	for (int i = 0; i < KC_COMMAND_COUNT; i++) {
		const struct kc_command_row *row = &kc_command_rows[i];

		if (strcmp(word, row->name) == 0 || (row->alias && strcmp(word, row->alias) == 0)) {
			*ret_command = (enum kc_command)i;
			return 0;
		}
		kc_nearest_try(&nearest, row->name);
		if (row->alias)
			kc_nearest_try(&nearest, row->alias);
	}
	if (word[0] == '-')
		(void)kc_error_set(err, EINVAL, "unknown option `%s` before a command", word);
	else
		(void)kc_error_set(err, EINVAL, "unknown command `%s`", word);
	advise(err, nearest.word, NULL);
	return usage(err);
}

static bool applies(const struct kc_option_row *row, enum kc_command command)
{
	return row->commands & (1u << command);
}

static void option_spelling(const struct kc_option_row *row, char *ret_text, size_t size)
{
	if (row->name)
		(void)snprintf(ret_text, size, "--%s", row->name); /* names are short */
	else
		(void)snprintf(ret_text, size, "-%c", row->letter);
}

static int unknown_option(const char *word, enum kc_command command, struct kc_error *err)
{
	const char *name = kc_command_rows[command].name;
	size_t length = strcspn(word, "=");
	char spelling[64], best[64] = "", bare[64];
	struct kc_nearest nearest;

	(void)snprintf(bare, sizeof(bare), "%.*s", (int)(length < 60 ? length : 60), word);
	nearest = (struct kc_nearest)KC_NEAREST_INIT(bare);
	for (size_t i = 0; i < kc_option_row_count; i++) {
		if (!applies(&kc_option_rows[i], command))
			continue;
		option_spelling(&kc_option_rows[i], spelling, sizeof(spelling));
		if (kc_nearest_try(&nearest, spelling))
			memcpy(best, spelling, sizeof(best));
	}
	(void)kc_error_set(err, EINVAL, "%s: unknown option `%.*s`", name, (int)(length < 200 ? length : 200),
			   word);
	advise(err, best[0] ? best : NULL, name);
	return usage(err);
}

static int parse_number(const struct kc_option_row *row, const char *text, unsigned int *ret_number,
			struct kc_error *err)
{
	char spelling[64];
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	/* strtoul takes signs and spaces, which are no numbers here. */
	if (text[0] < '0' || text[0] > '9' || *end || errno || number < 1 || number > row->maximum) {
		option_spelling(row, spelling, sizeof(spelling));
		(void)kc_error_set(err, EINVAL, "%s: `%s` is not a whole number from 1 to %u", spelling, text,
				   row->maximum);
		return usage(err);
	}
	*ret_number = (unsigned int)number;
	return 0;
}

static int parse_choice(const struct kc_option_row *row, const char *text, int *ret_choice,
			struct kc_error *err)
{
	struct kc_nearest nearest = KC_NEAREST_INIT(text);

	for (int i = 0; row->choices[i]; i++) {
		if (strcmp(text, row->choices[i]) == 0) {
			*ret_choice = i;
			return 0;
		}
		kc_nearest_try(&nearest, row->choices[i]);
	}
	(void)kc_error_set(err, EINVAL, "--%s: unknown %s `%s`", row->name, row->argument, text);
	if (nearest.word)
		advise(err, nearest.word, NULL);
	else
		kc_error_hint(err, "it is %s", row->help);
	return usage(err);
}

static int append(const char ***strings, size_t *count, const char *text, struct kc_error *err)
{
	const char **grown = reallocarray(*strings, *count + 1, sizeof(**strings));

	if (!grown)
		return kc_error_errno(err, ENOMEM, "read the command line");
	*strings = grown;
	grown[(*count)++] = text;
	return 0;
}

static int store(struct kc_options *options, const struct kc_option_row *row, const char *text,
		 struct kc_error *err)
{
	void *field = (char *)options + row->offset;
	char spelling[64];
	unsigned int number = 0;
	int status;

	if (text && !*text) {
		option_spelling(row, spelling, sizeof(spelling));
		(void)kc_error_set(err, EINVAL, "%s: %s must not be empty", spelling, row->argument);
		return usage(err);
	}
	switch (row->type) {
	case KC_OPTION_FLAG:
		*(bool *)field = true;
		return 0;
	case KC_OPTION_STRING:
		*(const char **)field = text;
		return 0;
	case KC_OPTION_STRINGS:
		return append((const char ***)field, (size_t *)((const char ***)field + 1), text, err);
	case KC_OPTION_SECONDS:
		status = parse_number(row, text, &number, err);
		if (status == 0)
			*(int64_t *)field = (int64_t)number * 1000;
		return status;
	case KC_OPTION_NUMBER:
		return parse_number(row, text, field, err);
	case KC_OPTION_CHOICE:
		return parse_choice(row, text, field, err);
	}
	return kc_error_set(err, EINVAL, "--%s: unknown type of option", row->name);
}

/* What getopt_long wants, made from the table. An option's value is its index, shifted out of the way of
 * letters. */
#define ROW_VALUE 256

struct getopt_tables {
	struct option longs[KC_OPTION_ROWS_MAX + 1];
	char shorts[2 * KC_OPTION_ROWS_MAX + 2];
};

static void make_tables(enum kc_command command, struct getopt_tables *tables)
{
	size_t longs = 0, shorts = 0;

	memset(tables, 0, sizeof(*tables));
	tables->shorts[shorts++] = ':'; /* a missing argument is told from an unknown option */
	for (size_t i = 0; i < kc_option_row_count; i++) {
		const struct kc_option_row *row = &kc_option_rows[i];

		if (!applies(row, command))
			continue;
		if (row->name)
			tables->longs[longs++] =
				(struct option){ .name = row->name,
						 .has_arg = row->argument ? required_argument : no_argument,
						 .val = ROW_VALUE + (int)i };
		if (row->letter)
			tables->shorts[shorts++] = row->letter;
		if (row->letter && row->argument)
			tables->shorts[shorts++] = ':';
	}
}

static const struct kc_option_row *row_of(int value)
{
	if (value >= ROW_VALUE)
		return &kc_option_rows[value - ROW_VALUE];
	for (size_t i = 0; i < kc_option_row_count; i++)
		if (value && kc_option_rows[i].letter == value)
			return &kc_option_rows[i];
	return NULL;
}

/* getopt leaves no other trace of an option it does not know. */
static int refuse(int found, char *argv[], enum kc_command command, struct kc_error *err)
{
	const struct kc_option_row *row = row_of(optopt);
	char spelling[64];

	if (found == ':' && row) {
		option_spelling(row, spelling, sizeof(spelling));
		(void)kc_error_set(err, EINVAL, "%s: %s is missing", spelling, row->argument);
		advise(err, NULL, kc_command_rows[command].name);
		return usage(err);
	}
	if (row && row->name && optopt >= ROW_VALUE) {
		(void)kc_error_set(err, EINVAL, "--%s takes no argument", row->name);
		return usage(err);
	}
	if (optopt && optopt < ROW_VALUE) {
		(void)snprintf(spelling, sizeof(spelling), "-%c", optopt);
		return unknown_option(spelling, command, err);
	}
	return unknown_option(argv[optind - 1], command, err);
}

static int parse_options(struct kc_options *options, int argc, char *argv[], struct kc_error *err)
{
	struct getopt_tables tables;

	make_tables(options->command, &tables);
	opterr = 0;
	optind = 0; /* glibc: forget an earlier command line, getopt(3) */
	for (;;) {
		int found, status;

		optopt = 0;
		found = getopt_long(argc, argv, tables.shorts, tables.longs, NULL);
		if (found == -1)
			return 0;
		status = found == '?' || found == ':' ? refuse(found, argv, options->command, err)
						      : store(options, row_of(found), optarg, err);
		if (status < 0)
			return status;
	}
}

/* `words` is "one|another", perhaps with more behind a space. */
static bool is_one_of(const char *word, const char *words)
{
	size_t length = strlen(word);

	for (const char *next = words;; next++) {
		size_t other = strcspn(next, "| ");

		if (other == length && memcmp(word, next, length) == 0)
			return true;
		next += other;
		if (*next != '|')
			return false;
	}
}

/* How many words there have to be: those of "VOLUME VOLUME" that no bracket begins. */
static int count_wanted(const char *operand)
{
	int count = 0;

	while (operand && *operand && *operand != '[') {
		size_t length = strcspn(operand, " ");

		count++;
		operand += length + strspn(operand + length, " ");
	}
	return count;
}

static int count_most(const char *operand)
{
	if (!operand)
		return 0;
	if (strstr(operand, "..."))
		return INT_MAX;
	return operand[0] == '[' ? 1 : count_wanted(operand);
}

static int take_operand(struct kc_options *options, int count, char *words[], struct kc_error *err)
{
	const struct kc_command_row *row = &kc_command_rows[options->command];
	int least = count_wanted(row->operand), most = count_most(row->operand);

	if (options->help)
		return 0;
	if (count > most)
		(void)kc_error_set(err, EINVAL, "%s: unexpected argument `%s`", row->name, words[most]);
	else if (count < least)
		(void)kc_error_set(err, EINVAL, "%s: %s is missing", row->name, row->operand);
	else if (count && strchr(row->operand, '|') && !is_one_of(words[0], row->operand))
		(void)kc_error_set(err, EINVAL, "%s: `%s` is none of %s", row->name, words[0], row->operand);
	else {
		options->operand = count ? words[0] : NULL;
		options->operands = words;
		options->operand_count = (size_t)count;
		return 0;
	}
	advise(err, NULL, row->name);
	return usage(err);
}

static bool is_configured(enum kc_command command)
{
	return command == KC_COMMAND_RUN || command == KC_COMMAND_REPORT || command == KC_COMMAND_MERGE ||
	       command == KC_COMMAND_SHELL || command == KC_COMMAND_IMAGES;
}

int kc_options_parse(struct kc_options *options, int argc, char *argv[], struct kc_error *err)
{
	int status;

	memset(options, 0, sizeof(*options));
	options->command = KC_COMMAND_HELP;
	if (argc < 2) {
		(void)kc_error_set(err, EINVAL, "a command is missing");
		advise(err, NULL, NULL);
		return usage(err);
	}
	if (strcmp(argv[1], "-h") == 0)
		return take_operand(options, argc - 2, argv + 2, err);
	status = kc_options_find_command(argv[1], &options->command, err);
	/* No configuration keeps anybody from reading the help. */
	if (status == 0 && is_configured(options->command))
		status = kc_config_apply(options, store, err);
	/* The command stands where getopt expects the program's name. */
	if (status == 0)
		status = parse_options(options, argc - 1, argv + 1, err);
	if (status == 0)
		status = take_operand(options, argc - 1 - optind, argv + 1 + optind, err);
	return status;
}

void kc_options_release(struct kc_options *options)
{
	free(options->patterns);
	free(options->excluded);
	cJSON_Delete(options->config);
	memset(options, 0, sizeof(*options));
}

enum kc_exit kc_exit_of(const struct kc_error *err)
{
	if (err->code == -EINTR)
		return KC_EXIT_INTERRUPTED;
	switch (err->kind) {
	case KC_ERROR_USAGE:
		return KC_EXIT_USAGE;
	case KC_ERROR_SELECTION:
		return KC_EXIT_NOTHING_SELECTED;
	case KC_ERROR_RUN:
		break;
	}
	return KC_EXIT_NOT_RUN;
}
