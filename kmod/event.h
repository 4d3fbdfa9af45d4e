/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions, NMIs and interrupts: which one next, and what becomes of one whose delivery was cut short. */
#ifndef LODGE_EVENT_H
#define LODGE_EVENT_H

#include "lodge.h"

/**
 * lodge_events_prepare() - hand the next event to the hardware and open the windows that are needed
 * Context: section, interrupts off; LODGE_REQ_EVENT was taken or an event is in flight.
 */
void lodge_events_prepare(struct lodge_vcpu *vcpu);

/* Whether an event must be handed over before the next entry although nobody requested it. */
static inline bool lodge_events_in_flight(const struct lodge_vcpu *vcpu)
{
	return vcpu->events.in_flight;
}

/* From the backend after an exit: all that was handed over counts as delivered, then what was not comes back. */
void lodge_events_delivered(struct lodge_vcpu *vcpu);
void lodge_requeue_exception(struct lodge_vcpu *vcpu, u8 vector, bool has_error, u32 error);
void lodge_requeue_interrupt(struct lodge_vcpu *vcpu, u8 vector);
void lodge_requeue_nmi(struct lodge_vcpu *vcpu);

/* Move NMIs asked for from outside into vcpu->events. */
void lodge_collect_nmis(struct lodge_vcpu *vcpu);

/**
 * lodge_has_wake_event() - would a halted vCPU wake
 * Context: the vCPU's own thread, outside the section.
 */
bool lodge_has_wake_event(struct lodge_vcpu *vcpu);

/* KVM_INTERRUPT: 0, -EINVAL, -ENXIO (kernel irqchip), -EEXIST (split: one waits already). */
int lodge_user_interrupt(struct lodge_vcpu *vcpu, u32 vector);
/* Without the interrupt chips in the kernel: whether KVM_INTERRUPT would be taken at the next entry. */
bool lodge_ready_for_user_interrupt(struct lodge_vcpu *vcpu);
/* Whether the window that user space waits for is open: KVM_EXIT_IRQ_WINDOW_OPEN. */
bool lodge_user_window_open(struct lodge_vcpu *vcpu);

void lodge_vcpu_events_get(struct lodge_vcpu *vcpu, struct kvm_vcpu_events *out);
int lodge_vcpu_events_set(struct lodge_vcpu *vcpu, const struct kvm_vcpu_events *in);

#endif
