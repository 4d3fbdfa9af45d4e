// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine of irqchip_machine.h: its making and unmaking in the order that vm.c and vcpu.c keep, and accesses
 * through the buses and the LAPIC page as an exit would make them.
 */
#include "irqchip_machine.h"

#include <linux/errno.h>
#include <linux/slab.h>
#include <asm/msr-index.h>

static struct lodge_vcpu *vcpu_make(struct lodge_vm *vm, u32 id)
{
	struct lodge_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL);

	if (!vcpu)
		return NULL;
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->index = vm->nr_vcpus;
	vcpu->cpu = -1;
	rcuwait_init(&vcpu->wait);
	vcpu->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE;
	if (lodge_lapic_create(vcpu) || xa_err(xa_store(&vm->vcpus, vcpu->index, vcpu, GFP_KERNEL))) {
		lodge_lapic_destroy(vcpu);
		kfree(vcpu);
		return NULL;
	}
	lodge_lapic_reset(vcpu, false);
	WRITE_ONCE(vm->nr_vcpus, vm->nr_vcpus + 1);
	return vcpu;
}

static void machine_free(struct irq_machine *m)
{
	unsigned int i;

	lodge_irqchip_destroy(m->vm);
	for (i = 0; i < IRQ_MACHINE_VCPUS; i++) {
		if (!m->vcpus[i])
			continue;
		lodge_lapic_destroy(m->vcpus[i]);
		kfree(m->vcpus[i]);
	}
	xa_destroy(&m->vm->vcpus);
	refcount_set(&m->vm->users, 0);
	lodge_io_bus_destroy(m->vm);
	kfree(m->vm);
}

static int machine_fill(struct irq_machine *m, const struct irq_case *test)
{
	bool plain = !test->ids[0] && !test->ids[1];
	unsigned int i;
	int ret;

	ret = test->split ? lodge_irqchip_create_split(m->vm, IOAPIC_PINS) : lodge_irqchip_create(m->vm);
	for (i = 0; !ret && i < IRQ_MACHINE_VCPUS; i++) {
		m->vcpus[i] = vcpu_make(m->vm, plain ? i : test->ids[i]);
		ret = m->vcpus[i] ? 0 : -ENOMEM;
	}
	return ret;
}

static int case_run(const struct irq_case *test)
{
	struct irq_machine m = {};
	int ret;

	m.vm = kzalloc(sizeof(*m.vm), GFP_KERNEL);
	if (!m.vm)
		return -ENOMEM;
	refcount_set(&m.vm->users, 1);
	mutex_init(&m.vm->lock);
	mutex_init(&m.vm->slots_lock);
	xa_init(&m.vm->vcpus);
	mutex_lock(&m.vm->lock);
	ret = machine_fill(&m, test);
	mutex_unlock(&m.vm->lock);
	if (!ret)
		test->run(&m);
	machine_free(&m);
	return ret ?: m.failed ? -EINVAL : 0;
}

int irq_cases_run(const struct irq_case *cases, unsigned int n)
{
	unsigned int i;
	int ret = 0, one;

	for (i = 0; i < n; i++) {
		one = case_run(&cases[i]);
		if (one)
			pr_err("%s failed: %d\n", cases[i].name, one);
		ret = ret ?: one;
	}
	return ret;
}

int irq_port_in(struct irq_machine *m, u16 port)
{
	u8 val;

	return lodge_io_bus_read(m->vcpus[0], LODGE_BUS_PIO, port, 1, &val) ? -1 : val;
}

void irq_port_out(struct irq_machine *m, u16 port, u8 val)
{
	IRQ_EXPECT_EQ(m, lodge_io_bus_write(m->vcpus[0], LODGE_BUS_PIO, port, 1, &val), 0);
}

u32 irq_ioapic_in(struct irq_machine *m, u8 reg)
{
	u32 val = reg;

	IRQ_EXPECT_EQ(m, lodge_io_bus_write(m->vcpus[0], LODGE_BUS_MMIO, IOAPIC_BASE, 4, &val), 0);
	IRQ_EXPECT_EQ(m, lodge_io_bus_read(m->vcpus[0], LODGE_BUS_MMIO, IOAPIC_BASE + 0x10, 4, &val), 0);
	return val;
}

void irq_ioapic_out(struct irq_machine *m, u8 reg, u32 val)
{
	u32 select = reg;

	IRQ_EXPECT_EQ(m, lodge_io_bus_write(m->vcpus[0], LODGE_BUS_MMIO, IOAPIC_BASE, 4, &select), 0);
	IRQ_EXPECT_EQ(m, lodge_io_bus_write(m->vcpus[0], LODGE_BUS_MMIO, IOAPIC_BASE + 0x10, 4, &val), 0);
}

u64 irq_ioapic_entry(struct irq_machine *m, unsigned int pin)
{
	return (u64)irq_ioapic_in(m, 0x11 + 2 * pin) << 32 | irq_ioapic_in(m, 0x10 + 2 * pin);
}

void irq_ioapic_set_entry(struct irq_machine *m, unsigned int pin, u64 entry)
{
	irq_ioapic_out(m, 0x11 + 2 * pin, entry >> 32);
	irq_ioapic_out(m, 0x10 + 2 * pin, entry);
}

u32 irq_lapic_in(struct lodge_vcpu *vcpu, u32 reg)
{
	u32 val;

	lodge_lapic_mmio_read(vcpu, APIC_DEFAULT_PHYS_BASE + reg, 4, &val);
	return val;
}

void irq_lapic_out(struct lodge_vcpu *vcpu, u32 reg, u32 val)
{
	lodge_lapic_mmio_write(vcpu, APIC_DEFAULT_PHYS_BASE + reg, 4, &val);
}

void irq_lapics_on(struct irq_machine *m)
{
	unsigned int i;

	for (i = 0; i < IRQ_MACHINE_VCPUS; i++) {
		irq_lapic_out(m->vcpus[i], APIC_LVT0, APIC_LVT_MASKED);
		irq_lapic_out(m->vcpus[i], APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
	}
}

int irq_take(struct lodge_vcpu *vcpu)
{
	lodge_lapic_sync_timers(vcpu);
	return lodge_irq_pending(vcpu) ? lodge_irq_ack(vcpu) : -1;
}

void irq_eoi(struct lodge_vcpu *vcpu)
{
	irq_lapic_out(vcpu, APIC_EOI, 0);
}

int irq_line(struct irq_machine *m, u32 gsi, int level)
{
	return lodge_irq_set(m->vm, LODGE_IRQ_SOURCE_USER, gsi, level);
}
