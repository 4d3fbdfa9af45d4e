// SPDX-License-Identifier: GPL-2.0-only
/*
 * GSI routing and MSI: KVM_SIGNAL_MSI, MSI routes by KVM_IRQ_LINE, a new table
 * taking effect at once, GSIs into both old chips.
 */
#include "irq.h"

#define VECTOR	0x50

static void guest_counts(void)
{
	guest_apic_enable();
	for (;;) {
		guest_sync4(guest_irqs[VECTOR], guest_irqs[VECTOR + 1],
			    guest_irqs[VECTOR + 2], 0);
		guest_sti();
		guest_cli();
	}
}

static struct vm *vm_counting(struct vcpu **vcpu)
{
	struct vm *vm;
	u32 i;

	for (i = 0; i < 3; i++)
		irq_handle(VECTOR + i);
	vm = vm_create_irqchip();
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, guest_counts);
	return vm;
}

static void expect(struct vcpu *vcpu, u64 a, u64 b, u64 c)
{
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(vcpu->cpu->uc.args[0], a);
	CHECK_EQ(vcpu->cpu->uc.args[1], b);
	CHECK_EQ(vcpu->cpu->uc.args[2], c);
}

static void msi(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);

	REQUIRE_CAP(vm->fd, KVM_CAP_SIGNAL_MSI);
	expect(vcpu, 0, 0, 0);
	CHECK_GE(signal_msi(vm, MSI_ADDRESS(0), VECTOR), 1);
	/* Still pending: accepted, and one with the first. */
	CHECK_GE(signal_msi(vm, MSI_ADDRESS(0), VECTOR), 1);
	CHECK_GE(signal_msi(vm, MSI_ADDRESS(0), VECTOR + 1), 1);
	expect(vcpu, 1, 1, 0);
	/* Broadcast, and nobody's id. */
	CHECK_GE(signal_msi(vm, MSI_ADDRESS(0xff), VECTOR + 2), 1);
	CHECK_LE(signal_msi(vm, MSI_ADDRESS(9), VECTOR), 0);
	expect(vcpu, 1, 1, 1);
	vm_free(vm);
}

static void msi_flags(void)
{
	struct kvm_msi msi = { .address_lo = MSI_ADDRESS(0), .data = VECTOR, .flags = 2 };
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);

	REQUIRE_CAP(vm->fd, KVM_CAP_SIGNAL_MSI);
	CHECK_ERR(xioctl(vm->fd, KVM_SIGNAL_MSI, &msi), EINVAL);
	vm_free(vm);
}

static void re_routing(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	struct kvm_irq_routing_entry e[2];

	expect(vcpu, 0, 0, 0);
	e[0] = route_msi(30, MSI_ADDRESS(0), VECTOR);
	e[1] = route_msi(31, MSI_ADDRESS(0), VECTOR + 1);
	CHECK_EQ(routing_set(vm, e, 2), 0);
	irq_line(vm, 30, 1);
	expect(vcpu, 1, 0, 0);
	irq_line(vm, 31, 1);
	expect(vcpu, 1, 1, 0);
	/* Level 0 of an MSI route is nothing. */
	irq_line(vm, 30, 0);
	irq_line(vm, 31, 0);
	expect(vcpu, 1, 1, 0);
	/* Replaced as a whole: 31 is gone, 30 is another. */
	e[0] = route_msi(30, MSI_ADDRESS(0), VECTOR + 2);
	CHECK_EQ(routing_set(vm, e, 1), 0);
	irq_line(vm, 31, 1);
	irq_line(vm, 30, 1);
	expect(vcpu, 1, 1, 1);
	CHECK_EQ(routing_set(vm, NULL, 0), 0);
	irq_line(vm, 30, 1);
	expect(vcpu, 1, 1, 1);
	/* A refused table leaves the old one in place. */
	CHECK_EQ(routing_set(vm, e, 1), 0);
	e[0].type = 99;
	CHECK_ERR(routing_set(vm, e, 1), EINVAL);
	irq_line(vm, 30, 1);
	expect(vcpu, 1, 1, 2);
	vm_free(vm);
}

static void guest_pin_2(void)
{
	guest_apic_enable();
	ioapic_redirect(2, VECTOR);
	guest_sync(1);
	guest_sti();
	guest_cli();
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 1);
	guest_done();
}

/* The PC's way: GSI 0 at pin 2. */
static void timer_at_pin_2(void)
{
	struct kvm_irq_routing_entry e[2] = {
		route_chip(0, KVM_IRQCHIP_PIC_MASTER, 0),
		route_chip(0, KVM_IRQCHIP_IOAPIC, 2),
	};
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);

	vcpu_entry(vcpu, guest_pin_2);
	CHECK_EQ(routing_set(vm, e, 2), 0);
	RUN_SYNC(vcpu, 1);
	irq_pulse(vm, 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(msi),
	TEST(msi_flags),
	TEST(re_routing),
	TEST(timer_at_pin_2),
};

KTAP_MAIN(tests)
