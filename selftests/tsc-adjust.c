// SPDX-License-Identifier: GPL-2.0-only
/*
 * IA32_TSC_ADJUST: the guest's writes to either MSR move both, user space's move one alone, and neither
 * loses what the guest had added. Values are compared in steps far above the time that passes meanwhile.
 */
#include "modes.h"

#define STEP		(1ull << 36)
#define ROUND(x)	(((x) + STEP / 2) & ~(STEP - 1))

static void guest_adjusts(void)
{
	guest_sync4(ROUND(rdmsr(MSR_IA32_TSC)), rdmsr(MSR_IA32_TSC_ADJUST), 0, 0);
	wrmsr(MSR_IA32_TSC, 2 * STEP);
	guest_sync4(ROUND(rdmsr(MSR_IA32_TSC)), ROUND(rdmsr(MSR_IA32_TSC_ADJUST)), 0, 0);
	wrmsr(MSR_IA32_TSC_ADJUST, rdmsr(MSR_IA32_TSC_ADJUST) + 3 * STEP);
	guest_sync4(ROUND(rdtsc()), ROUND(rdmsr(MSR_IA32_TSC_ADJUST)), 0, 0);
	guest_sync4(ROUND(rdtsc()), ROUND(rdmsr(MSR_IA32_TSC_ADJUST)), 0, 0);
	guest_sync4(ROUND(rdtsc()), ROUND(rdmsr(MSR_IA32_TSC_ADJUST)), 0, 0);
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
	guest_sync4(ROUND(rdtsc()), ROUND(rdmsr(MSR_IA32_TSC_ADJUST)), 0, 0);
	guest_done();
}

static void expect(struct vcpu *vcpu, u64 tsc, u64 adjust)
{
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(vcpu->cpu->uc.args[0], tsc * STEP);
	CHECK_EQ(vcpu->cpu->uc.args[1], adjust * STEP);
	CHECK_EQ(ROUND(msr_get(vcpu, MSR_IA32_TSC)), tsc * STEP);
	CHECK_EQ(ROUND(msr_get(vcpu, MSR_IA32_TSC_ADJUST)), adjust * STEP);
}

static void who_moves_what(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_adjusts);
	expect(vcpu, 0, 0);
	expect(vcpu, 2, 2);
	expect(vcpu, 5, 5);
	msr_set(vcpu, MSR_IA32_TSC, 20 * STEP);
	expect(vcpu, 20, 5);
	msr_set(vcpu, MSR_IA32_TSC_ADJUST, 7 * STEP);
	expect(vcpu, 20, 7);
	expect(vcpu, 13, 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* A second vCPU that is given about the first one's time joins it exactly. */
static void near_values_are_one(void)
{
	struct vm *vm = vm_create();
	struct vcpu *a = vcpu_add(vm, 0), *b = vcpu_add(vm, 1);
	u64 first, second, third;

	msr_set(a, MSR_IA32_TSC, STEP);
	msr_set(b, MSR_IA32_TSC, STEP);
	first = msr_get(a, MSR_IA32_TSC);
	second = msr_get(b, MSR_IA32_TSC);
	third = msr_get(a, MSR_IA32_TSC);
	CHECK_LE(first, second);
	CHECK_LE(second, third);
	msr_set(b, MSR_IA32_TSC, 5 * STEP);
	CHECK_EQ(ROUND(msr_get(a, MSR_IA32_TSC)), STEP);
	CHECK_EQ(ROUND(msr_get(b, MSR_IA32_TSC)), 5 * STEP);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(who_moves_what),
	TEST(near_values_are_one),
};

KTAP_MAIN(tests)
