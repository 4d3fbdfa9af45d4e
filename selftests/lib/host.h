/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host under the test: its MSRs, memory figures, modules and CPUs. All of
 * it needs root; what is missing skips the case with its cause.
 */
#ifndef LODGE_SELFTEST_HOST_H
#define LODGE_SELFTEST_HOST_H

#include "vm.h"

void require_root(void);

/** host_msr_get - through /dev/cpu/N/msr */
u64 host_msr_get(int cpu, u32 index);
void host_msr_set(int cpu, u32 index, u64 val);

/** meminfo_kib - a figure of /proc/meminfo */
u64 meminfo_kib(const char *name);

/** free_memory_kib - free pages, those in the CPUs' own lists included, which /proc/meminfo does not see */
u64 free_memory_kib(void);

/** slab_shrink - gives back empty slabs, and the freed objects that KASAN holds on to */
void slab_shrink(void);

/** device_is_free - can a VM be made on this device now? Skips when the device cannot be opened */
bool device_is_free(const char *device);

/** text_write - into a file of /proc or /sys, or skip */
void text_write(const char *path, const char *text);

/** host_has_vmx - this CPU's virtualization is VT-x; else it is AMD-V */
bool host_has_vmx(void);

/** kernel_debugs - locks carry what lockdep wants to know, objects a red zone: sizes and costs are not those of use */
bool kernel_debugs(void);

/** module_load - modprobe, or skip */
void module_load(const char *name);
/** module_is_loaded - is it in /proc/modules? */
bool module_is_loaded(const char *name);
/** module_remove - delete_module; 0 or -errno */
long module_remove(const char *name);

/** cpu_online_set - take a CPU off or bring it back */
void cpu_online_set(int cpu, bool online);

#endif
