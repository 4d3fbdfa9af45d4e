/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Split virtqueues (virtio 1.1, 2.6): taking what the driver offers and giving
 * it back. Every number in a ring is the guest's, read once and checked.
 */
#ifndef LODGE_VIRTQUEUE_H
#define LODGE_VIRTQUEUE_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memory.h"

#define LODGE_VIRTQUEUE_SIZE	128	/* a power of two */
#define LODGE_CHAIN_SEGMENTS	130

/**
 * struct lodge_chain - one buffer of the driver, as host memory
 * @head: its number, for lodge_virtqueue_push()
 * @readable: segments that the device may read, first in @segments
 * @writable: segments that the device may write, after those
 * @segments: all of them, inside guest RAM
 */
struct lodge_chain {
	uint16_t head;
	unsigned int readable;
	unsigned int writable;
	struct iovec segments[LODGE_CHAIN_SEGMENTS];
};

/**
 * struct lodge_virtqueue - one queue
 * @memory: guest RAM (immutable)
 * @size: entries, set by the driver
 * @enabled: the rings below are valid
 * @desc_gpa: descriptor table; @avail_gpa: driver ring; @used_gpa: device ring
 * @desc: the same; @avail: the same; @used: the same, as host pointers
 * @next_avail: first entry of the driver ring that was not taken yet
 * @next_used: next entry of the device ring
 * @error: what is wrong with the rings, NULL while nothing is
 *
 * The owner's lock guards it.
 */
struct lodge_virtqueue {
	const struct lodge_memory *memory;
	uint16_t size;
	bool enabled;
	uint64_t desc_gpa;
	uint64_t avail_gpa;
	uint64_t used_gpa;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_avail;
	uint16_t next_used;
	const char *error;
};

/**
 * lodge_virtqueue_reset() - back to the state before the driver came
 * @queue: queue
 */
void lodge_virtqueue_reset(struct lodge_virtqueue *queue);

/**
 * lodge_virtqueue_enable() - check the driver's addresses and start
 * @queue: queue with size and addresses set
 *
 * Return: false, with @queue->error set, when they are not good.
 */
bool lodge_virtqueue_enable(struct lodge_virtqueue *queue);

/**
 * lodge_virtqueue_pop() - take the next buffer
 * @queue: queue
 * @chain: filled in
 *
 * Return: whether there was one. After false, @queue->error tells a broken
 * ring from an empty one; a broken queue stays so until reset.
 */
bool lodge_virtqueue_pop(struct lodge_virtqueue *queue, struct lodge_chain *chain);

/**
 * lodge_virtqueue_push() - give a buffer back
 * @queue: queue
 * @head: number of the buffer
 * @length: bytes written into it
 */
void lodge_virtqueue_push(struct lodge_virtqueue *queue, uint16_t head, uint32_t length);

/**
 * lodge_virtqueue_wants_interrupt() - does the driver want to hear of what was pushed?
 * @queue: queue
 */
bool lodge_virtqueue_wants_interrupt(const struct lodge_virtqueue *queue);

#endif
