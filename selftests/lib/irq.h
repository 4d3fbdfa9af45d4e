/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The in-kernel interrupt controllers: host helpers over the ioctls, and the
 * registers as guest code sees them.
 */
#ifndef LODGE_SELFTEST_IRQ_H
#define LODGE_SELFTEST_IRQ_H

#include "modes.h"

/* LAPIC registers: APM 2, table 16-2. */
#define APIC_ID		0x20
#define APIC_LVR	0x30
#define APIC_TPR	0x80
#define APIC_PPR	0xa0
#define APIC_EOI	0xb0
#define APIC_LDR	0xd0
#define APIC_DFR	0xe0
#define APIC_SVR	0xf0
#define APIC_ISR	0x100
#define APIC_TMR	0x180
#define APIC_IRR	0x200
#define APIC_ESR	0x280
#define APIC_ICR	0x300
#define APIC_ICR2	0x310
#define APIC_LVTT	0x320
#define APIC_LVTPC	0x340
#define APIC_LVT0	0x350
#define APIC_LVT1	0x360
#define APIC_LVTERR	0x370
#define APIC_TMICT	0x380
#define APIC_TMCCT	0x390
#define APIC_TDCR	0x3e0
#define APIC_SELF_IPI	0x3f0	/* x2APIC only */

#define APIC_SVR_ENABLE		BIT(8)
#define APIC_LVT_MASKED		BIT(16)
#define APIC_LVT_PERIODIC	BIT(17)
#define APIC_LVT_DEADLINE	BIT(18)
#define APIC_MODE_NMI		0x400
#define APIC_MODE_INIT		0x500
#define APIC_MODE_STARTUP	0x600
#define APIC_MODE_EXTINT	0x700
#define APIC_DEST_LOGICAL	0x800
#define APIC_LEVEL_ASSERT	0x4000
#define APIC_SHORT_SELF		0x40000
#define APIC_SHORT_ALL		0x80000
#define APIC_SHORT_OTHERS	0xc0000

#define IOAPIC_BASE	0xfec00000ul
#define IOAPIC_MASKED	BIT(16)
#define IOAPIC_LEVEL	BIT(15)
#define IOAPIC_REMOTE_IRR BIT(14)
#define IOAPIC_LOW	BIT(13)

static inline u32 apic_read(u32 reg)
{
	return *(volatile u32 *)(APIC_DEFAULT_BASE + reg);
}

static inline void apic_write(u32 reg, u32 val)
{
	*(volatile u32 *)(APIC_DEFAULT_BASE + reg) = val;
}

static inline u32 ioapic_read(u32 reg)
{
	*(volatile u32 *)IOAPIC_BASE = reg;
	return *(volatile u32 *)(IOAPIC_BASE + 0x10);
}

static inline void ioapic_write(u32 reg, u32 val)
{
	*(volatile u32 *)IOAPIC_BASE = reg;
	*(volatile u32 *)(IOAPIC_BASE + 0x10) = val;
}

static inline void ioapic_redirect(u32 pin, u64 entry)
{
	ioapic_write(0x10 + 2 * pin, IOAPIC_MASKED);
	ioapic_write(0x11 + 2 * pin, (u32)(entry >> 32));
	ioapic_write(0x10 + 2 * pin, (u32)entry);
}

static inline u64 ioapic_entry(u32 pin)
{
	return (u64)ioapic_read(0x11 + 2 * pin) << 32 | ioapic_read(0x10 + 2 * pin);
}

static inline void guest_sti(void)
{
	asm volatile("sti\n nop" ::: "memory");
}

static inline void guest_cli(void)
{
	asm volatile("cli" ::: "memory");
}

static inline void guest_hlt(void)
{
	asm volatile("sti\n hlt\n cli" ::: "memory");
}

/* With LINT0 masked, so that the PIC, unmasked at reset, does not mix in. */
static inline void guest_apic_enable(void)
{
	apic_write(APIC_LVT0, APIC_LVT_MASKED | APIC_MODE_EXTINT);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | 0xff);
}

/** guest_irqs - interrupts taken by irq_count_handler(), by vector */
extern volatile u64 guest_irqs[256];
/** irq_count_handler - count and signal the end of the interrupt */
void irq_count_handler(struct guest_frame *frame);
/** irq_handle - before vm_create(): count @vector in the guest */
void irq_handle(unsigned int vector);

/** vm_create_irqchip - a VM with the full in-kernel irqchip, or skip */
struct vm *vm_create_irqchip(void);

/** irq_line - KVM_IRQ_LINE */
void irq_line(struct vm *vm, u32 gsi, u32 level);
/** irq_line_status - KVM_IRQ_LINE_STATUS; its verdict */
int irq_line_status(struct vm *vm, u32 gsi, u32 level);
/** irq_pulse - level 1, then 0 */
void irq_pulse(struct vm *vm, u32 gsi);
/** signal_msi - KVM_SIGNAL_MSI; > 0 delivered, 0 not, or -errno */
long signal_msi(struct vm *vm, u32 address, u32 data);
#define MSI_ADDRESS(id)	(0xfee00000u | (u32)(id) << 12)

/** routing_set - replace the whole table; 0 or -errno */
long routing_set(struct vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr);

static inline struct kvm_irq_routing_entry route_chip(u32 gsi, u32 chip, u32 pin)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi, .type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

static inline struct kvm_irq_routing_entry route_msi(u32 gsi, u32 address, u32 data)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi, .type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = address, .data = data },
	};
}

u32 lapic_get(struct vcpu *vcpu, u32 reg);

#endif
