/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A LAPIC's inside. Registers are in a page laid out as the hardware's. IRR, TMR bits and what is marked (a) may be
 * changed by any CPU; all else belongs to the vCPU's own thread. APM 2, chapter 16; SDM 3, chapter 11.
 */
#ifndef LODGE_LAPIC_INTERNAL_H
#define LODGE_LAPIC_INTERNAL_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <asm/apicdef.h>

#include "irqchip_internal.h"

#define APIC_VERSION_VALUE	0x14
#define APIC_NR_LVT		6
#define APIC_LVT_LAST		(APIC_NR_LVT - 1)

/* Events that wait for the vCPU's thread. */
#define LAPIC_EVENT_INIT	0
#define LAPIC_EVENT_SIPI	1

struct lodge_lapic {
	u8 *regs;			/* (i) a page */
	struct lodge_vcpu *vcpu;	/* (i) */
	bool irr_pending;		/* (a) some IRR bit may be set */
	bool enabled;			/* by SPIV, and by APIC_BASE */
	bool lint0_nmi;			/* (a) counted in irqchip->nr_lint0_nmi */
	s16 highest_isr;		/* vector or -1 */
	u8 sipi_vector;			/* (a) of the last SIPI */
	unsigned long events;		/* (a) bits LAPIC_EVENT_* */
	s16 user_extint;		/* split mode: user space's PIC vector, or -1 */
	s16 user_eoi;			/* split mode: vector whose EOI user space waits for, or -1 */
	u32 arbitration;		/* (a) for lowest-priority delivery: who was served last */
	bool uses_user_eois;
	DECLARE_BITMAP(user_eois, 256);	/* split mode: vectors that it waits for */

	/* timer */
	struct hrtimer timer;
	atomic_t timer_pending;		/* expiries not yet in IRR */
	u64 timer_ns;			/* period or shot */
	u64 deadline;			/* guest TSC, 0 disarmed */
	u32 timer_divisor;
};

static inline u32 lapic_get(const struct lodge_lapic *lapic, u32 reg)
{
	return READ_ONCE(*(u32 *)(lapic->regs + reg));
}

static inline void lapic_set(struct lodge_lapic *lapic, u32 reg, u32 val)
{
	WRITE_ONCE(*(u32 *)(lapic->regs + reg), val);
}

/* 256-bit registers are eight words, 16 bytes apart. */
static inline u32 lapic_word(u32 base, u8 vector)
{
	return base + (vector >> 5) * 0x10;
}

static inline bool lapic_x2apic(const struct lodge_lapic *lapic)
{
	return lapic->vcpu->apic_base & X2APIC_ENABLE;
}

static inline bool lapic_hw_enabled(const struct lodge_lapic *lapic)
{
	return lapic->vcpu->apic_base & XAPIC_ENABLE;
}

static inline u32 lapic_id(const struct lodge_lapic *lapic)
{
	u32 id = lapic_get(lapic, APIC_ID);

	return lapic_x2apic(lapic) ? id : id >> 24;
}

/* lapic.c */
void lapic_update_enabled(struct lodge_lapic *lapic);
void lapic_rescan(struct lodge_lapic *lapic);		/* the page was replaced: caches follow */
void lapic_destination_changed(struct lodge_lapic *lapic);
u32 lapic_version(const struct lodge_lapic *lapic);
u32 lapic_ppr(const struct lodge_lapic *lapic);
int lapic_accept(struct lodge_lapic *lapic, const struct lodge_irq_message *message);
void lapic_local_interrupt(struct lodge_lapic *lapic, u32 lvt);
int lapic_reg_write(struct lodge_lapic *lapic, u32 reg, u32 val);	/* 0, -EINVAL for an unknown register */
int lapic_reg_read(struct lodge_lapic *lapic, u32 reg, u32 *val);

/* lapic_timer.c */
void lapic_timer_init(struct lodge_lapic *lapic);
void lapic_timer_stop(struct lodge_lapic *lapic);
void lapic_timer_start(struct lodge_lapic *lapic, u32 count);
u32 lapic_timer_count(struct lodge_lapic *lapic);	/* TMCCT now */
void lapic_timer_set_divisor(struct lodge_lapic *lapic);	/* from TDCR */
void lapic_timer_change_divisor(struct lodge_lapic *lapic);	/* the same while it may count */
void lapic_timer_mode_changed(struct lodge_lapic *lapic, u32 old_lvtt);

#endif
