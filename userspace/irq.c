// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt routes. The ABI replaces the table whole, so it is built anew from
 * the pins and the messages each time a guest changes a message. irq->lock
 * guards the table; it is the innermost lock of every device.
 */
#include "irq.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "layout.h"
#include "tool.h"

#define PIC_PINS 8

struct route_table {
	struct kvm_irq_routing header;
	struct kvm_irq_routing_entry entries[2 * PIC_PINS + LAYOUT_GSI_IOAPIC + LODGE_IRQ_MESSAGES];
};

static void route_add_pin(struct route_table *table, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	table->entries[table->header.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

static void route_add_message(struct route_table *table, uint32_t gsi, uint64_t address,
			      uint32_t data)
{
	table->entries[table->header.nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = {
			.address_lo = (uint32_t)address,
			.address_hi = (uint32_t)(address >> 32),
			.data = data,
		},
	};
}

/* Called with irq->lock held, or before any other thread exists. */
static int irq_routes_set(struct lodge_irq *irq)
{
	struct route_table *table = calloc(1, sizeof(*table));
	int ret;

	if (!table)
		return -ENOMEM;
	for (uint32_t gsi = 0; gsi < LAYOUT_GSI_IOAPIC; gsi++) {
		if (gsi < PIC_PINS)
			route_add_pin(table, gsi, KVM_IRQCHIP_PIC_MASTER, gsi);
		else if (gsi < 2 * PIC_PINS)
			route_add_pin(table, gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - PIC_PINS);
		route_add_pin(table, gsi, KVM_IRQCHIP_IOAPIC, gsi);
	}
	/* A message without an address is one that the guest has not set yet. */
	for (unsigned int i = 0; i < irq->messages; i++)
		if (irq->address[i])
			route_add_message(table, LAYOUT_GSI_IOAPIC + i, irq->address[i],
					  irq->data[i]);

	ret = ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, table) ? -errno : 0;
	free(table);
	return ret;
}

void lodge_irq_create(struct lodge_irq *irq, int vm_fd)
{
	int ret;

	pthread_mutex_init(&irq->lock, NULL);
	irq->vm_fd = vm_fd;
	ret = irq_routes_set(irq);
	if (ret)
		lodge_fail(STATUS_FAILED, "the device refuses interrupt routes: %s",
			   strerror(-ret));
}

/* Called with irq->lock held for shared wires; the level of others has one owner. */
static void irq_level_set(struct lodge_irq *irq, uint32_t gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	/* It fails only for a VM without chips, and this VM has them. */
	if (ioctl(irq->vm_fd, KVM_IRQ_LINE, &line))
		lodge_warn("interrupt %u cannot be raised: %s", gsi, strerror(errno));
}

void lodge_irq_line(struct lodge_irq *irq, uint32_t gsi, bool level)
{
	irq_level_set(irq, gsi, level);
}

void lodge_irq_wire(struct lodge_irq *irq, uint32_t gsi, unsigned int device, bool level)
{
	uint32_t before, after;

	pthread_mutex_lock(&irq->lock);
	before = irq->wires[gsi];
	after = level ? before | 1u << device : before & ~(1u << device);
	irq->wires[gsi] = after;
	if (!before != !after)
		irq_level_set(irq, gsi, level);
	pthread_mutex_unlock(&irq->lock);
}

int lodge_irq_message_create(struct lodge_irq *irq, unsigned int *message)
{
	struct kvm_irqfd irqfd = { 0 };
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (irq->messages == LODGE_IRQ_MESSAGES)
		lodge_fail(STATUS_USAGE, "too many devices: a VM has %d interrupt messages",
			   LODGE_IRQ_MESSAGES);
	if (event < 0)
		lodge_fail(STATUS_FAILED, "the host gives no eventfd: %s", strerror(errno));
	*message = irq->messages++;
	irqfd.fd = (uint32_t)event;
	irqfd.gsi = LAYOUT_GSI_IOAPIC + *message;
	if (ioctl(irq->vm_fd, KVM_IRQFD, &irqfd))
		lodge_fail(STATUS_FAILED, "the device refuses an irqfd: %s", strerror(errno));
	return event;
}

int lodge_irq_message_set(struct lodge_irq *irq, unsigned int message, uint64_t address,
			  uint32_t data)
{
	int ret = 0;

	pthread_mutex_lock(&irq->lock);
	if (irq->address[message] != address || irq->data[message] != data) {
		irq->address[message] = address;
		irq->data[message] = data;
		ret = irq_routes_set(irq);
	}
	pthread_mutex_unlock(&irq->lock);
	return ret;
}
