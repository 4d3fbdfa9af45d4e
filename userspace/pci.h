/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One PCI bus: configuration space by ECAM and by ports, one memory BAR for
 * each device, interrupt pins.
 */
#ifndef LODGE_PCI_H
#define LODGE_PCI_H

#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"

struct lodge_pci;
struct lodge_pci_device;
struct lodge_vm;

#define LODGE_PCI_SLOTS		32
#define LODGE_PCI_CONFIG_SIZE	256

/**
 * struct lodge_pci_ops - what a device adds; all called with pci->lock held
 * @bar: an access to the BAR
 * @mapped: the BAR appeared at @base, or went away (@base 0)
 * @config_read: the guest is about to read config bytes @offset and on
 * @config_written: the guest wrote config bytes @offset and on
 */
struct lodge_pci_ops {
	void (*bar)(struct lodge_pci_device *device, struct lodge_access *access);
	void (*mapped)(struct lodge_pci_device *device, uint64_t base);
	void (*config_read)(struct lodge_pci_device *device, unsigned int offset);
	void (*config_written)(struct lodge_pci_device *device, unsigned int offset);
};

/**
 * struct lodge_pci_device - a function 0; devices embed it
 * @ops: NULL for the host bridge (i)
 * @pci: its bus (i)
 * @slot: device number (i)
 * @bar_size: bytes of BAR 0, a power of two, or 0 (i)
 * @base: where BAR 0 answers now, or 0 (p)
 * @config: configuration space (p)
 * @writable: bits of it that the guest may change (i)
 * @last_capability: offset of the last capability, 0 without any (i)
 * @next_capability: first free offset (i)
 *
 * (i) immutable once vCPUs run, (p) under pci->lock.
 */
struct lodge_pci_device {
	const struct lodge_pci_ops *ops;
	struct lodge_pci *pci;
	unsigned int slot;
	uint32_t bar_size;
	uint32_t base;
	uint8_t config[LODGE_PCI_CONFIG_SIZE];
	uint8_t writable[LODGE_PCI_CONFIG_SIZE];
	uint8_t last_capability;
	uint8_t next_capability;
};

/**
 * struct lodge_pci - the bus
 * @ports: 0xcf8 to 0xcff (i)
 * @ecam: memory-mapped configuration space (i)
 * @window: where BARs may be (i)
 * @vm: its VM (i)
 * @bridge: the host bridge
 * @lock: guards configuration, BARs, @address; taken before any device's lock
 * @address: last value written to 0xcf8
 * @devices: by slot (i)
 */
struct lodge_pci {
	struct lodge_range ports;
	struct lodge_range ecam;
	struct lodge_range window;
	struct lodge_vm *vm;
	struct lodge_pci_device bridge;
	pthread_mutex_t lock;
	uint32_t address;
	struct lodge_pci_device *devices[LODGE_PCI_SLOTS];
};

/**
 * struct lodge_pci_id - who a device is
 * @vendor: vendor id; @device: device id
 * @class: class code, 24 bits; @revision: revision
 * @subsystem: subsystem id
 */
struct lodge_pci_id {
	uint16_t vendor;
	uint16_t device;
	uint32_t class;
	uint8_t revision;
	uint16_t subsystem;
};

/**
 * lodge_pci_create() - make the bus and its host bridge
 * @pci: zeroed
 * @vm: VM
 */
void lodge_pci_create(struct lodge_pci *pci, struct lodge_vm *vm);

/**
 * lodge_pci_add() - plug a device into the next free slot
 * @pci: bus
 * @device: zeroed but for what the caller embeds around it
 * @id: who it is
 * @ops: its calls
 * @bar_size: bytes of BAR 0
 *
 * Ends the tool when the bus is full.
 */
void lodge_pci_add(struct lodge_pci *pci, struct lodge_pci_device *device,
		   const struct lodge_pci_id *id, const struct lodge_pci_ops *ops,
		   uint32_t bar_size);

/**
 * lodge_pci_add_capability() - append to the capability list; start-up only
 * @device: device
 * @id: capability id
 * @body: what follows id and next pointer
 * @size: of @body
 *
 * Return: offset of the capability.
 */
unsigned int lodge_pci_add_capability(struct lodge_pci_device *device, uint8_t id,
				      const void *body, unsigned int size);

/**
 * lodge_pci_wire() - drive a device's interrupt pin
 * @device: device
 * @level: up or down
 */
void lodge_pci_wire(struct lodge_pci_device *device, bool level);

/**
 * lodge_pci_config_get() - a config register, little endian
 * @device: device
 * @offset: first byte
 * @size: 1, 2 or 4
 */
uint32_t lodge_pci_config_get(const struct lodge_pci_device *device, unsigned int offset,
			      unsigned int size);

/**
 * lodge_pci_config_set() - set a config register, whatever is writable
 * @device: device
 * @offset: first byte
 * @value: value
 * @size: 1, 2 or 4
 */
void lodge_pci_config_set(struct lodge_pci_device *device, unsigned int offset, uint32_t value,
			  unsigned int size);

#endif
