// SPDX-License-Identifier: GPL-2.0-only
/*
 * The LAPIC timer: one-shot, periodic and TSC-deadline, spinning and halted;
 * never early; the count runs down; stopping stops.
 */
#include <stdlib.h>

#include "irq.h"

#define VECTOR	0x70

static struct vm *vm_with_timer(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm;

	irq_handle(VECTOR);
	vm = vm_create_irqchip();
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static void guest_one_shot(void)
{
	u32 last, now;
	u64 i;

	guest_apic_enable();
	apic_write(APIC_TDCR, 0xb);	/* divide by 1: 1 GHz on KVM */
	apic_write(APIC_LVTT, VECTOR);
	apic_write(APIC_TMICT, 5000000);
	last = apic_read(APIC_TMCCT);
	GUEST_CHECK(last <= 5000000);
	for (i = 0; i < 10; i++) {
		now = apic_read(APIC_TMCCT);
		GUEST_CHECK(now <= last);
		last = now;
	}
	guest_sti();
	while (!guest_irqs[VECTOR])
		;
	guest_cli();
	GUEST_CHECK_EQ(apic_read(APIC_TMCCT), 0);
	/* Once. */
	guest_sti();
	for (i = 0; i < 100000; i++)
		barrier();
	guest_cli();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 1);
	guest_done();
}

static void one_shot(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_timer(&vcpu, guest_one_shot);

	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_periodic(void)
{
	u64 i;

	guest_apic_enable();
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, APIC_LVT_PERIODIC | VECTOR);
	apic_write(APIC_TMICT, 2000000);
	for (i = 1; i <= 10; i++)
		while (guest_irqs[VECTOR] < i)
			guest_hlt();
	/* Stopped by a zero count. */
	apic_write(APIC_TMICT, 0);
	guest_sti();
	guest_cli();
	i = guest_irqs[VECTOR];
	guest_sync(1);
	guest_sti();
	guest_cli();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], i);
	guest_done();
}

static void periodic(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_timer(&vcpu, guest_periodic);

	RUN_SYNC(vcpu, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_masked(void)
{
	guest_apic_enable();
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, APIC_LVT_MASKED | VECTOR);
	apic_write(APIC_TMICT, 100000);
	guest_sti();
	while (apic_read(APIC_TMCCT))
		;
	guest_cli();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 0);
	GUEST_CHECK_EQ(apic_read(APIC_IRR + 0x10 * (VECTOR / 32)), 0);
	guest_done();
}

static void masked(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_timer(&vcpu, guest_masked);

	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_deadline(void)
{
	u64 deadline, i;

	guest_apic_enable();
	/* Without the mode the MSR reads as zero. */
	GUEST_CHECK_EQ(rdmsr(MSR_IA32_TSC_DEADLINE), 0);
	apic_write(APIC_LVTT, APIC_LVT_DEADLINE | VECTOR);
	for (i = 1; i <= 5; i++) {
		deadline = rdtsc() + 5000000;
		wrmsr(MSR_IA32_TSC_DEADLINE, deadline);
		while (guest_irqs[VECTOR] < i)
			guest_hlt();
		GUEST_CHECK(rdtsc() >= deadline);
		GUEST_CHECK_EQ(rdmsr(MSR_IA32_TSC_DEADLINE), 0);
	}
	/* In the past: at once. */
	wrmsr(MSR_IA32_TSC_DEADLINE, 1);
	while (guest_irqs[VECTOR] < 6)
		guest_hlt();
	/* Disarmed. */
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + 1000000);
	wrmsr(MSR_IA32_TSC_DEADLINE, 0);
	deadline = rdtsc() + 3000000;
	guest_sti();
	while (rdtsc() < deadline)
		;
	guest_cli();
	GUEST_CHECK(guest_irqs[VECTOR] <= 7);
	GUEST_CHECK_EQ(rdmsr(MSR_IA32_TSC_DEADLINE), 0);
	guest_done();
}

static void tsc_deadline(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	struct kvm_cpuid2 *t;

	vm = vm_with_timer(&vcpu, guest_deadline);
	REQUIRE_CAP(vm->fd, KVM_CAP_TSC_DEADLINE_TIMER);
	t = supported_cpuid(vm->sys);
	cpuid_entry(t, 1, 0)->ecx |= BIT(24);
	cpuid_set(vcpu, t);
	free(t);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(one_shot),
	TEST(periodic),
	TEST(masked),
	TEST(tsc_deadline),
};

KTAP_MAIN(tests)
