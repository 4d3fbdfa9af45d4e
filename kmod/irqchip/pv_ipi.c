// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts that a guest asks for by hypercall: one IPI to a set of CPUs (KVM_HC_SEND_IPI), the wake-up of a halted
 * one (KVM_HC_KICK_CPU). Any context.
 */
#include "lapic_internal.h"

#include <linux/bitmap.h>
#include <linux/kvm_para.h>

#define ICR_SHORTHAND	GENMASK(19, 18)

static int pv_ipi_send_word(struct lodge_vm *vm, const struct lodge_irq_message *message, unsigned long members,
			    u32 first)
{
	struct lodge_vcpu *vcpu;
	unsigned int bit;
	int count = 0;

	for_each_set_bit(bit, &members, BITS_PER_LONG) {
		if (first + bit < first)
			break;
		vcpu = lodge_vcpu_by_id(vm, first + bit);
		if (vcpu && lapic_hw_enabled(vcpu->lapic))
			count += lapic_accept(vcpu->lapic, message);
	}
	return count;
}

int lodge_pv_send_ipi(struct lodge_vm *vm, u64 low, u64 high, u32 first, u32 icr, bool wide)
{
	const struct lodge_irq_message message = {
		.vector = icr & APIC_VECTOR_MASK,
		.mode = (icr & APIC_MODE_MASK) >> 8,
		.level = icr & APIC_INT_LEVELTRIG,
		.assert = icr & APIC_INT_ASSERT,
	};
	u32 step = wide ? 64 : 32;
	int count;

	if (icr & (APIC_DEST_LOGICAL | ICR_SHORTHAND))
		return -KVM_EINVAL;
	if (!lodge_vm_has_lapics(vm))
		return -KVM_EOPNOTSUPP;
	count = pv_ipi_send_word(vm, &message, low, first);
	if (first + step > first)
		count += pv_ipi_send_word(vm, &message, high, first + step);
	return count;
}

void lodge_pv_kick(struct lodge_vm *vm, u32 id)
{
	struct lodge_vcpu *vcpu = lodge_vm_has_lapics(vm) ? lodge_vcpu_by_id(vm, id) : NULL;

	if (!vcpu || !lapic_hw_enabled(vcpu->lapic))
		return;
	WRITE_ONCE(vcpu->pv_unhalted, true);
	lodge_vcpu_request(vcpu, LODGE_REQ_EVENT);
}

void lodge_lapic_raise(struct lodge_vcpu *vcpu, u8 vector)
{
	const struct lodge_irq_message message = { .vector = vector, .mode = IRQ_MODE_FIXED, .assert = true };

	lapic_accept(vcpu->lapic, &message);
}
