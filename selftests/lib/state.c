// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's registers, MSRs and CPUID table over the plain ioctls.
 * Locking: none.
 */
#include <stdlib.h>

#include "vm.h"

struct kvm_regs regs_get(struct vcpu *vcpu)
{
	struct kvm_regs regs;

	memset(&regs, 0xaa, sizeof(regs));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_REGS, &regs), 0);
	return regs;
}

void regs_set(struct vcpu *vcpu, const struct kvm_regs *regs)
{
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_REGS, regs), 0);
}

struct kvm_sregs sregs_get(struct vcpu *vcpu)
{
	struct kvm_sregs sregs;

	memset(&sregs, 0xaa, sizeof(sregs));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_SREGS, &sregs), 0);
	return sregs;
}

void sregs_set(struct vcpu *vcpu, const struct kvm_sregs *sregs)
{
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_SREGS, sregs), 0);
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

long msr_get_try(struct vcpu *vcpu, u32 index, u64 *val)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry.index = index };
	long r = xioctl(vcpu->fd, KVM_GET_MSRS, &msr);

	if (r == 1)
		*val = msr.entry.data;
	return r;
}

long msr_set_try(struct vcpu *vcpu, u32 index, u64 val)
{
	struct one_msr msr = {
		.head.nmsrs = 1,
		.entry = { .index = index, .data = val },
	};

	return xioctl(vcpu->fd, KVM_SET_MSRS, &msr);
}

u64 msr_get(struct vcpu *vcpu, u32 index)
{
	u64 val = 0;
	long r = msr_get_try(vcpu, index, &val);

	if (r != 1)
		FAIL("KVM_GET_MSRS of 0x%x gave %ld", index, r);
	return val;
}

void msr_set(struct vcpu *vcpu, u32 index, u64 val)
{
	long r = msr_set_try(vcpu, index, val);

	if (r != 1)
		FAIL("KVM_SET_MSRS of 0x%x to 0x%llx gave %ld", index,
		     (unsigned long long)val, r);
}

struct kvm_cpuid2 *supported_cpuid(int sys)
{
	struct kvm_cpuid2 *table;

	table = calloc(1, sizeof(*table) + CPUID_ENTRIES * sizeof(table->entries[0]));
	CHECK(table);
	table->nent = CPUID_ENTRIES;
	CHECK_EQ(xioctl(sys, KVM_GET_SUPPORTED_CPUID, table), 0);
	CHECK_LE(table->nent, CPUID_ENTRIES);
	return table;
}

struct kvm_cpuid_entry2 *cpuid_entry(struct kvm_cpuid2 *table, u32 leaf, u32 index)
{
	unsigned int i;

	for (i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *e = &table->entries[i];

		if (e->function != leaf)
			continue;
		if (!(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index)
			return e;
	}
	return NULL;
}

void cpuid_set(struct vcpu *vcpu, const struct kvm_cpuid2 *table)
{
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_CPUID2, table), 0);
}
