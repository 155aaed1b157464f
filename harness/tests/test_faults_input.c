/*
 * What cannot be checked, and machines on which nothing can: one clear line, the right exit status, a report that is
 * red, and nothing left behind.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixtures/http_peer.h"
#include "fixtures/leftovers.h"
#include "fixtures/seed.h"
#include "fixtures/stage.h"
#include "options.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

static struct kc_stage stage;
static char volume[PATH_MAX];

static int setup(void)
{
	return kc_stage_make(&stage) == 0 && kc_seed_store(&stage, volume) == 0 ? 0 : -1;
}

static int teardown(void)
{
	kc_stage_remove(&stage);
	return 0;
}

/* --- Things to give as a volume --- */

static const char *in_stage(const char *name)
{
	static char paths[8][2 * KC_STAGE_PATH];
	static unsigned int next;
	char *path = paths[next++ % KC_ARRAY_LENGTH(paths)];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", stage.base, name);
	return path;
}

static void put(const char *name, const void *bytes, size_t length)
{
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_file_write_atomic(AT_FDCWD, in_stage(name), bytes, length, 0600, &err), err);
}

static void put_xz(const char *name, const void *bytes, size_t length)
{
	uint8_t out[65536];
	size_t used = 0;

	KC_CHECK_INT(
		lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, bytes, length, out, &used, sizeof(out)),
		LZMA_OK);
	put(name, out, used);
}

/* The first `length` bytes of the real thing. */
static void put_head(const char *name, size_t length)
{
	KC_CLEANUP_FREE char *bytes = malloc(length);
	KC_CLEANUP_FD int fd = open(volume, O_RDONLY | O_CLOEXEC);

	KC_REQUIRE(bytes && fd >= 0 && pread(fd, bytes, length, 0) == (ssize_t)length);
	put(name, bytes, length);
}

/* A ZIP archive of one file, or of none. */
static void put_zip(const char *name, const char *member)
{
	struct archive *writer = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	KC_REQUIRE(writer && entry && archive_write_set_format_zip(writer) == ARCHIVE_OK &&
		   archive_write_open_filename(writer, in_stage(name)) == ARCHIVE_OK);
	if (member) {
		archive_entry_set_pathname(entry, member);
		archive_entry_set_mode(entry, AE_IFREG | 0644);
		archive_entry_set_size(entry, 1);
		KC_CHECK_INT(archive_write_header(writer, entry), ARCHIVE_OK);
		KC_CHECK_INT(archive_write_data(writer, "x", 1), 1);
	}
	archive_entry_free(entry);
	KC_CHECK_INT(archive_write_free(writer), ARCHIVE_OK);
}

static void make_volumes(void)
{
	static const char nothing[10240];

	put("empty", "", 0);
	put_xz("empty.tar.xz", "", 0);
	put_xz("no-entries.tar.xz", nothing, sizeof(nothing));
	put_xz("no-tar.tar.xz", "hello, world", 12);
	put("text.tar.xz", "hello\n", 6);
	put_zip("no-wheel.zip", "a");
	put_zip("pkg-1.0-py3-none-any.whl", "pkg/__init__.py");
	put_zip("empty.zip", NULL);
	put_head("cut-4.4.0-py3-none-any.whl", 2000000);
	put("unreadable", "x", 1);
	KC_CHECK_INT(chmod(in_stage("unreadable"), 0), 0);
	KC_CHECK_INT(mkdir(in_stage("directory"), 0700), 0);
	KC_CHECK_INT(mkdir(in_stage("read-only"), 0500), 0);
	KC_CHECK_INT(mkfifo(in_stage("fifo"), 0600), 0);
}

/* --- Machines --- */

static void must(bool is_done)
{
	if (!is_done)
		_exit(124); /* no row expects it */
}

/* Root's way around file modes; without root there is none. prctl(2) fails then, and capabilities(7) says that root's
 * are those of the bounding set after execve(2). */
static void obey_modes(const void *context)
{
	(void)prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE);
	(void)prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH);
}

static void write_map(const char *file, unsigned int id)
{
	char path[64], map[64];
	int length = snprintf(map, sizeof(map), "%u %u 1", id, id);
	KC_CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/self/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	must(fd >= 0 && write(fd, map, (size_t)length) == length);
}

/* A mount namespace of its own, in a user namespace where that takes one; the user stays who he is. */
static void own_mounts(void)
{
	unsigned int uid = geteuid(), gid = getegid();

	if (uid == 0) {
		must(unshare(CLONE_NEWNS) == 0);
	} else {
		KC_CLEANUP_FD int fd = -1;

		must(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
		fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
		must(fd >= 0 && write(fd, "deny", 4) == 4);
		write_map("uid_map", uid);
		write_map("gid_map", gid);
	}
	must(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

struct small_disk {
	const char *place; /* below the stage */
	const char *options;
	unsigned long flags;
};

static void mount_small_disk(const void *context)
{
	const struct small_disk *disk = context;

	own_mounts();
	(void)mkdir(in_stage(disk->place), 0700);
	must(mount("none", in_stage(disk->place), "tmpfs", disk->flags, disk->options) == 0);
}

/* Without a network but its own, dead, loopback. */
static void no_network(const void *context)
{
	own_mounts();
	must(unshare(CLONE_NEWNET) == 0);
}

static void closed_output(const void *context)
{
	(void)close(0);
	(void)close(1);
	(void)close(2);
}

/* As a careless parent leaves them: signal(7), "inherited across execve". */
static void deaf(const void *context)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_IGN); /* KILL and STOP stay as they are */
}

/* --- Rows --- */

#define BOGUS_WHEEL "backend_ai_krunner_static_gnu-9.9.9-py3-none-any.whl"

static char index_url[256];
static char body[1 << 18];
static const struct kc_peer_reply replies[] = {
	{ .path = "/simple/backend-ai-krunner-static-gnu/",
	  .headers = "Content-Type: application/vnd.pypi.simple.v1+json\r\n",
	  .body = "{\"meta\": {\"api-version\": \"1.1\"}, \"name\": \"backend-ai-krunner-static-gnu\", "
		  "\"files\": "
		  "[{\"filename\": \"" BOGUS_WHEEL "\", \"url\": \"/files/" BOGUS_WHEEL
		  "\", \"hashes\": {\"sha256\": "
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}]}" },
	{ .path = "/files/" BOGUS_WHEEL, .body = body, .body_length = sizeof(body) },
};

struct row {
	const char *name;
	const char *volume; /* in the stage, or "pypi:..."; NULL: the real one */
	const char *words[6];
	const char *environment[3]; /* beside the loopback index */
	const char *forget;	    /* in the store, before */
	const char *text;	    /* of the one line; NULL: the run works, and prints its report */
	void (*prepare)(const void *context);
	struct small_disk disk; /* for prepare */
	enum kc_exit exit_status;
	bool has_hint;
	bool is_silent; /* nobody could hear it */
};

static const struct row rows[] = {
	/* volumes */
	{ "missing file", "no-such-file", .text = "No such file", .has_hint = true, .exit_status = 3 },
	{ "unreadable file", "unreadable", .text = "unreadable`: Permission denied", .prepare = obey_modes,
	  .has_hint = true, .exit_status = 3 },
	{ "empty file", "empty", .text = "empty`: the archive is empty (0 bytes)", .has_hint = true,
	  .exit_status = 3 },
	{ "xz of nothing", "empty.tar.xz", .text = "empty.tar.xz`: the archive is empty", .has_hint = true,
	  .exit_status = 3 },
	{ "tar of nothing", "no-entries.tar.xz", .text = "no-entries.tar.xz`: the archive is empty",
	  .has_hint = true, .exit_status = 3 },
	{ "xz of a text", "no-tar.tar.xz", .text = "no-tar.tar.xz`: ", .has_hint = true, .exit_status = 3 },
	{ "text", "text.tar.xz", .text = "text.tar.xz`: not an archive", .has_hint = true, .exit_status = 3 },
	{ "ZIP that is no wheel", "no-wheel.zip", .text = "no-wheel.zip`: no volume inside", .has_hint = true,
	  .exit_status = 3 },
	{ "wheel without a volume", "pkg-1.0-py3-none-any.whl", .text = "any.whl`: no volume inside",
	  .has_hint = true, .exit_status = 3 },
	{ "empty ZIP", "empty.zip", .text = "empty.zip`: ", .has_hint = true, .exit_status = 3 },
	{ "cut wheel", "cut-4.4.0-py3-none-any.whl",
	  .text = "cut-4.4.0-py3-none-any.whl`: ", .has_hint = true, .exit_status = 3 },
	{ "directory without a volume", "directory", .text = "directory`: not a krunner volume",
	  .has_hint = true, .exit_status = 3 },
	{ "FIFO", "fifo", .text = "fifo`: neither a file nor a directory", .has_hint = true,
	  .exit_status = 3 },
	/* the command line */
	{ "unknown option", .words = { "--nope" }, .text = "unknown option `--nope`", .has_hint = true,
	  .exit_status = 2 },
	{ "misspelt option", .words = { "--jnit", "x" }, .text = "unknown option `--jnit`", .has_hint = true,
	  .exit_status = 2 },
	{ "no case matches", .words = { "-k", "nothing-like-it" }, .text = "no case matches",
	  .has_hint = true, .exit_status = 4 },
	/* the index */
	{ "unknown project", "pypi:no-such-krunner", .text = "no such project in the index", .has_hint = true,
	  .exit_status = 3 },
	{ "unknown version", "pypi:backend.ai-krunner-static-gnu==1.2.3", .text = "1.2.3", .has_hint = true,
	  .exit_status = 3 },
	{ "wrong digest", "pypi:backend.ai-krunner-static-gnu", .text = "wrong digest", .has_hint = true,
	  .exit_status = 3 },
	{ "not a specification", "pypi:a/b", .text = "not the name of a package", .has_hint = true,
	  .exit_status = 2 },
	{ "nobody listens", "pypi:backend.ai-krunner-static-gnu", .text = "no connection", .has_hint = true,
	  .environment = { "PIP_INDEX_URL=http://127.0.0.1:1/simple" }, .exit_status = 3 },
	/* reports */
	{ "report in a missing directory", .words = { "--junit", "/nowhere/out.xml" },
	  .text = "write `/nowhere/out.xml`: No such file or directory", .exit_status = 3 },
	{ "report is a directory", .words = { "--junit", "/tmp" },
	  .text = "write `/tmp`: ", .exit_status = 3 },
	{ "report is a device", .words = { "--junit", "/dev/full" },
	  .text = "write `/dev/full`: ", .exit_status = 3 },
	{ "disk full while writing the report", .text = "out.xml`: No space left on device",
	  .prepare = mount_small_disk, .disk = { .place = "reports", .options = "size=4k" },
	  .exit_status = 3 },
	/* the machine */
	{ "disk full while unpacking", .forget = "trees/volume-*", .text = "No space left on device",
	  .prepare = mount_small_disk, .disk = { .place = "cache/krunner-compat/tmp", .options = "size=4m" },
	  .has_hint = true, .exit_status = 3 },
	{ "disk full while building the image", .forget = "trees/image-*", .text = "No space left on device",
	  .prepare = mount_small_disk, .disk = { .place = "cache/krunner-compat/tmp", .options = "size=4m" },
	  .has_hint = true, .exit_status = 3 },
	{ "no inode left while unpacking", .forget = "trees/volume-*", .text = "No space left on device",
	  .prepare = mount_small_disk,
	  .disk = { .place = "cache/krunner-compat/tmp", .options = "nr_inodes=300" }, .has_hint = true,
	  .exit_status = 3 },
	{ "disk full while downloading", "pypi:backend.ai-krunner-static-gnu",
	  .text = "No space left on device", .prepare = mount_small_disk,
	  .disk = { .place = "cache/krunner-compat/downloads", .options = "size=64k" }, .has_hint = true,
	  .exit_status = 3 },
	{ "TMPDIR full", .text = "No space left on device", .prepare = mount_small_disk,
	  .disk = { .place = "tmp", .options = "nr_inodes=1" }, .has_hint = true, .exit_status = 3 },
	{ "TMPDIR missing", .text = "/nowhere`: No such file", .environment = { "TMPDIR=/nowhere" },
	  .has_hint = true, .exit_status = 3 },
	{ "home is read-only", .text = "Read-only file system", .prepare = mount_small_disk,
	  .disk = { .place = "cache", .options = "size=4k", .flags = MS_RDONLY }, .has_hint = true,
	  .exit_status = 3 },
	{ "no home", .text = "HOME is not set", .environment = { "HOME", "XDG_CACHE_HOME" }, .has_hint = true,
	  .exit_status = 3 },
	/* and what must not trouble it */
	{ "closed descriptors", .words = { "-k", "*.layout" }, .prepare = closed_output, .is_silent = true },
	{ "ignored and blocked signals", .words = { "-k", "centos7.volume*" }, .prepare = deaf },
};

static size_t count_lines_of(const char *text, const char *start)
{
	size_t count = 0;

	for (; *text; text += strcspn(text, "\n") + (strchr(text, '\n') != NULL))
		count += strncmp(text, start, strlen(start)) == 0;
	return count;
}

static void check_said(const struct row *row, const char *output, const char *errors)
{
	size_t hints = count_lines_of(errors, "hint: ");

	KC_CHECK_MESSAGE(*output == '\0', "%s: standard output: %s", row->name, output);
	if (!row->text) {
		KC_CHECK_MESSAGE(row->is_silent || strstr(errors, " passed, 0 failed, 0 broken"), "%s: %s",
				 row->name, errors);
		return;
	}
	KC_CHECK_MESSAGE(strstr(errors, row->text), "%s: \"%s\" is not in: %s", row->name, row->text, errors);
	KC_CHECK_MESSAGE(count_lines_of(errors, "krunner-compat: ") == 1, "%s: not one line: %s", row->name,
			 errors);
	KC_CHECK_MESSAGE(hints == row->has_hint, "%s: %zu hints: %s", row->name, hints, errors);
}

/* The program in a shell that outlives it, in the same mount namespace, and tells what is left there. */
static const char wrapper[] =
	"program=$1; shift; \"$program\" \"$@\"; status=$?; "
	"for place in \"$XDG_CACHE_HOME/krunner-compat/tmp\" \"$TMPDIR\"; do "
	"[ ! -d \"$place\" ] || find \"$place\" -mindepth 1 | sed 's/^/left: /' >&2; done; "
	"exit $status";

static int run_row(const struct row *row)
{
	const char *words[24] = { NULL };
	const char *environment[5] = { index_url };
	struct kc_stage_start start = {
		.words = words, .environment = environment, .prepare = row->prepare, .context = &row->disk
	};
	bool has_report = false;
	size_t count = 0;

	if (row->disk.place) {
		start.program = "/bin/sh";
		words[count++] = "-c";
		words[count++] = wrapper;
		words[count++] = "sh";
		words[count++] = KC_TEST_PROGRAM;
	}
	words[count++] = "run";
	words[count++] = "centos7";
	words[count++] = "--volume";
	words[count++] = !row->volume				 ? volume
			 : strncmp(row->volume, "pypi:", 5) == 0 ? row->volume
								 : in_stage(row->volume);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(row->words) && row->words[i]; i++) {
		words[count++] = row->words[i];
		has_report |= strcmp(row->words[i], "--junit") == 0;
	}
	if (!has_report) {
		words[count++] = "--junit";
		words[count++] = stage.junit;
	}
	for (size_t i = 0; i < KC_ARRAY_LENGTH(row->environment) && row->environment[i]; i++)
		environment[i + 1] = row->environment[i];
	return kc_stage_run(&stage, &start);
}

static void check_report(const struct row *row)
{
	KC_CLEANUP_BUFFER struct kc_buffer text = KC_BUFFER_INIT(1 << 20);
	bool is_there = kc_file_read(AT_FDCWD, stage.junit, &text, NULL) == 0;
	bool is_red = is_there && strstr(kc_buffer_string(&text), "<error ");

	if (row->words[0] && strcmp(row->words[0], "--junit") == 0)
		return;
	/* A report that could not be written in a mount of the run's own, and a command line that could not be read. */
	if (row->exit_status == KC_EXIT_USAGE || (row->disk.place && strcmp(row->disk.place, "reports") == 0))
		return;
	KC_CHECK_MESSAGE(is_there && is_red == (row->exit_status != 0), "%s: report: %s", row->name,
			 is_there ? kc_buffer_string(&text) : "none");
}

static void check_row(const struct row *row)
{
	KC_CLEANUP_BUFFER struct kc_buffer left = KC_BUFFER_INIT(1 << 20);
	struct kc_buffer output, errors;
	struct kc_leftovers leftovers;
	int status;

	(void)unlink(stage.junit);
	if (row->forget)
		KC_CHECK_INT(kc_seed_forget(&stage, row->forget), 0);
	KC_REQUIRE(kc_leftovers_before(&leftovers, stage.temporary, stage.store) == 0);
	status = run_row(row);
	kc_stage_read(&stage, &output, &errors);
	KC_CHECK_MESSAGE(status == (int)row->exit_status, "%s: exit status %d: %s", row->name, status,
			 kc_buffer_string(&errors));
	check_said(row, kc_buffer_string(&output), kc_buffer_string(&errors));
	KC_CHECK_MESSAGE(!strstr(kc_buffer_string(&errors), "left: "), "%s: %s", row->name,
			 kc_buffer_string(&errors));
	check_report(row);
	KC_CHECK_MESSAGE(kc_leftovers_after(&leftovers, &left) == 0, "%s: left: %s", row->name,
			 kc_buffer_string(&left));
	kc_buffer_release(&output);
	kc_buffer_release(&errors);
}

static void what_cannot_be_checked_is_one_line_and_the_right_status(void)
{
	KC_CLEANUP(kc_http_peer_stop) struct kc_http_peer peer = { 0 };

	KC_REQUIRE(kc_http_peer_listen(&peer, NULL) == 0 &&
		   kc_http_peer_serve(&peer, replies, KC_ARRAY_LENGTH(replies)) == 0);
	(void)snprintf(index_url, sizeof(index_url), "PIP_INDEX_URL=%s/simple", peer.url);
	make_volumes();
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++)
		check_row(&rows[i]);
}

static void run_and_check(const char *const words[], int exit_status, const char *text,
			  void (*prepare)(const void *))
{
	const struct kc_stage_start start = { .words = words, .prepare = prepare };
	struct kc_buffer output, errors;

	KC_CHECK_INT(kc_stage_run(&stage, &start), exit_status);
	kc_stage_read(&stage, &output, &errors);
	KC_CHECK_STRING(kc_buffer_string(&output), "");
	KC_CHECK_CONTAINS(kc_buffer_string(&errors), text);
	KC_CHECK_INT((long long)count_lines_of(kc_buffer_string(&errors), "krunner-compat: "), 1);
	KC_CHECK_INT((long long)count_lines_of(kc_buffer_string(&errors), "hint: "), 1);
	kc_buffer_release(&output);
	kc_buffer_release(&errors);
}

static void an_unknown_image_is_told_before_anything_else(void)
{
	const char *words[] = { "run", "centos8", "--volume", "/nowhere", NULL };

	run_and_check(words, KC_EXIT_NOT_RUN,
		      "image `centos8`: there is no such image\nhint: images: almalinux8, ", NULL);
}

static void a_volume_that_is_not_there_is_told_before_the_image_is_built(void)
{
	const char *words[] = { "run", "centos7", "--volume", "/nowhere", NULL };

	KC_CHECK_INT(kc_seed_forget(&stage, "trees/image-*"), 0);
	run_and_check(words, KC_EXIT_NOT_RUN, "open volume `/nowhere`", NULL);
	KC_CHECK(access(in_stage("cache/krunner-compat/tmp"), F_OK) == 0);
	KC_CHECK_INT(rmdir(in_stage("cache/krunner-compat/tmp")), 0); /* empty */
}

static void without_a_network_a_run_says_so(void)
{
	const char *words[] = { "run", "centos7", "--volume", "pypi:backend.ai-krunner-static-gnu", NULL };

	run_and_check(words, KC_EXIT_NOT_RUN, "krunner-compat: get `", no_network);
}

KC_TEST_SUITE_WITH(faults_input, KC_LABEL_SLOW, setup, teardown,
		   KC_TEST(what_cannot_be_checked_is_one_line_and_the_right_status),
		   KC_TEST(an_unknown_image_is_told_before_anything_else),
		   KC_TEST(without_a_network_a_run_says_so),
		   KC_TEST(a_volume_that_is_not_there_is_told_before_the_image_is_built));
