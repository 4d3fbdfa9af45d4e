// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of GSI routing: the table that a new irqchip has, which tables are refused, messages taken apart, what an
 * injection reports, which listener an acknowledged pin belongs to, and user space's EOIs in split mode.
 */
#include "irqchip_machine.h"

#include <linux/errno.h>
#include <linux/slab.h>

#define VECTOR		0x51
#define OTHER		0x62
#define MSI_ADDRESS(id)	(0xfee00000U | (id) << 12)
#define MSI_LEVEL	BIT(15)

#define ROUTE_PIN(g, c, p) \
	{ .gsi = (g), .type = KVM_IRQ_ROUTING_IRQCHIP, .u.irqchip = { .irqchip = (c), .pin = (p) } }
#define ROUTE_MSI(g, a, d) \
	{ .gsi = (g), .type = KVM_IRQ_ROUTING_MSI, .u.msi = { .address_lo = (a), .data = (d) } }

static int set_flags(struct irq_machine *m, const struct kvm_irq_routing_entry *entries, u32 nr, u32 flags)
{
	int ret;

	mutex_lock(&m->vm->lock);
	ret = lodge_routing_set(m->vm, entries, nr, flags);
	mutex_unlock(&m->vm->lock);
	return ret;
}

static int set(struct irq_machine *m, const struct kvm_irq_routing_entry *entries, u32 nr)
{
	return set_flags(m, entries, nr, 0);
}

static void default_table(struct irq_machine *m)
{
	u32 gsi;

	irq_lapics_on(m);
	irq_port_out(m, 0x21, 0);
	irq_port_out(m, 0xa1, 0);
	for (gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		irq_ioapic_set_entry(m, gsi, 0x40 + gsi);
		/* Two chips take it below 16. */
		IRQ_EXPECT_EQ(m, irq_line(m, gsi, 1), gsi < PIC_PINS ? 2 : 1);
		IRQ_EXPECT(m, irq_line(m, gsi, 0) > 0);
		IRQ_EXPECT_TAKEN(m, m->vcpus[0], 0x40 + gsi);
	}
	IRQ_EXPECT_EQ(m, irq_line(m, IOAPIC_PINS, 1), -1);
	IRQ_EXPECT_EQ(m, irq_line(m, ~0U, 1), -1);
}

static void refused(struct irq_machine *m)
{
	static const struct {
		const char *why;
		u32 nr;
		struct kvm_irq_routing_entry entries[3];
	} bad[] = {
		{ "unknown type", 1, { { .gsi = 1, .type = 77 } } },
		{ "type 0", 1, { { .gsi = 1 } } },
		{ "unknown chip", 1, { ROUTE_PIN(1, 3, 0) } },
		{ "PIC pin", 1, { ROUTE_PIN(1, KVM_IRQCHIP_PIC_SLAVE, 8) } },
		{ "IOAPIC pin", 1, { ROUTE_PIN(1, KVM_IRQCHIP_IOAPIC, 24) } },
		{ "GSI", 1, { ROUTE_MSI(LODGE_MAX_IRQ_ROUTES, 0, 0) } },
		{ "chip twice", 3, { ROUTE_PIN(1, KVM_IRQCHIP_IOAPIC, 4), ROUTE_PIN(2, KVM_IRQCHIP_IOAPIC, 5),
				     ROUTE_PIN(1, KVM_IRQCHIP_IOAPIC, 6) } },
		{ "MSI after pin", 2, { ROUTE_PIN(1, KVM_IRQCHIP_IOAPIC, 4), ROUTE_MSI(1, 0, 0) } },
		{ "pin after MSI", 2, { ROUTE_MSI(1, 0, 0), ROUTE_PIN(1, KVM_IRQCHIP_IOAPIC, 4) } },
		{ "MSI twice", 2, { ROUTE_MSI(1, 0, 0), ROUTE_MSI(1, 0, 0) } },
		{ "pin's flags", 1, { { .gsi = 1, .type = KVM_IRQ_ROUTING_IRQCHIP, .flags = 1 } } },
		{ "MSI's flags", 1, { { .gsi = 1, .type = KVM_IRQ_ROUTING_MSI, .flags = 2 } } },
	};
	unsigned int i;

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, 20, VECTOR);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (set(m, bad[i].entries, bad[i].nr) == -EINVAL)
			continue;
		pr_err("%s was not refused\n", bad[i].why);
		m->failed++;
	}
	IRQ_EXPECT_EQ(m, set_flags(m, NULL, 0, 1), -EINVAL);
	/* The table from before is still there. */
	IRQ_EXPECT_EQ(m, irq_line(m, 20, 1), 1);
}

static void replaced(struct irq_machine *m)
{
	static const struct kvm_irq_routing_entry table[] = {
		ROUTE_MSI(4095, MSI_ADDRESS(2), OTHER),
		ROUTE_PIN(30, KVM_IRQCHIP_IOAPIC, 20),
		ROUTE_PIN(0, KVM_IRQCHIP_PIC_MASTER, 0),
		ROUTE_PIN(0, KVM_IRQCHIP_IOAPIC, 2),
		ROUTE_MSI(29, 0, 0),
	};

	irq_lapics_on(m);
	irq_ioapic_set_entry(m, 20, VECTOR);
	irq_ioapic_set_entry(m, 2, 0x33);
	IRQ_EXPECT_EQ(m, set(m, table, ARRAY_SIZE(table)), 0);
	IRQ_EXPECT_EQ(m, irq_line(m, 20, 1), -1);
	IRQ_EXPECT_EQ(m, irq_line(m, 30, 1), 1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[0], VECTOR);
	IRQ_EXPECT_EQ(m, irq_line(m, 4095, 1), 1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[2], OTHER);
	/* A message has no level to fall. */
	IRQ_EXPECT_EQ(m, irq_line(m, 4095, 0), -1);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[2]), -1);
	irq_line(m, 0, 1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[0], 0x33);
	IRQ_EXPECT_EQ(m, set(m, NULL, 0), 0);
	IRQ_EXPECT_EQ(m, irq_line(m, 4095, 1), -1);
	IRQ_EXPECT_EQ(m, irq_line(m, 0, 1), -1);
}

static void messages(struct irq_machine *m)
{
	struct lodge_irq_message message;
	struct kvm_msi msi = { .address_lo = MSI_ADDRESS(1), .data = VECTOR };

	lodge_msi_to_message(0xfee5a00cULL, 0x8351, &message);
	IRQ_EXPECT_EQ(m, message.dest, 0x5a);
	IRQ_EXPECT_EQ(m, message.vector, 0x51);
	IRQ_EXPECT_EQ(m, message.mode, 3);
	IRQ_EXPECT(m, message.logical && message.redirection_hint && message.level && message.assert);
	IRQ_EXPECT_EQ(m, message.shorthand, 0);
	lodge_msi_to_message(0xfee00000ULL, 0x0451, &message);
	IRQ_EXPECT_EQ(m, message.mode, IRQ_MODE_NMI);
	IRQ_EXPECT(m, !message.logical && !message.redirection_hint && !message.level);

	irq_lapics_on(m);
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &msi), 1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[1], VECTOR);
	/* The upper half is not looked at. */
	msi.address_hi = 0xff00;
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &msi), 1);
	msi.address_lo = MSI_ADDRESS(9);
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &msi), -1);
	/* To a LAPIC that software has disabled. */
	msi.address_lo = MSI_ADDRESS(3);
	irq_lapic_out(m->vcpus[3], APIC_SPIV, 0xff);
	IRQ_EXPECT_EQ(m, lodge_msi_send(m->vm, &msi), 0);
}

/* A large table in reverse order, with three chips at some GSIs. */
static void large_table(struct irq_machine *m)
{
	const u32 nr = 2000;
	struct kvm_irq_routing_entry *table = kcalloc(nr + 24, sizeof(*table), GFP_KERNEL);
	u32 i;

	IRQ_EXPECT(m, table);
	if (!table)
		return;
	for (i = 0; i < nr; i++)
		table[i] = (struct kvm_irq_routing_entry)ROUTE_MSI(nr + 99 - i, MSI_ADDRESS(i & 3), 0x20 + i % 200);
	for (i = 0; i < 8; i++) {
		table[nr + i] = (struct kvm_irq_routing_entry)ROUTE_PIN(i, KVM_IRQCHIP_IOAPIC, 23 - i);
		table[nr + 8 + i] = (struct kvm_irq_routing_entry)ROUTE_PIN(i, KVM_IRQCHIP_PIC_MASTER, i);
		table[nr + 16 + i] = (struct kvm_irq_routing_entry)ROUTE_PIN(i, KVM_IRQCHIP_PIC_SLAVE, 7 - i);
	}
	irq_lapics_on(m);
	IRQ_EXPECT_EQ(m, set(m, table, nr + 24), 0);
	for (i = 0; i < nr; i++) {
		IRQ_EXPECT_EQ(m, irq_line(m, nr + 99 - i, 1), 1);
		IRQ_EXPECT_TAKEN(m, m->vcpus[i & 3], 0x20 + i % 200);
	}
	irq_ioapic_set_entry(m, 23 - 5, VECTOR);
	irq_port_out(m, 0x21, 0);
	irq_port_out(m, 0xa1, 0);
	IRQ_EXPECT_EQ(m, irq_line(m, 5, 1), 3);
	IRQ_EXPECT_EQ(m, irq_line(m, 50, 1), -1);
	kfree(table);
}

struct counted_ack {
	struct lodge_irq_ack ack;
	unsigned int told;
};

static void count_ack(struct lodge_irq_ack *ack)
{
	container_of(ack, struct counted_ack, ack)->told++;
}

static void acknowledges(struct irq_machine *m)
{
	static const struct kvm_irq_routing_entry table[] = { ROUTE_PIN(77, KVM_IRQCHIP_IOAPIC, 20) };
	struct counted_ack old = { { .gsi = 20, .acked = count_ack } };
	struct counted_ack new = { { .gsi = 77, .acked = count_ack } };

	irq_lapics_on(m);
	lodge_irq_ack_register(m->vm, &old.ack);
	lodge_irq_ack_register(m->vm, &new.ack);
	irq_ioapic_set_entry(m, 20, VECTOR);
	irq_line(m, 20, 1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[0], VECTOR);
	IRQ_EXPECT_EQ(m, old.told, 1);
	IRQ_EXPECT_EQ(m, new.told, 0);
	irq_line(m, 20, 0);
	/* Under way while the table changes: the new one says whose it is. */
	irq_line(m, 20, 1);
	IRQ_EXPECT_EQ(m, irq_take(m->vcpus[0]), VECTOR);
	IRQ_EXPECT_EQ(m, set(m, table, ARRAY_SIZE(table)), 0);
	irq_eoi(m->vcpus[0]);
	IRQ_EXPECT_EQ(m, old.told, 1);
	IRQ_EXPECT_EQ(m, new.told, 1);
	lodge_irq_ack_unregister(m->vm, &new.ack);
	irq_line(m, 77, 0);
	irq_line(m, 77, 1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[0], VECTOR);
	IRQ_EXPECT_EQ(m, new.told, 1);
	lodge_irq_ack_unregister(m->vm, &old.ack);
}

/* What user space's IOAPIC gets to know: the EOIs of level messages on its GSIs, from whom they go to. */
static void user_eois(struct irq_machine *m)
{
	static const struct kvm_irq_routing_entry table[] = {
		ROUTE_MSI(5, MSI_ADDRESS(1), MSI_LEVEL | VECTOR),
		ROUTE_MSI(6, MSI_ADDRESS(1), OTHER),
		ROUTE_MSI(24, MSI_ADDRESS(1), MSI_LEVEL | 0x70),
	};
	static const struct kvm_irq_routing_entry moved[] = { ROUTE_MSI(5, MSI_ADDRESS(2), MSI_LEVEL | VECTOR) };
	static const struct kvm_irq_routing_entry pin[] = { ROUTE_PIN(5, KVM_IRQCHIP_IOAPIC, 5) };
	struct lodge_vcpu *vcpu = m->vcpus[1];

	irq_lapics_on(m);
	IRQ_EXPECT_EQ(m, set(m, pin, 1), -EINVAL);
	IRQ_EXPECT_EQ(m, irq_line(m, 5, 1), -1);
	IRQ_EXPECT_EQ(m, set(m, table, ARRAY_SIZE(table)), 0);
	IRQ_EXPECT(m, lodge_vcpu_take_request(vcpu, LODGE_REQ_EOI_SCAN));
	lodge_irqchip_scan_eoi(vcpu);
	IRQ_EXPECT_EQ(m, irq_line(m, 5, 1), 1);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	IRQ_EXPECT_EQ(m, lodge_lapic_take_user_eoi(vcpu), -1);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, lodge_lapic_take_user_eoi(vcpu), VECTOR);
	IRQ_EXPECT_EQ(m, lodge_lapic_take_user_eoi(vcpu), -1);
	/* An edge, and a GSI that is no pin of that IOAPIC. */
	irq_line(m, 6, 1);
	IRQ_EXPECT_TAKEN(m, vcpu, OTHER);
	irq_line(m, 24, 1);
	IRQ_EXPECT_TAKEN(m, vcpu, 0x70);
	IRQ_EXPECT_EQ(m, lodge_lapic_take_user_eoi(vcpu), -1);
	/* Turned to another vCPU while this one is at it. */
	irq_line(m, 5, 1);
	IRQ_EXPECT_EQ(m, irq_take(vcpu), VECTOR);
	IRQ_EXPECT_EQ(m, set(m, moved, 1), 0);
	lodge_irqchip_scan_eoi(vcpu);
	irq_eoi(vcpu);
	IRQ_EXPECT_EQ(m, lodge_lapic_take_user_eoi(vcpu), VECTOR);
	lodge_irqchip_scan_eoi(vcpu);
	lodge_irqchip_scan_eoi(m->vcpus[2]);
	irq_line(m, 5, 1);
	IRQ_EXPECT_TAKEN(m, m->vcpus[2], VECTOR);
	IRQ_EXPECT_EQ(m, lodge_lapic_take_user_eoi(m->vcpus[2]), VECTOR);
	/* A LAPIC that takes another ID looks again. */
	lodge_vcpu_take_request(m->vcpus[2], LODGE_REQ_EOI_SCAN);
	irq_lapic_out(m->vcpus[2], APIC_ID, 0x07000000);
	IRQ_EXPECT(m, lodge_vcpu_take_request(m->vcpus[2], LODGE_REQ_EOI_SCAN));
	/* There are no chips to get or set. */
	IRQ_EXPECT_EQ(m, lodge_irqchip_get(m->vm, &(struct kvm_irqchip){}), -ENXIO);
	IRQ_EXPECT_EQ(m, irq_port_in(m, 0x21), -1);
}

int lodge_selftest_routing(void)
{
	static const struct irq_case cases[] = {
		IRQ_CASE(default_table), IRQ_CASE(refused), IRQ_CASE(replaced), IRQ_CASE(messages),
		IRQ_CASE(large_table), IRQ_CASE(acknowledges), IRQ_CASE_SPLIT(user_eois),
	};

	return irq_cases_run(cases, ARRAY_SIZE(cases));
}
