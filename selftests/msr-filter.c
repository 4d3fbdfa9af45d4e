// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_X86_SET_MSR_FILTER: what the bitmaps deny is #GP in the guest, or an exit when user space asked for it, MSRs
 * that need no exit otherwise included; the x2APIC's registers and user space itself are not filtered. A
 * malformed filter is refused and leaves the old one.
 */
#include "irq.h"

#define MSR_NONE	0x12345678
#define PAT_GOOD	0x0007040600070406

static u8 nothing[KVM_MSR_FILTER_MAX_BITMAP_SIZE + 8];
static u8 everything[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static long filter_set(struct vm *vm, u32 flags, u32 range_flags, u32 base, u32 nr, u8 *bitmap)
{
	struct kvm_msr_filter filter = {
		.flags = flags,
		.ranges[1] = { .flags = range_flags, .base = base, .nmsrs = nr, .bitmap = bitmap },
	};

	return xioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter);
}

#define DENY		KVM_MSR_FILTER_DEFAULT_DENY
#define READ		KVM_MSR_FILTER_READ
#define WRITE		KVM_MSR_FILTER_WRITE

static void refusals(void)
{
	struct vm *vm = vm_create_bare();

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_MSR_FILTER);
	CHECK_ERR(filter_set(vm, DENY, 0, 0, 0, NULL), EINVAL);
	CHECK_ERR(filter_set(vm, 0, 0, 0x10, 1, nothing), EINVAL);
	CHECK_ERR(filter_set(vm, 0, READ | 4, 0x10, 1, nothing), EINVAL);
	CHECK_ERR(filter_set(vm, 0, READ, 0x10, KVM_MSR_FILTER_MAX_BITMAP_SIZE * 8 + 1, nothing), EINVAL);
	CHECK_ERR(filter_set(vm, 0, READ, 0x10, 1, (u8 *)8), EFAULT);
	CHECK_EQ(filter_set(vm, 0, READ, 0x10, KVM_MSR_FILTER_MAX_BITMAP_SIZE * 8, nothing), 0);
	CHECK_EQ(filter_set(vm, 0, 0, 0, 0, NULL), 0);
	vm_free(vm);
}

static void guest_reads_and_writes(void)
{
	u64 val;

	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_IA32_CR_PAT, &val), GP_VECTOR);
	GUEST_CHECK_EQ(guest_exc()->error, 0);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_IA32_CR_PAT, PAT_GOOD), NO_EXCEPTION);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_EFER, &val), NO_EXCEPTION);
	guest_sync(1);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_IA32_CR_PAT, &val), NO_EXCEPTION);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_IA32_CR_PAT, val), GP_VECTOR);
	guest_sync(2);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_IA32_CR_PAT, val), NO_EXCEPTION);
	guest_done();
}

static void one_denied(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_MSR_FILTER);
	CHECK_EQ(filter_set(vm, 0, READ, MSR_IA32_CR_PAT, 1, nothing), 0);
	msr_get(vcpu, MSR_IA32_CR_PAT);	/* user space may */
	vcpu_entry(vcpu, guest_reads_and_writes);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(filter_set(vm, 0, WRITE, MSR_IA32_CR_PAT - 3, 8, nothing), 0);
	/* A refused one changes nothing. */
	CHECK_ERR(filter_set(vm, 0, 0, 0x10, 1, nothing), EINVAL);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(filter_set(vm, 0, 0, 0, 0, NULL), 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_uses_passed_through(void)
{
	u64 val;

	wrmsr(MSR_LSTAR, 0x1111);
	wrmsr(MSR_KERNEL_GS_BASE, 0x2222);
	guest_sync(1);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_LSTAR, &val), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_LSTAR, 0x3333), GP_VECTOR);
	GUEST_CHECK_EQ(rdmsr(MSR_KERNEL_GS_BASE), 0x2222);
	wrmsr(MSR_KERNEL_GS_BASE, 0x4444);
	wrmsr(MSR_FS_BASE, 0x5555);
	GUEST_CHECK_EQ(rdmsr(MSR_FS_BASE), 0x5555);
	guest_sync(2);
	GUEST_CHECK_EQ(rdmsr(MSR_LSTAR), 0x1111);
	GUEST_CHECK_EQ(rdmsr(MSR_KERNEL_GS_BASE), 0x4444);
	guest_done();
}

static void msrs_without_an_exit(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_MSR_FILTER);
	vcpu_entry(vcpu, guest_uses_passed_through);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(filter_set(vm, 0, READ | WRITE, MSR_LSTAR, 1, nothing), 0);
	CHECK_EQ(msr_get(vcpu, MSR_LSTAR), 0x1111);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(filter_set(vm, 0, 0, 0, 0, NULL), 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_denied_by_default(void)
{
	u64 val;

	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_IA32_CR_PAT, &val), NO_EXCEPTION);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_IA32_CR_PAT + 1, &val), GP_VECTOR);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_STAR, &val), GP_VECTOR);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_IA32_TSC, &val), GP_VECTOR);
	/* The x2APIC's ID. */
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_X2APIC + 2, &val), NO_EXCEPTION);
	guest_done();
}

static void denied_by_default(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_sregs sregs;

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_MSR_FILTER);
	CHECK_EQ(filter_set(vm, DENY, READ, MSR_IA32_CR_PAT, 1, everything), 0);
	vcpu_entry(vcpu, guest_denied_by_default);
	sregs = sregs_get(vcpu);
	sregs.apic_base |= APIC_BASE_X2APIC;
	sregs_set(vcpu, &sregs);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_reads_denied(void)
{
	u64 val;

	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_IA32_CR_PAT, &val), NO_EXCEPTION);
	GUEST_CHECK_EQ(val, 0x1234);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_NONE, &val), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_LSTAR, 0x7777), NO_EXCEPTION);
	guest_done();
}

static void exits_when_asked(void)
{
	struct kvm_msr_filter filter = {
		.ranges[0] = { .flags = READ, .base = MSR_IA32_CR_PAT, .nmsrs = 1, .bitmap = nothing },
		.ranges[15] = { .flags = WRITE, .base = MSR_LSTAR, .nmsrs = 1, .bitmap = nothing },
	};
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_MSR_FILTER);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_FILTER), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_X86_SET_MSR_FILTER, &filter), 0);
	vcpu_entry(vcpu, guest_reads_denied);
	RUN_EXPECT(vcpu, KVM_EXIT_X86_RDMSR);
	CHECK_EQ(vcpu->run->msr.reason, KVM_MSR_EXIT_REASON_FILTER);
	CHECK_EQ(vcpu->run->msr.index, MSR_IA32_CR_PAT);
	vcpu->run->msr.data = 0x1234;
	RUN_EXPECT(vcpu, KVM_EXIT_X86_WRMSR);
	CHECK_EQ(vcpu->run->msr.reason, KVM_MSR_EXIT_REASON_FILTER);
	CHECK_EQ(vcpu->run->msr.index, MSR_LSTAR);
	CHECK_EQ(vcpu->run->msr.data, 0x7777);
	RUN_DONE(vcpu);
	CHECK_EQ(msr_get(vcpu, MSR_LSTAR), 0);	/* user space took it */
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(refusals),
	TEST(one_denied),
	TEST(msrs_without_an_exit),
	TEST(denied_by_default),
	TEST(exits_when_asked),
};

KTAP_MAIN(tests)
