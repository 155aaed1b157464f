#include "image/libc.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "elf/elf.h"
#include "sys/fd.h"

/* System V ABI supplements, and ldso/dynlink.c's names in musl. libc.so.6 lies beside the loader, or where Debian's
 * multiarch moves it. */
static const struct loader {
	const char *family, *architecture, *path;
	uint16_t machine;
	const char *libraries[6]; /* where the version is looked for; musl: in the loader itself */
} loaders[] = {
	{ "musl", "x86_64", "/lib/ld-musl-x86_64.so.1", EM_X86_64, { "/lib/ld-musl-x86_64.so.1" } },
	{ "musl", "aarch64", "/lib/ld-musl-aarch64.so.1", EM_AARCH64, { "/lib/ld-musl-aarch64.so.1" } },
	{ "glibc",
	  "x86_64",
	  "/lib64/ld-linux-x86-64.so.2",
	  EM_X86_64,
	  { "/lib64/libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib64/libc.so.6",
	    "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libc.so.6" } },
	{ "glibc",
	  "aarch64",
	  "/lib/ld-linux-aarch64.so.1",
	  EM_AARCH64,
	  { "/lib64/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/usr/lib64/libc.so.6",
	    "/usr/lib/aarch64-linux-gnu/libc.so.6", "/usr/lib/libc.so.6" } },
};

static const char *const ca_bundles[] = { "/etc/ssl/certs/ca-certificates.crt",
					  "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
					  "/etc/ssl/cert.pem" };

static int read_inside(const struct kc_layers *layers, const char *path, struct kc_buffer *bytes,
		       struct kc_error *err)
{
	struct stat file;
	KC_CLEANUP_FD int fd = kc_layers_open(layers, path, &file);

	if (fd == -EINVAL)
		return kc_error_set(err, EBADMSG, "its `%s` is not a file", path);
	if (fd < 0)
		return kc_error_errno(err, fd, "open its `%s`", path);
	return kc_fd_read_all(fd, bytes, path, err);
}

static int no_loader(struct kc_error *err)
{
	KC_CLEANUP_BUFFER struct kc_buffer names = KC_BUFFER_INIT(512);
	int status;

	for (size_t i = 0; i < KC_ARRAY_LENGTH(loaders); i++)
		if (kc_buffer_printf(&names, "%s%s", i ? ", " : "", loaders[i].path) < 0)
			break; /* a list in a message may be incomplete */
	status = kc_error_set(err, ENOENT, "it has no loader of a C library that is known here");
	kc_error_hint(err, "is it a root filesystem? looked for %s", kc_buffer_string(&names));
	return status;
}

static int check_machine(const struct loader *loader, const struct kc_buffer *bytes, struct kc_error *err)
{
	KC_CLEANUP_ELF struct kc_elf elf = { 0 };
	int status = kc_elf_read(kc_buffer_string(bytes), bytes->length, &elf, err);

	if (status < 0) {
		(void)kc_error_prefix(err, "its loader `%s`", loader->path);
		return status;
	}
	if (elf.machine == loader->machine)
		return 0;
	return kc_error_set(err, EBADMSG, "its loader `%s` is of ELF machine %u, not %u as its name says",
			    loader->path, elf.machine, loader->machine);
}

/* "digits.digits", `parts` of them. Its length, 0 if that is not what stands there. */
static size_t version_length(const char *text, const char *end, int parts)
{
	const char *place = text;

	for (int part = 0; part < parts; part++) {
		if (part && (place == end || *place++ != '.'))
			return 0;
		if (place == end || !isdigit((unsigned char)*place))
			return 0;
		while (place < end && isdigit((unsigned char)*place))
			place++;
	}
	return (size_t)(place - text);
}

static void keep_version(const char *text, size_t length, char ret_version[32])
{
	(void)snprintf(ret_version, 32, "%.*s", length < 32 ? (int)length : 31, text);
}

static bool find_glibc_version(const char *bytes, size_t length, char ret_version[32])
{
	static const char banner[] = " release version ";
	const char *end = bytes + length, *place = memmem(bytes, length, banner, sizeof(banner) - 1);
	size_t found = place ? version_length(place + sizeof(banner) - 1, end, 2) : 0;

	if (found)
		keep_version(place + sizeof(banner) - 1, found, ret_version);
	return found > 0;
}

/* A whole string of three numbers: "127.0.0.1", which is there as well, has four. */
static bool find_musl_version(const char *bytes, size_t length, char ret_version[32])
{
	const char *end = bytes + length;

	for (const char *text = bytes; text < end;) {
		const char *nul = memchr(text, '\0', (size_t)(end - text));
		size_t found = nul ? version_length(text, nul, 3) : 0;

		if (found && text + found == nul) {
			keep_version(text, found, ret_version);
			return true;
		}
		text = nul ? nul + 1 : end;
	}
	return false;
}

static int find_version(const struct kc_layers *layers, const struct loader *loader,
			struct kc_image_libc *libc, struct kc_error *err)
{
	bool is_musl = strcmp(loader->family, "musl") == 0;

	for (size_t i = 0; loader->libraries[i]; i++) {
		KC_CLEANUP_BUFFER struct kc_buffer bytes = KC_BUFFER_INIT(KC_IMAGE_LIBC_LIMIT_BYTES);
		int status = read_inside(layers, loader->libraries[i], &bytes, err);

		if (status == -ENOENT)
			continue;
		if (status < 0)
			return status;
		if ((is_musl ? find_musl_version : find_glibc_version)(kc_buffer_string(&bytes), bytes.length,
								       libc->version))
			return 0;
		return kc_error_set(err, EBADMSG, "its `%s` does not say which version of %s it is",
				    loader->libraries[i], loader->family);
	}
	return kc_error_set(err, EBADMSG,
			    "it has the loader of glibc, `%s`, but no libc.so.6 where that is kept",
			    loader->path);
}

static int take_loader(const struct kc_layers *layers, const struct loader *loader,
		       const struct kc_buffer *bytes, struct kc_image_libc *ret_libc, struct kc_error *err)
{
	int status = check_machine(loader, bytes, err);

	*ret_libc = (struct kc_image_libc){ .family = loader->family,
					    .architecture = loader->architecture,
					    .loader = loader->path };
	return status < 0 ? status : find_version(layers, loader, ret_libc, err);
}

/* The first of the table. An Alpine with gcompat has a loader by glibc's name, too: musl's stand before glibc's. */
int kc_image_libc_read(const struct kc_layers *layers, struct kc_image_libc *ret_libc, struct kc_error *err)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(loaders); i++) {
		KC_CLEANUP_BUFFER struct kc_buffer bytes = KC_BUFFER_INIT(KC_IMAGE_LIBC_LIMIT_BYTES);
		int status = read_inside(layers, loaders[i].path, &bytes, err);

		if (status == -ENOENT)
			continue;
		return status < 0 ? status : take_loader(layers, &loaders[i], &bytes, ret_libc, err);
	}
	return no_loader(err);
}

const char *kc_image_find_ca_bundle(const struct kc_layers *layers)
{
	for (size_t i = 0; i < KC_ARRAY_LENGTH(ca_bundles); i++)
		if (kc_layers_have_file(layers, ca_bundles[i]))
			return ca_bundles[i];
	return "";
}
