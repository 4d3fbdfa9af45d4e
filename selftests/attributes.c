// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes: a vCPU's TSC offset is read, set, and felt by the guest; the device tells which parts of the FPU's
 * state it can give. Unknown groups and attributes are -ENXIO.
 */
#include <unistd.h>

#include "modes.h"

static long attr_call(int fd, unsigned long cmd, u32 group, u64 attr, void *value)
{
	struct kvm_device_attr args = { .group = group, .attr = attr, .addr = (uintptr_t)value };

	return xioctl(fd, cmd, &args);
}

static void unknown(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 value = 0;

	REQUIRE_CAP(vm->fd, KVM_CAP_VCPU_ATTRIBUTES);
	CHECK_ERR(attr_call(vcpu->fd, KVM_HAS_DEVICE_ATTR, 1, 0, &value), ENXIO);
	CHECK_ERR(attr_call(vcpu->fd, KVM_HAS_DEVICE_ATTR, 0, 1, &value), ENXIO);
	CHECK_ERR(attr_call(vcpu->fd, KVM_GET_DEVICE_ATTR, 0, 1, &value), ENXIO);
	CHECK_ERR(attr_call(vcpu->fd, KVM_SET_DEVICE_ATTR, 0, 1, &value), ENXIO);
	CHECK_EQ(attr_call(vcpu->fd, KVM_HAS_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &value), 0);
	CHECK_ERR(attr_call(vcpu->fd, KVM_GET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, (void *)8), EFAULT);
	CHECK_ERR(attr_call(vcpu->fd, KVM_SET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, (void *)8), EFAULT);
	vm_free(vm);
}

static void guest_reads_tsc(void)
{
	for (;;)
		guest_sync4(0, rdtsc(), 0, 0);
}

static u64 guest_tsc(struct vcpu *vcpu)
{
	RUN_SYNC(vcpu, 0);
	return vcpu->cpu->uc.args[1];
}

static void tsc_offset(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 offset = 1ull << 60, got = 0, before, guest, after;

	REQUIRE_CAP(vm->fd, KVM_CAP_VCPU_ATTRIBUTES);
	vcpu_entry(vcpu, guest_reads_tsc);
	CHECK_EQ(attr_call(vcpu->fd, KVM_SET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &offset), 0);
	CHECK_EQ(attr_call(vcpu->fd, KVM_GET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &got), 0);
	CHECK_EQ(got, offset);
	before = rdtsc();
	guest = guest_tsc(vcpu);
	after = rdtsc();
	CHECK_GE(guest - offset, before);
	CHECK_LE(guest - offset, after);
	before = rdtsc();
	guest = msr_get(vcpu, MSR_IA32_TSC);
	after = rdtsc();
	CHECK_GE(guest - offset, before);
	CHECK_LE(guest - offset, after);
	vm_free(vm);
}

/* A write of the TSC that comes soon after and fits joins what the offset made. */
static void tsc_write_joins(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 offset = 1ull << 50, got = 0;

	REQUIRE_CAP(vm->fd, KVM_CAP_VCPU_ATTRIBUTES);
	CHECK_EQ(attr_call(vcpu->fd, KVM_SET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &offset), 0);
	msr_set(vcpu, MSR_IA32_TSC, rdtsc() + offset);
	CHECK_EQ(attr_call(vcpu->fd, KVM_GET_DEVICE_ATTR, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, &got), 0);
	CHECK_EQ(got, offset);
	vm_free(vm);
}

static void of_the_device(void)
{
	int sys = device_open();
	struct kvm_cpuid2 *table = supported_cpuid(sys);
	struct kvm_cpuid_entry2 *entry = cpuid_entry(table, 0xd, 0);
	u64 value = 0;

	REQUIRE_CAP(sys, KVM_CAP_SYS_ATTRIBUTES);
	CHECK_ERR(attr_call(sys, KVM_HAS_DEVICE_ATTR, 1, KVM_X86_XCOMP_GUEST_SUPP, &value), ENXIO);
	CHECK_ERR(attr_call(sys, KVM_HAS_DEVICE_ATTR, 0, 77, &value), ENXIO);
	CHECK_ERR(attr_call(sys, KVM_GET_DEVICE_ATTR, 0, 77, &value), ENXIO);
	CHECK_EQ(attr_call(sys, KVM_HAS_DEVICE_ATTR, 0, KVM_X86_XCOMP_GUEST_SUPP, &value), 0);
	CHECK_ERR(attr_call(sys, KVM_GET_DEVICE_ATTR, 0, KVM_X86_XCOMP_GUEST_SUPP, (void *)8), EFAULT);
	CHECK_EQ(attr_call(sys, KVM_GET_DEVICE_ATTR, 0, KVM_X86_XCOMP_GUEST_SUPP, &value), 0);
	CHECK_EQ(value, (u64)entry->edx << 32 | entry->eax);
	close(sys);
}

static const struct test tests[] = {
	TEST(unknown),
	TEST(tsc_offset),
	TEST(tsc_write_joins),
	TEST(of_the_device),
};

KTAP_MAIN(tests)
