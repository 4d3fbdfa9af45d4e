// SPDX-License-Identifier: GPL-2.0-only
/*
 * The in-kernel interrupt controllers over the ioctls, and the guest's counting
 * handler. Locking: the guest's counters are touched by one vCPU at a time, or
 * the test reads them when all have stopped.
 */
#include <stdlib.h>

#include "irq.h"

volatile u64 guest_irqs[256];

void irq_count_handler(struct guest_frame *frame)
{
	asm volatile("lock incq %0" : "+m" (guest_irqs[frame->vector & 255]));
	apic_write(APIC_EOI, 0);
}

void irq_handle(unsigned int vector)
{
	guest_handlers[vector] = irq_count_handler;
}

struct vm *vm_create_irqchip(void)
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	return vm;
}

void irq_line(struct vm *vm, u32 gsi, u32 level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	CHECK_EQ(xioctl(vm->fd, KVM_IRQ_LINE, &irq), 0);
}

int irq_line_status(struct vm *vm, u32 gsi, u32 level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = level };

	CHECK_EQ(xioctl(vm->fd, KVM_IRQ_LINE_STATUS, &irq), 0);
	return irq.status;
}

void irq_pulse(struct vm *vm, u32 gsi)
{
	irq_line(vm, gsi, 1);
	irq_line(vm, gsi, 0);
}

long signal_msi(struct vm *vm, u32 address, u32 data)
{
	struct kvm_msi msi = { .address_lo = address, .data = data };

	return xioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
}

long routing_set(struct vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr)
{
	struct kvm_irq_routing *table;
	long r;

	table = calloc(1, sizeof(*table) + nr * sizeof(*entries));
	CHECK(table);
	table->nr = nr;
	if (nr)
		memcpy(table->entries, entries, nr * sizeof(*entries));
	r = xioctl(vm->fd, KVM_SET_GSI_ROUTING, table);
	free(table);
	return r;
}

u32 lapic_get(struct vcpu *vcpu, u32 reg)
{
	struct kvm_lapic_state state;
	u32 val;

	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_LAPIC, &state), 0);
	memcpy(&val, state.regs + reg, sizeof(val));
	return val;
}
