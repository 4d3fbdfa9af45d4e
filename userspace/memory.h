/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory: the one way from a GPA that a guest supplied to a host pointer.
 */
#ifndef LODGE_MEMORY_H
#define LODGE_MEMORY_H

#include <stdint.h>

/**
 * struct lodge_memory - guest RAM, one mapping, split by the hole below 4 GiB
 * @base: host address of GPA 0
 * @size: bytes in all
 * @low: bytes below the hole; the rest begins at LAYOUT_RAM_RESUME
 *
 * Immutable once created; so are the pointers that lodge_memory_at() gives.
 */
struct lodge_memory {
	uint8_t *base;
	uint64_t size;
	uint64_t low;
};

/**
 * lodge_memory_create() - reserve address space for guest RAM
 * @memory: filled in
 * @size: bytes, a multiple of the page size
 *
 * Anonymous and private: pages come when the guest touches them, can be
 * swapped, merged and huge, and are gone with the process. Ends the tool with
 * STATUS_MEMORY when the host cannot give that much.
 */
void lodge_memory_create(struct lodge_memory *memory, uint64_t size);

/**
 * lodge_memory_at() - the host address of a range of guest RAM
 * @memory: guest RAM
 * @gpa: first byte
 * @length: bytes
 *
 * Return: the address, or NULL unless the whole range lies in one piece of RAM.
 */
void *lodge_memory_at(const struct lodge_memory *memory, uint64_t gpa, uint64_t length);

#endif
