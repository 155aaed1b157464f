/*
 * A krunner wheel: what it says about itself, and its volume as a source.
 *
 * A wheel is a ZIP (PEP 427); libarchive reads it, that format only, and any warning is fatal. It must hold
 * one `krunner-env.DISTRO.ARCH.tar.xz`; what is read beside it lies in the same directory. A name that occurs
 * twice among what is read is refused: which one an installer takes is its own affair.
 */
#ifndef KC_ARCHIVE_WHEEL_H
#define KC_ARCHIVE_WHEEL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "archive/source.h"
#include "base/digest.h"
#include "base/error.h"

#define KC_WHEEL_WORD_SIZE 128

/* Fields are "" (or 0) where the wheel has no such member. None holds a control character. */
struct kc_wheel {
	char package[KC_WHEEL_WORD_SIZE];	 /* Name of METADATA */
	char version[KC_WHEEL_WORD_SIZE];	 /* __version__ */
	char distro[KC_WHEEL_WORD_SIZE];	 /* of the volume's name, e.g. "static-gnu" */
	char arch[KC_WHEEL_WORD_SIZE];		 /* likewise, e.g. "x86_64" */
	char python_version[KC_WHEEL_WORD_SIZE]; /* krunner-python.DISTRO.txt, e.g. "3.13" */
	char volume_version[KC_WHEEL_WORD_SIZE]; /* krunner-version.DISTRO.txt, e.g. "14" */
	char versions_text[KC_WHEEL_WORD_SIZE];	 /* versions.txt, first line: the distro's name */
	char volume_name[NAME_MAX + 1];		 /* the volume's file name */
	char volume_member[1024];		 /* with its directory */
	char ttyd_sha256[KC_SHA256_HEX_SIZE];	 /* of ttyd_linux.ARCH.bin, for the volume's */
	uint64_t ttyd_bytes;
};

/* Takes `krunner-env.static-gnu.x86_64.tar.xz` apart. False if it is no such name. */
bool kc_volume_name_parse(const char *name, char ret_distro[KC_WHEEL_WORD_SIZE],
			  char ret_arch[KC_WHEEL_WORD_SIZE]);

/* `fd` is a regular file, borrowed; its position changes. `name` is what errors call it. */
int kc_wheel_read(int fd, const char *name, struct kc_wheel *ret_wheel, struct kc_error *err)
	__attribute__((warn_unused_result));

/* Opens one member of the wheel, the volume's for one, as the bytes that were put in. Borrows `fd` until kc_source_close.
 * -EBADMSG: there is none of that name. */
int kc_wheel_open_member(int fd, const char *name, const char *member, struct kc_source *ret_source,
			 struct kc_error *err) __attribute__((warn_unused_result));

#endif
