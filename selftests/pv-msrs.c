// SPDX-License-Identifier: GPL-2.0-only
/*
 * The paravirtual MSRs beside clock and steal time: which values PV EOI, asynchronous page faults and poll control
 * take. A guest that enables asynchronous page faults is told once to wake all that wait for a page.
 */
#include "irq.h"

#define MSR_KVM_ASYNC_PF_EN	0x4b564d02
#define MSR_KVM_PV_EOI_EN	0x4b564d04
#define MSR_KVM_POLL_CONTROL	0x4b564d05
#define MSR_KVM_ASYNC_PF_INT	0x4b564d06
#define MSR_KVM_ASYNC_PF_ACK	0x4b564d07
#define APF_ENABLED		1
#define APF_BY_INTERRUPT	8
#define APF_VECTOR		0x51

static void values(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_ASYNC_PF_INT);
	CHECK_EQ(msr_get(vcpu, MSR_KVM_POLL_CONTROL), 1);
	msr_set(vcpu, MSR_KVM_POLL_CONTROL, 0);
	CHECK_EQ(msr_get(vcpu, MSR_KVM_POLL_CONTROL), 0);
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_POLL_CONTROL, 2), 0);

	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_PV_EOI_EN, 0x1002), 0);
	msr_set(vcpu, MSR_KVM_PV_EOI_EN, 0x1004 | 1);
	CHECK_EQ(msr_get(vcpu, MSR_KVM_PV_EOI_EN), 0x1005);
	/* Where there is memory. */
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_PV_EOI_EN, BIT(40) | 1), 0);
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_ASYNC_PF_EN, BIT(40) | APF_BY_INTERRUPT | APF_ENABLED), 0);
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_ASYNC_PF_EN, BIT(40) | APF_BY_INTERRUPT), 1);

	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_ASYNC_PF_EN, 0x1010), 0);
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_ASYNC_PF_EN, 0x1020), 0);
	msr_set(vcpu, MSR_KVM_ASYNC_PF_EN, 0x1040 | APF_BY_INTERRUPT);
	CHECK_EQ(msr_get(vcpu, MSR_KVM_ASYNC_PF_EN), 0x1040 | APF_BY_INTERRUPT);
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_ASYNC_PF_INT, 0x100), 0);
	msr_set(vcpu, MSR_KVM_ASYNC_PF_INT, 0xec);
	CHECK_EQ(msr_get(vcpu, MSR_KVM_ASYNC_PF_INT), 0xec);
	msr_set(vcpu, MSR_KVM_ASYNC_PF_ACK, 1);
	CHECK_EQ(msr_get(vcpu, MSR_KVM_ASYNC_PF_ACK), 0);
	vm_free(vm);
}

static void without_lapic(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_ASYNC_PF_INT);
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_ASYNC_PF_EN, 0x1040 | APF_BY_INTERRUPT | APF_ENABLED), 0);
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_ASYNC_PF_EN, 0), 1);
	CHECK_EQ(msr_set_try(vcpu, MSR_KVM_ASYNC_PF_INT, 0xec), 0);
	vm_free(vm);
}

static struct {
	u32 flags, token;
	u8 pad[56];
} guest_apf __attribute__((aligned(64)));

static void guest_enables(void)
{
	guest_apic_enable();
	wrmsr(MSR_KVM_ASYNC_PF_INT, APF_VECTOR);
	wrmsr(MSR_KVM_ASYNC_PF_EN, (u64)(uintptr_t)&guest_apf | APF_BY_INTERRUPT | APF_ENABLED);
	guest_sti();
	while (!READ_ONCE(guest_irqs[APF_VECTOR]))
		cpu_relax();
	guest_cli();
	GUEST_CHECK_EQ(READ_ONCE(guest_apf.token), 0xffffffff);
	WRITE_ONCE(guest_apf.token, 0);
	wrmsr(MSR_KVM_ASYNC_PF_ACK, 1);
	guest_sti();
	guest_sync(1);
	GUEST_CHECK_EQ(guest_irqs[APF_VECTOR], 1);
	GUEST_CHECK_EQ(READ_ONCE(guest_apf.token), 0);
	guest_done();
}

static void waiters_are_woken(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	irq_handle(APF_VECTOR);
	vm = vm_create_irqchip();
	REQUIRE_CAP(vm->fd, KVM_CAP_ASYNC_PF_INT);
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_enables);
	RUN_SYNC(vcpu, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(values),
	TEST(without_lapic),
	TEST(waiters_are_woken),
};

KTAP_MAIN(tests)
