// SPDX-License-Identifier: GPL-2.0-only
/*
 * The LAPIC's registers as a guest sees them, by MMIO and as x2APIC MSRs:
 * writable bits, priorities, mode changes, and the faults of bad accesses.
 */
#include "irq.h"

static void guest_registers(void)
{
	GUEST_CHECK_EQ(apic_read(APIC_ID), 0);
	GUEST_CHECK_EQ(apic_read(APIC_LVR) & 0xff, 0x14);
	guest_apic_enable();
	GUEST_CHECK_EQ(apic_read(APIC_SVR), 0x1ff);
	apic_write(APIC_LDR, 0x12345678);
	GUEST_CHECK_EQ(apic_read(APIC_LDR), 0x12000000);
	apic_write(APIC_DFR, 0x0);
	GUEST_CHECK_EQ(apic_read(APIC_DFR), 0x0fffffff);
	apic_write(APIC_DFR, ~0u);
	apic_write(APIC_TPR, 0x40);
	GUEST_CHECK_EQ(apic_read(APIC_TPR), 0x40);
	GUEST_CHECK_EQ(GUEST_READ_CR(8), 4);
	GUEST_WRITE_CR(8, 9);
	GUEST_CHECK_EQ(apic_read(APIC_TPR), 0x90);
	GUEST_CHECK_EQ(apic_read(APIC_PPR) & 0xf0, 0x90);
	GUEST_WRITE_CR(8, 0);
	apic_write(APIC_LVT0, 0x10700);
	GUEST_CHECK_EQ(apic_read(APIC_LVT0), 0x10700);
	apic_write(APIC_TDCR, 0xb);
	GUEST_CHECK_EQ(apic_read(APIC_TDCR), 0xb);
	/* ID and version are not writable here. */
	apic_write(APIC_LVR, 0);
	GUEST_CHECK_EQ(apic_read(APIC_LVR) & 0xff, 0x14);
	/* Disabled in software: every LVT entry is masked. */
	apic_write(APIC_LVT0, 0x700);
	apic_write(APIC_SVR, 0xff);
	GUEST_CHECK_EQ(apic_read(APIC_LVT0), 0x10700);
	guest_done();
}

static void mmio_registers(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_registers);
	RUN_DONE(vcpu);
	vm_free(vm);
}

#define X2(reg)	(MSR_X2APIC + (reg) / 16)

static void guest_x2apic(void)
{
	u64 base = rdmsr(MSR_IA32_APICBASE), v;

	GUEST_CHECK_EQ(base, APIC_DEFAULT_BASE | APIC_BASE_ENABLE | APIC_BASE_BSP);
	/* Not in x2APIC mode yet: its MSRs are not there. */
	GUEST_CHECK_EQ(guest_rdmsr_safe(X2(APIC_ID), &v), GP_VECTOR);
	wrmsr(MSR_IA32_APICBASE, base | APIC_BASE_X2APIC);
	GUEST_CHECK_EQ(rdmsr(X2(APIC_ID)), 0);
	GUEST_CHECK_EQ(rdmsr(X2(APIC_LVR)) & 0xff, 0x14);
	wrmsr(X2(APIC_SVR), 0x1ff);
	GUEST_CHECK_EQ(rdmsr(X2(APIC_SVR)), 0x1ff);
	wrmsr(X2(APIC_TPR), 0x30);
	GUEST_CHECK_EQ(GUEST_READ_CR(8), 3);
	GUEST_CHECK_EQ(rdmsr(X2(APIC_LDR)), 1);
	/* Read-only, write-only, reserved, and reserved bits. */
	GUEST_CHECK_EQ(guest_wrmsr_safe(X2(APIC_ID), 0), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(X2(APIC_LDR), 0), GP_VECTOR);
	GUEST_CHECK_EQ(guest_rdmsr_safe(X2(APIC_EOI), &v), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(X2(APIC_EOI), 0), NO_EXCEPTION);
	GUEST_CHECK_EQ(guest_rdmsr_safe(X2(APIC_DFR), &v), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(X2(APIC_TPR), 0x100000000), GP_VECTOR);
	GUEST_CHECK_EQ(guest_rdmsr_safe(X2(APIC_ICR2), &v), GP_VECTOR);
	/* Back to xAPIC only through disabled (SDM 3, 11.12.5). */
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_IA32_APICBASE, base), GP_VECTOR);
	wrmsr(MSR_IA32_APICBASE, base & ~APIC_BASE_ENABLE);
	GUEST_CHECK_EQ(cpuid(1, 0).edx & BIT(9), 0);
	wrmsr(MSR_IA32_APICBASE, base);
	GUEST_CHECK_EQ(cpuid(1, 0).edx & BIT(9), BIT(9));
	GUEST_CHECK_EQ(apic_read(APIC_LVR) & 0xff, 0x14);
	guest_done();
}

static void x2apic_registers(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_x2apic);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/*
 * Interrupts of a class not above the priority wait (APM 2, 16.6.4). By MMIO:
 * QEMU 7.2 aborts when a guest writes CR8 while a virtual interrupt waits.
 */
static void guest_priorities(void)
{
	guest_apic_enable();
	apic_write(APIC_ICR, APIC_SHORT_SELF | 0x55);
	apic_write(APIC_ICR, APIC_SHORT_SELF | 0x85);
	GUEST_CHECK_EQ(apic_read(APIC_IRR + 0x20), BIT(0x15));
	GUEST_CHECK_EQ(apic_read(APIC_IRR + 0x40), BIT(0x05));
	apic_write(APIC_TPR, 0x50);
	guest_sti();
	GUEST_CHECK_EQ(guest_irqs[0x85], 1);
	GUEST_CHECK_EQ(guest_irqs[0x55], 0);
	guest_cli();
	apic_write(APIC_TPR, 0x40);
	GUEST_CHECK_EQ(guest_irqs[0x55], 0);
	guest_sti();
	GUEST_CHECK_EQ(guest_irqs[0x55], 1);
	guest_cli();
	GUEST_CHECK_EQ(apic_read(APIC_IRR + 0x20) | apic_read(APIC_IRR + 0x40), 0);
	GUEST_CHECK_EQ(apic_read(APIC_ISR + 0x20) | apic_read(APIC_ISR + 0x40), 0);
	guest_done();
}

static void priorities(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	irq_handle(0x55);
	irq_handle(0x85);
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_priorities);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* A higher class interrupts a handler that enabled interrupts; equal waits. */
static u64 order[4];
static volatile u64 nr_order;

static void guest_low(struct guest_frame *frame)
{
	apic_write(APIC_ICR, APIC_SHORT_SELF | 0x52);
	apic_write(APIC_ICR, APIC_SHORT_SELF | 0x91);
	guest_sti();
	guest_cli();
	order[nr_order++] = frame->vector;
	apic_write(APIC_EOI, 0);
}

static void guest_high(struct guest_frame *frame)
{
	order[nr_order++] = frame->vector;
	apic_write(APIC_EOI, 0);
}

static void guest_nesting(void)
{
	guest_apic_enable();
	guest_sti();
	apic_write(APIC_ICR, APIC_SHORT_SELF | 0x51);
	while (nr_order < 3)
		;
	GUEST_CHECK_EQ(order[0], 0x91);
	GUEST_CHECK_EQ(order[1], 0x51);
	GUEST_CHECK_EQ(order[2], 0x52);
	guest_done();
}

static void nesting(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[0x51] = guest_low;
	guest_handlers[0x52] = guest_high;
	guest_handlers[0x91] = guest_high;
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_nesting);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* A disabled LAPIC's page is a hole: all ones, and writes vanish (as on KVM). */
static void guest_disabled(void)
{
	u64 base = rdmsr(MSR_IA32_APICBASE);

	apic_write(APIC_TPR, 0x30);
	wrmsr(MSR_IA32_APICBASE, base & ~APIC_BASE_ENABLE);
	apic_write(APIC_TPR, 0x70);
	GUEST_CHECK_EQ(apic_read(APIC_TPR), 0xffffffff);
	GUEST_CHECK_EQ(apic_read(APIC_LVR), 0xffffffff);
	wrmsr(MSR_IA32_APICBASE, base);
	GUEST_CHECK(apic_read(APIC_TPR) != 0x70);
	guest_done();
}

static void disabled_page_is_a_hole(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_disabled);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(mmio_registers),
	TEST(x2apic_registers),
	TEST(priorities),
	TEST(nesting),
	TEST(disabled_page_is_a_hole),
};

KTAP_MAIN(tests)
