// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues. Pure code over guest memory: no I/O, no lock, so that it
 * can be tested with hostile rings outside any VM. The guest may change what
 * it wrote at any time: each field is loaded exactly once, then checked.
 */
#include "virtqueue.h"

#include <string.h>

#define load(field)	__atomic_load_n(&(field), __ATOMIC_RELAXED)

void lodge_virtqueue_reset(struct lodge_virtqueue *queue)
{
	const struct lodge_memory *memory = queue->memory;

	memset(queue, 0, sizeof(*queue));
	queue->memory = memory;
	queue->size = LODGE_VIRTQUEUE_SIZE;
}

static void *queue_ring(struct lodge_virtqueue *queue, uint64_t gpa, uint64_t length,
			uint64_t alignment)
{
	if (gpa & (alignment - 1))
		return NULL;
	return lodge_memory_at(queue->memory, gpa, length);
}

bool lodge_virtqueue_enable(struct lodge_virtqueue *queue)
{
	uint64_t size = queue->size;

	if (!size || size > LODGE_VIRTQUEUE_SIZE || size & (size - 1)) {
		queue->error = "its size is not a power of two or too large";
		return false;
	}
	queue->desc = queue_ring(queue, queue->desc_gpa, 16 * size, 16);
	queue->avail = queue_ring(queue, queue->avail_gpa, 4 + 2 * size, 2);
	queue->used = queue_ring(queue, queue->used_gpa, 4 + 8 * size, 4);
	if (!queue->desc || !queue->avail || !queue->used) {
		queue->error = "a ring is not inside guest memory";
		return false;
	}
	queue->enabled = true;
	return true;
}

static bool queue_break(struct lodge_virtqueue *queue, const char *error)
{
	queue->error = error;
	return false;
}

/*
 * An indirect table may lie at any address, so the copy is by bytes; the
 * barrier keeps the compiler from going back to guest memory later.
 */
static struct vring_desc desc_load(const struct vring_desc *source)
{
	struct vring_desc desc;

	memcpy(&desc, source, sizeof(desc));
	__asm__ volatile("" : : : "memory");
	return desc;
}

static bool chain_add(struct lodge_virtqueue *queue, struct lodge_chain *chain,
		      const struct vring_desc *desc)
{
	unsigned int count = chain->readable + chain->writable;
	void *base;

	if (count == LODGE_CHAIN_SEGMENTS)
		return queue_break(queue, "a chain has too many segments");
	base = lodge_memory_at(queue->memory, desc->addr, desc->len);
	if (!base)
		return queue_break(queue, "a buffer is not inside guest memory");
	if (desc->flags & VRING_DESC_F_WRITE)
		chain->writable++;
	else if (chain->writable)
		return queue_break(queue, "a readable buffer follows a writable one");
	else
		chain->readable++;
	chain->segments[count] = (struct iovec) { .iov_base = base, .iov_len = desc->len };
	return true;
}

/* Walks at most as many descriptors as the table has, which ends every loop. */
static bool chain_walk(struct lodge_virtqueue *queue, struct lodge_chain *chain,
		       const struct vring_desc *table, uint32_t entries, uint32_t index,
		       bool indirect)
{
	struct vring_desc desc;
	const struct vring_desc *inner;

	for (uint32_t walked = 0; walked < entries; walked++) {
		if (index >= entries)
			return queue_break(queue, "a descriptor number is out of range");
		desc = desc_load(&table[index]);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (indirect || desc.flags & VRING_DESC_F_NEXT)
				return queue_break(queue, "an indirect table is inside another or not last");
			if (!desc.len || desc.len % sizeof(desc))
				return queue_break(queue, "an indirect table is misshapen");
			inner = lodge_memory_at(queue->memory, desc.addr, desc.len);
			if (!inner)
				return queue_break(queue,
						   "an indirect table is not inside guest memory");
			return chain_walk(queue, chain, inner, desc.len / sizeof(desc), 0, true);
		}
		if (!chain_add(queue, chain, &desc))
			return false;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return true;
		index = desc.next;
	}
	return queue_break(queue, "a chain is longer than its table");
}

bool lodge_virtqueue_pop(struct lodge_virtqueue *queue, struct lodge_chain *chain)
{
	uint16_t available, head;

	if (!queue->enabled || queue->error)
		return false;
	/* Pairs with the driver's barrier between ring entry and index. */
	available = __atomic_load_n(&queue->avail->idx, __ATOMIC_ACQUIRE);
	if (available == queue->next_avail)
		return false;
	if ((uint16_t)(available - queue->next_avail) > queue->size)
		return queue_break(queue, "the available index ran past the ring");
	head = load(queue->avail->ring[queue->next_avail & (queue->size - 1)]);
	if (head >= queue->size)
		return queue_break(queue, "an available entry is out of range");
	queue->next_avail++;
	chain->head = head;
	chain->readable = chain->writable = 0;
	return chain_walk(queue, chain, queue->desc, queue->size, head, false);
}

void lodge_virtqueue_push(struct lodge_virtqueue *queue, uint16_t head, uint32_t length)
{
	struct vring_used_elem *entry = &queue->used->ring[queue->next_used & (queue->size - 1)];

	__atomic_store_n(&entry->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->len, length, __ATOMIC_RELAXED);
	queue->next_used++;
	/* Pairs with the driver's barrier between index and ring entry. */
	__atomic_store_n(&queue->used->idx, queue->next_used, __ATOMIC_RELEASE);
}

bool lodge_virtqueue_wants_interrupt(const struct lodge_virtqueue *queue)
{
	/*
	 * The index must be out before the flag is read: the driver sets the
	 * flag to "interrupt me" first and looks at the index afterwards.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(load(queue->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}
