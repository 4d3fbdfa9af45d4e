// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: what the device supports, with the topology of this VM: one socket,
 * one thread a core, APIC id = vCPU number. No state, no lock.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "host.h"
#include "vcpu.h"
#include "vm.h"

#define CPUID_ENTRIES_MAX	256

#define LEAF1_ECX_TSC_DEADLINE	(1u << 24)
#define LEAF1_ECX_HYPERVISOR	(1u << 31)
#define LEAF1_EDX_HTT		(1u << 28)
#define LEAF80000001_ECX_CMP_LEGACY (1u << 1)
#define LEAF80000007_EDX_INVARIANT_TSC (1u << 8)

/* Levels of leaf 0xb, ECX bits 15:8 (SDM 2A, CPUID). */
#define LEVEL_THREAD		1u
#define LEVEL_CORE		2u

struct cpuid_table {
	struct kvm_cpuid2 header;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES_MAX];
};

/* Bits of the APIC id that tell vCPUs of one socket apart. */
static unsigned int cpuid_core_bits(unsigned int cpus)
{
	unsigned int bits = 0;

	while (1u << bits < cpus)
		bits++;
	return bits;
}

static void cpuid_leaf1(struct kvm_cpuid_entry2 *entry, const struct lodge_vcpu *vcpu)
{
	unsigned int count = 1u << cpuid_core_bits(vcpu->vm->cpus);

	if (count > 0x80)
		count = 0x80;	/* eight bits, and a power of two */
	entry->ebx = (entry->ebx & 0xffff) | count << 16 | vcpu->id << 24;
	entry->ecx |= LEAF1_ECX_HYPERVISOR;
	if (ioctl(vcpu->vm->device, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		entry->ecx |= LEAF1_ECX_TSC_DEADLINE;
	if (vcpu->vm->cpus > 1)
		entry->edx |= LEAF1_EDX_HTT;
	else
		entry->edx &= ~LEAF1_EDX_HTT;
}

/* Caches: first and second level belong to a core, the rest to the socket. */
static uint32_t cpuid_cache_sharing(uint32_t eax, unsigned int cpus)
{
	unsigned int level = eax >> 5 & 7;
	unsigned int shared = level >= 3 ? (1u << cpuid_core_bits(cpus)) - 1 : 0;

	return (eax & ~(0xfffu << 14)) | shared << 14;
}

static void cpuid_leaf4(struct kvm_cpuid_entry2 *entry, const struct lodge_vcpu *vcpu)
{
	unsigned int cores = (1u << cpuid_core_bits(vcpu->vm->cpus)) - 1;

	if (!(entry->eax & 0x1f))
		return;
	entry->eax = cpuid_cache_sharing(entry->eax, vcpu->vm->cpus);
	entry->eax = (entry->eax & ~(0x3fu << 26)) | (cores > 0x3f ? 0x3f : cores) << 26;
}

static void cpuid_leaf_topology(struct kvm_cpuid_entry2 *entry, const struct lodge_vcpu *vcpu)
{
	unsigned int index = entry->index;

	entry->eax = entry->ebx = 0;
	entry->ecx = index;
	entry->edx = vcpu->id;
	if (index == 0) {
		entry->ebx = 1;
		entry->ecx |= LEVEL_THREAD << 8;
	} else if (index == 1) {
		entry->eax = cpuid_core_bits(vcpu->vm->cpus);
		entry->ebx = vcpu->vm->cpus;
		entry->ecx |= LEVEL_CORE << 8;
	}
}

static void cpuid_entry_adjust(struct kvm_cpuid_entry2 *entry, const struct lodge_vcpu *vcpu)
{
	unsigned int cpus = vcpu->vm->cpus;

	switch (entry->function) {
	case 0x1:
		cpuid_leaf1(entry, vcpu);
		break;
	case 0x4:
		cpuid_leaf4(entry, vcpu);
		break;
	case 0xb:
	case 0x1f:
		cpuid_leaf_topology(entry, vcpu);
		break;
	case 0x80000001:
		if (cpus > 1 && lodge_host_vendor(NULL) == HOST_AMD)
			entry->ecx |= LEAF80000001_ECX_CMP_LEGACY;
		break;
	case 0x80000007:
		/*
		 * An invariant TSC makes Linux prefer it to kvm-clock, and ties
		 * the VM to a host of the same frequency.
		 */
		entry->edx &= ~LEAF80000007_EDX_INVARIANT_TSC;
		break;
	case 0x80000008:
		if (lodge_host_vendor(NULL) == HOST_AMD)
			entry->ecx = (entry->ecx & ~0xf0ffu) | cpuid_core_bits(cpus) << 12 |
				     ((cpus - 1) & 0xff);
		break;
	case 0x8000001d:
		if (entry->eax & 0x1f)
			entry->eax = cpuid_cache_sharing(entry->eax, cpus);
		break;
	case 0x8000001e:
		entry->eax = vcpu->id;
		entry->ebx = vcpu->id & 0xff;	/* core id; one thread a core */
		entry->ecx = 0;			/* node 0, one node */
		break;
	}
}

/* Leaf 0xb needs its levels 0 and 1 whatever the host listed. */
static void cpuid_topology_complete(struct cpuid_table *table, uint32_t leaf)
{
	bool found[2] = { false, false };

	for (uint32_t i = 0; i < table->header.nent; i++)
		if (table->entries[i].function == leaf && table->entries[i].index < 2)
			found[table->entries[i].index] = true;
	if (!found[0])
		return;		/* the CPU does not have this leaf */
	if (!found[1] && table->header.nent < CPUID_ENTRIES_MAX)
		table->entries[table->header.nent++] = (struct kvm_cpuid_entry2) {
			.function = leaf,
			.index = 1,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
}

void lodge_cpuid_set(struct lodge_vcpu *vcpu)
{
	struct cpuid_table *table = calloc(1, sizeof(*table));

	if (!table)
		lodge_fail(STATUS_MEMORY, "the host has no memory left for a CPUID table");
	table->header.nent = CPUID_ENTRIES_MAX;
	if (ioctl(vcpu->vm->device, KVM_GET_SUPPORTED_CPUID, table))
		lodge_fail(STATUS_FAILED, "%s fails KVM_GET_SUPPORTED_CPUID: %s", vcpu->vm->path,
			   strerror(errno));
	cpuid_topology_complete(table, 0xb);
	cpuid_topology_complete(table, 0x1f);
	for (uint32_t i = 0; i < table->header.nent; i++)
		cpuid_entry_adjust(&table->entries[i], vcpu);
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, table))
		lodge_fail(STATUS_FAILED, "%s fails KVM_SET_CPUID2: %s", vcpu->vm->path,
			   strerror(errno));
	free(table);
}
