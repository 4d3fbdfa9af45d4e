// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty ring: per vCPU, in pages that the VMM maps, the pages that the vCPU wrote for the first time since they
 * were last reset. The slots' bitmaps stay, as the record of which pages are in a ring: no page is in two places of
 * them.
 *
 * An entry is pushed by whoever holds the vCPU (vcpu->mutex), in the section too, with mmu->lock held shared or as
 * fault_first_write() tells; it is reset under vm->slots_lock. User space owns what is between the two and may write
 * anything there: an entry is read once and believed in nothing but whose log it makes begin anew.
 */
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "mmu_internal.h"

#define RING_RESERVE	64	/* entries behind the limit at which a vCPU stops: what one exit may still write */
#define RING_BATCH	256	/* entries reset under one hold of the lock */

struct lodge_dirty_ring {
	struct kvm_dirty_gfn *entries;	/* (i) shared with user space */
	u32 size;			/* (i) a power of 2 */
	u32 limit;			/* (i) entries in use that stop the vCPU */
	u32 head;			/* (a) where the next is pushed, by who holds the vCPU; never cut to the size */
	u32 tail;			/* (a) the next to be reset, at most @head; written under slots_lock */
};

int lodge_dirty_ring_enable(struct lodge_vm *vm, u32 bytes)
{
	struct lodge_memslots *slots;
	u32 i;

	lockdep_assert_held(&vm->lock);
	if (!bytes || !is_power_of_2(bytes) || bytes < RING_RESERVE * sizeof(struct kvm_dirty_gfn) ||
	    bytes < PAGE_SIZE)
		return -EINVAL;
	if (bytes > LODGE_DIRTY_RING_BYTES)
		return -E2BIG;
	if (vm->dirty_ring_bytes || vm->nr_vcpus)
		return -EINVAL;

	mutex_lock(&vm->slots_lock);
	WRITE_ONCE(vm->dirty_ring_bytes, bytes);
	/* No vCPU logs yet, and none will: its log of writes would not fit into what a ring keeps in reserve. */
	WRITE_ONCE(vm->mmu->cpu_logs, false);
	/* Nothing was written yet, and no page is in a ring: also where logs begin with all bits set. */
	slots = lodge_memslots_locked(vm);
	for (i = 0; i < slots->nr; i++)
		if (slots->entries[i].slot->dirty)
			bitmap_zero(slots->entries[i].slot->dirty->bits, slots->entries[i].slot->npages);
	mutex_unlock(&vm->slots_lock);
	return 0;
}

int lodge_dirty_ring_create(struct lodge_vcpu *vcpu)
{
	u32 bytes = vcpu->vm->dirty_ring_bytes;
	struct lodge_dirty_ring *ring;

	if (!bytes)
		return 0;
	ring = kzalloc(sizeof(*ring), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return -ENOMEM;
	ring->entries = __vmalloc(bytes, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!ring->entries) {
		kfree(ring);
		return -ENOMEM;
	}
	ring->size = bytes / sizeof(ring->entries[0]);
	ring->limit = ring->size - RING_RESERVE;
	vcpu->dirty_ring = ring;
	return 0;
}

void lodge_dirty_ring_destroy(struct lodge_vcpu *vcpu)
{
	struct lodge_dirty_ring *ring = vcpu->dirty_ring;

	if (!ring)
		return;
	vcpu->dirty_ring = NULL;
	vfree(ring->entries);
	kfree(ring);
}

bool lodge_dirty_ring_maps(const struct lodge_vm *vm, unsigned long pgoff)
{
	return pgoff >= KVM_DIRTY_LOG_PAGE_OFFSET &&
	       pgoff - KVM_DIRTY_LOG_PAGE_OFFSET < vm->dirty_ring_bytes >> PAGE_SHIFT;
}

struct page *lodge_dirty_ring_page(struct lodge_vcpu *vcpu, unsigned long pgoff)
{
	unsigned long offset = (pgoff - KVM_DIRTY_LOG_PAGE_OFFSET) << PAGE_SHIFT;

	return vmalloc_to_page((void *)vcpu->dirty_ring->entries + offset);
}

static u32 ring_used(const struct lodge_dirty_ring *ring)
{
	return ring->head - READ_ONCE(ring->tail);
}

void lodge_dirty_ring_push(struct lodge_vcpu *vcpu, u16 slot, u64 offset)
{
	struct lodge_dirty_ring *ring = vcpu->dirty_ring;
	struct kvm_dirty_gfn *entry = &ring->entries[ring->head & (ring->size - 1)];

	/*
	 * The reserve is more than any exit can write between two looks at the limit. User space that sets MSRs which
	 * make us write can use it up without running the vCPU: rather no VM than one with a write that is not told.
	 */
	if (unlikely(ring_used(ring) >= ring->size)) {
		lodge_vm_kill(vcpu->vm, LODGE_VM_KILLED_RING);
		return;
	}
	WRITE_ONCE(entry->slot, slot);
	WRITE_ONCE(entry->offset, offset);
	/* User space reads the flags first. */
	smp_store_release(&entry->flags, KVM_DIRTY_GFN_F_DIRTY);
	/* Pairs with ring_reset_batch(). */
	smp_store_release(&ring->head, ring->head + 1);
	if (ring_used(ring) >= ring->limit)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_DIRTY_RING);
}

bool lodge_dirty_ring_stops(struct lodge_vcpu *vcpu)
{
	struct lodge_dirty_ring *ring = vcpu->dirty_ring;

	if (!lodge_vcpu_take_request(vcpu, LODGE_REQ_DIRTY_RING) || ring_used(ring) < ring->limit)
		return false;
	/* Until a reset made room. */
	lodge_vcpu_request_self(vcpu, LODGE_REQ_DIRTY_RING);
	return true;
}

/* Pages of one slot that lie in one word of its bitmap, in which rings mostly come. */
struct ring_run {
	struct lodge_memslot *slot;
	u64 word;
	unsigned long bits;
	struct lodge_protect_cursor cursor;
};

/* The pages' next write is a first one again. Lock exclusive. */
static void ring_run_apply(struct lodge_mmu *mmu, struct ring_run *run)
{
	if (!run->bits)
		return;
	atomic_long_andnot(run->bits, (atomic_long_t *)&run->slot->dirty->bits[run->word]);
	lodge_table_protect_pages(mmu, &run->cursor, run->slot->base_gfn + run->word * BITS_PER_LONG, run->bits);
	run->bits = 0;
}

static void ring_run_add(struct lodge_vm *vm, struct ring_run *run, u32 id, u64 offset)
{
	struct lodge_memslot *slot = run->slot;

	if (!slot || slot->id != id || offset / BITS_PER_LONG != run->word) {
		ring_run_apply(vm->mmu, run);
		slot = id < LODGE_MAX_MEMSLOTS ? lodge_memslot_by_id(vm, id) : NULL;
		/* Written by user space, or of a slot that is gone. */
		if (!slot || !slot->dirty || offset >= slot->npages)
			return;
		run->slot = slot;
		run->word = offset / BITS_PER_LONG;
	}
	if (offset < slot->npages)
		run->bits |= BIT(offset % BITS_PER_LONG);
}

/* At most a batch of entries that user space is done with; how many. */
static u32 ring_reset_batch(struct lodge_vm *vm, struct lodge_dirty_ring *ring)
{
	struct ring_run run = { .cursor = LODGE_PROTECT_CURSOR_INIT };
	struct kvm_dirty_gfn *entry;
	u32 n, pushed;

	write_lock(&vm->mmu->lock);
	/* What user space says of an entry that is none means nothing: the tail stays behind the head. */
	pushed = smp_load_acquire(&ring->head) - ring->tail;
	for (n = 0; n < min_t(u32, pushed, RING_BATCH); n++) {
		entry = &ring->entries[(ring->tail + n) & (ring->size - 1)];
		/* Pairs with user space's release: it has read the rest. */
		if (!(smp_load_acquire(&entry->flags) & KVM_DIRTY_GFN_F_RESET))
			break;
		ring_run_add(vm, &run, READ_ONCE(entry->slot), READ_ONCE(entry->offset));
		WRITE_ONCE(entry->flags, 0);
	}
	ring_run_apply(vm->mmu, &run);
	write_unlock(&vm->mmu->lock);
	/* The entries are the vCPU's to write again. */
	smp_store_release(&ring->tail, ring->tail + n);
	return n;
}

int lodge_dirty_rings_reset(struct lodge_vm *vm)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;
	u32 n, total = 0;

	if (!READ_ONCE(vm->dirty_ring_bytes))
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	lodge_for_each_vcpu(i, vcpu, vm) {
		/* A ring that user space fills as fast as it is emptied must not hold us. */
		u32 left = vcpu->dirty_ring->size;

		do {
			n = ring_reset_batch(vm, vcpu->dirty_ring);
			total += n;
			left -= min(left, n);
			cond_resched();
		} while (n == RING_BATCH && left);
	}
	lodge_dirty_flush(vm->mmu);
	mutex_unlock(&vm->slots_lock);
	return total;
}
