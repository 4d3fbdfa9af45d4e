// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine checks in a guest: what can be set up, the MSRs that follow from it, and errors raised by user space: logged
 * when corrected, #MC when not, a shutdown when the guest cannot take it, nothing when it does not want to.
 */
#include "modes.h"

#define MCG_CTL_P	BIT(8)
#define MCG_SER_P	BIT(24)
#define MCG_MCIP	BIT(2)
#define MCG_RIPV	BIT(0)
#define MCI_VAL		BIT(63)
#define MCI_OVER	BIT(62)
#define MCI_UC		BIT(61)
#define MCI_EN		BIT(60)
#define MCI_PCC		BIT(57)
#define MC_BANK(n, reg)	(MSR_IA32_MC0_CTL + 4 * (n) + (reg))

enum { CTL, STATUS, ADDR, MISC };

static u64 mce_supported(struct vm *vm)
{
	u64 mcg_cap = 0;

	CHECK_EQ(xioctl(vm->sys, KVM_X86_GET_MCE_CAP_SUPPORTED, &mcg_cap), 0);
	return mcg_cap;
}

static long mce_setup(struct vcpu *vcpu, u64 mcg_cap)
{
	return xioctl(vcpu->fd, KVM_X86_SETUP_MCE, &mcg_cap);
}

static struct vm *vm_with_banks(struct vcpu **vcpu, unsigned int nr)
{
	struct vm *vm = vm_create();

	CHECK_EQ(REQUIRE_CAP(vm->fd, KVM_CAP_MCE), 32);
	*vcpu = vcpu_add(vm, 0);
	if (nr)
		CHECK_EQ(mce_setup(*vcpu, MCG_CTL_P | MCG_SER_P | nr), 0);
	return vm;
}

static void refusals(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_banks(&vcpu, 0);
	struct kvm_x86_mce mce = { .bank = 10, .status = MCI_VAL };

	CHECK_EQ(mce_supported(vm) & (MCG_CTL_P | MCG_SER_P), MCG_CTL_P | MCG_SER_P);
	CHECK_ERR(mce_setup(vcpu, MCG_CTL_P), EINVAL);
	CHECK_ERR(mce_setup(vcpu, MCG_CTL_P | 33), EINVAL);
	CHECK_ERR(mce_setup(vcpu, BIT(40) | 10), EINVAL);
	CHECK_ERR(xioctl(vcpu->fd, KVM_X86_SETUP_MCE, (void *)8), EFAULT);
	CHECK_EQ(mce_setup(vcpu, MCG_CTL_P | 10), 0);
	CHECK_ERR(xioctl(vcpu->fd, KVM_X86_SET_MCE, &mce), EINVAL);
	mce.bank = 9;
	mce.status = MCI_UC;
	CHECK_ERR(xioctl(vcpu->fd, KVM_X86_SET_MCE, &mce), EINVAL);
	vm_free(vm);
}

static void registers(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_banks(&vcpu, 0);

	/* Before: banks, but no master switch. */
	CHECK_EQ(msr_get(vcpu, MSR_IA32_MCG_CAP), 32);
	CHECK_EQ(msr_set_try(vcpu, MSR_IA32_MCG_CTL, ~0ull), 0);
	CHECK_EQ(mce_setup(vcpu, MCG_CTL_P | MCG_SER_P | 10), 0);
	CHECK_EQ(msr_get(vcpu, MSR_IA32_MCG_CAP) & ~MCG_SER_P, MCG_CTL_P | 10);	/* AMD's have no SER_P */
	CHECK_EQ(msr_get(vcpu, MSR_IA32_MCG_CTL), ~0ull);
	CHECK_EQ(msr_get(vcpu, MC_BANK(9, CTL)), ~0ull);
	msr_set(vcpu, MSR_IA32_MCG_CTL, 0);
	msr_set(vcpu, MC_BANK(9, MISC), 0x1234);
	CHECK_EQ(msr_get(vcpu, MC_BANK(9, MISC)), 0x1234);
	CHECK_EQ(msr_set_try(vcpu, MC_BANK(10, CTL), 0), 0);
	CHECK_EQ(msr_set_try(vcpu, MC_BANK(2, CTL), 6), 0);
	vm_free(vm);
}

static void corrected_error_is_logged(void)
{
	struct kvm_x86_mce mce = { .bank = 3, .status = MCI_VAL | MCI_EN | 0x77, .addr = 0x1000, .misc = 0x2000 };
	struct vcpu *vcpu;
	struct vm *vm = vm_with_banks(&vcpu, 10);

	CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SET_MCE, &mce), 0);
	CHECK_EQ(msr_get(vcpu, MC_BANK(3, STATUS)), mce.status);
	CHECK_EQ(msr_get(vcpu, MC_BANK(3, ADDR)), 0x1000);
	CHECK_EQ(msr_get(vcpu, MC_BANK(3, MISC)), 0x2000);
	mce.addr = 0x3000;
	CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SET_MCE, &mce), 0);
	CHECK_EQ(msr_get(vcpu, MC_BANK(3, STATUS)), mce.status | MCI_OVER);
	CHECK_EQ(msr_get(vcpu, MC_BANK(3, ADDR)), 0x3000);
	/* It does not displace a worse one. */
	msr_set(vcpu, MC_BANK(3, STATUS), MCI_VAL | MCI_UC);
	mce.addr = 0x4000;
	CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SET_MCE, &mce), 0);
	CHECK_EQ(msr_get(vcpu, MC_BANK(3, STATUS)), MCI_VAL | MCI_UC | MCI_OVER);
	CHECK_EQ(msr_get(vcpu, MC_BANK(3, ADDR)), 0x3000);
	vm_free(vm);
}

static u64 guest_status, guest_addr, guest_mcg;

static void guest_on_mc(struct guest_frame *frame)
{
	guest_status = rdmsr(MC_BANK(1, STATUS));
	guest_addr = rdmsr(MC_BANK(1, ADDR));
	guest_mcg = rdmsr(MSR_IA32_MCG_STATUS);
	guest_sync(frame->vector);
}

static void guest_waits(void)
{
	for (;;)
		guest_sync(0);
}

static const struct kvm_x86_mce fatal = {
	.bank = 1, .status = MCI_VAL | MCI_UC | MCI_EN | MCI_PCC, .addr = 0x5000, .mcg_status = MCG_MCIP | MCG_RIPV,
};

static struct vm *vm_machine_check(struct vcpu **vcpu, bool enabled)
{
	struct kvm_sregs sregs;
	struct vm *vm;

	guest_handlers[MC_VECTOR] = guest_on_mc;
	vm = vm_with_banks(vcpu, 10);
	vcpu_entry(*vcpu, guest_waits);
	if (enabled) {
		sregs = sregs_get(*vcpu);
		sregs.cr4 |= X86_CR4_MCE;
		sregs_set(*vcpu, &sregs);
	}
	return vm;
}

static void uncorrected_error_is_raised(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_machine_check(&vcpu, true);

	RUN_SYNC(vcpu, 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SET_MCE, &fatal), 0);
	RUN_SYNC(vcpu, MC_VECTOR);
	CHECK_EQ(GVAR(vm, guest_status), fatal.status);
	CHECK_EQ(GVAR(vm, guest_addr), 0x5000);
	CHECK_EQ(GVAR(vm, guest_mcg), MCG_MCIP | MCG_RIPV);
	/* A second one while the first is handled. */
	CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SET_MCE, &fatal), 0);
	RUN_EXPECT(vcpu, KVM_EXIT_SHUTDOWN);
	vm_free(vm);
}

static void nobody_to_take_it(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_machine_check(&vcpu, false);

	RUN_SYNC(vcpu, 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SET_MCE, &fatal), 0);
	RUN_EXPECT(vcpu, KVM_EXIT_SHUTDOWN);
	vm_free(vm);
}

static void switched_off_by_the_guest(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_machine_check(&vcpu, true);

	msr_set(vcpu, MSR_IA32_MCG_CTL, 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SET_MCE, &fatal), 0);
	RUN_SYNC(vcpu, 0);
	msr_set(vcpu, MSR_IA32_MCG_CTL, ~0ull);
	msr_set(vcpu, MC_BANK(1, CTL), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SET_MCE, &fatal), 0);
	RUN_SYNC(vcpu, 0);
	CHECK_EQ(msr_get(vcpu, MC_BANK(1, STATUS)), 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(refusals),
	TEST(registers),
	TEST(corrected_error_is_logged),
	TEST(uncorrected_error_is_raised),
	TEST(nobody_to_take_it),
	TEST(switched_off_by_the_guest),
};

KTAP_MAIN(tests)
