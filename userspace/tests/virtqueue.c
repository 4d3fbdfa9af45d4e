// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtqueues under a hostile driver: each case breaks one rule of the ring and
 * expects the queue to stop with a reason, under sanitizers; then random rings,
 * whose every segment must lie in guest memory. One thread.
 */
#include "virtqueue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "layout.h"
#include "tests/ktap.h"

#define MEMORY	(1u << 20)
#define SIZE	8u
#define DESC	0x1000u
#define AVAIL	0x2000u
#define USED	0x3000u
#define TABLE	0x4000u
#define BUFFER	0x8000u

static struct lodge_memory memory;
static struct lodge_virtqueue queue;
static struct lodge_chain chain;

static struct vring_desc *desc(unsigned int index)
{
	return (struct vring_desc *)(memory.base + DESC) + index;
}

static void desc_set(struct vring_desc *at, uint64_t addr, uint32_t len, uint16_t flags,
		     uint16_t next)
{
	*at = (struct vring_desc) { .addr = addr, .len = len, .flags = flags, .next = next };
}

static void offer(uint16_t head)
{
	struct vring_avail *avail = (struct vring_avail *)(memory.base + AVAIL);

	avail->ring[avail->idx % SIZE] = head;
	avail->idx++;
}

static void fresh(void)
{
	memset(memory.base, 0, MEMORY);
	queue.memory = &memory;
	lodge_virtqueue_reset(&queue);
	queue.size = SIZE;
	queue.desc_gpa = DESC;
	queue.avail_gpa = AVAIL;
	queue.used_gpa = USED;
	lodge_virtqueue_enable(&queue);
}

static bool inside(const struct lodge_chain *c)
{
	for (unsigned int i = 0; i < c->readable + c->writable; i++) {
		const uint8_t *base = c->segments[i].iov_base;

		if (base < memory.base || base > memory.base + MEMORY ||
		    c->segments[i].iov_len > (size_t)(memory.base + MEMORY - base))
			return false;
	}
	return true;
}

static bool broken(void)
{
	return !lodge_virtqueue_pop(&queue, &chain) && queue.error &&
	       !lodge_virtqueue_pop(&queue, &chain);
}

static void test_good(void)
{
	const struct vring_used *used = (struct vring_used *)(memory.base + USED);

	fresh();
	ktap_case(!lodge_virtqueue_pop(&queue, &chain) && !queue.error, "an empty ring is empty");
	desc_set(desc(3), BUFFER, 16, VRING_DESC_F_NEXT, 5);
	desc_set(desc(5), BUFFER + 64, 32, VRING_DESC_F_WRITE, 0);
	offer(3);
	ktap_case(lodge_virtqueue_pop(&queue, &chain) && chain.head == 3 && chain.readable == 1 &&
		  chain.writable == 1 && chain.segments[0].iov_len == 16 &&
		  chain.segments[1].iov_base == memory.base + BUFFER + 64, "a chain of two");
	lodge_virtqueue_push(&queue, 3, 32);
	ktap_case(used->idx == 1 && used->ring[0].id == 3 && used->ring[0].len == 32,
		  "a buffer given back");

	fresh();
	desc_set(desc(0), BUFFER, 8, VRING_DESC_F_NEXT, 1);
	desc_set(desc(1), TABLE + 1, 2 * 16, VRING_DESC_F_INDIRECT, 0);
	/* The table is at an odd address on purpose: drivers may do that. */
	for (unsigned int i = 0; i < 2; i++) {
		struct vring_desc inner = {
			.addr = BUFFER + 16, .len = 4, .next = 1,
			.flags = i ? VRING_DESC_F_WRITE : VRING_DESC_F_NEXT,
		};

		memcpy(memory.base + TABLE + 1 + 16 * i, &inner, sizeof(inner));
	}
	offer(0);
	ktap_case(lodge_virtqueue_pop(&queue, &chain) && chain.readable == 2 && chain.writable == 1,
		  "a chain that ends in an indirect table");
}

static void test_index(void)
{
	fresh();
	((struct vring_avail *)(memory.base + AVAIL))->idx = SIZE + 1;
	ktap_case(broken(), "the available index runs past the ring");
	fresh();
	offer(SIZE);
	ktap_case(broken(), "an available entry is out of range");
	fresh();
	desc_set(desc(0), BUFFER, 8, VRING_DESC_F_NEXT, SIZE);
	offer(0);
	ktap_case(broken(), "a next field is out of range");
	fresh();
	desc_set(desc(0), BUFFER, 8, VRING_DESC_F_NEXT, 1);
	desc_set(desc(1), BUFFER, 8, VRING_DESC_F_NEXT, 0);
	offer(0);
	ktap_case(broken(), "a chain bites its tail");
}

static void test_address(void)
{
	static const struct { uint64_t addr; uint32_t len; const char *name; } cases[] = {
		{ MEMORY, 1, "a buffer begins after the end of memory" },
		{ MEMORY - 8, 9, "a buffer ends after the end of memory" },
		{ ~0ULL, 2, "a buffer wraps around the address space" },
		{ LAYOUT_PCI_MMIO, 4, "a buffer lies in the PCI window" },
		{ LAYOUT_RAM_RESUME, 4, "a buffer lies above 4 GiB, where no memory is" },
		{ BUFFER, 0xffffffff, "a buffer is as long as it can be" },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fresh();
		desc_set(desc(0), cases[i].addr, cases[i].len, 0, 0);
		offer(0);
		ktap_case(broken(), cases[i].name);
	}
	fresh();
	desc_set(desc(0), BUFFER, 8, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	desc_set(desc(1), BUFFER, 8, 0, 0);
	offer(0);
	ktap_case(broken(), "a readable buffer follows a writable one");
}

static void indirect_case(uint64_t addr, uint32_t len, uint16_t flags, const char *name)
{
	fresh();
	desc_set(desc(0), addr, len, VRING_DESC_F_INDIRECT | flags, 1);
	offer(0);
	ktap_case(broken(), name);
}

static void test_indirect(void)
{
	struct vring_desc *table = (struct vring_desc *)(memory.base + TABLE);

	indirect_case(TABLE, 0, 0, "an indirect table is empty");
	indirect_case(TABLE, 17, 0, "an indirect table has half an entry");
	indirect_case(MEMORY - 16, 32, 0, "an indirect table ends after the end of memory");
	indirect_case(TABLE, 16, VRING_DESC_F_NEXT, "an indirect table goes on in the ring");
	fresh();
	desc_set(desc(0), TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	desc_set(table, TABLE, 16, VRING_DESC_F_INDIRECT, 0);
	offer(0);
	ktap_case(broken(), "an indirect table contains itself");
	fresh();
	desc_set(desc(0), TABLE, 16 * 1024, VRING_DESC_F_INDIRECT, 0);
	for (uint16_t i = 0; i < 1024; i++)
		desc_set(&table[i], BUFFER, 1, VRING_DESC_F_NEXT, i + 1);
	offer(0);
	ktap_case(broken(), "an indirect table has more segments than a device takes");
}

static void test_enable(void)
{
	static const struct { uint64_t desc, avail, used; uint16_t size; const char *name; } cases[] = {
		{ DESC, AVAIL, USED, 0, "a queue of size zero" },
		{ DESC, AVAIL, USED, 6, "a queue whose size is not a power of two" },
		{ DESC, AVAIL, USED, 256, "a queue larger than offered" },
		{ DESC + 8, AVAIL, USED, 8, "a descriptor table that is not aligned" },
		{ DESC, AVAIL + 1, USED, 8, "a driver ring that is not aligned" },
		{ DESC, AVAIL, USED + 2, 8, "a device ring that is not aligned" },
		{ MEMORY - 16, AVAIL, USED, 8, "a descriptor table that ends outside memory" },
		{ DESC, ~1ULL, USED, 8, "a driver ring that wraps around" },
		{ DESC, AVAIL, LAYOUT_ECAM, 8, "a device ring in configuration space" },
	};

	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lodge_virtqueue_reset(&queue);
		queue.size = cases[i].size;
		queue.desc_gpa = cases[i].desc;
		queue.avail_gpa = cases[i].avail;
		queue.used_gpa = cases[i].used;
		ktap_case(!lodge_virtqueue_enable(&queue) && queue.error && !queue.enabled,
			  cases[i].name);
	}
}

/* Random bytes where the rings are; what comes out must be inside memory. */
static void test_random(void)
{
	unsigned long rounds = 200000, popped = 0;
	bool good = true;

	srandom(1);
	fresh();
	while (rounds--) {
		struct vring_desc *at = random() & 1 ? desc(random() % SIZE) :
			(struct vring_desc *)(memory.base + TABLE) + random() % 64;
		static const uint64_t addresses[] = { BUFFER, TABLE, 0, MEMORY - 16, MEMORY,
						      LAYOUT_RAM_RESUME, ~0ULL };
		static const uint32_t lengths[] = { 0, 1, 16, 64, 1024, MEMORY, 0xffffffff };

		desc_set(at, addresses[random() % 7], lengths[random() % 7],
			 (uint16_t)(random() & 7), (uint16_t)(random() % (SIZE + 1)));
		offer((uint16_t)(random() % (SIZE + (random() % 64 == 0))));
		while (lodge_virtqueue_pop(&queue, &chain)) {
			popped++;
			good = good && inside(&chain);
			lodge_virtqueue_push(&queue, chain.head, 1);
		}
		if (queue.error) {
			struct vring_avail *avail = (struct vring_avail *)(memory.base + AVAIL);

			queue.error = NULL;
			queue.next_avail = avail->idx;
		}
	}
	ktap_case(good && popped > 1000, "200,000 random rings stay inside memory");
}

int main(void)
{
	/* Mapped and not malloced, with a guard page behind, as guest memory is. */
	memory.base = mmap(NULL, MEMORY + 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory.base == MAP_FAILED || mprotect(memory.base + MEMORY, 4096, PROT_NONE))
		return 1;
	memory.size = memory.low = MEMORY;
	ktap_begin();
	test_good();
	test_index();
	test_address();
	test_indirect();
	test_enable();
	test_random();
	return ktap_end();
}
