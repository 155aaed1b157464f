/*
 * The command line as one table: commands, options, their arguments and help sentences. Parsing, `--help`,
 * and whatever else describes the command line (manual page, completions) are generated from it.
 *
 * Life cycle: 1. kc_options_parse  2. read the fields  3. kc_options_release (idempotent, fit for a zeroed
 * object). Strings are borrowed from `argv` and the environment.
 */
#ifndef KC_OPTIONS_H
#define KC_OPTIONS_H

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

/* DESIGN section 5. kc_exit_rows says them in words. */
enum kc_exit {
	KC_EXIT_PASSED = 0,
	KC_EXIT_FAILED = 1,
	KC_EXIT_USAGE = 2,
	KC_EXIT_NOT_RUN = 3,
	KC_EXIT_NOTHING_SELECTED = 4,
	KC_EXIT_INTERRUPTED = 130
};

enum kc_command {
	KC_COMMAND_RUN,
	KC_COMMAND_REPORT,
	KC_COMMAND_MERGE,
	KC_COMMAND_PLAN,
	KC_COMMAND_SHELL,
	KC_COMMAND_INSPECT,
	KC_COMMAND_DIFF,
	KC_COMMAND_LIST,
	KC_COMMAND_IMAGES,
	KC_COMMAND_RELEASE,
	KC_COMMAND_VERIFY,
	KC_COMMAND_SELECT,
	KC_COMMAND_VERIFY_WHEEL,
	KC_COMMAND_DOCTOR,
	KC_COMMAND_VERSION,
	KC_COMMAND_HELP,
	KC_COMMAND_COUNT
};

enum kc_when { KC_WHEN_AUTO, KC_WHEN_ALWAYS, KC_WHEN_NEVER };

struct kc_options {
	enum kc_command command;
	const char *
		operand; /* IMAGE of run, EVENTS of report, VOLUME of inspect, DIR of verify, images|cases of list, COMMAND of help; NULL if not given */
	char *const *
		operands; /* all of them, that one included: the IMAGEs of run, the REPORTs of merge, the two VOLUMEs of diff */
	size_t operand_count;
	bool help; /* --help: nothing else counts */

	const char *volume; /* NULL: the newest that fits the image */
	int arch;	    /* index into kc_arch_choices; 0: this machine's */
	bool force;	    /* run a pairing that cannot work */
	bool offline;
	bool require_real;
	const char *junit;    /* NULL: none */
	int junit_profile;    /* 1: strict */
	const char *json;     /* NULL: none */
	const char *events;   /* NULL: none */
	const char *markdown; /* NULL: none */
	const char *html;     /* NULL: none */
	const char *sbom;     /* NULL: none */
	const char *baseline; /* events of an earlier run; NULL: none */
	int github;	      /* enum kc_when */
	const char *host;     /* of select, as --container; NULL: not given */
	const char *container;
	const char *package_version; /* NULL: not given */
	const char *distro;	     /* of plan; NULL: not given */
	int format;		     /* of plan: index into its choices, 1: github-matrix */
	unsigned int shards;	     /* of plan; 0: one */
	bool list;
	const char **patterns; /* -k, in the order given */
	size_t pattern_count;
	const char **excluded; /* --exclude, in the order given */
	size_t excluded_count;
	bool last_failed;
	bool fail_fast;
	unsigned int retries; /* 0: none */
	unsigned int seed;    /* 0: the order is not shuffled */
	const char *shard;    /* what shard.h reads; NULL: no parts */
	int64_t timeout_ms;   /* 0: each case's own */
	int time;	      /* enum kc_time of run/context.h */
	unsigned int repeat;  /* 0: once */
	unsigned int jobs;    /* 0: the scheduler's default */
	bool keep;
	bool trace; /* implies keep */
	bool must_run;
	bool is_long;
	const char *key;	    /* of verify; NULL: none */
	const char *reports;	    /* a directory */
	const char *out;	    /* a directory that is to be made */
	const char *volume_version; /* NULL: the one that the wheel tells */
	const char *previous;	    /* a VOLUME, or "none"; NULL: the newest of the package index */
	const char *waivers;	    /* NULL: none */
	const char *texts;	    /* a directory; NULL: those of the wheel that the volume is in */
	const char *repository;	    /* that git knows; NULL: nobody asks */
	const char *tag_signers;    /* ssh's allowed signers; NULL: none by ssh */
	const char **signing_keys;
	size_t signing_key_count;
	bool is_unsigned;
	int color; /* enum kc_when */
	bool quiet;
	bool verbose;
	char settings[PATH_MAX]; /* the configuration file that was read; "": none */
	cJSON *config;		 /* what strings of a configuration file are borrowed from */
};

enum kc_option_type {
	KC_OPTION_FLAG,	   /* bool */
	KC_OPTION_STRING,  /* const char * */
	KC_OPTION_STRINGS, /* const char ** and the size_t after it; repeatable */
	KC_OPTION_SECONDS, /* int64_t, milliseconds */
	KC_OPTION_NUMBER,  /* unsigned int */
	KC_OPTION_CHOICE   /* int, index into `choices` */
};

struct kc_option_row {
	const char *name;	    /* without the dashes; NULL for an option that has only a letter */
	const char *argument;	    /* "FILE"; NULL for a flag */
	const char *help;	    /* a sentence without its full stop */
	const char *const *choices; /* NULL-terminated; of KC_OPTION_CHOICE alone */
	size_t offset;		    /* of the field */
	enum kc_option_type type;
	unsigned int commands; /* bit 1u << enum kc_command */
	unsigned int maximum;  /* of a number or of seconds; the minimum is 1 */
	char letter;	       /* '\0': none */
	bool is_line_only;     /* on the command line alone: no file that lies about decides whom to trust */
};

struct kc_command_row {
	const char *name;
	const char *alias; /* "--version"; may be NULL */
	const char *
		operand; /* "IMAGE", "images|cases", "[COMMAND]"; NULL: none. With "|": one of these words. With "...": more may follow. Of several words each is wanted */
	const char *help;    /* a sentence without its full stop */
	const char *details; /* a paragraph for the command's own help; may be NULL */
};

#define KC_OPTION_ROWS_MAX 64

struct kc_exit_row {
	enum kc_exit status;
	const char *help;
};

extern const char *const kc_arch_choices[]; /* "native", then as uname(2) says it; NULL-terminated */
extern const struct kc_command_row kc_command_rows[KC_COMMAND_COUNT];
extern const struct kc_option_row kc_option_rows[];
extern const size_t kc_option_row_count;
extern const struct kc_exit_row kc_exit_rows[];
extern const size_t kc_exit_row_count;

/*
 * Fills `options` from the arguments after the program's name, and, for commands that do something, from the configuration
 * (config.h); getopt_long(3) may reorder `argv`. A failure
 * is of kind KC_ERROR_USAGE, one line, with what was probably meant as its hint; `options` is to be released
 * all the same. Not thread-safe (getopt).
 */
int kc_options_parse(struct kc_options *options, int argc, char *argv[], struct kc_error *err)
	__attribute__((warn_unused_result));
void kc_options_release(struct kc_options *options);

/* -EINVAL of kind KC_ERROR_USAGE for a word that is no command. */
int kc_options_find_command(const char *word, enum kc_command *ret_command, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Appends the help of one command, or with KC_COMMAND_COUNT that of the program. 0, -E2BIG or -ENOMEM. */
int kc_options_help(enum kc_command command, struct kc_buffer *buffer) __attribute__((warn_unused_result));

/* The exit status that an error means. */
enum kc_exit kc_exit_of(const struct kc_error *err);

#endif
