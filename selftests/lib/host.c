// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host under the test: its MSRs, memory figures, modules and CPUs.
 * Locking: none.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host.h"

void require_root(void)
{
	if (geteuid())
		ktap_skip("needs root");
}

static int msr_open(int cpu, int flags)
{
	char path[32];
	int fd;

	require_root();
	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", cpu);
	fd = open(path, flags);
	if (fd < 0) {
		module_load("msr");
		fd = open(path, flags);
	}
	if (fd < 0)
		ktap_skip("cannot open %s: %s", path, strerror(errno));
	return fd;
}

u64 host_msr_get(int cpu, u32 index)
{
	int fd = msr_open(cpu, O_RDONLY);
	u64 val;

	CHECK_EQ(pread(fd, &val, 8, index), 8);
	close(fd);
	return val;
}

void host_msr_set(int cpu, u32 index, u64 val)
{
	int fd = msr_open(cpu, O_WRONLY);

	if (pwrite(fd, &val, 8, index) != 8)
		ktap_skip("the kernel does not let MSRs be written: %s", strerror(errno));
	close(fd);
}

u64 meminfo_kib(const char *name)
{
	size_t len = strlen(name);
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	u64 val = ~0ull;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ':')
			val = strtoull(line + len + 1, NULL, 10);
	fclose(f);
	CHECK(val != ~0ull);
	return val;
}

u64 free_memory_kib(void)
{
	FILE *f = fopen("/proc/zoneinfo", "r");
	u64 pages = 0, n;
	char line[256];

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " nr_free_pages %lu", &n) == 1 || sscanf(line, " count: %lu", &n) == 1)
			pages += n;
	fclose(f);
	return pages * 4;
}

void slab_shrink(void)
{
	glob_t caches;
	size_t i;

	if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &caches))
		return;
	for (i = 0; i < caches.gl_pathc; i++)
		text_write(caches.gl_pathv[i], "1");
	globfree(&caches);
}

bool device_is_free(const char *device)
{
	int sys = open(device, O_RDWR | O_CLOEXEC), fd;

	if (sys < 0)
		ktap_skip("cannot open %s: %s", device, strerror(errno));
	fd = (int)xioctl(sys, KVM_CREATE_VM, 0);
	close(sys);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		ktap_skip("cannot write %s: %s", path, strerror(errno));
	close(fd);
}

bool host_has_vmx(void)
{
	return cpuid(1, 0).ecx & BIT(5);
}

bool kernel_debugs(void)
{
	return !access("/proc/lockdep", F_OK);
}

void module_load(const char *name)
{
	char command[96];

	require_root();
	snprintf(command, sizeof(command), "modprobe %s 2>/dev/null", name);
	if (system(command))
		ktap_skip("no module %s here", name);
}

bool module_is_loaded(const char *name)
{
	size_t len = strlen(name);
	FILE *f = fopen("/proc/modules", "r");
	bool found = false;
	char line[256];

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f))
		found = !strncmp(line, name, len) && line[len] == ' ';
	fclose(f);
	return found;
}

long module_remove(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) < 0 ? -errno : 0;
}

void cpu_online_set(int cpu, bool online)
{
	char path[64];
	int fd;

	require_root();
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		ktap_skip("CPU %d cannot go offline", cpu);
	if (write(fd, online ? "1" : "0", 1) != 1)
		FAIL("%s to %d: %s", path, online, strerror(errno));
	close(fd);
}
