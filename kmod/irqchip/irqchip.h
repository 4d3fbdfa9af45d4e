/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interrupt controllers and what the rest of lodge may ask of them: LAPIC per vCPU; IOAPIC, PIC, PIT,
 * routing, MSI per VM. All entry points marked "any context" work with interrupts off: raw spinlocks only.
 */
#ifndef LODGE_IRQCHIP_H
#define LODGE_IRQCHIP_H

#include <linux/mm.h>

#include "../lodge.h"

#define LODGE_MAX_IRQ_ROUTES	4096	/* KVM_CAP_IRQ_ROUTING */
#define LODGE_IRQ_SOURCE_USER	0	/* lodge_irq_set(): KVM_IRQ_LINE */

/* VM scope. Each returns 0 or KVM's errno; arguments already copied in; caller holds vm->lock. */
int lodge_irqchip_create(struct lodge_vm *vm);			/* KVM_CREATE_IRQCHIP: -EEXIST, -EINVAL after a vCPU */
int lodge_irqchip_create_split(struct lodge_vm *vm, u64 nr_pins);	/* KVM_CAP_SPLIT_IRQCHIP */
void lodge_irqchip_destroy(struct lodge_vm *vm);		/* also when never created; no vCPU runs */
int lodge_irqchip_get(struct lodge_vm *vm, struct kvm_irqchip *chip);
int lodge_irqchip_set(struct lodge_vm *vm, const struct kvm_irqchip *chip);
int lodge_pit_create(struct lodge_vm *vm, const struct kvm_pit_config *config);	/* takes slots_lock inside */
int lodge_pit_get(struct lodge_vm *vm, struct kvm_pit_state2 *state);
int lodge_pit_set(struct lodge_vm *vm, const struct kvm_pit_state2 *state);
int lodge_pit_reinject(struct lodge_vm *vm, const struct kvm_reinject_control *control);
int lodge_routing_set(struct lodge_vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr, u32 flags);

/**
 * lodge_irq_set() - KVM_IRQ_LINE and irqfd: drive a GSI
 * @source: who drives it (0 user space, 1 irqfd resample, ...): a level line is the OR of its sources
 * Return: > 0 delivered, 0 coalesced, < 0 masked or unrouted; as KVM_IRQ_LINE_STATUS tells.
 * Context: any.
 */
int lodge_irq_set(struct lodge_vm *vm, u32 source, u32 gsi, int level);
int lodge_msi_send(struct lodge_vm *vm, const struct kvm_msi *msi);	/* KVM_SIGNAL_MSI; any context */

/*
 * KVM_HC_SEND_IPI: an IPI to the CPUs that two bitmaps name, from the APIC ID @first on. How many took it, or
 * -KVM_E*. @wide: of 64 bits each, else 32. Any context.
 */
int lodge_pv_send_ipi(struct lodge_vm *vm, u64 low, u64 high, u32 first, u32 icr, bool wide);
void lodge_pv_kick(struct lodge_vm *vm, u32 id);	/* KVM_HC_KICK_CPU: a halted one runs on; any context */

/* Whoever waits for a GSI's acknowledge (EOI at the IOAPIC or PIC). @acked: any context, no lock held. */
struct lodge_irq_ack {
	struct hlist_node node;
	u32 gsi;
	void (*acked)(struct lodge_irq_ack *ack);
};

void lodge_irq_ack_register(struct lodge_vm *vm, struct lodge_irq_ack *ack);
void lodge_irq_ack_unregister(struct lodge_vm *vm, struct lodge_irq_ack *ack);	/* waits for callers; may sleep */

/* vCPU scope */
int lodge_lapic_create(struct lodge_vcpu *vcpu);		/* at vCPU creation when lodge_vm_has_lapics() */
void lodge_lapic_destroy(struct lodge_vcpu *vcpu);
void lodge_lapic_reset(struct lodge_vcpu *vcpu, bool init);
void lodge_lapic_get_state(struct lodge_vcpu *vcpu, struct kvm_lapic_state *state);
int lodge_lapic_set_state(struct lodge_vcpu *vcpu, const struct kvm_lapic_state *state);	/* -EINVAL */
int lodge_lapic_base_set(struct lodge_vcpu *vcpu, u64 value, bool host);	/* 0 or -EINVAL (guest: #GP) */
/* vcpu->lapic is there. APM 2, 16.6.4. */
static inline u64 lodge_lapic_cr8_get(const struct lodge_vcpu *vcpu)
{
	return (READ_ONCE(*vcpu->tpr) >> 4) & 0xf;
}
void lodge_lapic_cr8_set(struct lodge_vcpu *vcpu, u64 cr8);
int lodge_x2apic_read(struct lodge_vcpu *vcpu, u32 msr, u64 *value);	/* 0 or -EINVAL for #GP; any context */
int lodge_x2apic_write(struct lodge_vcpu *vcpu, u32 msr, u64 value);
u64 lodge_lapic_deadline_get(struct lodge_vcpu *vcpu);
void lodge_lapic_deadline_set(struct lodge_vcpu *vcpu, u64 guest_tsc);
void lodge_lapic_tsc_changed(struct lodge_vcpu *vcpu);		/* the guest's TSC was written: re-arm the deadline */

/**
 * lodge_lapic_covers() - whether a GPA lies in this vCPU's LAPIC page (xAPIC mode, enabled)
 */
bool lodge_lapic_covers(struct lodge_vcpu *vcpu, gpa_t gpa);

/* The page that APIC_BASE names: what lies there beneath, if anything, is not reached. APM 2, 16.3.1. */
static inline bool lodge_lapic_is_page(const struct lodge_vcpu *vcpu, gpa_t gpa)
{
	return !((gpa ^ vcpu->apic_base) >> PAGE_SHIFT) && vcpu->lapic;
}

int lodge_lapic_mmio_read(struct lodge_vcpu *vcpu, gpa_t gpa, unsigned int len, void *val);	/* 0; any context */
int lodge_lapic_mmio_write(struct lodge_vcpu *vcpu, gpa_t gpa, unsigned int len, const void *val);

/**
 * lodge_irq_pending() - is there an interrupt that the LAPIC or, through ExtINT, the PIC would deliver now
 * @vcpu: the calling vCPU
 * Return: true also when RFLAGS.IF or an interrupt shadow still blocks it: the caller opens a window.
 * Context: any. Cheap when nothing happened since the last call.
 */
bool lodge_irq_pending(struct lodge_vcpu *vcpu);
int lodge_irq_ack(struct lodge_vcpu *vcpu);	/* take it: IRR to ISR, or PIC INTA; the vector, or -1 */
int lodge_lapic_highest_irr(struct lodge_vcpu *vcpu);	/* vector or -1, whatever the TPR: for TPR thresholds */
bool lodge_lapic_accepts_extint(struct lodge_vcpu *vcpu);	/* LVT0 ExtINT, unmasked (or APIC off, boot CPU) */

/* Timer expired or PIC output rose since last looked: fold into IRR. At each entry with LODGE_REQ_EVENT set. */
void lodge_lapic_sync_timers(struct lodge_vcpu *vcpu);

void lodge_lapic_raise(struct lodge_vcpu *vcpu, u8 vector);	/* an edge interrupt of that vector; any context */

/* INIT and SIPI wait (LODGE_REQ_APIC): act on them; may change mp_state and call lodge_vcpu_reset(). May sleep. */
void lodge_lapic_accept_events(struct lodge_vcpu *vcpu);
bool lodge_lapic_has_events(struct lodge_vcpu *vcpu);		/* wakes an AP that waits for SIPI; any context */

/* A level EOI that user space's IOAPIC must hear of (split mode): the vector, or -1. Cleared by the call. */
int lodge_lapic_take_user_eoi(struct lodge_vcpu *vcpu);
void lodge_irqchip_scan_eoi(struct lodge_vcpu *vcpu);		/* LODGE_REQ_EOI_SCAN */

/* Split mode: user space's PIC raises one vector through KVM_INTERRUPT, taken as ExtINT by lodge_irq_ack(). */
int lodge_lapic_set_user_extint(struct lodge_vcpu *vcpu, u8 vector);	/* 0, or -EEXIST while one waits */
bool lodge_lapic_has_user_extint(struct lodge_vcpu *vcpu);

/* KVM_SET_VCPU_EVENTS with a SIPI vector: what a later SIPI_RECEIVED state starts at. */
void lodge_lapic_set_sipi_vector(struct lodge_vcpu *vcpu, u8 vector);
void lodge_lapic_queue_sipi(struct lodge_vcpu *vcpu);	/* a SIPI waits; requests LODGE_REQ_APIC */

#endif
