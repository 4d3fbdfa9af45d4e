// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PCI bus. pci->lock is held over each configuration and BAR access, so
 * devices see one access at a time; data paths do not come through here. The
 * tool does the firmware's part: BARs have an address before the guest starts.
 */
#include "pci.h"

#include <stddef.h>
#include <string.h>

#include "layout.h"
#include "vm.h"

#define ADDRESS_ENABLE		0x80000000u
#define ADDRESS_BUS(a)		((a) >> 16 & 0xff)
#define ADDRESS_SLOT(a)		((a) >> 11 & 0x1f)
#define ADDRESS_FUNCTION(a)	((a) >> 8 & 7)
#define ADDRESS_REGISTER(a)	((a) & 0xfc)

#define CAPABILITIES_START	0x40
#define BRIDGE_VENDOR		0x1b36	/* no device of this id has a driver */
#define BRIDGE_DEVICE		0x0008
#define CLASS_HOST_BRIDGE	0x060000

uint32_t lodge_pci_config_get(const struct lodge_pci_device *device, unsigned int offset,
			      unsigned int size)
{
	uint32_t value = 0;

	memcpy(&value, device->config + offset, size);
	return value;
}

void lodge_pci_config_set(struct lodge_pci_device *device, unsigned int offset, uint32_t value,
			  unsigned int size)
{
	memcpy(device->config + offset, &value, size);
}

static void config_writable(struct lodge_pci_device *device, unsigned int offset, uint32_t mask,
			    unsigned int size)
{
	memcpy(device->writable + offset, &mask, size);
}

/* BAR 0 answers where the register says, while memory decoding is on. */
static void pci_bar_update(struct lodge_pci_device *device)
{
	uint32_t command = lodge_pci_config_get(device, PCI_COMMAND, 2);
	uint32_t base = lodge_pci_config_get(device, PCI_BASE_ADDRESS_0, 4) &
			(uint32_t)PCI_BASE_ADDRESS_MEM_MASK;

	if (!device->bar_size)
		return;
	if (!(command & PCI_COMMAND_MEMORY) || base < LAYOUT_PCI_MMIO ||
	    base > LAYOUT_PCI_MMIO_LAST - device->bar_size + 1)
		base = 0;
	if (base == device->base)
		return;
	if (device->base)
		device->ops->mapped(device, 0);
	device->base = base;
	if (base)
		device->ops->mapped(device, base);
}

static void pci_config_write(struct lodge_pci_device *device, unsigned int offset,
			     const struct lodge_access *access)
{
	for (unsigned int i = 0; i < access->length; i++) {
		uint8_t mask = device->writable[offset + i];
		uint8_t *byte = &device->config[offset + i];

		*byte = (uint8_t)((*byte & ~mask) | (access->data[i] & mask));
	}
	pci_bar_update(device);
	if (device->ops)
		device->ops->config_written(device, offset);
}

/* Called with pci->lock held. */
static void pci_config_access(struct lodge_pci *pci, unsigned int bus, unsigned int slot,
			      unsigned int function, unsigned int offset,
			      struct lodge_access *access)
{
	struct lodge_pci_device *device = bus || function ? NULL : pci->devices[slot];

	if (!device) {
		if (!access->write)
			memset(access->data, 0xff, access->length);
		return;
	}
	/* No device has extended configuration space: it reads as zeros. */
	if (offset + access->length > LODGE_PCI_CONFIG_SIZE) {
		if (!access->write)
			memset(access->data, 0, access->length);
		return;
	}
	if (access->write) {
		pci_config_write(device, offset, access);
		return;
	}
	if (device->ops)
		device->ops->config_read(device, offset);
	memcpy(access->data, device->config + offset, access->length);
}

static void pci_port_access(struct lodge_range *range, struct lodge_access *access)
{
	struct lodge_pci *pci =
		(struct lodge_pci *)((char *)range - offsetof(struct lodge_pci, ports));
	uint32_t address;

	pthread_mutex_lock(&pci->lock);
	address = pci->address;
	if (access->offset >= 4 && address & ADDRESS_ENABLE) {
		pci_config_access(pci, ADDRESS_BUS(address), ADDRESS_SLOT(address),
				  ADDRESS_FUNCTION(address),
				  ADDRESS_REGISTER(address) + ((unsigned int)access->offset & 3),
				  access);
	} else if (access->offset == 0 && access->length == 4) {
		if (access->write)
			pci->address = (uint32_t)lodge_access_value(access);
		else
			lodge_access_answer(access, address);
	} else if (!access->write) {
		memset(access->data, 0xff, access->length);
	}
	pthread_mutex_unlock(&pci->lock);
}

static void pci_ecam_access(struct lodge_range *range, struct lodge_access *access)
{
	struct lodge_pci *pci =
		(struct lodge_pci *)((char *)range - offsetof(struct lodge_pci, ecam));

	pthread_mutex_lock(&pci->lock);
	pci_config_access(pci, 0, access->offset >> 15 & 0x1f, access->offset >> 12 & 7,
			  access->offset & 0xfff, access);
	pthread_mutex_unlock(&pci->lock);
}

static void pci_window_access(struct lodge_range *range, struct lodge_access *access)
{
	struct lodge_pci *pci =
		(struct lodge_pci *)((char *)range - offsetof(struct lodge_pci, window));
	uint64_t gpa = LAYOUT_PCI_MMIO + access->offset;

	pthread_mutex_lock(&pci->lock);
	for (unsigned int slot = 0; slot < LODGE_PCI_SLOTS; slot++) {
		struct lodge_pci_device *device = pci->devices[slot];

		if (!device || !device->base || gpa < device->base ||
		    gpa + access->length > (uint64_t)device->base + device->bar_size)
			continue;
		access->offset = gpa - device->base;
		device->ops->bar(device, access);
		goto unlock;
	}
	/* Master abort: the bridge answers with ones. */
	if (!access->write)
		memset(access->data, 0xff, access->length);
unlock:
	pthread_mutex_unlock(&pci->lock);
}

static void pci_plug(struct lodge_pci *pci, struct lodge_pci_device *device, unsigned int slot,
		     const struct lodge_pci_id *id)
{
	device->pci = pci;
	device->slot = slot;
	device->next_capability = CAPABILITIES_START;
	lodge_pci_config_set(device, PCI_VENDOR_ID, id->vendor, 2);
	lodge_pci_config_set(device, PCI_DEVICE_ID, id->device, 2);
	lodge_pci_config_set(device, PCI_CLASS_REVISION, id->class << 8 | id->revision, 4);
	lodge_pci_config_set(device, PCI_SUBSYSTEM_VENDOR_ID, id->vendor, 2);
	lodge_pci_config_set(device, PCI_SUBSYSTEM_ID, id->subsystem, 2);
	config_writable(device, PCI_COMMAND,
			PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE, 2);
	pci->devices[slot] = device;
}

void lodge_pci_add(struct lodge_pci *pci, struct lodge_pci_device *device,
		   const struct lodge_pci_id *id, const struct lodge_pci_ops *ops,
		   uint32_t bar_size)
{
	unsigned int slot = 1;

	while (slot < LODGE_PCI_SLOTS && pci->devices[slot])
		slot++;
	if (slot == LODGE_PCI_SLOTS)
		lodge_fail(STATUS_USAGE, "too many devices: the bus has %d slots, the rest must go",
			   LODGE_PCI_SLOTS);
	device->ops = ops;
	device->bar_size = bar_size;
	pci_plug(pci, device, slot, id);

	lodge_pci_config_set(device, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	lodge_pci_config_set(device, PCI_BASE_ADDRESS_0, LAYOUT_PCI_MMIO + slot * bar_size, 4);
	config_writable(device, PCI_BASE_ADDRESS_0, ~(bar_size - 1), 4);
	lodge_pci_config_set(device, PCI_INTERRUPT_PIN, 1, 1);
	lodge_pci_config_set(device, PCI_INTERRUPT_LINE,
			     LAYOUT_GSI_PCI + slot % LAYOUT_GSI_PCI_COUNT, 1);
	config_writable(device, PCI_INTERRUPT_LINE, 0xff, 1);
	pci_bar_update(device);
}

unsigned int lodge_pci_add_capability(struct lodge_pci_device *device, uint8_t id,
				      const void *body, unsigned int size)
{
	unsigned int offset = device->next_capability;

	lodge_pci_config_set(device, offset, id, 1);
	memcpy(device->config + offset + 2, body, size);
	if (device->last_capability)
		lodge_pci_config_set(device, device->last_capability + 1, offset, 1);
	else
		lodge_pci_config_set(device, PCI_CAPABILITY_LIST, offset, 1);
	lodge_pci_config_set(device, PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
	device->last_capability = (uint8_t)offset;
	device->next_capability = (uint8_t)((offset + 2 + size + 3) & ~3u);
	return offset;
}

void lodge_pci_wire(struct lodge_pci_device *device, bool level)
{
	lodge_irq_wire(&device->pci->vm->irq, LAYOUT_GSI_PCI + device->slot % LAYOUT_GSI_PCI_COUNT,
		       device->slot, level);
}

static void pci_range_add(struct lodge_bus *bus, struct lodge_range *range, uint64_t base,
			  uint64_t size,
			  void (*access)(struct lodge_range *range, struct lodge_access *access))
{
	range->base = base;
	range->size = size;
	range->access = access;
	lodge_bus_add(bus, range);
}

void lodge_pci_create(struct lodge_pci *pci, struct lodge_vm *vm)
{
	static const struct lodge_pci_id bridge = {
		.vendor = BRIDGE_VENDOR,
		.device = BRIDGE_DEVICE,
		.class = CLASS_HOST_BRIDGE,
	};

	pthread_mutex_init(&pci->lock, NULL);
	pci->vm = vm;
	pci_plug(pci, &pci->bridge, 0, &bridge);
	pci_range_add(&vm->ports, &pci->ports, LAYOUT_PORT_PCI, 8, pci_port_access);
	pci_range_add(&vm->mmio, &pci->ecam, LAYOUT_ECAM, LAYOUT_ECAM_SIZE, pci_ecam_access);
	pci_range_add(&vm->mmio, &pci->window, LAYOUT_PCI_MMIO, LAYOUT_PCI_MMIO_SIZE,
		      pci_window_access);
}
