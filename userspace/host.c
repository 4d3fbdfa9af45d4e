// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host says about virtualization: CPUID, /proc/modules, /sys. No
 * state, no output.
 */
#include "host.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>

#define CPUID1_ECX_VMX		(1u << 5)	/* SDM 2A, CPUID */
#define CPUID80000001_ECX_SVM	(1u << 2)	/* APM 3, appendix E.4 */

enum lodge_host_vendor lodge_host_vendor(char name[13])
{
	unsigned int a, b = 0, c = 0, d = 0;
	char vendor[13] = "";

	__get_cpuid(0, &a, &b, &c, &d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &c, 4);
	if (name)
		memcpy(name, vendor, sizeof(vendor));
	if (!strcmp(vendor, "AuthenticAMD") || !strcmp(vendor, "HygonGenuine"))
		return HOST_AMD;
	return strcmp(vendor, "GenuineIntel") ? HOST_OTHER : HOST_INTEL;
}

bool lodge_host_has_feature(void)
{
	unsigned int a, b, c = 0, d;

	switch (lodge_host_vendor(NULL)) {
	case HOST_AMD:
		return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & CPUID80000001_ECX_SVM;
	case HOST_INTEL:
		return __get_cpuid(1, &a, &b, &c, &d) && c & CPUID1_ECX_VMX;
	default:
		return false;
	}
}

const char *lodge_host_feature_name(void)
{
	switch (lodge_host_vendor(NULL)) {
	case HOST_AMD:
		return "AMD-V";
	case HOST_INTEL:
		return "VT-x";
	default:
		return "hardware virtualization";
	}
}

struct lodge_host_module lodge_host_module(const char *name)
{
	struct lodge_host_module module = { 0 };
	FILE *modules = fopen("/proc/modules", "re");
	char line[512], found[65];
	unsigned int users;

	if (!modules)
		return module;
	while (fgets(line, sizeof(line), modules)) {
		/* A kernel that cannot unload modules shows "-" for the count. */
		users = 0;
		if (sscanf(line, "%64s %*u %u", found, &users) >= 1 && !strcmp(found, name)) {
			module.loaded = true;
			module.users = users;
			break;
		}
	}
	fclose(modules);
	return module;
}

const char *lodge_host_holder(void)
{
	static const char *const holders[] = { "kvm_amd", "kvm_intel", "vboxdrv", "vmmon" };

	for (unsigned int i = 0; i < sizeof(holders) / sizeof(holders[0]); i++)
		if (lodge_host_module(holders[i]).loaded)
			return holders[i];
	return NULL;
}

bool lodge_host_vmx_flag(const char *name)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[4096], word[64];
	bool found = false;

	snprintf(word, sizeof(word), " %s ", name);
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "vmx flags", 9))
			continue;
		line[strcspn(line, "\n")] = ' ';
		found = strstr(line, word);
		break;
	}
	if (file)
		fclose(file);
	return found;
}

bool lodge_host_read(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	bool found;

	if (!file)
		return false;
	found = fgets(text, (int)size, file) != NULL;
	fclose(file);
	if (found)
		text[strcspn(text, "\n")] = '\0';
	return found;
}
