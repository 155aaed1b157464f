#include "sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/janitor.h"

#define PREFIX "krunner-compat-"

/* Which files of which hierarchy carry the limits. Version 2 has one directory for all controllers. */
static const struct hierarchy {
	const char *controller; /* as /proc/self/cgroup names it; "" for version 2 */
	const char *filesystem;
	const char *option; /* of the mount, for version 1 */
	const char *processes_file;
	const char *memory_file;
	const char *oom_file;
	const char *entry_file; /* a thread's, where there is one: see kc_cgroup_enter */
} hierarchies[] = {
	{ "", "cgroup2", "", "pids.max", "memory.max", "memory.events", "cgroup.procs" },
	{ "pids", "cgroup", "pids", "pids.max", NULL, NULL, "tasks" },
	{ "memory", "cgroup", "memory", NULL, "memory.limit_in_bytes", "memory.oom_control", "tasks" },
};

static int write_value(const char *directory, const char *file, unsigned long long value)
{
	char path[PATH_MAX + 64], text[32];
	KC_CLEANUP_FD int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, file);
	(void)snprintf(text, sizeof(text), "%llu", value);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : kc_fd_write_all(fd, text, strlen(text));
}

/* True if the comma-separated `list` has `word`; any list has the empty word. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	if (length == 0)
		return true;
	for (const char *at = strstr(list, word); at; at = strstr(at + length, word))
		if ((at == list || at[-1] == ',') && strchr(",\n ", at[length]))
			return true;
	return false;
}

/* Where the hierarchy is mounted: proc_pid_mountinfo(5), fields 5 and those after the dash. */
static bool find_mount(const struct hierarchy *hierarchy, char ret_path[PATH_MAX])
{
	KC_CLEANUP_FILE FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[8192];

	while (file && fgets(line, sizeof(line), file)) {
		char type[64], options[1024], path[1024];
		const char *dash = strstr(line, " - ");

		if (!dash || sscanf(dash, " - %63s %*s %1023s", type, options) != 2)
			continue;
		if (strcmp(type, hierarchy->filesystem) != 0 || !has_word(options, hierarchy->option))
			continue;
		if (sscanf(line, "%*s %*s %*s %*s %1023s", path) == 1) {
			(void)snprintf(ret_path, PATH_MAX, "%s", path);
			return true;
		}
	}
	return false;
}

/* Our own place in the hierarchy: lines "ID:CONTROLLERS:PATH" of /proc/self/cgroup. */
static bool find_own(const struct hierarchy *hierarchy, char ret_path[PATH_MAX])
{
	KC_CLEANUP_FILE FILE *file = fopen("/proc/self/cgroup", "re");
	char line[8192];

	while (file && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		controllers++;
		if (hierarchy->controller[0] == '\0' ? controllers[0] != '\0'
						     : !has_word(controllers, hierarchy->controller))
			continue;
		(void)snprintf(ret_path, PATH_MAX, "%s", strcmp(path, "/") == 0 ? "" : path);
		return true;
	}
	return false;
}

/* Removes what a run left whose janitor was killed with it. A group in use is busy and stays; so does one whose maker lives. */
static void sweep(const char *parent)
{
	KC_CLEANUP_DIR DIR *dir = opendir(parent);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *end;
		long pid = strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0
				   ? strtol(entry->d_name + strlen(PREFIX), &end, 10)
				   : 0;

		if (pid > 0 && *end == '-' && kill((pid_t)pid, 0) < 0 && errno == ESRCH &&
		    unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) < 0)
			continue; /* in nobody's way */
	}
}

static int open_entry(const struct hierarchy *hierarchy, const char *directory, int *ret_fd)
{
	char path[PATH_MAX + 64];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, hierarchy->entry_file);
	*ret_fd = open(path, O_WRONLY | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static int set_limits(const struct hierarchy *hierarchy, const char *directory, uint64_t memory_bytes,
		      unsigned int processes)
{
	int status = 0;

	if (hierarchy->processes_file)
		status = write_value(directory, hierarchy->processes_file, processes);
	if (status == 0 && hierarchy->memory_file)
		status = write_value(directory, hierarchy->memory_file, memory_bytes);
	return status;
}

/* Makes DIRECTORY/krunner-compat-PID-SERIAL and sets its limits. */
static int make_in(const struct hierarchy *hierarchy, const char *parent, uint64_t memory_bytes,
		   unsigned int processes, char ret_path[PATH_MAX], int *ret_entry)
{
	static unsigned int serial;
	int written = snprintf(ret_path, PATH_MAX, "%s/" PREFIX "%ld-%u", parent, (long)getpid(), serial++);
	int status;

	if (written < 0 || written >= PATH_MAX)
		return -ENAMETOOLONG;
	status = kc_janitor_watch(KC_JANITOR_CGROUP, ret_path, NULL);
	if (status == 0 && mkdir(ret_path, 0755) < 0)
		status = -errno;
	if (status == 0)
		status = set_limits(hierarchy, ret_path, memory_bytes, processes);
	if (status == 0)
		status = open_entry(hierarchy, ret_path, ret_entry);
	if (status < 0) {
		(void)rmdir(ret_path); /* it may not be there */
		kc_janitor_forget(ret_path);
	}
	return status;
}

/* Below our own group, beside it, and at the root: a version 2 group that holds processes cannot have children with
 * controllers ("no internal processes"), so our own is often not the one. */
static int make(const struct hierarchy *hierarchy, uint64_t memory_bytes, unsigned int processes,
		char ret_path[PATH_MAX], int *ret_entry)
{
	char mount_path[PATH_MAX], own[PATH_MAX], parent[2 * PATH_MAX];
	int status = -ENOENT;

	if (!find_mount(hierarchy, mount_path) || !find_own(hierarchy, own))
		return -ENOENT;
	for (;;) {
		char *slash;

		(void)snprintf(parent, sizeof(parent), "%s%s", mount_path, own);
		status = make_in(hierarchy, parent, memory_bytes, processes, ret_path, ret_entry);
		slash = strrchr(own, '/');
		if (status == 0)
			sweep(parent);
		if (status == 0 || !slash)
			return status;
		*slash = '\0';
	}
}

void kc_cgroup_create(struct kc_cgroup *group, uint64_t memory_bytes, unsigned int processes)
{
	int status;

	*group = (struct kc_cgroup){ 0 };
	status = make(&hierarchies[0], memory_bytes, processes, group->directories[0], &group->entries[0]);
	if (status == 0) {
		group->count = 1;
		group->oom_file = hierarchies[0].oom_file;
		(void)snprintf(group->text, sizeof(group->text), "cgroup v2: pids, memory");
		return;
	}
	for (size_t i = 1; i < KC_ARRAY_LENGTH(hierarchies); i++) {
		int made = make(&hierarchies[i], memory_bytes, processes, group->directories[group->count],
				&group->entries[group->count]);

		if (made < 0) {
			kc_cgroup_remove(group);
			(void)snprintf(group->text, sizeof(group->text),
				       "resource limits only: no cgroup to be had (v2: %s; v1 %s: %s)",
				       strerror(-status), hierarchies[i].controller, strerror(-made));
			return;
		}
		group->count++;
		group->oom_file = hierarchies[i].oom_file;
	}
	(void)snprintf(group->text, sizeof(group->text), "cgroup v1: pids, memory");
}

int kc_cgroup_enter(const struct kc_cgroup *group)
{
	for (unsigned int i = 0; i < group->count; i++) {
		int status = kc_fd_write_all(group->entries[i], "0", 1);

		if (status < 0)
			return status;
	}
	return 0;
}

bool kc_cgroup_ran_out_of_memory(const struct kc_cgroup *group)
{
	char path[PATH_MAX + 64];
	struct kc_buffer text = KC_BUFFER_INIT(4096);
	const char *count;
	bool killed = false;

	if (!group->count || !group->oom_file)
		return false;
	(void)snprintf(path, sizeof(path), "%s/%s", group->directories[group->count - 1], group->oom_file);
	if (kc_file_read(AT_FDCWD, path, &text, NULL) == 0) {
		count = strstr(kc_buffer_string(&text), "oom_kill ");
		killed = count && strtoull(count + strlen("oom_kill "), NULL, 10) > 0;
	}
	kc_buffer_release(&text);
	return killed;
}

void kc_cgroup_remove(struct kc_cgroup *group)
{
	/* A directory that is still busy stays with the janitor, which tries again when we are gone. */
	while (group->count) {
		const char *directory = group->directories[--group->count];

		kc_fd_close(&group->entries[group->count]);
		if (rmdir(directory) == 0 || errno == ENOENT)
			kc_janitor_forget(directory);
	}
}
