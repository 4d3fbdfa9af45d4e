// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the IOAPIC: its registers, edge and level pins, remote IRR and EOI, destinations, what
 * KVM_IRQ_LINE_STATUS reports, saved state, the brake on interrupts that nobody handles. Intel 82093AA data sheet.
 */
#include "irqchip_machine.h"

#include <linux/errno.h>

#ifdef __LODGE_UNIT__
#include "kernel.h"
#endif

#define PIN		20	/* no PIC pin at its GSI */
#define RTC		8
#define VECTOR		0x51
#define OTHER		0x62
#define LEVEL		IOAPIC_LEVEL
#define MODE(mode)	((u64)(mode) << 8)
#define DEST(id)	((u64)(id) << 56)

static void registers(struct irq_machine *m)
{
	unsigned int pin;
	u32 val = 0;

	IRQ_EXPECT_EQ(m, irq_ioapic_in(m, 1), 0x170011);
	irq_ioapic_out(m, 1, 0xffffffff);
	IRQ_EXPECT_EQ(m, irq_ioapic_in(m, 1), 0x170011);
	irq_ioapic_out(m, 0, 0xffffffff);
	IRQ_EXPECT_EQ(m, irq_ioapic_in(m, 0), 0x0f000000);
	IRQ_EXPECT_EQ(m, irq_ioapic_in(m, 2), 0x0f000000);
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		IRQ_EXPECT_EQ(m, irq_ioapic_entry(m, pin), IOAPIC_MASKED);
	/* Status and remote IRR are not software's, nor is what the data sheet leaves out. */
	irq_ioapic_set_entry(m, PIN, ~0ULL);
	IRQ_EXPECT_EQ(m, irq_ioapic_entry(m, PIN), 0xff0000000001afffULL);
	irq_ioapic_set_entry(m, PIN, 0x1200000000010034ULL);
	IRQ_EXPECT_EQ(m, irq_ioapic_entry(m, PIN), 0x1200000000010034ULL);
	/* Registers that are none. */
	irq_ioapic_out(m, 0x40, 5);
	IRQ_EXPECT_EQ(m, irq_ioapic_in(m, 0x40), 0xffffffff);
	IRQ_EXPECT_EQ(m, irq_ioapic_in(m, 5), 0);
	/* The window's select register reads back. */
	IRQ_EXPECT_EQ(m, lodge_io_bus_read(m->vcpus[0], LODGE_BUS_MMIO, IOAPIC_BASE, 4, &val), 0);
	IRQ_EXPECT_EQ(m, val, 5);
	IRQ_EXPECT_EQ(m, lodge_io_bus_read(m->vcpus[0], LODGE_BUS_MMIO, IOAPIC_BASE + 0x20, 4, &val), 0);
	IRQ_EXPECT_EQ(m, val, 0);
	IRQ_EXPECT_EQ(m, lodge_io_bus_read(m->vcpus[0], LODGE_BUS_MMIO, IOAPIC_BASE + 0x100, 4, &val),
		      -EOPNOTSUPP);
}

static void edge(struct irq_machine *m)
{
	irq_lapics_on(m);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), -1);
	irq_line(m, PIN, 0);
	irq_ioapic_set_entry(m, PIN, VECTOR);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), -1);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 1);
	/* Still up: no new edge. */
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 0);
	IRQ_EXPECT_TAKEN(m, m->vcpus[0], VECTOR);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), -1);
	irq_line(m, PIN, 0);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[0], VECTOR);
	IRQ_EXPECT_EQ(m, irq_ioapic_entry(m, PIN), VECTOR);
}

static void level(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, PIN, LEVEL | VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 1);
	IRQ_EXPECT(m, irq_ioapic_entry(m, PIN) & IOAPIC_REMOTE_IRR);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), -1);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	/* The line is up at the EOI: again. */
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	irq_line(m, PIN, 0);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	IRQ_EXPECT(m, !(irq_ioapic_entry(m, PIN) & IOAPIC_REMOTE_IRR));
}

static void level_masked(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, PIN, IOAPIC_MASKED | LEVEL | VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), -1);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	irq_ioapic_set_entry(m, PIN, LEVEL | VECTOR);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	/* Masked in its handler, ended, unmasked: the way of threaded handlers. */
	irq_ioapic_set_entry(m, PIN, IOAPIC_MASKED | LEVEL | VECTOR);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	irq_line(m, PIN, 0);
	irq_ioapic_set_entry(m, PIN, LEVEL | VECTOR);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
}

/* Software gets rid of a stuck remote IRR by way of edge mode. */
static void remote_irr_cleared(struct irq_machine *m)
{
	irq_lapics_on(m);
	irq_ioapic_set_entry(m, PIN, LEVEL | VECTOR);
	irq_line(m, PIN, 1);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), VECTOR);
	irq_line(m, PIN, 0);
	irq_ioapic_set_entry(m, PIN, IOAPIC_MASKED | VECTOR);
	IRQ_EXPECT_EQ(m, irq_ioapic_entry(m, PIN), IOAPIC_MASKED | VECTOR);
	irq_ioapic_set_entry(m, PIN, LEVEL | OTHER);
	irq_line(m, PIN, 1);
	/* The old one is still in service, the new one is higher. */
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), OTHER);
}

/* The EOI of another vector, or one that was delivered as an edge, ends nothing. */
static void foreign_eoi(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, PIN, LEVEL | VECTOR);
	irq_ioapic_set_entry(m, PIN + 1, OTHER);
	irq_line(m, PIN, 1);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	irq_line(m, PIN + 1, 1);
	IRQ_EXPECT_TAKEN(m, vcpu, OTHER);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	IRQ_EXPECT(m, irq_ioapic_entry(m, PIN) & IOAPIC_REMOTE_IRR);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
}

/* Two pins with one vector: its EOI is both's. */
static void shared_vector(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, PIN, LEVEL | VECTOR);
	irq_ioapic_set_entry(m, PIN + 1, LEVEL | VECTOR);
	irq_line(m, PIN, 1);
	irq_line(m, PIN + 1, 1);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	irq_line(m, PIN, 0);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	irq_line(m, PIN + 1, 0);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
}

static void sources(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, PIN, LEVEL | VECTOR);
	lodge_irq_set(m->vm, 0, PIN, 1);
	lodge_irq_set(m->vm, 1, PIN, 1);
	lodge_irq_set(m->vm, 0, PIN, 0);
	IRQ_EXPECT_TAKEN(m, vcpu, VECTOR);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	lodge_irq_set(m->vm, 1, PIN, 0);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
}

static void destinations(struct irq_machine *m)
{
	unsigned int i;

	irq_lapics_on(m);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		irq_lapic_out(m->vcpus[i], APIC_LDR, 0x01000000U << i);
	irq_ioapic_set_entry(m, PIN, DEST(2) | VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 1);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), -1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[2], VECTOR);
	irq_line(m, PIN, 0);
	irq_ioapic_set_entry(m, PIN, DEST(0x0a) | IOAPIC_LOGICAL | VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 2);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), -1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[1], VECTOR);
	IRQ_EXPECT_TAKEN(m, m->vcpus[3], VECTOR);
	irq_line(m, PIN, 0);
	irq_ioapic_set_entry(m, PIN, DEST(0xff) | VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 4);
	irq_line(m, PIN, 0);
	irq_ioapic_set_entry(m, PIN, DEST(9) | VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), -1);
	irq_line(m, PIN, 0);
	/* NMI by a pin: any vector. */
	irq_ioapic_set_entry(m, PIN, DEST(1) | MODE(IRQ_MODE_NMI) | 0x02);
	IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 1);
	IRQ_EXPECT_EQ(m, atomic_read(&m->vcpus[1]->nmi_queued), 1);
}

/* Lowest priority goes round, among those that are on. */
static void lowest_priority(struct irq_machine *m)
{
	unsigned int i, taken[IRQ_MACHINE_VCPUS] = {};

	irq_lapics_on(m);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		irq_lapic_out(m->vcpus[i], APIC_LDR, 0x01000000U << i);
	irq_lapic_out(m->vcpus[3], APIC_SPIV, 0xff);
	irq_ioapic_set_entry(m, PIN, DEST(0x0e) | IOAPIC_LOGICAL | MODE(IRQ_MODE_LOWEST) | VECTOR);
	for (i = 0; i < 10; i++) {
		IRQ_EXPECT_EQ(m, irq_line(m, PIN, 1), 1);
		irq_line(m, PIN, 0);
		if (irq_take(m->vcpus[1]) == VECTOR) {
			irq_eoi(m->vcpus[1]);
			taken[1]++;
		}
		if (irq_take(m->vcpus[2]) == VECTOR) {
			irq_eoi(m->vcpus[2]);
			taken[2]++;
		}
	}
	IRQ_EXPECT_EQ(m, taken[1], 5);
	IRQ_EXPECT_EQ(m, taken[2], 5);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), -1);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[3]), -1);
}

/* The clock's tick counts as coalesced until its handler has ended. */
static void rtc(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];

	irq_lapics_on(m);
	irq_port_out(m, 0xa1, 0xff);
	irq_ioapic_set_entry(m, RTC, VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, RTC, 1), 1);
	irq_line(m, RTC, 0);
	IRQ_EXPECT_EQ(m, irq_line(m, RTC, 1), 0);
	irq_line(m, RTC, 0);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, RTC, 1), 0);
	irq_line(m, RTC, 0);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	IRQ_EXPECT_EQ(m, irq_line(m, RTC, 1), 1);
	IRQ_EXPECT_TAKEN(m, vcpu, VECTOR);
}

static void state(struct irq_machine *m)
{
	struct kvm_irqchip saved = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_ioapic_state *ioapic = &saved.chip.ioapic;
	struct lodge_vcpu *vcpu = m->vcpus[0];

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, PIN, VECTOR);
	irq_ioapic_set_entry(m, PIN + 1, LEVEL | OTHER);
	irq_line(m, PIN, 1);
	irq_line(m, PIN + 1, 1);
	irq_line(m, PIN + 2, 1);
	IRQ_EXPECT_EQ(m, lodge_irqchip_get(m->vm, &saved), 0);
	IRQ_EXPECT_EQ(m, ioapic->base_address, IOAPIC_BASE);
	/* The edge was delivered; the level and what is masked are still to be seen. */
	IRQ_EXPECT_EQ(m, ioapic->irr, BIT(PIN + 1) | BIT(PIN + 2));
	IRQ_EXPECT_EQ(m, ioapic->redirtbl[PIN].bits, VECTOR);
	IRQ_EXPECT_EQ(m, ioapic->redirtbl[PIN + 1].bits, LEVEL | IOAPIC_REMOTE_IRR | OTHER);
	IRQ_EXPECT_TAKEN(m, vcpu, OTHER);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), OTHER);
	IRQ_EXPECT_EQ(m, lodge_irqchip_set(m->vm, &saved), 0);
	/* Remote IRR was restored with it: the EOI is still to come. */
	irq_eoi(vcpu);
	IRQ_EXPECT_TAKEN(m, vcpu, OTHER);
	/* An edge that nobody took yet is delivered by SET. */
	ioapic->irr = BIT(PIN);
	ioapic->redirtbl[PIN + 1].bits = IOAPIC_MASKED;
	ioapic->ioregsel = 0x10 + 2 * PIN;
	ioapic->id = 9;
	IRQ_EXPECT_EQ(m, lodge_irqchip_set(m->vm, &saved), 0);
	IRQ_EXPECT_TAKEN(m, vcpu, OTHER);
	IRQ_EXPECT_TAKEN(m, vcpu, VECTOR);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	IRQ_EXPECT_EQ(m, irq_ioapic_in(m, 0), 0x09000000);
}

#ifdef __LODGE_UNIT__

/* A line that stays up whatever the guest does: after 10000 rounds it has to wait. */
static void storm(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[0];
	unsigned int n = 0;

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, PIN, LEVEL | VECTOR);
	irq_line(m, PIN, 1);
	while (irq_take(vcpu) == VECTOR && n < 20000) {
		irq_eoi(vcpu);
		n++;
	}
	IRQ_EXPECT_EQ(m, n, 10000);
	unit_clock_advance(9 * NSEC_PER_MSEC);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
	unit_clock_advance(NSEC_PER_MSEC);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	irq_line(m, PIN, 0);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), -1);
}

/* A vCPU that was reset while the clock's tick was in service never ends it. */
static void rtc_lost(struct irq_machine *m)
{
	irq_lapics_on(m);
	irq_port_out(m, 0xa1, 0xff);
	irq_ioapic_set_entry(m, RTC, VECTOR);
	irq_line(m, RTC, 1);
	irq_line(m, RTC, 0);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), VECTOR);
	lodge_lapic_reset(m->vcpus[0], true);
	irq_lapics_on(m);
	IRQ_EXPECT_EQ(m, irq_line(m, RTC, 1), 0);
	irq_line(m, RTC, 0);
	unit_clock_advance(2ULL * NSEC_PER_SEC);
	IRQ_EXPECT_EQ(m, irq_line(m, RTC, 1), 1);
}

/* A creation that fails at any allocation leaves nothing behind and can be done again. */
static void creation_fails(struct irq_machine *m)
{
	struct lodge_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	unsigned int n, before = unit_alloc_count();
	int ret = -ENOMEM;

	refcount_set(&vm->users, 1);
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	mutex_lock(&vm->lock);
	for (n = 1; n < 50 && ret; n++) {
		unit_alloc_fail_at(n);
		ret = lodge_irqchip_create(vm);
		unit_alloc_fail_at(0);
		IRQ_EXPECT_EQ(m, ret, ret ? -ENOMEM : 0);
		if (ret)
			IRQ_EXPECT_EQ(m, unit_alloc_count(), before);
	}
	IRQ_EXPECT(m, n > 8);
	IRQ_EXPECT_EQ(m, lodge_irqchip_create(vm), -EEXIST);
	IRQ_EXPECT_EQ(m, lodge_irqchip_create_split(vm, 24), -EEXIST);
	mutex_unlock(&vm->lock);
	lodge_irqchip_destroy(vm);
	refcount_set(&vm->users, 0);
	lodge_io_bus_destroy(vm);
	IRQ_EXPECT_EQ(m, unit_alloc_count(), before);
	kfree(vm);
}

#endif

int lodge_selftest_ioapic(void)
{
	static const struct irq_case cases[] = {
		IRQ_CASE(registers), IRQ_CASE(edge), IRQ_CASE(level), IRQ_CASE(level_masked),
		IRQ_CASE(remote_irr_cleared), IRQ_CASE(foreign_eoi), IRQ_CASE(shared_vector), IRQ_CASE(sources),
		IRQ_CASE(destinations), IRQ_CASE(lowest_priority), IRQ_CASE(rtc), IRQ_CASE(state),
#ifdef __LODGE_UNIT__
		IRQ_CASE(storm), IRQ_CASE(rtc_lost), IRQ_CASE(creation_fails),
#endif
	};

	return irq_cases_run(cases, ARRAY_SIZE(cases));
}
