// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the 8259A pair: initialisation, priorities and their rotation, edge and level, the cascade, the
 * read-back, poll and automatic EOI modes, what goes to which vCPU. The IOAPIC's pins stay masked. Intel 8259A data
 * sheet.
 */
#include "irqchip_machine.h"

#include <linux/errno.h>

#define MASTER		0x20
#define SLAVE		0xa0
#define MASTER_BASE	0x30
#define SLAVE_BASE	0x38
#define ELCR		0x4d0

#define OCW2_EOI		0x20
#define OCW2_EOI_OF(pin)	(0x60 | (pin))
#define OCW2_ROTATE_EOI		0xa0
#define OCW2_ROTATE_EOI_OF(pin)	(0xe0 | (pin))
#define OCW2_ROTATE_AUTO	0x80
#define OCW2_LOWEST(pin)	(0xc0 | (pin))
#define OCW3_READ_IRR		0x0a
#define OCW3_READ_ISR		0x0b
#define OCW3_POLL		0x0c
#define OCW3_SPECIAL_MASK	0x68
#define OCW3_NORMAL_MASK	0x48

#define ICW4_8086		0x01
#define ICW4_AUTO_EOI		0x02
#define ICW4_FULLY_NESTED	0x10

static void pic_init(struct irq_machine *m, u8 icw4)
{
	irq_port_out(m, MASTER, 0x11);
	irq_port_out(m, MASTER + 1, MASTER_BASE | 5);	/* the low bits are the pin's */
	irq_port_out(m, MASTER + 1, 0x04);
	irq_port_out(m, MASTER + 1, icw4);
	irq_port_out(m, SLAVE, 0x11);
	irq_port_out(m, SLAVE + 1, SLAVE_BASE);
	irq_port_out(m, SLAVE + 1, 0x02);
	irq_port_out(m, SLAVE + 1, ICW4_8086);
}

static u8 pic_read(struct irq_machine *m, u16 port, u8 ocw3)
{
	irq_port_out(m, port, ocw3);
	return irq_port_in(m, port);
}

static void pulse(struct irq_machine *m, u32 gsi)
{
	irq_line(m, gsi, 1);
	irq_line(m, gsi, 0);
}

static int take(struct irq_machine *m)
{
	return irq_take(m->vcpus[0]);
}

static void one_interrupt(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	IRQ_EXPECT_EQ(m, take(m), -1);
	IRQ_EXPECT_EQ(m, irq_line(m, 1, 1), 1);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_IRR), 0x02);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 1);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_IRR), 0);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0x02);
	/* The line is still up, but an edge pin has seen its edge. */
	irq_port_out(m, MASTER, OCW2_EOI);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0);
	IRQ_EXPECT_EQ(m, take(m), -1);
	irq_line(m, 1, 0);
	pulse(m, 1);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 1);
}

static void status(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	IRQ_EXPECT_EQ(m, irq_line(m, 4, 1), 1);
	IRQ_EXPECT(m, irq_line(m, 4, 0) > 0);
	/* Raised again before it was taken. */
	IRQ_EXPECT_EQ(m, irq_line(m, 4, 1), 0);
	irq_port_out(m, MASTER + 1, 0x10);
	IRQ_EXPECT_EQ(m, irq_port_in(m, MASTER + 1), 0x10);
	irq_line(m, 4, 0);
	IRQ_EXPECT_EQ(m, irq_line(m, 4, 1), -1);
	IRQ_EXPECT_EQ(m, take(m), -1);
	/* Masking holds it back and does not lose it. */
	irq_port_out(m, MASTER + 1, 0);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 4);
}

static void priorities(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	pulse(m, 5);
	pulse(m, 3);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 3);
	IRQ_EXPECT_EQ(m, take(m), -1);
	pulse(m, 0);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 0);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0x09);
	irq_port_out(m, MASTER, OCW2_EOI);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0x08);
	irq_port_out(m, MASTER, OCW2_EOI_OF(3));
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 5);
	/* An EOI of what is not in service is none. */
	irq_port_out(m, MASTER, OCW2_EOI_OF(2));
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0x20);
}

static void cascade(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	pulse(m, 12);
	pulse(m, 10);
	pulse(m, 4);
	IRQ_EXPECT_EQ(m, take(m), SLAVE_BASE + 2);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0x04);
	IRQ_EXPECT_EQ(m, pic_read(m, SLAVE, OCW3_READ_ISR), 0x04);
	IRQ_EXPECT_EQ(m, pic_read(m, SLAVE, OCW3_READ_IRR), 0x10);
	/* Both are in service: the slave first, as handlers do. */
	irq_port_out(m, SLAVE, OCW2_EOI);
	IRQ_EXPECT_EQ(m, take(m), -1);
	irq_port_out(m, MASTER, OCW2_EOI);
	IRQ_EXPECT_EQ(m, take(m), SLAVE_BASE + 4);
	irq_port_out(m, SLAVE, OCW2_EOI);
	irq_port_out(m, MASTER, OCW2_EOI);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 4);
}

/* The request goes away between the slave's edge and INTA. */
static void slave_spurious(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	pulse(m, 9);
	irq_port_out(m, SLAVE + 1, 0xff);
	IRQ_EXPECT_EQ(m, take(m), SLAVE_BASE + 7);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0x04);
	IRQ_EXPECT_EQ(m, pic_read(m, SLAVE, OCW3_READ_ISR), 0);
}

static void level(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	irq_port_out(m, ELCR, 0xff);
	irq_port_out(m, ELCR + 1, 0xff);
	/* Timer, keyboard, cascade, clock and coprocessor are always edge-triggered. */
	IRQ_EXPECT_EQ(m, irq_port_in(m, ELCR), 0xf8);
	IRQ_EXPECT_EQ(m, irq_port_in(m, ELCR + 1), 0xde);
	irq_line(m, 5, 1);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 5);
	IRQ_EXPECT_EQ(m, take(m), -1);
	irq_port_out(m, MASTER, OCW2_EOI);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 5);
	irq_line(m, 5, 0);
	irq_port_out(m, MASTER, OCW2_EOI);
	IRQ_EXPECT_EQ(m, take(m), -1);
	/* A level that falls before it is taken was never there. */
	pulse(m, 11);
	IRQ_EXPECT_EQ(m, pic_read(m, SLAVE, OCW3_READ_IRR), 0);
}

static void sources(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	irq_port_out(m, ELCR, 0x20);
	lodge_irq_set(m->vm, 0, 5, 1);
	lodge_irq_set(m->vm, 1, 5, 1);
	lodge_irq_set(m->vm, 0, 5, 0);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_IRR), 0x20);
	lodge_irq_set(m->vm, 1, 5, 0);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_IRR), 0);
}

static void rotation(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	/* The one just served becomes the lowest. */
	pulse(m, 1);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 1);
	irq_port_out(m, MASTER, OCW2_ROTATE_EOI);
	pulse(m, 1);
	pulse(m, 7);
	pulse(m, 0);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 7);
	irq_port_out(m, MASTER, OCW2_EOI);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 0);
	irq_port_out(m, MASTER, OCW2_ROTATE_EOI_OF(0));
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 1);
	irq_port_out(m, MASTER, OCW2_EOI);
	irq_port_out(m, MASTER, OCW2_LOWEST(5));
	pulse(m, 0);
	pulse(m, 6);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 6);
}

static void special_mask(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	pulse(m, 1);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 1);
	pulse(m, 6);
	IRQ_EXPECT_EQ(m, take(m), -1);
	/* What is in service and masked holds back nothing. */
	irq_port_out(m, MASTER + 1, 0x02);
	IRQ_EXPECT_EQ(m, take(m), -1);
	irq_port_out(m, MASTER, OCW3_SPECIAL_MASK);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 6);
	irq_port_out(m, MASTER, OCW3_NORMAL_MASK);
	pulse(m, 7);
	IRQ_EXPECT_EQ(m, take(m), -1);
}

static void fully_nested(struct irq_machine *m)
{
	pic_init(m, ICW4_8086 | ICW4_FULLY_NESTED);
	pulse(m, 12);
	IRQ_EXPECT_EQ(m, take(m), SLAVE_BASE + 4);
	/* A higher one of the same slave need not wait for the master's EOI. */
	pulse(m, 9);
	IRQ_EXPECT_EQ(m, take(m), SLAVE_BASE + 1);
}

static void auto_eoi(struct irq_machine *m)
{
	pic_init(m, ICW4_8086 | ICW4_AUTO_EOI);
	pulse(m, 1);
	pulse(m, 2 + 1);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 1);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 3);
	irq_port_out(m, MASTER, OCW2_ROTATE_AUTO);
	pulse(m, 0);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 0);
	pulse(m, 0);
	pulse(m, 6);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 6);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 0);
}

static void poll(struct irq_machine *m)
{
	pic_init(m, ICW4_8086);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_POLL), 0);
	pulse(m, 6);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_POLL), 0x86);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0x40);
	irq_port_out(m, MASTER, OCW2_EOI);
	pulse(m, 15);
	IRQ_EXPECT_EQ(m, pic_read(m, SLAVE, OCW3_POLL), 0x87);
	/* The master was not asked and no longer is. */
	IRQ_EXPECT_EQ(m, take(m), -1);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0);
}

static void initialisation(struct irq_machine *m)
{
	pic_init(m, ICW4_8086 | ICW4_AUTO_EOI);
	irq_port_out(m, MASTER + 1, 0xa5);
	irq_line(m, 3, 1);
	/* ICW1 without ICW4: masks, edges and modes are cleared, and two words follow. */
	irq_port_out(m, MASTER, 0x10);
	irq_port_out(m, MASTER + 1, 0x50);
	irq_port_out(m, MASTER + 1, 0x04);
	IRQ_EXPECT_EQ(m, irq_port_in(m, MASTER + 1), 0);
	irq_port_out(m, MASTER + 1, 0x41);
	IRQ_EXPECT_EQ(m, irq_port_in(m, MASTER + 1), 0x41);
	irq_line(m, 3, 0);
	irq_line(m, 3, 1);
	IRQ_EXPECT_EQ(m, take(m), 0x53);
	IRQ_EXPECT_EQ(m, pic_read(m, MASTER, OCW3_READ_ISR), 0x08);
}

/* LINT0 decides who hears the PIC, and only the first such vCPU is told. */
static void output(struct irq_machine *m)
{
	unsigned int i;

	pic_init(m, ICW4_8086);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		m->vcpus[i]->requests = 0;
	irq_lapic_out(m->vcpus[0], APIC_LVT0, APIC_LVT_MASKED);
	irq_lapic_out(m->vcpus[0], APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
	irq_lapic_out(m->vcpus[2], APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
	irq_lapic_out(m->vcpus[2], APIC_LVT0, SET_APIC_DELIVERY_MODE(0, APIC_MODE_EXTINT));
	irq_lapic_out(m->vcpus[3], APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
	irq_lapic_out(m->vcpus[3], APIC_LVT0, SET_APIC_DELIVERY_MODE(0, APIC_MODE_EXTINT));
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		m->vcpus[i]->requests = 0;
	pulse(m, 1);
	IRQ_EXPECT(m, !lodge_irq_pending(m->vcpus[0]));
	IRQ_EXPECT(m, lodge_irq_pending(m->vcpus[2]));
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++)
		IRQ_EXPECT_EQ(m, lodge_vcpu_test_request(m->vcpus[i], LODGE_REQ_EVENT), i == 2);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[2]), MASTER_BASE + 1);
	/* Who comes too late gets nothing. */
	IRQ_EXPECT_EQ(m, lodge_pic_read_vector(m->vm->irqchip->pic), -1);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[3]), -1);
}

static void state(struct irq_machine *m)
{
	struct kvm_irqchip saved = { .chip_id = KVM_IRQCHIP_PIC_MASTER }, again = saved;

	pic_init(m, ICW4_8086);
	pulse(m, 6);
	irq_port_out(m, MASTER + 1, 0x21);
	irq_port_out(m, MASTER, OCW2_LOWEST(3));
	IRQ_EXPECT_EQ(m, lodge_irqchip_get(m->vm, &saved), 0);
	IRQ_EXPECT_EQ(m, saved.chip.pic.irr, 0x40);
	IRQ_EXPECT_EQ(m, saved.chip.pic.imr, 0x21);
	IRQ_EXPECT_EQ(m, saved.chip.pic.irq_base, MASTER_BASE);
	IRQ_EXPECT_EQ(m, saved.chip.pic.priority_add, 4);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 6);
	irq_port_out(m, MASTER, 0x11);
	IRQ_EXPECT_EQ(m, lodge_irqchip_set(m->vm, &saved), 0);
	IRQ_EXPECT_EQ(m, lodge_irqchip_get(m->vm, &again), 0);
	IRQ_EXPECT_EQ(m, memcmp(&saved.chip.pic, &again.chip.pic, sizeof(saved.chip.pic)), 0);
	IRQ_EXPECT_EQ(m, take(m), MASTER_BASE + 6);
	saved.chip_id = 3;
	IRQ_EXPECT_EQ(m, lodge_irqchip_get(m->vm, &saved), -EINVAL);
	IRQ_EXPECT_EQ(m, lodge_irqchip_set(m->vm, &saved), -EINVAL);
}

static void wide_access(struct irq_machine *m)
{
	u32 val = 0xffffffff;

	pic_init(m, ICW4_8086);
	irq_port_out(m, MASTER + 1, 0x12);
	IRQ_EXPECT_EQ(m, lodge_io_bus_read(m->vcpus[0], LODGE_BUS_PIO, MASTER, 2, &val), 0);
	IRQ_EXPECT_EQ(m, val, 0xffff0000);
	IRQ_EXPECT_EQ(m, lodge_io_bus_write(m->vcpus[0], LODGE_BUS_PIO, MASTER, 2, &val), 0);
	IRQ_EXPECT_EQ(m, irq_port_in(m, MASTER + 1), 0x12);
	/* Past the registers: nobody's. */
	IRQ_EXPECT_EQ(m, lodge_io_bus_read(m->vcpus[0], LODGE_BUS_PIO, MASTER, 4, &val), -EOPNOTSUPP);
	IRQ_EXPECT_EQ(m, irq_port_in(m, MASTER + 2), -1);
}

static struct irq_machine *ack_machine;
static unsigned int ack_count;

static void ack_told(struct lodge_irq_ack *ack)
{
	ack_count++;
	/* It may drive the line: no lock is held. */
	irq_line(ack_machine, ack->gsi, 0);
}

static void acknowledges(struct irq_machine *m)
{
	struct lodge_irq_ack ack = { .gsi = 11, .acked = ack_told };

	ack_machine = m;
	ack_count = 0;
	pic_init(m, ICW4_8086);
	irq_port_out(m, ELCR + 1, 0x08);
	lodge_irq_ack_register(m->vm, &ack);
	irq_line(m, 11, 1);
	IRQ_EXPECT_EQ(m, take(m), SLAVE_BASE + 3);
	IRQ_EXPECT_EQ(m, ack_count, 0);
	irq_port_out(m, SLAVE, OCW2_EOI);
	IRQ_EXPECT_EQ(m, ack_count, 1);
	irq_port_out(m, MASTER, OCW2_EOI);
	IRQ_EXPECT_EQ(m, ack_count, 1);
	IRQ_EXPECT_EQ(m, take(m), -1);
	pulse(m, 12);
	IRQ_EXPECT_EQ(m, take(m), SLAVE_BASE + 4);
	irq_port_out(m, SLAVE, OCW2_EOI);
	IRQ_EXPECT_EQ(m, ack_count, 1);
	lodge_irq_ack_unregister(m->vm, &ack);
}

int lodge_selftest_pic(void)
{
	static const struct irq_case cases[] = {
		IRQ_CASE(one_interrupt), IRQ_CASE(status), IRQ_CASE(priorities), IRQ_CASE(cascade),
		IRQ_CASE(slave_spurious), IRQ_CASE(level), IRQ_CASE(sources), IRQ_CASE(rotation),
		IRQ_CASE(special_mask), IRQ_CASE(fully_nested), IRQ_CASE(auto_eoi), IRQ_CASE(poll),
		IRQ_CASE(initialisation), IRQ_CASE(output), IRQ_CASE(state), IRQ_CASE(wide_access),
		IRQ_CASE(acknowledges),
	};

	return irq_cases_run(cases, ARRAY_SIZE(cases));
}
