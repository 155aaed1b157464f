/* The command line itself. To add an option: a field in struct kc_options, and a row here. */
#include "options.h"

#include <limits.h>

#include "base/cleanup.h"

#define RUN (1u << KC_COMMAND_RUN)
#define REPORT (1u << KC_COMMAND_REPORT)
#define MERGE (1u << KC_COMMAND_MERGE)
#define PLAN (1u << KC_COMMAND_PLAN)
#define SHELL (1u << KC_COMMAND_SHELL)
#define INSPECT (1u << KC_COMMAND_INSPECT)
#define DIFF (1u << KC_COMMAND_DIFF)
#define IMAGES (1u << KC_COMMAND_IMAGES)
#define RELEASE (1u << KC_COMMAND_RELEASE)
#define VERIFY (1u << KC_COMMAND_VERIFY)
#define SELECT (1u << KC_COMMAND_SELECT)
#define VERIFY_WHEEL (1u << KC_COMMAND_VERIFY_WHEEL)
#define EVERY ((1u << KC_COMMAND_COUNT) - 1)
#define FIELD(name) .offset = offsetof(struct kc_options, name)

const char *const kc_arch_choices[] = { "native", "x86_64", "aarch64", NULL };
static const char *const time_choices[] = { "virtual", "real", "both", NULL };
static const char *const profile_choices[] = { "default", "strict", NULL };
static const char *const format_choices[] = { "text", "github-matrix", NULL };
static const char *const when_choices[] = { "auto", "always", "never", NULL };

const struct kc_command_row kc_command_rows[KC_COMMAND_COUNT] = {
	[KC_COMMAND_RUN] = { .name = "run",
			     .operand = "IMAGE...",
			     .help = "check a volume in a sandbox made from each IMAGE",
			     .details =
				     "IMAGE is `all` (those that the volume must pass on), or a name that "
				     "`list images` shows, tar:FILE (a root filesystem, "
				     "plain or compressed with gzip, xz or zstd), dir:DIRECTORY (an "
				     "unpacked one), docker-archive:FILE[:NAME:TAG] (what `docker save` "
				     "wrote) or "
				     "oci-layout:PATH[:NAME], or oci:[HOST/]REPOSITORY[:TAG] of a registry. "
				     "A case is identified as "
				     "IMAGE.GROUP.NAME, e.g. centos7.imports.zmq." },
	[KC_COMMAND_REPORT] = { .name = "report",
				.operand = "[EVENTS]",
				.help = "make reports again from the events that a run wrote",
				.details = "Without EVENTS, of the last run of whole images. Of a run that "
					   "was killed they "
					   "say that it is incomplete. The exit "
					   "status is that of the run; incomplete is 1." },
	[KC_COMMAND_MERGE] = { .name = "merge",
			       .operand = "REPORT...",
			       .help = "put JSON reports of shards, images or machines together into one run",
			       .details =
				       "REPORTs are what `run --json` wrote, of one archive and one version "
				       "of this program; what disagrees is refused. A part that is missing "
				       "makes the run incomplete. The exit status is that of the whole run; "
				       "incomplete is 1." },
	[KC_COMMAND_PLAN] = { .name = "plan",
			      .help = "show on which images a volume has to be checked, for CI to make jobs "
				      "of",
			      .details =
				      "One row for each image that policy requires for the volume "
				      "(--volume), or "
				      "for volumes of its kind (--distro). With --format github-matrix one "
				      "line of JSON for `fromJSON` in a matrix: each row has name, image, "
				      "arch, shard and runner." },
	[KC_COMMAND_SHELL] = { .name = "shell",
			       .operand = "IMAGE [COMMAND...]",
			       .help = "open a shell, or run COMMAND, in the sandbox that a case has",
			       .details = "The volume is at /opt/backend.ai, the environment is that of the "
					  "agent. "
					  "Write -- before a COMMAND with options. The exit status is the "
					  "shell's." },
	[KC_COMMAND_INSPECT] = { .name = "inspect",
				 .operand = "VOLUME",
				 .help = "show what is in a volume, running nothing of it",
				 .details = "VOLUME is a .tar.xz, a wheel, an unpacked directory, or "
					    "pypi:NAME[==VERSION]. Python, packages, components that are "
					    "linked in, shared libraries, licences, and what all of it needs "
					    "of the C library." },
	[KC_COMMAND_DIFF] = { .name = "diff",
			      .operand = "VOLUME VOLUME",
			      .help = "show what is different between two volumes, running nothing of them",
			      .details = "VOLUMEs are named as for `inspect`. Python, packages, components, "
					 "licences, "
					 "files; where many files changed, by directory. The exit status is "
					 "0 whether "
					 "they differ or not: the JSON says \"different\"." },
	[KC_COMMAND_LIST] = { .name = "list",
			      .operand = "images|cases",
			      .help = "show the images or the cases there are, one line each" },
	[KC_COMMAND_IMAGES] = { .name = "images",
				.operand = "pull|rm|prune [IMAGE...]",
				.help = "keep the store in hand: fetch images, or remove them",
				.details =
					"`pull` gets each IMAGE into the store, the newest that its tags and "
					"packages lead to. `rm` removes what only that IMAGE needs. `prune` "
					"takes no IMAGE and removes everything that none in the store needs, "
					"and what killed runs left. Not while runs are under way. "
					"KRUNNER_COMPAT_MIRRORS=\"HOST=URL ...\" names mirrors of "
					"registries." },
	[KC_COMMAND_RELEASE] = { .name = "release",
				 .operand = "VOLUME",
				 .help = "make what is published of a volume, if the reports say that it "
					 "passed",
				 .details = "VOLUME is an archive, a wheel or pypi:NAME==VERSION. Every "
					    "reason to refuse is told at "
					    "once, and the exit status is 1 then. The directory of --out is "
					    "made whole or not at "
					    "all: the wheel, the archive, a bill of materials, release "
					    "notes, the reports, statements "
					    "and checksums. Nothing of the volume is run. SOURCE_DATE_EPOCH "
					    "is the time in all of "
					    "them." },
	[KC_COMMAND_VERIFY] = { .name = "verify",
				.operand = "DIR",
				.help = "check a release directory: checksums, signatures, and what was "
					"signed",
				.details = "Offline, and nothing in DIR is executed. Everything that is "
					   "wrong is told at once. "
					   "Without --key a release is never passed, unless it has no "
					   "signatures and "
					   "--unsigned takes that. The exit status is 1 if a check failed, "
					   "and 3 if one could "
					   "not be made." },
	[KC_COMMAND_SELECT] = { .name = "select",
				.help = "name the wheel for a host and a container",
				.details = "From upstream's table. It prints three lines: `wheel` with the "
					   "file name as installers expect it (tags sorted), `package`, and "
					   "`published` with the name in the order of the table, which "
					   "upstream's own wheels have." },
	[KC_COMMAND_VERIFY_WHEEL] = { .name = "verify-wheel",
				      .operand = "FILE...",
				      .help = "check a krunner wheel, whoever made it",
				      .details =
					      "FILE is a wheel, or pypi:NAME[==VERSION] for a published one. "
					      "Its name and tags against upstream's table, WHEEL, "
					      "METADATA and RECORD, what is "
					      "in it, versions that have to agree, and everything by "
					      "which one reader "
					      "of the ZIP could see what another does not. Nothing of it "
					      "is run. All that is "
					      "wrong is told at once; the exit status is 1 then." },
	[KC_COMMAND_DOCTOR] = { .name = "doctor",
				.help = "show what this machine can and cannot do, and how to mend it" },
	[KC_COMMAND_VERSION] = { .name = "version", .alias = "--version", .help = "print the version" },
	[KC_COMMAND_HELP] = { .name = "help",
			      .alias = "--help",
			      .operand = "[COMMAND]",
			      .help = "explain the program or one command" },
};

const struct kc_option_row kc_option_rows[] = {
	{ .name = "volume",
	  .argument = "VOLUME",
	  .type = KC_OPTION_STRING,
	  .commands = RUN | SHELL | PLAN,
	  FIELD(volume),
	  .help = "what to check: a .tar.xz, a wheel, an unpacked directory, or "
		  "pypi:NAME[==VERSION]; without it `run` and `shell` take the newest release that fits the "
		  "image" },
	{ .name = "distro",
	  .argument = "DISTRO",
	  .type = KC_OPTION_STRING,
	  .commands = PLAN,
	  FIELD(distro),
	  .is_line_only = true,
	  .help = "the kind of volume, where none is at hand: static-gnu or alpine" },
	{ .name = "format",
	  .argument = "FORMAT",
	  .type = KC_OPTION_CHOICE,
	  .commands = PLAN,
	  FIELD(format),
	  .choices = format_choices,
	  .is_line_only = true,
	  .help = "text (the default), or github-matrix" },
	{ .name = "shards",
	  .argument = "N",
	  .type = KC_OPTION_NUMBER,
	  .commands = PLAN,
	  FIELD(shards),
	  .maximum = 256,
	  .is_line_only = true,
	  .help = "N rows for each image, one for each part of its cases" },
	{ .name = "arch",
	  .argument = "ARCH",
	  .type = KC_OPTION_CHOICE,
	  .commands = RUN | SHELL | INSPECT | DIFF | IMAGES | RELEASE | PLAN | VERIFY_WHEEL,
	  FIELD(arch),
	  .choices = kc_arch_choices,
	  .help = "which of image and volume to take: native (this machine's), x86_64 or aarch64; qemu "
		  "emulates "
		  "what this machine does not run" },
	{ .name = "offline",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN | SHELL | INSPECT | DIFF | RELEASE | PLAN | VERIFY_WHEEL,
	  FIELD(offline),
	  .help = "use no network: take image and volume from what earlier runs fetched" },
	{ .name = "require-real",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN | SHELL | IMAGES | RELEASE,
	  FIELD(require_real),
	  .help = "refuse an emulated image where a real one cannot be had" },
	{ .name = "force",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN | SHELL,
	  FIELD(force),
	  .help = "run a volume that cannot work on the image: made for another C library or architecture" },
	{ .name = "events",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = RUN,
	  FIELD(events),
	  .help = "write each event of the run to FILE as it happens, a JSON object a line: `report` makes "
		  "every "
		  "report of it" },
	{ .name = "json",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = RUN | REPORT | MERGE | INSPECT | DIFF | VERIFY_WHEEL,
	  FIELD(json),
	  .help = "write a JSON report to FILE" },
	{ .name = "junit",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = RUN | REPORT | MERGE,
	  FIELD(junit),
	  .help = "write a JUnit report to FILE" },
	{ .name = "junit-profile",
	  .argument = "PROFILE",
	  .type = KC_OPTION_CHOICE,
	  .commands = RUN | REPORT | MERGE,
	  FIELD(junit_profile),
	  .choices = profile_choices,
	  .help = "what the JUnit report may have: default (what GitHub's and GitLab's readers know, file, "
		  "line and "
		  "properties of a case among it) or strict (what the schema of Jenkins' xUnit plugin "
		  "allows)" },
	{ .name = "html",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = RUN | REPORT | MERGE,
	  FIELD(html),
	  .help = "write a report for a browser to FILE, which needs no other file and no network" },
	{ .name = "baseline",
	  .argument = "EVENTS",
	  .type = KC_OPTION_STRING,
	  .commands = RUN | REPORT | MERGE,
	  FIELD(baseline),
	  .help = "compare with the run that wrote EVENTS: the report in HTML says which cases end in "
		  "another way" },
	{ .name = "markdown",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = RUN | REPORT | MERGE | DIFF,
	  FIELD(markdown),
	  .help = "write a report in Markdown to FILE" },
	{ .name = "sbom",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = INSPECT,
	  FIELD(sbom),
	  .help = "write a bill of materials to FILE, as CycloneDX 1.6 in JSON; its time is "
		  "SOURCE_DATE_EPOCH, "
		  "without that now" },
	{ .name = "github",
	  .argument = "WHEN",
	  .type = KC_OPTION_CHOICE,
	  .commands = RUN | REPORT | MERGE,
	  FIELD(github),
	  .choices = when_choices,
	  .help = "annotate the log for GitHub Actions and add the report in Markdown to the job's summary: "
		  "auto (where "
		  "GITHUB_ACTIONS is true), always or never" },
	{ .name = "host",
	  .argument = "PLATFORM/ARCH",
	  .type = KC_OPTION_STRING,
	  .commands = SELECT,
	  FIELD(host),
	  .is_line_only = true,
	  .help = "where Backend.AI runs: manylinux, musllinux or macos, and x86_64 or aarch64" },
	{ .name = "container",
	  .argument = "PLATFORM/ARCH",
	  .type = KC_OPTION_STRING,
	  .commands = SELECT,
	  FIELD(container),
	  .is_line_only = true,
	  .help = "what the user's container is based on: manylinux or musllinux, and x86_64 or aarch64" },
	{ .name = "version",
	  .argument = "VERSION",
	  .type = KC_OPTION_STRING,
	  .commands = SELECT | RELEASE,
	  FIELD(package_version),
	  .is_line_only = true,
	  .help = "the package's version; without it `select` says X.X.X in the file name" },
	{ .name = "volume-version",
	  .argument = "N",
	  .type = KC_OPTION_STRING,
	  .commands = RELEASE,
	  FIELD(volume_version),
	  .is_line_only = true,
	  .help = "the volume's version, a whole number; without it what the wheel says that the volume is "
		  "in" },
	{ .name = "reports",
	  .argument = "DIR",
	  .type = KC_OPTION_STRING,
	  .commands = RELEASE,
	  FIELD(reports),
	  .is_line_only = true,
	  .help = "where the reports are: all *.json of DIR, which `run` wrote as JSON" },
	{ .name = "out",
	  .argument = "DIR",
	  .type = KC_OPTION_STRING,
	  .commands = RELEASE,
	  FIELD(out),
	  .is_line_only = true,
	  .help = "the directory to make, which must not be there" },
	{ .name = "previous",
	  .argument = "VOLUME",
	  .type = KC_OPTION_STRING,
	  .commands = RELEASE,
	  FIELD(previous),
	  .is_line_only = true,
	  .help = "the release before, than which versions have to be newer, or `none`; without it the "
		  "newest of the "
		  "package index" },
	{ .name = "waivers",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = RELEASE,
	  FIELD(waivers),
	  .is_line_only = true,
	  .help = "skipped cases that the release may do without, each with a reason and a day on which that "
		  "ends" },
	{ .name = "texts",
	  .argument = "DIR",
	  .type = KC_OPTION_STRING,
	  .commands = RELEASE,
	  FIELD(texts),
	  .is_line_only = true,
	  .help = "LICENSE, README.md and the licences of what is bundled; without it those of the wheel "
		  "that the volume "
		  "is in" },
	{ .name = "repository",
	  .argument = "DIR",
	  .type = KC_OPTION_STRING,
	  .commands = RELEASE,
	  FIELD(repository),
	  .is_line_only = true,
	  .help = "the repository, which has to be clean and at a signed tag of the version" },
	{ .name = "tag-signers",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = RELEASE,
	  FIELD(tag_signers),
	  .is_line_only = true,
	  .help = "who may sign that tag by ssh, as git's allowed signers; OpenPGP asks your keyring" },
	{ .name = "sign-with",
	  .argument = "KEY",
	  .type = KC_OPTION_STRINGS,
	  .commands = RELEASE,
	  FIELD(signing_keys),
	  .is_line_only = true,
	  .help = "sign the statements with this private key, ed25519 in PEM or ssh-keygen's; repeatable" },
	{ .name = "list",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN,
	  FIELD(list),
	  .help = "show the cases that would run, and stop" },
	{ .letter = 'k',
	  .argument = "PATTERN",
	  .type = KC_OPTION_STRINGS,
	  .commands = RUN,
	  FIELD(patterns),
	  .help = "run only the case of this identity, else all whose identity contains PATTERN, or "
		  "matches it as a whole if it has any of * ? [; repeatable, every PATTERN has to "
		  "select something" },
	{ .name = "exclude",
	  .argument = "PATTERN",
	  .type = KC_OPTION_STRINGS,
	  .commands = RUN,
	  FIELD(excluded),
	  .help = "leave out the cases that PATTERN selects, as with -k; repeatable" },
	{ .name = "last-failed",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN,
	  FIELD(last_failed),
	  .help = "run only the cases that did not pass in the last run of whole images: neither a run with "
		  "this option nor one with -k or --exclude takes its place" },
	{ .name = "fail-fast",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN,
	  FIELD(fail_fast),
	  .help = "start no more cases after the first that fails or is broken" },
	{ .name = "timeout",
	  .argument = "SECONDS",
	  .type = KC_OPTION_SECONDS,
	  .commands = RUN,
	  FIELD(timeout_ms),
	  .maximum = 86400,
	  .help = "time limit of every case, instead of its own" },
	{ .name = "time",
	  .argument = "TIME",
	  .type = KC_OPTION_CHOICE,
	  .commands = RUN,
	  FIELD(time),
	  .choices = time_choices,
	  .help = "what programs see whose promises are about time: virtual (hours in seconds; real where a "
		  "program cannot be traced), real, or both, which have to agree: for ttyd.keepalive, all "
		  "others being virtual" },
	{ .name = "repeat",
	  .argument = "N",
	  .type = KC_OPTION_NUMBER,
	  .commands = RUN,
	  FIELD(repeat),
	  .maximum = 10000,
	  .help = "run every case N times and compare: one verdict that differs is a flake, and red; what "
		  "was "
		  "measured is shown from the least to the most" },
	{ .name = "retries",
	  .argument = "N",
	  .type = KC_OPTION_NUMBER,
	  .commands = RUN,
	  FIELD(retries),
	  .maximum = 100,
	  .help = "try a case that fails or is broken again, up to N times; what passes then is shown as "
		  "flaky" },
	{ .name = "seed",
	  .argument = "N",
	  .type = KC_OPTION_NUMBER,
	  .commands = RUN,
	  FIELD(seed),
	  .maximum = UINT_MAX,
	  .help = "start the cases in an order that depends on N alone" },
	{ .name = "shard",
	  .argument = "K/N",
	  .type = KC_OPTION_STRING,
	  .commands = RUN,
	  FIELD(shard),
	  .help = "run part K of the cases, where N machines take one part each; every case is in one of "
		  "them, by its identity. auto reads K and N from what GitLab, Buildkite, CircleCI or Slurm "
		  "set, auto/N reads K from what Kubernetes sets. `merge` puts the reports together" },
	{ .name = "jobs",
	  .letter = 'j',
	  .argument = "N",
	  .type = KC_OPTION_NUMBER,
	  .commands = RUN,
	  FIELD(jobs),
	  .maximum = 256,
	  .help = "run up to N cases at once, those that only wait beside them; without it as many as there "
		  "are CPUs" },
	{ .name = "keep",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN,
	  FIELD(keep),
	  .help = "keep what each program was started with and printed, and say where that is" },
	{ .name = "trace",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN,
	  FIELD(trace),
	  .help = "record the system calls of each program with strace, and keep that as --keep does; "
		  "implies --time real, with time limits as for emulated programs" },
	{ .name = "long",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN,
	  FIELD(is_long),
	  .help = "run the long cases, too, which take seconds of work; so do --must-run and -k" },
	{ .name = "must-run",
	  .type = KC_OPTION_FLAG,
	  .commands = RUN,
	  FIELD(must_run),
	  .help = "count a skipped case as broken: for CI, where a check that cannot run must "
		  "not look green" },
	{ .name = "key",
	  .argument = "FILE",
	  .type = KC_OPTION_STRING,
	  .commands = VERIFY,
	  FIELD(key),
	  .is_line_only = true,
	  .help = "the key that has to have signed: an ed25519 public key in PEM, a public key of "
		  "ssh-keygen's, or an "
		  "allowed_signers file" },
	{ .name = "unsigned",
	  .type = KC_OPTION_FLAG,
	  .commands = VERIFY,
	  FIELD(is_unsigned),
	  .is_line_only = true,
	  .help = "take a release without any signature: its files may be anybody's" },
	{ .name = "color",
	  .argument = "WHEN",
	  .type = KC_OPTION_CHOICE,
	  .commands = EVERY,
	  FIELD(color),
	  .choices = when_choices,
	  .help = "auto (on a terminal, unless NO_COLOR is set), always or never" },
	{ .name = "quiet",
	  .letter = 'q',
	  .type = KC_OPTION_FLAG,
	  .commands = RUN | REPORT | IMAGES | VERIFY | INSPECT | DIFF | RELEASE | MERGE | PLAN,
	  FIELD(quiet),
	  .help = "print failures and the summary only" },
	{ .name = "verbose",
	  .letter = 'v',
	  .type = KC_OPTION_FLAG,
	  .commands = RUN | REPORT | MERGE,
	  FIELD(verbose),
	  .help = "print what passed cases measured, too" },
	{ .name = "help",
	  .letter = 'h',
	  .type = KC_OPTION_FLAG,
	  .commands = EVERY,
	  FIELD(help),
	  .is_line_only = true,
	  .help = "explain the command" },
};
_Static_assert(KC_ARRAY_LENGTH(kc_option_rows) <= KC_OPTION_ROWS_MAX, "more options than the parser holds");
const size_t kc_option_row_count = KC_ARRAY_LENGTH(kc_option_rows);

const struct kc_exit_row kc_exit_rows[] = {
	{ KC_EXIT_PASSED, "every case passed (skipped ones aside); nothing is wrong" },
	{ KC_EXIT_FAILED, "a case failed or was broken; a wheel or release is wrong, or refused" },
	{ KC_EXIT_USAGE, "the command line is wrong" },
	{ KC_EXIT_NOT_RUN, "what was asked for could not be done: bad input, no network, no sandbox" },
	{ KC_EXIT_NOTHING_SELECTED, "nothing was selected" },
	{ KC_EXIT_INTERRUPTED, "interrupted" },
};
const size_t kc_exit_row_count = KC_ARRAY_LENGTH(kc_exit_rows);
