// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_SPLIT_IRQCHIP: LAPICs in the kernel, the rest in userspace: rules of
 * creation, MSI routes, the EOI exit of reserved level routes, KVM_INTERRUPT
 * as the PIC's way in.
 */
#include "irq.h"

#define VECTOR	0x50
#define PINS	24

static long split(struct vm *vm, u64 pins, u32 flags)
{
	struct kvm_enable_cap arg = {
		.cap = KVM_CAP_SPLIT_IRQCHIP, .flags = flags, .args = { pins },
	};

	return xioctl(vm->fd, KVM_ENABLE_CAP, &arg);
}

static struct vm *vm_split(void)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_SPLIT_IRQCHIP);
	CHECK_EQ(split(vm, PINS, 0), 0);
	return vm;
}

static void creation_rules(void)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_SPLIT_IRQCHIP);
	CHECK_ERR(split(vm, PINS, 1), EINVAL);
	CHECK_ERR(split(vm, 0x10000, 0), EINVAL);
	CHECK_EQ(split(vm, PINS, 0), 0);
	CHECK_ERR(split(vm, PINS, 0), EEXIST);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), EEXIST);
	vm_free(vm);

	vm = vm_create();
	vcpu_add_bare(vm, 0);
	CHECK_ERR(split(vm, PINS, 0), EEXIST);
	vm_free(vm);

	vm = vm_create_irqchip();
	CHECK_ERR(split(vm, PINS, 0), EEXIST);
	vm_free(vm);
}

static void no_chips(void)
{
	struct vm *vm = vm_split();
	struct kvm_irq_routing_entry e = route_chip(0, KVM_IRQCHIP_IOAPIC, 0);
	struct kvm_irqchip chip = { .chip_id = 0 };

	CHECK_ERR(routing_set(vm, &e, 1), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_GET_IRQCHIP, &chip), ENXIO);
	vm_free(vm);
}

static void guest_counts(void)
{
	guest_apic_enable();
	for (;;) {
		guest_sync(guest_irqs[VECTOR]);
		guest_sti();
		guest_cli();
	}
}

static struct vm *vm_counting(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm;

	irq_handle(VECTOR);
	vm = vm_split();
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static void edge_routes(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu, guest_counts);
	struct kvm_irq_routing_entry e = route_msi(4, MSI_ADDRESS(0), VECTOR);

	RUN_SYNC(vcpu, 0);
	CHECK_EQ(routing_set(vm, &e, 1), 0);
	irq_line(vm, 4, 1);
	irq_line(vm, 4, 0);
	RUN_SYNC(vcpu, 1);
	CHECK_GE(signal_msi(vm, MSI_ADDRESS(0), VECTOR), 1);
	RUN_SYNC(vcpu, 2);
	vm_free(vm);
}

/* MSI data with the level bits: the EOI of that vector is the VMM's affair. */
static void eoi_exit(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu, guest_counts);
	struct kvm_irq_routing_entry e = route_msi(4, MSI_ADDRESS(0), 0xc000 | VECTOR);

	CHECK_EQ(routing_set(vm, &e, 1), 0);
	RUN_SYNC(vcpu, 0);
	irq_line(vm, 4, 1);
	RUN_EXPECT(vcpu, KVM_EXIT_IOAPIC_EOI);
	CHECK_EQ(vcpu->run->eoi.vector, VECTOR);
	RUN_SYNC(vcpu, 1);
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

/* Beyond the reserved pins a level route is like an edge one. */
static void no_eoi_exit_above_the_pins(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu, guest_counts);
	struct kvm_irq_routing_entry e = route_msi(PINS, MSI_ADDRESS(0), 0xc000 | VECTOR);

	CHECK_EQ(routing_set(vm, &e, 1), 0);
	RUN_SYNC(vcpu, 0);
	irq_line(vm, PINS, 1);
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

static void guest_extint(void)
{
	guest_apic_enable();
	apic_write(APIC_LVT0, APIC_MODE_EXTINT);
	guest_sync(1);
	guest_sti();
	while (!guest_irqs[VECTOR])
		;
	guest_cli();
	guest_done();
}

static void external_interrupt(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu, guest_extint);
	struct kvm_interrupt irq = { .irq = VECTOR };

	RUN_SYNC(vcpu, 1);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	vcpu->run->request_interrupt_window = 1;
	RUN_EXPECT(vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
	vcpu->run->request_interrupt_window = 0;
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	CHECK_EQ(xioctl(vcpu->fd, KVM_INTERRUPT, &irq), 0);
	CHECK_ERR(xioctl(vcpu->fd, KVM_INTERRUPT, &irq), EEXIST);
	RUN_DONE(vcpu);
	CHECK_EQ(GVAR(vm, guest_irqs[VECTOR]), 1);
	vm_free(vm);
}

static void guest_unmasks_late(void)
{
	guest_apic_enable();
	apic_write(APIC_LVT0, APIC_LVT_MASKED | APIC_MODE_EXTINT);
	guest_sync(1);
	guest_sti();
	guest_sync(2);
	apic_write(APIC_LVT0, APIC_MODE_EXTINT);
	while (!guest_irqs[VECTOR])
		;
	guest_cli();
	guest_done();
}

/* While LINT0 lets nothing in there is no window, and the guest goes on: with interrupts on, to the unmasking. */
static void window_waits_for_lint0(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu, guest_unmasks_late);
	struct kvm_interrupt irq = { .irq = VECTOR };

	RUN_SYNC(vcpu, 1);
	vcpu->run->request_interrupt_window = 1;
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	RUN_EXPECT(vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
	vcpu->run->request_interrupt_window = 0;
	CHECK_EQ(xioctl(vcpu->fd, KVM_INTERRUPT, &irq), 0);
	RUN_DONE(vcpu);
	CHECK_EQ(GVAR(vm, guest_irqs[VECTOR]), 1);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(creation_rules),
	TEST(no_chips),
	TEST(edge_routes),
	TEST(eoi_exit),
	TEST(no_eoi_exit_above_the_pins),
	TEST(external_interrupt),
	TEST(window_waits_for_lint0),
};

KTAP_MAIN(tests)
