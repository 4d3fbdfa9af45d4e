// SPDX-License-Identifier: GPL-2.0-only
/*
 * State that the CPU refuses to enter: the exit says so, with the hardware's reason and the CPU that refused
 * (KVM_CAP_LAST_CPU), as often as it is tried; with another state the guest runs.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "modes.h"
#include "thread.h"

#define SVM_INVALID	(~0u)	/* VMEXIT_INVALID, of 64 bits, of which some tell the lower half: APM 2, appendix C */

static struct vcpu *vcpu_to_refuse(struct vm **vm)
{
	struct vcpu *vcpu;

	if (cpuid(0, 0).ebx != 0x68747541)
		ktap_skip("user space cannot set a state that VT-x refuses");
	*vm = vm_create();
	REQUIRE_CAP((*vm)->fd, KVM_CAP_LAST_CPU);
	vcpu = vcpu_add(*vm, 0);
	*(u8 *)vm_hva(*vm, REAL_CODE) = 0xf4;
	return vcpu;
}

/* Code of 64 and of 32 bits at once: APM 2, 15.5.1. What the registers hold after a refusal is not defined. */
static void expect_refusal(struct vcpu *vcpu)
{
	struct kvm_sregs s;

	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	s = sregs_get(vcpu);
	s.cs.db = 1;
	sregs_set(vcpu, &s);
	vcpu->run->fail_entry.cpu = ~0u;
	RUN_EXPECT(vcpu, KVM_EXIT_FAIL_ENTRY);
	CHECK_EQ((u32)vcpu->run->fail_entry.hardware_entry_failure_reason, SVM_INVALID);
	CHECK_EQ(vcpu->run->fail_entry.cpu, sched_getcpu());
}

static void told_and_cured(void)
{
	struct vm *vm;
	struct vcpu *vcpu = vcpu_to_refuse(&vm);

	pin_cpu(0);
	expect_refusal(vcpu);
	expect_refusal(vcpu);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	vm_free(vm);
}

static void on_another_cpu(void)
{
	struct vm *vm;
	struct vcpu *vcpu = vcpu_to_refuse(&vm);

	require_cpus(2);
	pin_cpu(0);
	expect_refusal(vcpu);
	pin_cpu(1);
	expect_refusal(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(told_and_cured),
	TEST(on_another_cpu),
};

KTAP_MAIN(tests)
