// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_ENFORCE_PV_FEATURE_CPUID: a guest gets the paravirtual MSRs whether its CPUID names their features or not,
 * until user space holds it to its CPUID. Only on a vCPU, and nothing else can be enabled there.
 */
#include "modes.h"

#define PV_FEATURES	0x40000001

static const struct {
	u32 msr, feature;
} pv_msrs[] = {
	{ MSR_KVM_WALL_CLOCK_OLD, BIT(0) },
	{ MSR_KVM_SYSTEM_TIME_OLD, BIT(0) },
	{ MSR_KVM_WALL_CLOCK, BIT(3) },
	{ MSR_KVM_SYSTEM_TIME, BIT(3) },
};

static u64 guest_expected;

static void guest_reads(void)
{
	u64 val;
	u32 i;

	for (;;) {
		for (i = 0; i < ARRAY_SIZE(pv_msrs); i++) {
			GUEST_CHECK_EQ(guest_rdmsr_safe(pv_msrs[i].msr, &val), READ_ONCE(guest_expected));
			GUEST_CHECK_EQ(guest_wrmsr_safe(pv_msrs[i].msr, 0), READ_ONCE(guest_expected));
		}
		guest_sync(1);
	}
}

static void held_to_cpuid(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *table = supported_cpuid(vm->sys);

	REQUIRE_CAP(vm->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID);
	cpuid_entry(table, PV_FEATURES, 0)->eax = 0;
	cpuid_set(vcpu, table);
	vcpu_entry(vcpu, guest_reads);
	GVAR(vm, guest_expected) = NO_EXCEPTION;
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(cap_enable(vcpu->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1), 0);
	GVAR(vm, guest_expected) = GP_VECTOR;
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(cap_enable(vcpu->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 0), 0);
	GVAR(vm, guest_expected) = NO_EXCEPTION;
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

static void granted_by_cpuid(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *table = supported_cpuid(vm->sys);

	REQUIRE_CAP(vm->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID);
	cpuid_entry(table, PV_FEATURES, 0)->eax = BIT(0) | BIT(3);
	cpuid_set(vcpu, table);
	CHECK_EQ(cap_enable(vcpu->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1), 0);
	vcpu_entry(vcpu, guest_reads);
	GVAR(vm, guest_expected) = NO_EXCEPTION;
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

static void refusals(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_enable_cap args = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .flags = 1 };

	REQUIRE_CAP(vm->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID);
	CHECK_NE(cap(vm->fd, KVM_CAP_ENABLE_CAP), 0);
	CHECK_ERR(xioctl(vcpu->fd, KVM_ENABLE_CAP, &args), EINVAL);
	CHECK_ERR(cap_enable(vcpu->fd, KVM_CAP_USER_MEMORY, 1), EINVAL);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1), EINVAL);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(held_to_cpuid),
	TEST(granted_by_cpuid),
	TEST(refusals),
};

KTAP_MAIN(tests)
