/* Names, links and metadata: HOSTILE section 2b, whose row each test case names. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/manifest.h"
#include "archive/tests/extract_test.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "tests/kc_test.h"

enum { MIB = 1 << 20, MOST_ITEMS = 4 };

#define L100                                                                                                 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aa"
#define L300 L100 L100 L100
#define DEEP8 "d/d/d/d/d/d/d/d/"
#define DIR(path)                                                                                            \
	{                                                                                                    \
		.name = (path), .type = '5'                                                                  \
	}
#define FILE_(path)                                                                                          \
	{                                                                                                    \
		.name = (path), .data = "evil"                                                               \
	}
#define LINK(path, target)                                                                                   \
	{                                                                                                    \
		.name = (path), .type = '2', .link = (target)                                                \
	}
#define HARD(path, target)                                                                                   \
	{                                                                                                    \
		.name = (path), .type = '1', .link = (target)                                                \
	}

static const struct {
	const char *name;
	struct kc_tar_item items[MOST_ITEMS];
	const char *expected; /* part of the message; NULL: it is accepted */
} rows[] = {
	{ "control", { DIR("./"), DIR("./d/"), FILE_("./d/f"), LINK("./d/l", "../d/f") }, NULL },
	{ "control: hard link", { FILE_("f"), HARD("h", "f") }, NULL },
	{ "control: implied directories", { FILE_("a/b/c"), DIR("a/") }, NULL },
	{ "B1 parent", { FILE_("../sentinel") }, "a `..` component" },
	{ "B1 parent after a directory", { DIR("a"), FILE_("a/../../sentinel") }, "a `..` component" },
	{ "B1 parent last", { DIR("a/..") }, "a `..` component" },
	{ "B1 parent that stays inside", { FILE_("a/../f") }, "a `..` component" },
	{ "B1 parent in a pax path", { { .name = "f", .pax = "path=../sentinel" } }, "a `..` component" },
	{ "B1 parent in a GNU name", { { .name = "f", .gnu = "../sentinel" } }, "a `..` component" },
	{ "B2 absolute", { FILE_("/etc/x") }, "the name is absolute" },
	{ "B2 two slashes", { FILE_("//x") }, "the name is absolute" },
	{ "B3 root as a link", { LINK(".", "/etc") }, "the root is not a directory" },
	{ "B3 root as a link, with slash", { LINK("./", "/etc") }, "" },
	{ "B3 root as a file", { FILE_(".") }, "the root is not a directory" },
	{ "B3 no name", { FILE_("") }, "the name is empty" },
	{ "empty component", { FILE_("a//b") }, "an empty component" },
	{ "dot component", { FILE_("a/./b") }, "a `.` component" },
	{ "two leading dots", { FILE_("././b") }, "a `.` component" },
	{ "B5 through a link", { DIR("d"), LINK("l", "d"), FILE_("l/f") }, "used as a directory" },
	{ "B5 through a link outside", { LINK("l", ".."), FILE_("l/sentinel") }, "points outside" },
	{ "B5 cur and par",
	  { LINK("cur", "."), LINK("par", "cur/.."), FILE_("par/sentinel") },
	  "used as a directory" },
	{ "B5 through a file", { FILE_("f"), FILE_("f/g") }, "used as a directory" },
	{ "B6 link, then file", { LINK("x", "y"), FILE_("x") }, "the name is there already" },
	{ "B8 hard link to the parent", { HARD("h", "../sentinel") }, "a `..` component" },
	{ "B8 hard link, absolute", { HARD("h", "/etc/passwd") }, "the name is absolute" },
	{ "B9 hard link through a link",
	  { DIR("d"), FILE_("d/f"), LINK("l", "d"), HARD("h", "l/f") },
	  "used as a directory" },
	{ "B9 hard link to a link", { LINK("l", "f"), HARD("h", "l") }, "other than a file" },
	{ "B9 hard link to a directory", { DIR("d"), HARD("h", "d") }, "other than a file" },
	{ "B9 hard link to nothing", { HARD("h", "f") }, "has no target" },
	{ "B10 prefix turned into a link",
	  { FILE_("aaa/bbb/ccc"), LINK("aaa", "/tmp"), FILE_("aaa/bbb/ddd") },
	  "points outside" },
	{ "B10 the same, target inside", { FILE_("aaa/c"), LINK("aaa", "b") }, "there already" },
	{ "B10 kept directory turned into a link",
	  { FILE_("aaa/c"), LINK("aaa", "aaa"), FILE_("aaa/d") },
	  "there already" },
	{ "B13 parent beyond the root", { DIR("a"), LINK("a/l", "../../sentinel") }, "points outside" },
	{ "B13 parent at the root", { LINK("l", "a/../../b") }, "points outside" },
	{ "absolute link", { LINK("l", "/etc/passwd") }, "points outside" },
	{ "absolute link with the prefix of the place",
	  { LINK("l", "/opt/place-evil/x") },
	  "points outside" },
	{ "absolute link that leaves the place", { LINK("l", "/opt/place/../x") }, "points outside" },
	{ "absolute link below the place", { LINK("l", "/opt/place/bin/x") }, NULL },
	{ "link without a target", { LINK("l", "") }, "no target" },
	{ "B11 name too long", { { .name = "f", .pax = "path=" DEEP8 L300 L300 L300 L300 } }, "too long" },
	{ "component too long",
	  { { .name = "f", .pax = "path=" L300 } },
	  "a component of the name is too long" },
	{ "B16 too deep", { FILE_(DEEP8 DEEP8 DEEP8 DEEP8 "f") }, "too deep" },
	{ "B17 control characters",
	  { FILE_("a\nb\033[31m"), FILE_("\xe2\x80\xae"
					 "c") },
	  NULL },
	{ "B17 ... in a message",
	  { FILE_("../\n\033[31m") },
	  "archive `test.tar.xz`: entry `../\\x0a\\x1b[31m`" },
	{ "B18 invalid UTF-8, plain", { FILE_("a\xff\xfe") }, NULL },
	{ "B18 invalid UTF-8, pax", { { .name = "f", .pax = "path=a\xff" } }, "" },
	{ "UTF-8, pax", { { .name = "f", .pax = "path=F\xc5\x91tan\xc3\xbas" } }, NULL },
	{ "B19 file twice", { FILE_("f"), FILE_("f") }, "the name is there already" },
	{ "B19 directory twice", { DIR("d"), DIR("d") }, "the name is there already" },
	{ "B19 file, then directory", { FILE_("x"), DIR("x") }, "the name is there already" },
	{ "B19 directory, then file", { DIR("x"), FILE_("x") }, "the name is there already" },
	{ "B19 directory, then link", { DIR("x"), LINK("x", "y") }, "the name is there already" },
	{ "B19 link, then directory", { LINK("x", "y"), DIR("x") }, "the name is there already" },
	{ "B20 only the case differs", { FILE_("n/a"), FILE_("n/A") }, NULL },
	{ "B22 character device", { { .name = "c", .type = '3' } }, "devices, FIFOs and sockets" },
	{ "B22 block device", { { .name = "b", .type = '4' } }, "devices, FIFOs and sockets" },
	{ "B22 FIFO", { { .name = "p", .type = '6' } }, "devices, FIFOs and sockets" },
	{ "B24 owner out of range", { { .name = "f", .pax = "uid=4294967296\ngid=99999999" } }, NULL },
};

static size_t count_items(const struct kc_tar_item *items)
{
	size_t count = 0;

	while (count < MOST_ITEMS && items[count].name)
		count++;
	return count;
}

/* An archive that is accepted has a manifest that describes what is on disk. */
static void check_manifest(const struct kc_sentinel *scratch, struct kc_buffer *manifest, const char *name)
{
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_manifest_seal(manifest, &err), err);
	KC_CHECK_MESSAGE(kc_manifest_verify(scratch->dest_fd, manifest->data, manifest->length, &err) == 0,
			 "%s: manifest: %s", name, err.text);
}

static void keeps_hostile_names_inside(void)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);
		KC_CLEANUP_BUFFER struct kc_buffer manifest = KC_BUFFER_INIT(MIB);
		KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
		struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
		struct kc_error err = { 0 };
		int status;

		options.manifest = &manifest;
		options.mount_point = "/opt/place";
		KC_REQUIRE(kc_sentinel_make(&scratch));
		kc_tar_make(&tar, rows[i].items, count_items(rows[i].items));
		status = kc_test_extract_tar(&scratch, &tar, &options, &err);
		KC_CHECK_MESSAGE(status == (rows[i].expected ? -EBADMSG : 0), "%s: %d %s", rows[i].name,
				 status, err.text);
		if (rows[i].expected)
			KC_CHECK_CONTAINS(err.text, rows[i].expected);
		else
			check_manifest(&scratch, &manifest, rows[i].name);
		KC_CHECK(!strchr(err.text, '\n') && !strchr(err.text, '\033'));
		KC_CHECK_MESSAGE(kc_sentinel_is_intact(&scratch), "%s: something changed outside",
				 rows[i].name);
	}
}

/* --- What is written --- */

static int extract(const struct kc_sentinel *scratch, const struct kc_tar_item *items, size_t count,
		   const struct kc_extract_options *options, struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(MIB);

	kc_tar_make(&tar, items, count);
	return kc_test_extract_tar(scratch, &tar, options, err);
}

static long long mode_of(const struct kc_sentinel *scratch, const char *path)
{
	struct stat status;

	if (fstatat(scratch->dest_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return (long long)(status.st_mode & 07777);
}

static long long mtime_of(const struct kc_sentinel *scratch, const char *path)
{
	struct stat status;

	return fstatat(scratch->dest_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0 ? -1 : status.st_mtime;
}

static void masks_modes_and_clamps_times(void)
{
	static const struct kc_tar_item list[] = {
		{ .name = "./", .type = '5', .mode = 01000 },
		{ .name = "suid", .data = "x", .mode = 06755 },
		{ .name = "open", .data = "x", .mode = 0666 },
		{ .name = "shut", .data = "x", .mode = 01000 },
		{ .name = "dir/", .type = '5', .mode = 0500 },
		{ .name = "dir/inside", .data = "x", .mtime = 1704067200 },
		{ .name = "past", .data = "x", .pax = "mtime=-1" },
		{ .name = "future", .data = "x", .pax = "mtime=99999999999999" },
	};
	static const struct {
		const char *path;
		long long mode;
	} modes[] = { { "suid", 0755 },
		      { "open", 0644 },
		      { "shut", 0400 },
		      { "dir", 0700 },
		      { ".", 0700 } /* the root keeps what the caller gave it (B4) */ };
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_sentinel_make(&scratch));
	KC_REQUIRE_OK(extract(&scratch, list, KC_ARRAY_LENGTH(list), &options, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(modes); i++)
		KC_CHECK_MESSAGE(mode_of(&scratch, modes[i].path) == modes[i].mode, "%s: %llo", modes[i].path,
				 (unsigned long long)mode_of(&scratch, modes[i].path));
	KC_CHECK_INT(mtime_of(&scratch, "dir/inside"), 1704067200);
	KC_CHECK_INT(mtime_of(&scratch, "past"), 0);
	KC_CHECK_INT(mtime_of(&scratch, "future"), 4294967295LL);
}

static void drops_extended_attributes(void)
{
	static const struct kc_tar_item item = { .name = "f",
						 .data = "x",
						 .pax = "SCHILY.xattr.user.overlay.redirect=/x\n"
							"SCHILY.acl.access=user::rwx,group::rwx,other::rwx\n"
							"LIBARCHIVE.xattr.user.b=eA" };
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };
	char path[PATH_MAX];

	KC_REQUIRE(kc_sentinel_make(&scratch));
	KC_REQUIRE_OK(extract(&scratch, &item, 1, &options, &err), err);
	(void)snprintf(path, sizeof(path), "%s/dest/f", scratch.path);
	KC_CHECK_INT(llistxattr(path, NULL, 0), 0);
}

/* libarchive 3.7.5 let the target of one link leak into the next (A20). */
static void keeps_link_targets_apart(void)
{
	static const struct kc_tar_item list[] = {
		{ .name = "a", .type = '2', .link = "short", .pax = "linkpath=from-pax" },
		{ .name = "b", .type = '2', .link = "own" },
		{ .name = "c", .data = "x" },
	};
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };
	char target[64] = "";

	KC_REQUIRE(kc_sentinel_make(&scratch));
	KC_REQUIRE_OK(extract(&scratch, list, KC_ARRAY_LENGTH(list), &options, &err), err);
	KC_CHECK_INT(readlinkat(scratch.dest_fd, "a", target, sizeof(target) - 1), 8);
	KC_CHECK_STRING(target, "from-pax");
	memset(target, 0, sizeof(target));
	KC_CHECK_INT(readlinkat(scratch.dest_fd, "b", target, sizeof(target) - 1), 3);
	KC_CHECK_STRING(target, "own");
}

/* --- Options --- */

static void gives_everything_to_the_owner(void)
{
	static const struct kc_tar_item list[] = { DIR("d/"), FILE_("d/f"), LINK("d/l", "f"), FILE_("i/f") };
	static const char *const paths[] = { "d", "d/f", "d/l", "i", "i/f" };
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };
	uid_t wanted = geteuid() == 0 ? 2147400000u : geteuid(); /* only root can give files away */

	KC_REQUIRE(kc_sentinel_make(&scratch));
	options.owner_uid = wanted;
	KC_REQUIRE_OK(extract(&scratch, list, KC_ARRAY_LENGTH(list), &options, &err), err);
	for (size_t i = 0; i < KC_ARRAY_LENGTH(paths); i++) {
		struct stat status;

		KC_REQUIRE(fstatat(scratch.dest_fd, paths[i], &status, AT_SYMLINK_NOFOLLOW) == 0);
		KC_CHECK_INT(status.st_uid, wanted);
		KC_CHECK_INT(status.st_gid, getegid());
	}
	KC_CHECK(kc_sentinel_is_intact(&scratch));
}

static void merges_directories_but_never_files(void)
{
	static const struct kc_tar_item first[] = { DIR("d/"), FILE_("d/one") };
	static const struct kc_tar_item second[] = { { .name = "d/", .type = '5', .mode = 0700 },
						     FILE_("d/two") };
	static const struct kc_tar_item clash[] = { FILE_("d/one") };
	static const struct kc_tar_item through[] = { FILE_("trap/sentinel") };
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_sentinel_make(&scratch));
	KC_REQUIRE_OK(extract(&scratch, first, 2, &options, &err), err);
	KC_CHECK_INT(extract(&scratch, second, 2, &options, &err), -EBADMSG);
	options.merge = true;
	KC_CHECK_OK(extract(&scratch, second, 2, &options, &err), err);
	KC_CHECK_INT(mode_of(&scratch, "d"), 0755);
	KC_CHECK_INT(extract(&scratch, clash, 1, &options, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "entry `d/one`: the name is there already");
	/* B7: what an earlier archive left is no way out either. */
	KC_REQUIRE(symlinkat("..", scratch.dest_fd, "trap") == 0);
	KC_CHECK_INT(extract(&scratch, through, 1, &options, &err), -EBADMSG);
	KC_CHECK(kc_sentinel_is_intact(&scratch));
}

static bool move_lib_and_drop_docs(void *context, const char *name, char *ret_name, size_t size)
{
	unsigned int *asked = context;

	(*asked)++;
	if (strncmp(name, "doc/", 4) == 0)
		return false;
	if (strncmp(name, "lib/", 4) == 0)
		(void)snprintf(ret_name, size, "usr/%s", name);
	if (strcmp(name, "evil") == 0)
		(void)snprintf(ret_name, size, "../evil");
	return true;
}

static void filters_and_moves(void)
{
	static const struct kc_tar_item list[] = { FILE_("./lib/a"), HARD("./b", "./lib/a"),
						   FILE_("./doc/c") };
	static const struct kc_tar_item evil[] = { FILE_("evil") };
	static const struct kc_tar_item dangling[] = { FILE_("doc/c"), HARD("d", "doc/c") };
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };
	unsigned int asked = 0;
	char text[16];

	KC_REQUIRE(kc_sentinel_make(&scratch));
	options.filter = move_lib_and_drop_docs;
	options.filter_context = &asked;
	KC_REQUIRE_OK(extract(&scratch, list, 3, &options, &err), err);
	KC_CHECK_INT(asked, 4);
	KC_CHECK_STRING(kc_read_small(scratch.dest_fd, "usr/lib/a", text, sizeof(text)), "evil");
	KC_CHECK_STRING(kc_read_small(scratch.dest_fd, "b", text, sizeof(text)), "evil");
	KC_CHECK_INT(kc_count_names(scratch.dest_fd, "."), 2);
	KC_CHECK_INT(extract(&scratch, evil, 1, &options, &err), -EBADMSG);
	KC_CHECK_INT(extract(&scratch, dangling, 2, &options, &err), -EBADMSG);
	KC_CHECK_CONTAINS(err.text, "is left out");
	KC_CHECK(kc_sentinel_is_intact(&scratch));
}

static void takes_a_root_file_system(void)
{
	static const struct kc_tar_item list[] = { LINK("bin", "/usr/bin"),
						   LINK("etc/up", "../../../x"),
						   { .name = "dev/null", .type = '3' },
						   FILE_("etc/passwd") };
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };

	KC_REQUIRE(kc_sentinel_make(&scratch));
	options.foreign_links = true;
	KC_CHECK_INT(extract(&scratch, list, 4, &options, &err), -EBADMSG);
	KC_CHECK_INT(kc_tree_remove(scratch.dest_fd, "etc", &err), 0);
	KC_CHECK_INT(kc_tree_remove(scratch.dest_fd, "bin", &err), 0);
	options.skip_devices = true;
	KC_CHECK_OK(extract(&scratch, list, 4, &options, &err), err);
	KC_CHECK_INT(mode_of(&scratch, "etc/passwd"), 0644);
	KC_CHECK_INT(mode_of(&scratch, "dev/null"), -1);
	KC_CHECK(kc_sentinel_is_intact(&scratch));
}

/* A limit on file sizes stands in for a full disk: a write that fails half-way. */
static void reports_failed_writes(void)
{
	enum { BYTES = 1 << 20 };
	KC_CLEANUP_FREE char *noise = malloc(BYTES);
	struct kc_tar_item item = { .name = "big", .data = noise, .data_bytes = BYTES };
	KC_CLEANUP_BUFFER struct kc_buffer tar = KC_BUFFER_INIT(2 * BYTES), xz = KC_BUFFER_INIT(2 * BYTES);
	KC_CLEANUP_SENTINEL struct kc_sentinel scratch;
	KC_CLEANUP_SOURCE struct kc_source source = { 0 };
	KC_CLEANUP_FD int fd = -1;
	struct kc_extract_options options = KC_EXTRACT_OPTIONS_INIT;
	struct kc_error err = { 0 };
	struct rlimit before, small;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);

	KC_REQUIRE(noise && kc_sentinel_make(&scratch));
	kc_fill_noise(noise, BYTES);
	kc_tar_make(&tar, &item, 1);
	kc_xz_pack(&xz, tar.data, tar.length);
	fd = kc_memory_file(xz.data, xz.length);
	KC_CHECK_OK(kc_source_open_fd(&source, fd, "test.tar.xz", &err), err);
	KC_CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ .rlim_cur = BYTES / 2, .rlim_max = before.rlim_max };
	KC_CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
	KC_CHECK_INT(kc_extract_tar_xz(&source, scratch.dest_fd, &options, &err), -EFBIG);
	KC_CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
	KC_CHECK_STRING(err.text, "archive `test.tar.xz`: write `big`: File too large");
	(void)signal(SIGXFSZ, handler);
}

KC_TEST_SUITE(extract_names, KC_LABEL_FAST, KC_TEST(keeps_hostile_names_inside),
	      KC_TEST(masks_modes_and_clamps_times), KC_TEST(drops_extended_attributes),
	      KC_TEST(keeps_link_targets_apart), KC_TEST(gives_everything_to_the_owner),
	      KC_TEST(merges_directories_but_never_files), KC_TEST(filters_and_moves),
	      KC_TEST(takes_a_root_file_system), KC_TEST(reports_failed_writes));
