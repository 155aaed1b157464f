/* What the checks of a wheel share. */
#ifndef KC_RELEASE_WHEEL_CHECK_INTERNAL_H
#define KC_RELEASE_WHEEL_CHECK_INTERNAL_H

#include <stdbool.h>

#include "archive/wheel.h"
#include "base/buffer.h"
#include "release/wheel_check.h"
#include "release/wheel_members.h"
#include "release/zip_directory.h"

#define KC_WHEEL_NAME_BYTES 1024u

enum kc_wheel_needs {
	KC_NEEDS_NOTHING,
	KC_NEEDS_MEMBERS,      /* libarchive could read it */
	KC_NEEDS_DISTRIBUTION, /* the package is one of the table */
	KC_NEEDS_ARCHITECTURE  /* and there is an archive, which says for which architecture it is */
};

/* The parts of "NAME-VERSION-PYTHON-ABI-PLATFORM.whl"; all "" if the file is not called like that. */
struct kc_wheel_name {
	char package[256], version[64], python[64], abi[64], platform[512];
};

struct kc_wheel_case {
	const struct kc_wheels *wheels;
	struct kc_findings *findings;
	int fd;
	const char *file_name;
	struct kc_wheel_name name;
	char version[64]; /* of the file's name, or else of dist-info; "" */
	struct kc_zip_directory zip;
	bool is_readable;
	struct kc_wheel_members members;
	struct kc_wheel_choice choice;
	bool has_distribution;
	char architecture[KC_WHEEL_WORD_SIZE]; /* of the archive's name; "" */
	char archive[KC_WHEEL_NAME_BYTES];     /* its member; "" */
	char volume_version[64];
	struct kc_buffer directory; /* "ai/backend/krunner/static_gnu/" */
	struct kc_buffer dist_info; /* the first there is, with a slash; "" */
	struct kc_volume_facts facts;
	bool has_facts;
};

/* The text of dist-info's member `name`: borrowed; NULL after a finding if it is missing, too long or no text. */
const char *kc_wheel_dist_info_text(struct kc_wheel_case *wheel, const char *name);

/* The path of dist-info's member `name`; false if it is too long. */
bool kc_wheel_dist_info_name(const struct kc_wheel_case *wheel, const char *name,
			     char ret_path[KC_WHEEL_NAME_BYTES]);

/* Header after header of RFC 822 style: false at the empty line or the end. Values that do not fit are cut. */
struct kc_wheel_header {
	const char *next; /* where to go on */
	char name[64];
	char value[1024];
	bool is_plain; /* printable ASCII in one line, and not cut */
};
bool kc_wheel_next_header(struct kc_wheel_header *header);

int kc_wheel_check_zip(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_member_names(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_views(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_file_name(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_tags(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_wheel_file(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_metadata(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_record(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_volume(struct kc_wheel_case *wheel, struct kc_error *err);
int kc_wheel_check_contents(struct kc_wheel_case *wheel, struct kc_error *err);

#endif
