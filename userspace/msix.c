// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI-X. Messages leave through irqfds whose routes follow the table; masking
 * is done here, because every message starts in the tool. The device's lock
 * guards it all.
 */
#include "msix.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

#include "vm.h"

#define ENTRY_ADDRESS_LOW	0
#define ENTRY_ADDRESS_HIGH	1
#define ENTRY_DATA		2
#define ENTRY_CONTROL		3

static bool vector_is_masked(const struct lodge_msix *msix, unsigned int vector)
{
	return msix->masked ||
	       msix->table[vector][ENTRY_CONTROL] & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static void vector_send(struct lodge_msix *msix, unsigned int vector)
{
	/* The counter is drained by the module; it cannot fill up. */
	if (eventfd_write(msix->event[vector], 1))
		lodge_vm_end(msix->device->pci->vm, STATUS_FAILED,
			     "an interrupt cannot be sent: %s", strerror(errno));
}

/* A vector that is open now takes its message's address and what it missed. */
static void vector_update(struct lodge_msix *msix, unsigned int vector)
{
	struct lodge_vm *vm = msix->device->pci->vm;
	const uint32_t *entry = msix->table[vector];
	int ret;

	if (!msix->enabled || vector_is_masked(msix, vector))
		return;
	ret = lodge_irq_message_set(&vm->irq, msix->message[vector],
				    (uint64_t)entry[ENTRY_ADDRESS_HIGH] << 32 |
				    entry[ENTRY_ADDRESS_LOW], entry[ENTRY_DATA]);
	if (ret) {
		lodge_vm_end(vm, STATUS_CRASH,
			     "the guest programmed an interrupt that the device refuses: %s",
			     strerror(-ret));
		return;
	}
	if (msix->pending & 1u << vector) {
		msix->pending &= ~(1u << vector);
		vector_send(msix, vector);
	}
}

void lodge_msix_create(struct lodge_msix *msix, struct lodge_pci_device *device,
		       unsigned int count, uint32_t table, uint32_t pending)
{
	struct {
		uint16_t control;
		uint32_t table;
		uint32_t pending;
	} __attribute__((packed)) body = {
		.control = (uint16_t)(count - 1),
		.table = table,		/* BAR 0 */
		.pending = pending,
	};
	uint16_t writable = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL;

	msix->device = device;
	msix->count = count;
	msix->capability = lodge_pci_add_capability(device, PCI_CAP_ID_MSIX, &body, sizeof(body));
	memcpy(device->writable + msix->capability + PCI_MSIX_FLAGS, &writable, sizeof(writable));
	for (unsigned int i = 0; i < count; i++) {
		msix->event[i] = lodge_irq_message_create(&device->pci->vm->irq, &msix->message[i]);
		msix->table[i][ENTRY_CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
}

void lodge_msix_table_access(struct lodge_msix *msix, struct lodge_access *access)
{
	unsigned int vector = (unsigned int)(access->offset / LODGE_MSIX_ENTRY_SIZE);
	unsigned int byte = access->offset % LODGE_MSIX_ENTRY_SIZE;

	/* Only aligned double and quad words are defined (PCI 3.0, 6.8.2). */
	if (vector >= msix->count || byte % 4 || access->length % 4 ||
	    byte + access->length > LODGE_MSIX_ENTRY_SIZE) {
		if (!access->write)
			memset(access->data, 0, access->length);
		return;
	}
	if (!access->write) {
		memcpy(access->data, (uint8_t *)msix->table[vector] + byte, access->length);
		return;
	}
	memcpy((uint8_t *)msix->table[vector] + byte, access->data, access->length);
	msix->table[vector][ENTRY_CONTROL] &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
	vector_update(msix, vector);
}

void lodge_msix_pending_access(struct lodge_msix *msix, struct lodge_access *access)
{
	if (access->write)
		return;
	lodge_access_answer(access, access->offset < 8 ?
			    (uint64_t)msix->pending >> 8 * access->offset : 0);
}

void lodge_msix_config_written(struct lodge_msix *msix)
{
	uint32_t control = lodge_pci_config_get(msix->device, msix->capability + PCI_MSIX_FLAGS, 2);

	msix->enabled = control & PCI_MSIX_FLAGS_ENABLE;
	msix->masked = control & PCI_MSIX_FLAGS_MASKALL;
	for (unsigned int i = 0; i < msix->count; i++)
		vector_update(msix, i);
}

void lodge_msix_fire(struct lodge_msix *msix, unsigned int vector)
{
	if (vector >= msix->count)
		return;
	if (vector_is_masked(msix, vector))
		msix->pending |= 1u << vector;
	else
		vector_send(msix, vector);
}
