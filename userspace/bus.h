/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Port and MMIO dispatch: which device answers an address.
 */
#ifndef LODGE_BUS_H
#define LODGE_BUS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct lodge_access - one access by a vCPU
 * @offset: from the start of the device's range
 * @data: the bytes to write, or room for those read
 * @length: 1 to 8
 * @write: direction
 */
struct lodge_access {
	uint64_t offset;
	uint8_t *data;
	unsigned int length;
	bool write;
};

/**
 * struct lodge_range - addresses that a device answers; devices embed it
 * @base: first address
 * @size: bytes
 * @access: called on any vCPU's thread, several at a time; a read that the
 *          device does not care for must still fill @data
 * @next: the bus's list
 */
struct lodge_range {
	uint64_t base;
	uint64_t size;
	void (*access)(struct lodge_range *range, struct lodge_access *access);
	struct lodge_range *next;
};

/**
 * struct lodge_bus - ranges of one address space
 * @ranges: list; complete before the first vCPU runs, constant afterwards
 */
struct lodge_bus {
	struct lodge_range *ranges;
};

/**
 * lodge_bus_add() - let a device answer a range
 * @bus: bus
 * @range: range; overlaps no other
 */
void lodge_bus_add(struct lodge_bus *bus, struct lodge_range *range);

/**
 * lodge_bus_access() - find the device and let it answer
 * @bus: bus
 * @address: first byte
 * @access: the access; @offset is filled in here
 *
 * Return: false when no device holds all the bytes; @access is then untouched.
 */
bool lodge_bus_access(const struct lodge_bus *bus, uint64_t address,
		      struct lodge_access *access);

/**
 * lodge_access_value() - the bytes of a write as a number
 * @access: a write
 */
static inline uint64_t lodge_access_value(const struct lodge_access *access)
{
	uint64_t value = 0;

	__builtin_memcpy(&value, access->data, access->length);
	return value;
}

/**
 * lodge_access_answer() - fill in a read from a number
 * @access: a read
 * @value: what the guest sees, little endian
 */
static inline void lodge_access_answer(struct lodge_access *access, uint64_t value)
{
	__builtin_memcpy(access->data, &value, access->length);
}

#endif
