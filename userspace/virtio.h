/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtio 1.x PCI transport: what every virtio device has in common.
 */
#ifndef LODGE_VIRTIO_H
#define LODGE_VIRTIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "msix.h"
#include "pci.h"
#include "virtqueue.h"

#define LODGE_VIRTIO_QUEUES	2

struct lodge_virtio;

/**
 * struct lodge_virtio_ops - what a device adds; called with virtio->lock held
 * @quiesce: the driver resets the device: return once no request of it is in
 *           flight any more; may drop and retake the lock. NULL if requests
 *           end before the lock is dropped.
 */
struct lodge_virtio_ops {
	void (*quiesce)(struct lodge_virtio *virtio);
};

/**
 * struct lodge_virtio - one device; devices embed it
 * @pci: its PCI function
 * @vm: its VM (i)
 * @name: for messages (i)
 * @ops: its calls (i)
 * @kick: the queues' doorbells, eventfds that do not block (i)
 * @queue_count: queues (i)
 * @offered: features (i)
 * @config: device configuration (i)
 * @config_size: bytes of it (i)
 * @lock: guards all below; taken after pci->lock
 * @queues: the queues
 * @vectors: MSI-X vector of each queue
 * @msix: MSI-X
 * @accepted: features that the driver took
 * @offered_select: which half of @offered the driver reads
 * @accepted_select: which half of @accepted the driver writes
 * @queue_select: which queue the driver talks about
 * @config_vector: vector of configuration changes
 * @status: device status
 * @isr: interrupt status for wired interrupts
 * @wire_disabled: the command register forbids the wire
 *
 * (i) immutable once vCPUs run.
 */
struct lodge_virtio {
	struct lodge_pci_device pci;
	struct lodge_vm *vm;
	const char *name;
	const struct lodge_virtio_ops *ops;
	int kick[LODGE_VIRTIO_QUEUES];
	unsigned int queue_count;
	uint64_t offered;
	uint8_t config[128];
	unsigned int config_size;
	pthread_mutex_t lock;
	struct lodge_virtqueue queues[LODGE_VIRTIO_QUEUES];
	uint16_t vectors[LODGE_VIRTIO_QUEUES];
	struct lodge_msix msix;
	uint64_t accepted;
	uint32_t offered_select;
	uint32_t accepted_select;
	uint16_t queue_select;
	uint16_t config_vector;
	uint8_t status;
	uint8_t isr;
	bool wire_disabled;
};

/**
 * lodge_virtio_add() - plug a virtio device into the bus
 * @virtio: with vm, name, ops, queue_count, offered, config and config_size set
 * @bus: PCI bus
 * @type: virtio device id
 * @class: PCI class code
 */
void lodge_virtio_add(struct lodge_virtio *virtio, struct lodge_pci *bus, uint16_t type,
		      uint32_t class);

/**
 * lodge_virtio_is_live() - may the device touch its queues?
 * @virtio: device, its lock held
 */
bool lodge_virtio_is_live(const struct lodge_virtio *virtio);

/**
 * lodge_virtio_interrupt() - tell the driver that a queue has news, if it wants to hear
 * @virtio: device, its lock held
 * @queue: index
 */
void lodge_virtio_interrupt(struct lodge_virtio *virtio, unsigned int queue);

/**
 * lodge_virtio_break() - stop a device whose driver broke the rules
 * @virtio: device, its lock held
 * @reason: what the driver did
 *
 * The device asks to be reset; a hostile driver can make one line on stderr
 * for each reset of its own device, and nothing else.
 */
void lodge_virtio_break(struct lodge_virtio *virtio, const char *reason);

#endif
