/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VM of nothing but interrupt controllers and vCPUs with LAPICs, for the unit tests of irqchip/, and how those
 * tests state what they expect. No guest runs: a test plays the CPU. One thread, so no locks but irqchip/'s own.
 */
#ifndef LODGE_SELFTEST_IRQCHIP_MACHINE_H
#define LODGE_SELFTEST_IRQCHIP_MACHINE_H

#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/apicdef.h>

#include "../irqchip/irqchip_internal.h"
#include "selftest.h"

#define IRQ_MACHINE_VCPUS	4

struct irq_machine {
	struct lodge_vm *vm;
	struct lodge_vcpu *vcpus[IRQ_MACHINE_VCPUS];
	unsigned int failed;
};

/**
 * struct irq_case - one test
 * @name: said when it fails
 * @run: gets a fresh machine
 * @split: with user space's IOAPIC and PIC
 * @ids: APIC IDs of the vCPUs, or all 0 for 0, 1, 2, 3
 */
struct irq_case {
	const char *name;
	void (*run)(struct irq_machine *m);
	bool split;
	u32 ids[IRQ_MACHINE_VCPUS];
};

#define IRQ_CASE(fn)		{ .name = #fn, .run = fn }
#define IRQ_CASE_SPLIT(fn)	{ .name = #fn, .run = fn, .split = true }

/* Run the cases; 0, or -EINVAL when one failed. */
int irq_cases_run(const struct irq_case *cases, unsigned int n);

#define IRQ_EXPECT_EQ(m, a, b)								\
	do {										\
		long long _a = (long long)(a), _b = (long long)(b);			\
		if (_a != _b) {								\
			pr_err("%s:%d: %s is 0x%llx, expected 0x%llx\n", __FILE__, __LINE__, #a, _a, _b); \
			(m)->failed++;							\
		}									\
	} while (0)
#define IRQ_EXPECT(m, cond)	IRQ_EXPECT_EQ(m, !!(cond), 1)

/* The guest's accesses. -1 when no device in the kernel answers. */
int irq_port_in(struct irq_machine *m, u16 port);
void irq_port_out(struct irq_machine *m, u16 port, u8 val);
u32 irq_ioapic_in(struct irq_machine *m, u8 reg);
void irq_ioapic_out(struct irq_machine *m, u8 reg, u32 val);
u64 irq_ioapic_entry(struct irq_machine *m, unsigned int pin);
void irq_ioapic_set_entry(struct irq_machine *m, unsigned int pin, u64 entry);
u32 irq_lapic_in(struct lodge_vcpu *vcpu, u32 reg);
void irq_lapic_out(struct lodge_vcpu *vcpu, u32 reg, u32 val);
/* Enable every LAPIC, without the PIC at LINT0. */
void irq_lapics_on(struct irq_machine *m);

/* What the CPU would take now: the vector, acknowledged, or -1. */
int irq_take(struct lodge_vcpu *vcpu);
void irq_eoi(struct lodge_vcpu *vcpu);
/* The next is @vector, and its handler ends it. */
#define IRQ_EXPECT_TAKEN(m, vcpu, vector)						\
	do {										\
		IRQ_EXPECT_EQ(m, irq_take(vcpu), vector);				\
		irq_eoi(vcpu);								\
	} while (0)

/* The GSI with one source, as KVM_IRQ_LINE_STATUS reports it. */
int irq_line(struct irq_machine *m, u32 gsi, int level);

#endif
