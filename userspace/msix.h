/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MSI-X (PCI 3.0, 6.8.2): table, pending bits, and the messages behind them.
 */
#ifndef LODGE_MSIX_H
#define LODGE_MSIX_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

#define LODGE_MSIX_VECTORS	4
#define LODGE_MSIX_ENTRY_SIZE	16

/**
 * struct lodge_msix - one device's vectors; the device's lock guards it
 * @device: its PCI function (immutable)
 * @capability: offset of the capability (immutable)
 * @count: vectors (immutable)
 * @event: what sends each vector's message (immutable)
 * @message: number of each vector's message (immutable)
 * @table: what the guest programmed, entry by entry
 * @pending: vectors that fired while masked, one bit each
 * @enabled: the function's enable bit
 * @masked: the function's mask bit
 */
struct lodge_msix {
	struct lodge_pci_device *device;
	unsigned int capability;
	unsigned int count;
	int event[LODGE_MSIX_VECTORS];
	unsigned int message[LODGE_MSIX_VECTORS];
	uint32_t table[LODGE_MSIX_VECTORS][4];
	uint32_t pending;
	bool enabled;
	bool masked;
};

/**
 * lodge_msix_create() - give a device vectors
 * @msix: zeroed
 * @device: plugged device
 * @count: vectors, at most LODGE_MSIX_VECTORS
 * @table: offset of the table in BAR 0
 * @pending: offset of the pending bits in BAR 0
 */
void lodge_msix_create(struct lodge_msix *msix, struct lodge_pci_device *device,
		       unsigned int count, uint32_t table, uint32_t pending);

/**
 * lodge_msix_table_access() - the guest reads or writes the table
 * @msix: vectors
 * @access: with @offset from the start of the table
 */
void lodge_msix_table_access(struct lodge_msix *msix, struct lodge_access *access);

/**
 * lodge_msix_pending_access() - the guest reads the pending bits
 * @msix: vectors
 * @access: with @offset from the start of the bits
 */
void lodge_msix_pending_access(struct lodge_msix *msix, struct lodge_access *access);

/**
 * lodge_msix_config_written() - the guest may have written the capability
 * @msix: vectors
 */
void lodge_msix_config_written(struct lodge_msix *msix);

/**
 * lodge_msix_fire() - send a vector's message, or remember it while masked
 * @msix: vectors
 * @vector: number; out of range is ignored
 */
void lodge_msix_fire(struct lodge_msix *msix, unsigned int vector);

#endif
