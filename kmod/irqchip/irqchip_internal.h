/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of irqchip/ share. Each chip has a raw spinlock of its own, taken with interrupts off, so that a
 * chip can be driven from any context. Order: pit->lock, pic->lock, ioapic->lock; none is held while an
 * acknowledge notifier runs. The routing table is read under RCU and replaced whole under vm->lock.
 */
#ifndef LODGE_IRQCHIP_INTERNAL_H
#define LODGE_IRQCHIP_INTERNAL_H

#include <linux/bitmap.h>
#include <linux/hrtimer.h>
#include <linux/kvm.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "irqchip.h"
#include "../io_bus.h"

#define PIC_PINS		16
#define IOAPIC_PINS		24
#define IOAPIC_BASE		0xfec00000ULL
#define IOAPIC_SIZE		0x100
#define RTC_PIN			8

/* An interrupt on its way to LAPICs, whatever it came from. */
struct lodge_irq_message {
	u32 dest;
	u8 vector;
	u8 mode;		/* APIC_DM_* >> 8 */
	bool logical;
	bool level;		/* level-triggered */
	bool assert;
	u8 shorthand;		/* 0 none, 1 self, 2 all, 3 all but self */
	bool redirection_hint;
};

#define IRQ_MODE_FIXED		0
#define IRQ_MODE_LOWEST		1
#define IRQ_MODE_SMI		2
#define IRQ_MODE_NMI		4
#define IRQ_MODE_INIT		5
#define IRQ_MODE_STARTUP	6
#define IRQ_MODE_EXTINT		7

/* The 8259A pair. */
struct lodge_pic_chip {
	u8 last_irr, irr, imr, isr;
	u8 priority_add, irq_base, read_reg_select;
	u8 poll, special_mask, init_state, auto_eoi, rotate_on_auto_eoi;
	u8 special_fully_nested_mode, init4, elcr, elcr_mask;
};

struct lodge_pic {
	raw_spinlock_t lock;
	struct lodge_pic_chip chips[2];
	unsigned long sources[PIC_PINS];
	u8 acked[2];		/* pins whose acknowledge is still to be told, outside the lock */
	bool output;		/* (a) to the LAPICs' LINT0 */
	bool rose;		/* since it was last told to a vCPU */
	struct lodge_vm *vm;
	refcount_t users;	/* the irqchip, and each device on the bus */
	struct lodge_io_device dev;
	struct lodge_io_device elcr_dev;
};

struct lodge_ioapic {
	raw_spinlock_t lock;
	u32 ioregsel, id;
	u32 irr;
	u32 irr_delivered;	/* edge pins whose interrupt a LAPIC has taken while the line is up */
	DECLARE_BITMAP(vectors, 256);	/* (a) that some pin delivers: whose EOIs matter */
	u64 redirtbl[IOAPIC_PINS];
	unsigned long sources[IOAPIC_PINS];
	u32 eoi_count[IOAPIC_PINS];
	u32 rtc_pending;	/* vCPUs that have not ended the RTC's last interrupt */
	unsigned long rtc_deadline;	/* jiffies: when to stop waiting for them */
	struct lodge_vm *vm;
	refcount_t users;	/* the irqchip and the bus */
	struct delayed_work eoi_work;
	struct lodge_io_device dev;
};

#define IOAPIC_MASKED		BIT_ULL(16)
#define IOAPIC_LEVEL		BIT_ULL(15)
#define IOAPIC_REMOTE_IRR	BIT_ULL(14)
#define IOAPIC_DELIVERY_STATUS	BIT_ULL(12)
#define IOAPIC_LOGICAL		BIT_ULL(11)

struct lodge_irq_route {
	u32 gsi;
	u32 type;		/* KVM_IRQ_ROUTING_* */
	union {
		struct { u32 irqchip, pin; } chip;
		struct { u64 address; u32 data; } msi;
	};
};

struct lodge_irq_routing {
	struct rcu_head rcu;
	u32 nr;			/* entries, sorted by GSI */
	u32 nr_gsis;
	s16 pin_gsi[3][IOAPIC_PINS];	/* which GSI an irqchip's pin belongs to, or -1 */
	struct lodge_irq_route *entries;
	u16 first[];		/* [nr_gsis + 1] */
};

/* Places of vCPUs in vm->vcpus by APIC ID, made when user space numbers them with gaps. */
struct lodge_apic_ids {
	struct rcu_head rcu;
	u32 nr;
	u16 index[];
};

struct lodge_irqchip {
	struct lodge_irq_routing __rcu *routing;
	struct lodge_apic_ids __rcu *ids;	/* or NULL: the ID is the place; written under vm->lock */
	atomic_t nr_lint0_nmi;	/* LAPICs whose LINT0 is an NMI */
	struct lodge_pic *pic;		/* NULL in split mode */
	struct lodge_ioapic *ioapic;
	struct lodge_pit *pit;		/* or NULL */
	spinlock_t ack_lock;		/* changes of acks */
	struct hlist_head acks;		/* RCU */
};

/* pic.c */
int lodge_pic_create(struct lodge_vm *vm);
void lodge_pic_unregister(struct lodge_vm *vm);	/* off the bus: a creation failed */
void lodge_pic_destroy(struct lodge_vm *vm);
int lodge_pic_set(struct lodge_pic *pic, u32 pin, u32 source, int level);
int lodge_pic_read_vector(struct lodge_pic *pic);
void lodge_pic_get_state(struct lodge_pic *pic, u32 chip, struct kvm_pic_state *state);
void lodge_pic_set_state(struct lodge_pic *pic, u32 chip, const struct kvm_pic_state *state);

/* ioapic.c */
int lodge_ioapic_create(struct lodge_vm *vm);
void lodge_ioapic_unregister(struct lodge_vm *vm);	/* off the bus: a creation failed */
void lodge_ioapic_destroy(struct lodge_vm *vm);
int lodge_ioapic_set(struct lodge_ioapic *ioapic, u32 pin, u32 source, int level);
void lodge_ioapic_eoi(struct lodge_vcpu *vcpu, u8 vector, bool level);
void lodge_ioapic_get_state(struct lodge_ioapic *ioapic, struct kvm_ioapic_state *state);
void lodge_ioapic_set_state(struct lodge_ioapic *ioapic, const struct kvm_ioapic_state *state);

/* pit.c */
void lodge_pit_destroy(struct lodge_vm *vm);

/* routing.c */
void lodge_routing_set_default(struct lodge_vm *vm);	/* before the mode is published */
void lodge_routing_destroy(struct lodge_vm *vm);
void lodge_routing_user_eois(struct lodge_vcpu *vcpu, unsigned long *vectors);
void lodge_irq_acked(struct lodge_vm *vm, u32 chip, u32 pin);
void lodge_msi_to_message(u64 address, u32 data, struct lodge_irq_message *message);

/* lapic.c: how many LAPICs took it; 0 those addressed are disabled, -1 none was addressed. Any context. */
int lodge_irq_deliver(struct lodge_vm *vm, struct lodge_vcpu *source, const struct lodge_irq_message *message);
bool lodge_lapic_matches(struct lodge_vcpu *vcpu, struct lodge_vcpu *source, const struct lodge_irq_message *message);
bool lodge_lapic_awaits_eoi(struct lodge_vcpu *vcpu, u8 vector);	/* it has the vector pending or in service */
void lodge_lapic_lint0_watchdog(struct lodge_vm *vm);	/* the PIT's tick, where LINT0 is wired as NMI */

#endif
