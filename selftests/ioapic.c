// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOAPIC: registers, edge and level pins, masks, remote IRR and EOI,
 * destinations, and what KVM_IRQ_LINE_STATUS reports.
 */
#include "irq.h"

#define VECTOR	0x50
#define PIN	5

static void guest_registers(void)
{
	GUEST_CHECK_EQ(ioapic_read(0), 0);
	GUEST_CHECK_EQ(ioapic_read(1) & 0xff, 0x11);
	GUEST_CHECK_EQ(ioapic_read(1) >> 16 & 0xff, 23);
	ioapic_write(0, 0x0f000000);
	GUEST_CHECK_EQ(ioapic_read(0), 0x0f000000);
	ioapic_redirect(3, 0x0700000000008000 | IOAPIC_MASKED | 0x77);
	GUEST_CHECK_EQ(ioapic_entry(3), 0x0700000000008000 | IOAPIC_MASKED | 0x77);
	/* Delivery status and remote IRR are read only. */
	ioapic_write(0x10 + 2 * 4, IOAPIC_MASKED | IOAPIC_REMOTE_IRR | BIT(12) | 0x44);
	GUEST_CHECK_EQ(ioapic_entry(4), IOAPIC_MASKED | 0x44);
	/* The select register itself is readable. */
	*(volatile u32 *)IOAPIC_BASE = 0x15;
	GUEST_CHECK_EQ(*(volatile u32 *)IOAPIC_BASE, 0x15);
	guest_done();
}

static void registers(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_registers);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static struct vm *vm_with_handler(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm;

	irq_handle(VECTOR);
	vm = vm_create_irqchip();
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static void guest_window(void)
{
	guest_sti();
	guest_cli();
}

static void guest_edge(void)
{
	guest_apic_enable();
	ioapic_redirect(PIN, VECTOR);
	guest_sync(1);
	guest_window();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 1);
	guest_sync(2);
	/* The level alone, without a new edge, is nothing. */
	guest_window();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 1);
	guest_sync(3);
	guest_window();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 2);
	guest_done();
}

static void edge(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_handler(&vcpu, guest_edge);

	RUN_SYNC(vcpu, 1);
	irq_line(vm, PIN, 1);
	RUN_SYNC(vcpu, 2);
	irq_line(vm, PIN, 1);
	RUN_SYNC(vcpu, 3);
	irq_line(vm, PIN, 0);
	irq_line(vm, PIN, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* A level pin fires again after EOI as long as the line is up. */
static void guest_on_level(struct guest_frame *frame)
{
	guest_irqs[VECTOR]++;
	GUEST_CHECK_EQ(ioapic_entry(PIN) & IOAPIC_REMOTE_IRR, IOAPIC_REMOTE_IRR);
	GUEST_CHECK_EQ(apic_read(APIC_TMR + 0x20) & BIT(VECTOR % 32), BIT(VECTOR % 32));
	if (guest_irqs[VECTOR] == 3)
		guest_sync(2);
	apic_write(APIC_EOI, 0);
}

static void guest_level(void)
{
	u32 i;

	guest_apic_enable();
	ioapic_redirect(PIN, IOAPIC_LEVEL | VECTOR);
	guest_sync(1);
	for (i = 0; i < 1000 && guest_irqs[VECTOR] < 3; i++)
		guest_window();
	guest_window();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 3);
	GUEST_CHECK_EQ(ioapic_entry(PIN) & IOAPIC_REMOTE_IRR, 0);
	guest_done();
}

static void level(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[VECTOR] = guest_on_level;
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_level);
	RUN_SYNC(vcpu, 1);
	irq_line(vm, PIN, 1);
	RUN_SYNC(vcpu, 2);
	irq_line(vm, PIN, 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_on_masked_level(struct guest_frame *frame)
{
	guest_irqs[VECTOR]++;
	/* The line stays up: without the mask it would never end. */
	ioapic_redirect(PIN, IOAPIC_MASKED | IOAPIC_LEVEL | VECTOR);
	apic_write(APIC_EOI, 0);
}

static void guest_masked(void)
{
	guest_apic_enable();
	ioapic_redirect(PIN, IOAPIC_MASKED | IOAPIC_LEVEL | VECTOR);
	ioapic_redirect(PIN + 1, IOAPIC_MASKED | (VECTOR + 1));
	guest_sync(1);
	guest_window();
	GUEST_CHECK_EQ(guest_irqs[VECTOR] + guest_irqs[VECTOR + 1], 0);
	/* Unmasking shows the level that is still up. */
	ioapic_redirect(PIN, IOAPIC_LEVEL | VECTOR);
	guest_window();
	guest_window();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 1);
	guest_done();
}

static void masks(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	irq_handle(VECTOR + 1);
	guest_handlers[VECTOR] = guest_on_masked_level;
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_masked);
	RUN_SYNC(vcpu, 1);
	irq_line(vm, PIN, 1);
	irq_pulse(vm, PIN + 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_status(void)
{
	guest_apic_enable();
	ioapic_redirect(PIN, VECTOR);
	ioapic_redirect(PIN + 1, IOAPIC_MASKED | (VECTOR + 1));
	guest_sync(1);
	guest_done();
}

static void line_status(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_handler(&vcpu, guest_status);
	struct kvm_irq_routing_entry e[] = {
		route_chip(PIN, KVM_IRQCHIP_IOAPIC, PIN),
		route_chip(PIN + 1, KVM_IRQCHIP_IOAPIC, PIN + 1),
	};

	/* Without the PIC's second opinion. */
	CHECK_EQ(routing_set(vm, e, 2), 0);
	RUN_SYNC(vcpu, 1);
	CHECK_GE(irq_line_status(vm, PIN, 1), 1);
	/* Up already: coalesced. */
	CHECK_EQ(irq_line_status(vm, PIN, 1), 0);
	irq_line_status(vm, PIN, 0);
	/* Masked: an edge pin loses it, and says so. */
	CHECK_LE(irq_line_status(vm, PIN + 1, 1), 0);
	vm_free(vm);
}

/* The default routes: GSI n is pin n of both, 16 to 23 the IOAPIC alone. */
static void guest_all_pins(void)
{
	u32 pin;

	guest_apic_enable();
	for (pin = 0; pin < 24; pin++)
		ioapic_redirect(pin, 0x80 + pin);
	guest_sync(1);
	guest_window();
	guest_window();
	for (pin = 0; pin < 24; pin++)
		if (guest_irqs[0x80 + pin] != 1)
			guest_ucall(UCALL_FAIL, __LINE__, (u64)(uintptr_t)"pin fired once",
				    pin, guest_irqs[0x80 + pin]);
	guest_done();
}

static void default_routes(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	u32 gsi;

	for (gsi = 0; gsi < 24; gsi++)
		irq_handle(0x80 + gsi);
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_all_pins);
	RUN_SYNC(vcpu, 1);
	for (gsi = 0; gsi < 24; gsi++)
		irq_pulse(vm, gsi);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(registers),
	TEST(edge),
	TEST(level),
	TEST(masks),
	TEST(line_status),
	TEST(default_routes),
};

KTAP_MAIN(tests)
