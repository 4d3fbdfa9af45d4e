// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the LAPIC: registers, priorities, IPIs and their destinations, ExtINT, saved state, INIT and SIPI, the
 * modes of APIC_BASE, x2APIC, the timer. What hangs on CPUID's answers or on exact times runs where the test owns
 * both, in user space. APM 2, chapter 16; SDM 3, chapter 11.
 */
#include "irqchip_machine.h"

#include <linux/errno.h>
#include <linux/slab.h>

#ifdef __LODGE_UNIT__
#include "../backend.h"
#include "../clock.h"
#include "irqchip-host.h"
#include "kernel.h"
#endif

#define ICR_FIXED	APIC_INT_ASSERT
#define ICR_LOWEST	(1 << 8 | APIC_INT_ASSERT)
#define ICR_NMI		(4 << 8 | APIC_INT_ASSERT)
#define ICR_INIT	(5 << 8 | APIC_INT_ASSERT | APIC_INT_LEVELTRIG)
#define ICR_INIT_OFF	(5 << 8 | APIC_INT_LEVELTRIG)
#define ICR_STARTUP	(6 << 8 | APIC_INT_ASSERT)
#define TO_SELF		(1 << 18)
#define TO_ALL		(2 << 18)
#define TO_OTHERS	(3 << 18)

static void send(struct lodge_vcpu *vcpu, u8 dest, u32 icr)
{
	irq_lapic_out(vcpu, APIC_ICR2, (u32)dest << 24);
	irq_lapic_out(vcpu, APIC_ICR, icr);
}

static void msi(struct irq_machine *m, u8 dest, u8 vector)
{
	struct kvm_msi msi = { .address_lo = APIC_DEFAULT_PHYS_BASE | dest << 12, .data = vector };

	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &msi), 1);
}

static void reset_values(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[2];
	u32 reg;

	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_ID), 0x02000000);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_LVR), 0x00050014);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TASKPRI), 0);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_LDR), 0);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_DFR), 0xffffffff);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_SPIV), 0xff);
	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, reg), APIC_LVT_MASKED);
	/* The boot processor's LINT0 is the PIC's. */
	IRQ_EXPECT_EQ(m, irq_lapic_in(m->vcpus[0], APIC_LVT0), 0x700);
	IRQ_EXPECT(m, lodge_lapic_accepts_extint(m->vcpus[0]));
	IRQ_EXPECT(m, !lodge_lapic_accepts_extint(vcpu));
	/* INIT leaves the ID alone. */
	irq_lapic_out(vcpu, APIC_ID, 0x09000000);
	irq_lapic_out(vcpu, APIC_TASKPRI, 0x20);
	lodge_lapic_reset(vcpu, true);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_ID), 0x09000000);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TASKPRI), 0);
	lodge_lapic_reset(vcpu, false);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_ID), 0x02000000);
}

static void writable_bits(struct irq_machine *m)
{
	static const struct { u32 reg, kept; } rows[] = {
		{ APIC_ID, 0xff000000 }, { APIC_LVR, 0x00050014 }, { APIC_TASKPRI, 0xff }, { APIC_PROCPRI, 0xff },
		{ APIC_LDR, 0xff000000 }, { APIC_DFR, 0xffffffff }, { APIC_SPIV, 0x3ff }, { APIC_ISR, 0 },
		{ APIC_TMR, 0 }, { APIC_IRR, 0 }, { APIC_ESR, 0 }, { APIC_ICR2, 0xff000000 },
		{ APIC_LVTT, 0x300ff }, { APIC_LVTTHMR, 0x107ff }, { APIC_LVTPC, 0x107ff },
		{ APIC_LVT0, 0x1e7ff }, { APIC_LVT1, 0x1e7ff }, { APIC_LVTERR, 0x100ff },
		{ APIC_TDCR, 0xb }, { APIC_TMCCT, 0 }, { APIC_SELF_IPI, 0 }, { 0x400, 0 }, { 0x40, 0 },
	};
	struct lodge_vcpu *vcpu = m->vcpus[1];
	unsigned int i;

	irq_lapics_on(m);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		irq_lapic_out(vcpu, rows[i].reg, 0xffffffff);
		if (irq_lapic_in(vcpu, rows[i].reg) == rows[i].kept)
			continue;
		pr_err("register 0x%x is 0x%x, expected 0x%x\n", rows[i].reg, irq_lapic_in(vcpu, rows[i].reg),
		       rows[i].kept);
		m->failed++;
	}
	irq_lapic_out(vcpu, APIC_DFR, 0);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_DFR), 0x0fffffff);
	/* Delivery is done when the write is. */
	irq_lapic_out(vcpu, APIC_ICR, 0xffffffff);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_ICR), 0xffffefff);
}

/* Accesses that are not 32 bits at a register. */
static void odd_access(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];
	u64 val = 0xaaaaaaaaaaaaaaaaULL;
	u8 byte = 0x55;

	irq_lapic_out(vcpu, APIC_LVT1, 0x1e4a5);
	lodge_lapic_mmio_read(vcpu, APIC_DEFAULT_PHYS_BASE + APIC_LVT1 + 1, 1, &val);
	IRQ_EXPECT_EQ(m, val & 0xff, 0xe4);
	lodge_lapic_mmio_read(vcpu, APIC_DEFAULT_PHYS_BASE + APIC_LVT1 + 2, 2, &val);
	IRQ_EXPECT_EQ(m, val & 0xffff, 1);
	lodge_lapic_mmio_read(vcpu, APIC_DEFAULT_PHYS_BASE + APIC_LVT1, 8, &val);
	IRQ_EXPECT_EQ(m, val, 0);
	lodge_lapic_mmio_write(vcpu, APIC_DEFAULT_PHYS_BASE + APIC_TASKPRI, 1, &byte);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TASKPRI), 0);
	IRQ_EXPECT(m, lodge_lapic_covers(vcpu, APIC_DEFAULT_PHYS_BASE + 0xfff));
	IRQ_EXPECT(m, !lodge_lapic_covers(vcpu, APIC_DEFAULT_PHYS_BASE + 0x1000));
	IRQ_EXPECT(m, !lodge_lapic_covers(vcpu, APIC_DEFAULT_PHYS_BASE - 1));
}

static void priorities(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[1];

	irq_lapics_on(m);
	IRQ_EXPECT(m, !lodge_irq_pending(vcpu));
	msi(m, 1, 0x45);
	msi(m, 1, 0x91);
	msi(m, 1, 0x93);
	IRQ_EXPECT_EQ(m, lodge_lapic_highest_irr(vcpu), 0x93);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), 0x93);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_PROCPRI), 0x90);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_ISR + 0x40), BIT(0x13));
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_IRR + 0x40), BIT(0x11));
	/* The same class waits, a higher one does not. */
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	msi(m, 1, 0xa0);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), 0xa0);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	/* Again while in service: once more afterwards. */
	msi(m, 1, 0x93);
	irq_eoi(vcpu);
	IRQ_EXPECT_TAKEN(m, vcpu, 0x93);
	irq_lapic_out(vcpu, APIC_TASKPRI, 0x4f);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_PROCPRI), 0x4f);
	IRQ_EXPECT_TAKEN(m, vcpu, 0x91);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	IRQ_EXPECT_EQ(m, lodge_lapic_highest_irr(vcpu), 0x45);
	lodge_lapic_cr8_set(vcpu, 3);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TASKPRI), 0x30);
	IRQ_EXPECT_EQ(m, lodge_lapic_cr8_get(vcpu), 3);
	IRQ_EXPECT_TAKEN(m, vcpu, 0x45);
	/* An EOI with nothing in service. */
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_PROCPRI), 0x30);
	/* Class 0 is below any priority. */
	msi(m, 1, 0x0f);
	lodge_lapic_cr8_set(vcpu, 0);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
}

static void every_vector(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[3];
	unsigned int vector;

	irq_lapics_on(m);
	for (vector = 0x10; vector < 0x100; vector++)
		msi(m, 3, vector);
	for (vector = 0xff; vector >= 0x10; vector--)
		IRQ_EXPECT_TAKEN(m, vcpu, vector);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
}

static void software_disabled(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[1];
	struct kvm_msi to = { .address_lo = APIC_DEFAULT_PHYS_BASE | 1 << 12, .data = 0x55 };

	irq_lapics_on(m);
	msi(m, 1, 0x44);
	irq_lapic_out(vcpu, APIC_LVT1, SET_APIC_DELIVERY_MODE(0, APIC_MODE_NMI));
	irq_lapic_out(vcpu, APIC_SPIV, 0xff);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_LVT1), APIC_LVT_MASKED | 0x400);
	/* The mask bits are stuck. */
	irq_lapic_out(vcpu, APIC_LVT1, 0x400);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_LVT1), APIC_LVT_MASKED | 0x400);
	/* It takes nothing new, NMIs excepted, and still delivers what it has. */
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &to), 0);
	to.data = 0x400;
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &to), 1);
	IRQ_EXPECT_EQ(m, atomic_read(&vcpu->nmi_queued), 1);
	IRQ_EXPECT_TAKEN(m, vcpu, 0x44);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
}

static void ipis(struct irq_machine *m)
{
	unsigned int i;

	irq_lapics_on(m);
	send(m->vcpus[0], 2, ICR_FIXED | 0x40);
	IRQ_EXPECT_TAKEN(m, m->vcpus[2], 0x40);
	send(m->vcpus[2], 0, ICR_FIXED | TO_SELF | 0x41);
	IRQ_EXPECT_TAKEN(m, m->vcpus[2], 0x41);
	send(m->vcpus[1], 0, ICR_FIXED | TO_OTHERS | 0x42);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), i == 1 ? -1 : 0x42);
	send(m->vcpus[1], 0, ICR_FIXED | TO_ALL | 0x53);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), 0x53);
	send(m->vcpus[3], 0xff, ICR_FIXED | 0x64);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), 0x64);
	send(m->vcpus[0], 3, ICR_NMI | 0x64);
	IRQ_EXPECT_EQ(m, atomic_read(&m->vcpus[3]->nmi_queued), 1);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[3]), -1);
	/* Nobody has that ID. */
	send(m->vcpus[0], 0x33, ICR_FIXED | 0x75);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), -1);
}

static void logical_destinations(struct irq_machine *m)
{
	unsigned int i;

	irq_lapics_on(m);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		irq_lapic_out(m->vcpus[i], APIC_LDR, 0x01000000U << i);
	send(m->vcpus[0], 0x0c, ICR_FIXED | APIC_DEST_LOGICAL | 0x40);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), i < 2 ? -1 : 0x40);
	/* Two clusters of two. */
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++) {
		irq_lapic_out(m->vcpus[i], APIC_DFR, 0x0fffffff);
		irq_lapic_out(m->vcpus[i], APIC_LDR, (i / 2) << 28 | 0x01000000U << i % 2);
	}
	send(m->vcpus[0], 0x11, ICR_FIXED | APIC_DEST_LOGICAL | 0x51);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), i == 2 ? 0x51 : -1);
	send(m->vcpus[0], 0x03, ICR_FIXED | APIC_DEST_LOGICAL | 0x62);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), i < 2 ? 0x62 : -1);
	send(m->vcpus[0], 0xff, ICR_FIXED | APIC_DEST_LOGICAL | 0x73);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), 0x73);
	send(m->vcpus[0], 0x03, ICR_LOWEST | APIC_DEST_LOGICAL | 0x84);
	IRQ_EXPECT_EQ(m, (irq_take(m->vcpus[0]) == 0x84) + (irq_take(m->vcpus[1]) == 0x84), 1);
}

/* IDs with gaps, and one that software has changed. */
static void sparse_ids(struct irq_machine *m)
{
	irq_lapics_on(m);
	msi(m, 200, 0x40);
	IRQ_EXPECT_TAKEN(m, m->vcpus[1], 0x40);
	msi(m, 2, 0x41);
	IRQ_EXPECT_TAKEN(m, m->vcpus[2], 0x41);
	msi(m, 7, 0x42);
	IRQ_EXPECT_TAKEN(m, m->vcpus[3], 0x42);
	msi(m, 5, 0x43);
	IRQ_EXPECT_TAKEN(m, m->vcpus[0], 0x43);
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &(struct kvm_msi){ .address_lo = 0xfee01000, .data = 0x50 }), -1);
	irq_lapic_out(m->vcpus[1], APIC_ID, 0x11000000);
	msi(m, 0x11, 0x44);
	IRQ_EXPECT_TAKEN(m, m->vcpus[1], 0x44);
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &(struct kvm_msi){ .address_lo = 0xfeec8000, .data = 0x50 }), -1);
}

static void events(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[1];

	IRQ_EXPECT(m, !lodge_lapic_has_events(vcpu));
	send(m->vcpus[0], 1, ICR_INIT_OFF);
	IRQ_EXPECT(m, !lodge_lapic_has_events(vcpu));
	send(m->vcpus[0], 1, ICR_INIT);
	IRQ_EXPECT(m, lodge_lapic_has_events(vcpu));
	IRQ_EXPECT(m, lodge_vcpu_test_request(vcpu, LODGE_REQ_APIC));
	IRQ_EXPECT(m, !lodge_lapic_has_events(m->vcpus[2]));
}

/* The PIC's interrupt by way of LINT0 goes first. */
static void extint(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	irq_lapic_out(vcpu, APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
	irq_port_out(m, 0x20, 0x11);
	irq_port_out(m, 0x21, 0x20);
	irq_port_out(m, 0x21, 0x04);
	irq_port_out(m, 0x21, 0x01);
	msi(m, 0, 0x80);
	irq_line(m, 4, 1);
	irq_lapic_out(vcpu, APIC_TASKPRI, 0xf0);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), 0x24);
	/* It is none of the LAPIC's own. */
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_PROCPRI), 0xf0);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_ISR + 0x10), 0);
	irq_lapic_out(vcpu, APIC_TASKPRI, 0);
	IRQ_EXPECT_TAKEN(m, vcpu, 0x80);
	irq_lapic_out(vcpu, APIC_LVT0, APIC_LVT_MASKED | 0x700);
	irq_line(m, 5, 1);
	irq_port_out(m, 0x20, 0x20);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	irq_lapic_out(vcpu, APIC_LVT0, 0x700);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), 0x25);
}

static void user_extint(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	IRQ_EXPECT_EQ(m, lodge_lapic_set_user_extint(vcpu, 0x22), 0);
	IRQ_EXPECT_EQ(m, lodge_lapic_set_user_extint(vcpu, 0x23), -EEXIST);
	IRQ_EXPECT(m, lodge_lapic_has_user_extint(vcpu));
	irq_lapic_out(vcpu, APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
	irq_lapic_out(vcpu, APIC_LVT0, APIC_LVT_MASKED | 0x700);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	irq_lapic_out(vcpu, APIC_LVT0, 0x700);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), 0x22);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	IRQ_EXPECT(m, !lodge_lapic_has_user_extint(vcpu));
}

static u32 saved_reg(const struct kvm_lapic_state *state, u32 reg)
{
	u32 val;

	memcpy(&val, state->regs + reg, sizeof(val));
	return val;
}

static void state(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[1], *other = m->vcpus[2];
	struct kvm_lapic_state *saved = kzalloc(sizeof(*saved), GFP_KERNEL);

	IRQ_EXPECT(m, saved);
	if (!saved)
		return;
	irq_lapics_on(m);
	msi(m, 1, 0x61);
	msi(m, 1, 0x35);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), 0x61);
	irq_lapic_out(vcpu, APIC_TASKPRI, 0x20);
	irq_lapic_out(vcpu, APIC_LDR, 0x40000000);
	lodge_lapic_get_state(vcpu, saved);
	IRQ_EXPECT_EQ(m, saved_reg(saved, APIC_ID), 0x01000000);
	IRQ_EXPECT_EQ(m, saved_reg(saved, APIC_ISR + 0x30), BIT(1));
	IRQ_EXPECT_EQ(m, saved_reg(saved, APIC_IRR + 0x10), BIT(0x15));
	IRQ_EXPECT_EQ(m, saved_reg(saved, APIC_PROCPRI), 0x60);
	/* Another LAPIC goes on where this one stood. */
	IRQ_EXPECT_EQ(m, lodge_lapic_set_state(other, saved), 0);
	IRQ_EXPECT_EQ(m, irq_take(other), -1);
	IRQ_EXPECT_EQ(m, irq_lapic_in(other, APIC_PROCPRI), 0x60);
	IRQ_EXPECT_EQ(m, irq_lapic_in(other, APIC_LDR), 0x40000000);
	irq_eoi(other);
	IRQ_EXPECT_TAKEN(m, other, 0x35);
	IRQ_EXPECT_EQ(m, irq_take(other), -1);
	kfree(saved);
}

#ifdef __LODGE_UNIT__

/* INIT and SIPI, in any order and number. */
static void init_and_sipi(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[1];
	struct kvm_segment cs;
	unsigned int resets = unit_vcpu_resets;

	vcpu->mp_state = KVM_MP_STATE_UNINITIALIZED;
	vcpu->rip = 0xfff0;
	/* Without INIT it does not listen. */
	send(m->vcpus[0], 1, ICR_STARTUP | 0x9a);
	lodge_lapic_accept_events(vcpu);
	IRQ_EXPECT_EQ(m, vcpu->mp_state, KVM_MP_STATE_UNINITIALIZED);
	send(m->vcpus[0], 1, ICR_INIT);
	lodge_lapic_accept_events(vcpu);
	IRQ_EXPECT_EQ(m, vcpu->mp_state, KVM_MP_STATE_INIT_RECEIVED);
	IRQ_EXPECT_EQ(m, unit_vcpu_resets, resets + 1);
	send(m->vcpus[0], 1, ICR_STARTUP | 0x9a);
	lodge_lapic_accept_events(vcpu);
	IRQ_EXPECT_EQ(m, vcpu->mp_state, KVM_MP_STATE_RUNNABLE);
	IRQ_EXPECT_EQ(m, vcpu->rip, 0);
	lodge_op(get_segment)(vcpu, LODGE_CS, &cs);
	IRQ_EXPECT_EQ(m, cs.selector, 0x9a00);
	IRQ_EXPECT_EQ(m, cs.base, 0x9a000);
	/* The second SIPI that software sends finds it running. */
	vcpu->rip = 0x123;
	send(m->vcpus[0], 1, ICR_STARTUP | 0x55);
	lodge_lapic_accept_events(vcpu);
	IRQ_EXPECT_EQ(m, vcpu->rip, 0x123);
	IRQ_EXPECT(m, !lodge_lapic_has_events(vcpu));
	/* INIT takes a SIPI that has not been seen yet with it; both at once are acted on in order. */
	send(m->vcpus[0], 1, ICR_STARTUP | 0x44);
	send(m->vcpus[0], 1, ICR_INIT);
	lodge_lapic_accept_events(vcpu);
	IRQ_EXPECT_EQ(m, vcpu->mp_state, KVM_MP_STATE_INIT_RECEIVED);
	send(m->vcpus[0], 1, ICR_INIT);
	send(m->vcpus[0], 1, ICR_STARTUP | 0x66);
	lodge_lapic_accept_events(vcpu);
	IRQ_EXPECT_EQ(m, vcpu->mp_state, KVM_MP_STATE_RUNNABLE);
	lodge_op(get_segment)(vcpu, LODGE_CS, &cs);
	IRQ_EXPECT_EQ(m, cs.base, 0x66000);
	/* The boot processor starts over by itself. */
	send(m->vcpus[1], 0, ICR_INIT);
	lodge_lapic_accept_events(m->vcpus[0]);
	IRQ_EXPECT_EQ(m, m->vcpus[0]->mp_state, KVM_MP_STATE_RUNNABLE);
}

/* SDM 3, 11.12.5. */
static void base_modes(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[1];
	const u64 page = APIC_DEFAULT_PHYS_BASE, xapic = page | XAPIC_ENABLE, x2apic = xapic | X2APIC_ENABLE;
	u64 val;

	unit_guest_x2apic = false;
	IRQ_EXPECT_EQ(m, vcpu->apic_base, xapic);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, x2apic, false), -EINVAL);
	unit_guest_x2apic = true;
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, xapic | BIT(9), true), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, xapic | 1, true), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, xapic | BIT_ULL(40), true), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, page | X2APIC_ENABLE, true), -EINVAL);
	IRQ_EXPECT_EQ(m, vcpu->apic_base, xapic);
	IRQ_EXPECT_EQ(m, lodge_x2apic_read(vcpu, 0x802, &val), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, x2apic, false), 0);
	IRQ_EXPECT_EQ(m, lodge_x2apic_read(vcpu, 0x802, &val), 0);
	/* The page is gone: it reads as nothing. */
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_ID), 0xffffffff);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, xapic, false), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, page, false), 0);
	IRQ_EXPECT_EQ(m, lodge_x2apic_read(vcpu, 0x802, &val), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &(struct kvm_msi){ .address_lo = 0xfee01000, .data = 0x50 }), -1);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, x2apic, false), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, x2apic, true), 0);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, page, false), 0);
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, xapic, false), 0);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_ID), 0x01000000);
	/* Moved. */
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, 0xd0000000ULL | XAPIC_ENABLE, false), 0);
	IRQ_EXPECT(m, lodge_lapic_covers(vcpu, 0xd0000020));
	IRQ_EXPECT(m, !lodge_lapic_covers(vcpu, page + 0x20));
	m->vm->disabled_quirks = KVM_X86_QUIRK_LAPIC_MMIO_HOLE;
	IRQ_EXPECT_EQ(m, lodge_lapic_base_set(vcpu, page, false), 0);
	IRQ_EXPECT(m, !lodge_lapic_covers(vcpu, page + 0x20));
}

static void x2apic_on(struct irq_machine *m)
{
	unsigned int i;

	unit_guest_x2apic = true;
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++) {
		irq_lapic_out(m->vcpus[i], APIC_LVT0, APIC_LVT_MASKED);
		irq_lapic_out(m->vcpus[i], APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
		IRQ_EXPECT_EQ(m, lodge_lapic_base_set(m->vcpus[i], m->vcpus[i]->apic_base | X2APIC_ENABLE, false), 0);
	}
}

static u64 x2apic_in(struct irq_machine *m, struct lodge_vcpu *vcpu, u32 reg)
{
	u64 val = ~0ULL;

	IRQ_EXPECT_EQ(m, lodge_x2apic_read(vcpu, APIC_BASE_MSR + (reg >> 4), &val), 0);
	return val;
}

static int x2apic_out(struct lodge_vcpu *vcpu, u32 reg, u64 val)
{
	return lodge_x2apic_write(vcpu, APIC_BASE_MSR + (reg >> 4), val);
}

static void x2apic_registers(struct irq_machine *m)
{
	static const u32 no_read[] = { APIC_EOI, APIC_DFR, APIC_ICR2, APIC_ARBPRI, APIC_SELF_IPI, 0x10 };
	static const u32 no_write[] = { APIC_ID, APIC_LVR, APIC_PROCPRI, APIC_LDR, APIC_DFR, APIC_ISR, APIC_TMR,
					APIC_IRR, APIC_ICR2, APIC_TMCCT, APIC_ARBPRI, 0x10 };
	struct lodge_vcpu *vcpu = m->vcpus[1];
	unsigned int i;
	u64 val;

	x2apic_on(m);
	for (i = 0; i < ARRAY_SIZE(no_read); i++)
		IRQ_EXPECT_EQ(m, lodge_x2apic_read(vcpu, APIC_BASE_MSR + (no_read[i] >> 4), &val), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(no_write); i++)
		IRQ_EXPECT_EQ(m, x2apic_out(vcpu, no_write[i], 0), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_x2apic_read(vcpu, 0x8ff, &val), -EINVAL);
	/* Nothing above bit 31 but in ICR. */
	IRQ_EXPECT_EQ(m, x2apic_out(vcpu, APIC_TASKPRI, BIT_ULL(32)), -EINVAL);
	IRQ_EXPECT_EQ(m, x2apic_out(vcpu, APIC_EOI, 1), -EINVAL);
	IRQ_EXPECT_EQ(m, x2apic_out(vcpu, APIC_EOI, 0), 0);
	IRQ_EXPECT_EQ(m, x2apic_out(vcpu, APIC_ESR, 1), -EINVAL);
	IRQ_EXPECT_EQ(m, x2apic_out(vcpu, APIC_ESR, 0), 0);
	IRQ_EXPECT_EQ(m, x2apic_out(vcpu, APIC_SELF_IPI, 0x100), -EINVAL);
	IRQ_EXPECT_EQ(m, x2apic_out(vcpu, APIC_SELF_IPI, 0x67), 0);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), 0x67);
	IRQ_EXPECT_EQ(m, x2apic_in(m, vcpu, APIC_ISR + 0x30), BIT(7));
	IRQ_EXPECT_EQ(m, x2apic_out(vcpu, APIC_ICR, 0x12345678000000fdULL), 0);
	IRQ_EXPECT_EQ(m, x2apic_in(m, vcpu, APIC_ICR), 0x12345678000000fdULL);
	IRQ_EXPECT_EQ(m, x2apic_in(m, m->vcpus[3], APIC_ID), 3);
	IRQ_EXPECT_EQ(m, x2apic_in(m, m->vcpus[3], APIC_LDR), 8);
}

/* IDs 5, 200, 2 and 7: clusters 0, 12, 0, 0. */
static void x2apic_ipis(struct irq_machine *m)
{
	unsigned int i;

	x2apic_on(m);
	IRQ_EXPECT_EQ(m, x2apic_in(m, m->vcpus[1], APIC_LDR), 12 << 16 | BIT(8));
	IRQ_EXPECT_EQ(m, x2apic_out(m->vcpus[0], APIC_ICR, 200ULL << 32 | ICR_FIXED | 0x40), 0);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[1]), 0x40);
	/* 255 is an ID like any other here. */
	IRQ_EXPECT_EQ(m, x2apic_out(m->vcpus[0], APIC_ICR, 255ULL << 32 | ICR_FIXED | 0x51), 0);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), -1);
	IRQ_EXPECT_EQ(m, x2apic_out(m->vcpus[0], APIC_ICR, 0xffffffffULL << 32 | ICR_FIXED | 0x52), 0);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), 0x52);
	IRQ_EXPECT_EQ(m, x2apic_out(m->vcpus[0], APIC_ICR, 0x84ULL << 32 | APIC_DEST_LOGICAL | ICR_FIXED | 0x63), 0);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), i < 2 ? -1 : 0x63);
	IRQ_EXPECT_EQ(m, x2apic_out(m->vcpus[0], APIC_ICR,
				    0x000c0100ULL << 32 | APIC_DEST_LOGICAL | ICR_FIXED | 0x64), 0);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, irq_take(m->vcpus[i]), i == 1 ? 0x64 : -1);
	/* A device's broadcast reaches them all the same. */
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &(struct kvm_msi){ .address_lo = 0xfeeff000, .data = 0x75 }), 4);
}

static void x2apic_state(struct irq_machine *m)
{
	struct kvm_lapic_state saved;
	struct lodge_vcpu *vcpu = m->vcpus[2];
	u32 wrong = 0x77000000;

	x2apic_on(m);
	x2apic_out(vcpu, APIC_ICR, 0x1234567800000000ULL | 0xfd);
	lodge_lapic_get_state(vcpu, &saved);
	IRQ_EXPECT_EQ(m, saved_reg(&saved, APIC_ID), 0x02000000);
	IRQ_EXPECT_EQ(m, saved_reg(&saved, APIC_ICR2), 0x12345678);
	/* The IDs are the vCPU's, whatever the page says. */
	memcpy(saved.regs + APIC_ID, &wrong, sizeof(wrong));
	memcpy(saved.regs + APIC_LDR, &wrong, sizeof(wrong));
	IRQ_EXPECT_EQ(m, lodge_lapic_set_state(vcpu, &saved), 0);
	IRQ_EXPECT_EQ(m, x2apic_in(m, vcpu, APIC_ID), 2);
	IRQ_EXPECT_EQ(m, x2apic_in(m, vcpu, APIC_LDR), 4);
	IRQ_EXPECT_EQ(m, x2apic_in(m, vcpu, APIC_ICR), 0x12345678000000fdULL);
}

/* Suppressing EOI broadcasts is offered with user space's IOAPIC only. */
static void directed_eoi(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	unit_guest_x2apic = true;
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_LVR), 0x01050014);
	irq_lapic_out(vcpu, APIC_SPIV, 0xffffffff);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_SPIV), 0x13ff);
	unit_guest_x2apic = false;
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_LVR), 0x00050014);
}

static struct lodge_vcpu *timer_on(struct irq_machine *m, u32 lvtt, u32 tdcr)
{
	irq_lapics_on(m);
	irq_lapic_out(m->vcpus[1], APIC_LVTT, lvtt | 0xe0);
	irq_lapic_out(m->vcpus[1], APIC_TDCR, tdcr);
	return m->vcpus[1];
}

static void timer_one_shot(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = timer_on(m, 0, 0xb);

	irq_lapic_out(vcpu, APIC_TMICT, 1000000);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TMCCT), 1000000);
	unit_clock_advance(400000);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TMCCT), 600000);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	unit_clock_advance(600000);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TMCCT), 0);
	IRQ_EXPECT(m, lodge_vcpu_test_request(vcpu, LODGE_REQ_EVENT));
	IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
	unit_clock_advance(5000000);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	/* 0 stops it. */
	irq_lapic_out(vcpu, APIC_TMICT, 1000000);
	unit_clock_advance(500000);
	irq_lapic_out(vcpu, APIC_TMICT, 0);
	unit_clock_advance(5000000);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	/* Masked it counts and says nothing. */
	irq_lapic_out(vcpu, APIC_LVTT, APIC_LVT_MASKED | 0xe0);
	irq_lapic_out(vcpu, APIC_TMICT, 1000000);
	unit_clock_advance(1000000);
	irq_lapic_out(vcpu, APIC_LVTT, 0xe0);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TMCCT), 0);
}

static void timer_periodic(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = timer_on(m, APIC_LVT_TIMER_PERIODIC, 0x3);	/* by 16 */
	unsigned int i;

	irq_lapic_out(vcpu, APIC_TMICT, 100000);
	for (i = 0; i < 20; i++) {
		unit_clock_advance(1600000 - 16);
		IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
		unit_clock_advance(16);
		IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
	}
	/* What was missed is one interrupt. */
	unit_clock_advance(1600000 * 5ULL + 800000);
	IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TMCCT), 50000);
	/* To one-shot while it runs: the last one. */
	irq_lapic_out(vcpu, APIC_LVTT, 0xe0);
	unit_clock_advance(800000);
	IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
	unit_clock_advance(1600000 * 3ULL);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
}

/* The host's timer does not follow a guest that wants to be interrupted all the time. */
static void timer_too_fast(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = timer_on(m, APIC_LVT_TIMER_PERIODIC, 0xb);
	unsigned int i, n = 0;

	irq_lapic_out(vcpu, APIC_TMICT, 10);
	for (i = 0; i < 1000; i++) {
		unit_clock_advance(1000);
		if (irq_take(vcpu) == 0xe0) {
			irq_eoi(vcpu);
			n++;
		}
		IRQ_EXPECT(m, irq_lapic_in(vcpu, APIC_TMCCT) <= 10);
	}
	IRQ_EXPECT(m, n <= 6);
	IRQ_EXPECT(m, n >= 5);
}

static void timer_divisor(struct irq_machine *m)
{
	static const u8 codes[] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa };
	struct lodge_vcpu *vcpu = timer_on(m, 0, 0xb);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		irq_lapic_out(vcpu, APIC_TDCR, codes[i]);
		irq_lapic_out(vcpu, APIC_TMICT, 1000);
		unit_clock_advance((1000ULL << i) - 1);
		IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
		unit_clock_advance(1);
		IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
	}
	/* Changed while it counts: what is left is counted at the new pace. */
	irq_lapic_out(vcpu, APIC_TDCR, 0xb);
	irq_lapic_out(vcpu, APIC_TMICT, 1000);
	unit_clock_advance(600);
	irq_lapic_out(vcpu, APIC_TDCR, 0x0);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TMCCT), 400);
	unit_clock_advance(799);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	unit_clock_advance(1);
	IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
}

static void timer_deadline(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu;
	u64 now;

	unit_guest_deadline = false;
	vcpu = timer_on(m, APIC_LVT_TIMER_TSCDEADLINE, 0xb);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_LVTT), 0xe0);
	unit_guest_deadline = true;
	unit_tsc_khz = 2000000;
	irq_lapic_out(vcpu, APIC_TMICT, 1000);
	irq_lapic_out(vcpu, APIC_LVTT, APIC_LVT_TIMER_TSCDEADLINE | 0xe0);
	/* Changing to this mode disarms, and the initial count is dead. */
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TMICT), 0);
	irq_lapic_out(vcpu, APIC_TMICT, 1000);
	IRQ_EXPECT_EQ(m, irq_lapic_in(vcpu, APIC_TMICT), 0);
	unit_clock_advance(1000000);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	now = lodge_tsc_read(vcpu);
	lodge_lapic_deadline_set(vcpu, now + 2000);
	IRQ_EXPECT_EQ(m, lodge_lapic_deadline_get(vcpu), now + 2000);
	unit_clock_advance(999);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	unit_clock_advance(1);
	IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
	IRQ_EXPECT_EQ(m, lodge_lapic_deadline_get(vcpu), 0);
	/* In the past: at once. 0: never. */
	lodge_lapic_deadline_set(vcpu, now);
	IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
	lodge_lapic_deadline_set(vcpu, lodge_tsc_read(vcpu) + 2000);
	lodge_lapic_deadline_set(vcpu, 0);
	unit_clock_advance(1000000);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	/* The guest's TSC jumps ahead of it. */
	lodge_lapic_deadline_set(vcpu, lodge_tsc_read(vcpu) + 2000000);
	unit_tsc_khz = 4000000;
	lodge_lapic_tsc_changed(vcpu);
	IRQ_EXPECT_TAKEN(m, vcpu, 0xe0);
	/* As far away as can be said, on a slow TSC: the division must not overflow. */
	unit_tsc_khz = 1000;
	lodge_lapic_deadline_set(vcpu, ~0ULL);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	irq_lapic_out(vcpu, APIC_LVTT, 0xe0);
	IRQ_EXPECT_EQ(m, lodge_lapic_deadline_get(vcpu), 0);
	lodge_lapic_deadline_set(vcpu, 1);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	unit_tsc_khz = 1000000;
}

/* A timer that runs is saved and goes on elsewhere. */
static void timer_saved(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = timer_on(m, APIC_LVT_TIMER_PERIODIC, 0xb), *other = m->vcpus[2];
	struct kvm_lapic_state saved;

	irq_lapic_out(vcpu, APIC_TMICT, 1000000);
	unit_clock_advance(1300000);
	lodge_lapic_get_state(vcpu, &saved);
	IRQ_EXPECT_EQ(m, saved_reg(&saved, APIC_TMCCT), 700000);
	/* The first period's interrupt was raised on the way. */
	IRQ_EXPECT_EQ(m, saved_reg(&saved, APIC_IRR + 0x70), 1);
	lodge_lapic_set_state(other, &saved);
	IRQ_EXPECT_TAKEN(m, other, 0xe0);
	unit_clock_advance(699999);
	IRQ_EXPECT_EQ(m, irq_take(other), -1);
	unit_clock_advance(1);
	IRQ_EXPECT_TAKEN(m, other, 0xe0);
	unit_clock_advance(1000000);
	IRQ_EXPECT_TAKEN(m, other, 0xe0);
}

#endif

int lodge_selftest_lapic(void)
{
	static const struct irq_case cases[] = {
		IRQ_CASE(reset_values), IRQ_CASE(writable_bits), IRQ_CASE(odd_access), IRQ_CASE(priorities),
		IRQ_CASE(every_vector), IRQ_CASE(software_disabled), IRQ_CASE(ipis), IRQ_CASE(logical_destinations),
		{ .name = "sparse_ids", .run = sparse_ids, .ids = { 5, 200, 2, 7 } },
		IRQ_CASE(events), IRQ_CASE(extint), IRQ_CASE_SPLIT(user_extint), IRQ_CASE(state),
#ifdef __LODGE_UNIT__
		IRQ_CASE(init_and_sipi), IRQ_CASE(base_modes), IRQ_CASE(x2apic_registers),
		{ .name = "x2apic_ipis", .run = x2apic_ipis, .ids = { 5, 200, 2, 7 } },
		IRQ_CASE(x2apic_state), IRQ_CASE_SPLIT(directed_eoi), IRQ_CASE(timer_one_shot),
		IRQ_CASE(timer_periodic), IRQ_CASE(timer_too_fast), IRQ_CASE(timer_divisor),
		IRQ_CASE(timer_deadline), IRQ_CASE(timer_saved),
#endif
	};

	return irq_cases_run(cases, ARRAY_SIZE(cases));
}
