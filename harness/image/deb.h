/*
 * A .deb file: an ar archive whose member data.tar.xz holds the files; deb(5). Read with libarchive, ar
 * format only.
 */
#ifndef KC_IMAGE_DEB_H
#define KC_IMAGE_DEB_H

#include "archive/source.h"
#include "base/error.h"

/* Makes `source` read the data.tar.xz of the package in `fd` (borrowed until kc_source_close). -EBADMSG: not
 * a package; -ENOTSUP: its data is compressed in another way (Ubuntu's zstd). */
int kc_deb_open_data(struct kc_source *source, int fd, const char *name, struct kc_error *err)
	__attribute__((warn_unused_result));

#endif
