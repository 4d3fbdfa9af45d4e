// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_X86_USER_SPACE_MSR: an RDMSR or WRMSR that would be #GP leaves to user space for the reasons that were
 * asked for, which gives the value or the fault; for others it is #GP as ever.
 */
#include "modes.h"

#define MSR_NONE	0x12345678
#define PAT_BAD		0x0202020202020202

static void mask_is_checked(void)
{
	struct vm *vm = vm_create_bare();

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_USER_SPACE_MSR);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_X86_USER_SPACE_MSR, BIT(4)), EINVAL);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_INVAL |
			    KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER), 0);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_USER_SPACE_MSR, 0), 0);
	vm_free(vm);
}

static void msr_exit(struct vcpu *vcpu, u32 exit, u32 reason, u32 index)
{
	run_expect(vcpu, exit, exit_name(exit), __FILE__, __LINE__);
	CHECK_EQ(vcpu->run->msr.reason, reason);
	CHECK_EQ(vcpu->run->msr.index, index);
	CHECK_EQ(vcpu->run->msr.error, 0);
}

static void guest_asks(void)
{
	u64 val = 0;

	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_NONE, &val), NO_EXCEPTION);
	GUEST_CHECK_EQ(val, 0x1122334455667788);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_NONE, &val), GP_VECTOR);
	GUEST_CHECK_EQ(guest_exc()->error, 0);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_NONE, 0x99aabbccddeeff00), NO_EXCEPTION);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_NONE, 1), GP_VECTOR);
	/* The other reason was not asked for. */
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_IA32_CR_PAT, PAT_BAD), GP_VECTOR);
	guest_done();
}

static void unknown_msr(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_USER_SPACE_MSR);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_UNKNOWN), 0);
	vcpu_entry(vcpu, guest_asks);
	msr_exit(vcpu, KVM_EXIT_X86_RDMSR, KVM_MSR_EXIT_REASON_UNKNOWN, MSR_NONE);
	CHECK_EQ(vcpu->run->msr.data, 0);
	vcpu->run->msr.data = 0x1122334455667788;
	msr_exit(vcpu, KVM_EXIT_X86_RDMSR, KVM_MSR_EXIT_REASON_UNKNOWN, MSR_NONE);
	vcpu->run->msr.error = 1;
	msr_exit(vcpu, KVM_EXIT_X86_WRMSR, KVM_MSR_EXIT_REASON_UNKNOWN, MSR_NONE);
	CHECK_EQ(vcpu->run->msr.data, 0x99aabbccddeeff00);
	msr_exit(vcpu, KVM_EXIT_X86_WRMSR, KVM_MSR_EXIT_REASON_UNKNOWN, MSR_NONE);
	CHECK_EQ(vcpu->run->msr.data, 1);
	vcpu->run->msr.error = 1;
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_writes_badly(void)
{
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_IA32_CR_PAT, PAT_BAD), NO_EXCEPTION);
	GUEST_CHECK_EQ(rdmsr(MSR_IA32_CR_PAT), 0x0007040600070406);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_NONE, 1), GP_VECTOR);
	guest_done();
}

static void invalid_value(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_USER_SPACE_MSR);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_INVAL), 0);
	vcpu_entry(vcpu, guest_writes_badly);
	msr_exit(vcpu, KVM_EXIT_X86_WRMSR, KVM_MSR_EXIT_REASON_INVAL, MSR_IA32_CR_PAT);
	CHECK_EQ(vcpu->run->msr.data, PAT_BAD);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* An answer is taken before the vCPU is told to stay out. */
static void answered_without_entering(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_regs before, after;

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_USER_SPACE_MSR);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_USER_SPACE_MSR, KVM_MSR_EXIT_REASON_UNKNOWN), 0);
	vcpu_entry(vcpu, guest_asks);
	msr_exit(vcpu, KVM_EXIT_X86_RDMSR, KVM_MSR_EXIT_REASON_UNKNOWN, MSR_NONE);
	before = regs_get(vcpu);
	vcpu->run->msr.data = 0x1122334455667788;
	run_finish_io(vcpu);
	after = regs_get(vcpu);
	CHECK_EQ(after.rip, before.rip + 2);
	CHECK_EQ(after.rax, 0x55667788);
	CHECK_EQ(after.rdx, 0x11223344);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(mask_is_checked),
	TEST(unknown_msr),
	TEST(invalid_value),
	TEST(answered_without_entering),
};

KTAP_MAIN(tests)
