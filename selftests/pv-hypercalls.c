// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls that interrupt: KVM_HC_SEND_IPI to a set of CPUs, KVM_HC_KICK_CPU that ends a HLT with interrupts off,
 * KVM_HC_SCHED_YIELD. They follow the features of the guest's CPUID when it is held to them.
 */
#include "irq.h"

#define HC_KICK_CPU	5
#define HC_SEND_IPI	10
#define HC_SCHED_YIELD	11
#define VECTOR		0x61
#define KVM_ENOSYS	1000
#define PV_FEATURES	0x40000001

static u64 guest_call(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	u64 ret = nr;

	/* KVM corrects the other vendor's. */
	asm volatile(".byte 0x0f, 0x01, 0xd9" : "+a" (ret) : "b" (a0), "c" (a1), "d" (a2), "S" (a3) : "memory");
	return ret;
}

static struct vm *vm_with_vcpus(struct vcpu **vcpu, unsigned int nr)
{
	struct vm *vm = vm_create_irqchip();
	unsigned int i;

	for (i = 0; i < nr; i++)
		vcpu[i] = vcpu_add(vm, i);
	return vm;
}

static bool vector_waits(struct vcpu *vcpu)
{
	return lapic_get(vcpu, APIC_IRR + VECTOR / 32 * 16) & BIT(VECTOR % 32);
}

static void lapic_switch_on(struct vcpu *vcpu)
{
	struct kvm_lapic_state state;

	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_LAPIC, &state), 0);
	*(u32 *)(state.regs + APIC_SVR) = APIC_SVR_ENABLE | 0xff;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_LAPIC, &state), 0);
}

static void guest_sends(void)
{
	guest_sync(guest_call(HC_SEND_IPI, BIT(1) | BIT(3), BIT(0), 0, VECTOR));
	guest_sync(guest_call(HC_SEND_IPI, 1, 0, 2, VECTOR));
	GUEST_CHECK_EQ(guest_call(HC_SEND_IPI, 1, 0, 0, VECTOR | APIC_SHORT_ALL), (u64)-22);
	GUEST_CHECK_EQ(guest_call(HC_SEND_IPI, 1, 0, 0, VECTOR | APIC_DEST_LOGICAL), (u64)-22);
	GUEST_CHECK_EQ(guest_call(HC_SEND_IPI, ~0ull, ~0ull, 0xfffffff0, VECTOR), 0);
	guest_done();
}

static void ipi_to_a_set(void)
{
	struct vcpu *vcpu[4];
	struct vm *vm = vm_with_vcpus(vcpu, 4);
	unsigned int i;

	for (i = 0; i < 4; i++)
		lapic_switch_on(vcpu[i]);
	vcpu_entry(vcpu[0], guest_sends);
	RUN_SYNC(vcpu[0], 2);
	CHECK(!vector_waits(vcpu[0]));
	CHECK(vector_waits(vcpu[1]));
	CHECK(!vector_waits(vcpu[2]));
	CHECK(vector_waits(vcpu[3]));
	RUN_SYNC(vcpu[0], 1);
	CHECK(vector_waits(vcpu[2]));
	RUN_DONE(vcpu[0]);
	vm_free(vm);
}

static void guest_kicks(void)
{
	GUEST_CHECK_EQ(guest_call(HC_KICK_CPU, 0, 1, 0, 0), 0);
	GUEST_CHECK_EQ(guest_call(HC_KICK_CPU, 0, 77, 0, 0), 0);
	GUEST_CHECK_EQ(guest_call(HC_SCHED_YIELD, 1, 0, 0, 0), 0);
	guest_done();
}

static void guest_goes_on(void)
{
	guest_done();
}

static void kick_ends_a_halt(void)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_HALTED };
	struct vcpu *vcpu[2];
	struct vm *vm = vm_with_vcpus(vcpu, 2);

	lapic_switch_on(vcpu[1]);	/* KVM finds none that was never touched */
	vcpu_entry(vcpu[0], guest_kicks);
	vcpu_entry(vcpu[1], guest_goes_on);
	CHECK_EQ(xioctl(vcpu[1]->fd, KVM_SET_MP_STATE, &state), 0);
	RUN_DONE(vcpu[0]);
	CHECK_EQ(xioctl(vcpu[1]->fd, KVM_GET_MP_STATE, &state), 0);
	CHECK_EQ(state.mp_state, KVM_MP_STATE_RUNNABLE);
	RUN_DONE(vcpu[1]);
	vm_free(vm);
}

static void guest_is_refused(void)
{
	GUEST_CHECK_EQ(guest_call(HC_SEND_IPI, 1, 0, 0, VECTOR), (u64)-KVM_ENOSYS);
	GUEST_CHECK_EQ(guest_call(HC_KICK_CPU, 0, 1, 0, 0), (u64)-KVM_ENOSYS);
	GUEST_CHECK_EQ(guest_call(HC_SCHED_YIELD, 1, 0, 0, 0), (u64)-KVM_ENOSYS);
	guest_done();
}

static void held_to_cpuid(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_vcpus(&vcpu, 1);
	struct kvm_cpuid2 *table = supported_cpuid(vm->sys);

	REQUIRE_CAP(vm->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID);
	CHECK_NE(cpuid_entry(table, PV_FEATURES, 0)->eax & BIT(7), 0);
	CHECK_NE(cpuid_entry(table, PV_FEATURES, 0)->eax & BIT(11), 0);
	cpuid_entry(table, PV_FEATURES, 0)->eax = 0;
	cpuid_set(vcpu, table);
	CHECK_EQ(cap_enable(vcpu->fd, KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1), 0);
	vcpu_entry(vcpu, guest_is_refused);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(ipi_to_a_set),
	TEST(kick_ends_a_halt),
	TEST(held_to_cpuid),
};

KTAP_MAIN(tests)
