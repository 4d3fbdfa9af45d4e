// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which pages of a slot were written since it was last read. Writers, guest or lodge itself, set bits
 * with mmu->lock held shared; a harvest takes bits and write-protects their pages with it held exclusive, a batch at a
 * time, and flushes once before it returns. Write protection itself is in table.c, the first write's fault in fault.c.
 * vm->slots_lock is held from the lookup of the slot to the end. With dirty rings (dirty_ring.c) nobody reads it.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "mmu_internal.h"

#define DIRTY_BATCH	64	/* words under one hold of the lock */

static u64 dirty_words(u64 npages)
{
	return DIV_ROUND_UP(npages, BITS_PER_LONG);
}

struct lodge_dirty *lodge_dirty_alloc(const struct lodge_mmu *mmu, u64 npages)
{
	struct lodge_dirty *dirty;

	dirty = kvzalloc(struct_size(dirty, bits, dirty_words(npages)), GFP_KERNEL_ACCOUNT);
	if (dirty && lodge_dirty_starts_set(mmu))
		bitmap_set(dirty->bits, 0, npages);
	return dirty;
}

void lodge_dirty_log_configure(struct lodge_vm *vm, u64 flags)
{
	lockdep_assert_held(&vm->lock);
	vm->user_dirty_protect = flags & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;
	WRITE_ONCE(vm->mmu->dirty_initially_set, flags & KVM_DIRTY_LOG_INITIALLY_SET);
}

/* -EINVAL, -ENOENT; else *@slot. */
static int dirty_find(struct lodge_vm *vm, u32 id, struct lodge_memslot **slot)
{
	if (id >> 16 || id >= LODGE_MAX_MEMSLOTS)
		return -EINVAL;
	*slot = lodge_memslot_by_id(vm, id);
	return *slot && (*slot)->dirty ? 0 : -ENOENT;
}

/*
 * Take the bits of @n words from @first on that are set in both the log and @mask (NULL: all of them) and protect their
 * pages. @out gets the bits taken. Inlined: most words are 0, and a harvest has no @mask to look at.
 */
static __always_inline void dirty_take(struct lodge_mmu *mmu, const struct lodge_memslot *slot, u64 first,
				       unsigned int n, const unsigned long *mask, unsigned long *out)
{
	struct lodge_protect_cursor cursor = LODGE_PROTECT_CURSOR_INIT;
	unsigned long *word = slot->dirty->bits + first;
	unsigned int i;
	gfn_t base;

	write_lock(&mmu->lock);
	for (i = 0; i < n; i++) {
		out[i] = READ_ONCE(word[i]) & (mask ? mask[i] : ~0UL);
		if (!out[i])
			continue;
		if (!mask)
			out[i] = xchg(&word[i], 0);
		else
			out[i] &= atomic_long_fetch_andnot(out[i], (atomic_long_t *)&word[i]);
		base = slot->base_gfn + (first + i) * BITS_PER_LONG;
		if (unlikely(mmu->cpu_logs))
			lodge_table_relog_pages(mmu, &cursor, base, out[i]);
		else
			lodge_table_protect_pages(mmu, &cursor, base, out[i]);
	}
	write_unlock(&mmu->lock);
}

void lodge_dirty_flush(struct lodge_mmu *mmu)
{
	struct lodge_gather gather = LODGE_GATHER_INIT(gather, true);
	u64 zapped;

	read_lock(&mmu->lock);
	zapped = mmu->zapped;
	read_unlock(&mmu->lock);
	lodge_table_flush(mmu, zapped, &gather);
}

/* Read and clear. When the caller's buffer fails, what it may have missed is dirty again: all that was taken. */
static int dirty_harvest(struct lodge_mmu *mmu, const struct lodge_memslot *slot, unsigned long __user *to)
{
	unsigned long buf[DIRTY_BATCH];
	u64 first, words = dirty_words(slot->npages);
	unsigned int n;
	int ret = 0;

	for (first = 0; first < words; first += n) {
		n = min_t(u64, words - first, DIRTY_BATCH);
		dirty_take(mmu, slot, first, n, NULL, buf);
		if (copy_to_user(to + first, buf, n * sizeof(buf[0]))) {
			bitmap_set(slot->dirty->bits, 0, min_t(u64, (first + n) * BITS_PER_LONG, slot->npages));
			ret = -EFAULT;
			break;
		}
		cond_resched();
	}
	lodge_dirty_flush(mmu);
	return ret;
}

/* Read only: KVM_CLEAR_DIRTY_LOG will clear. */
static int dirty_copy(const struct lodge_memslot *slot, unsigned long __user *to)
{
	u64 words = dirty_words(slot->npages);

	return copy_to_user(to, slot->dirty->bits, words * sizeof(*to)) ? -EFAULT : 0;
}

int lodge_dirty_log_get(struct lodge_vm *vm, const struct kvm_dirty_log *log)
{
	struct lodge_memslot *slot;
	int ret;

	if (READ_ONCE(vm->dirty_ring_bytes))
		return -ENXIO;
	mutex_lock(&vm->slots_lock);
	ret = dirty_find(vm, log->slot, &slot);
	if (!ret)
		lodge_dirty_sync(vm->mmu);
	if (!ret && READ_ONCE(vm->user_dirty_protect))
		ret = dirty_copy(slot, log->dirty_bitmap);
	else if (!ret)
		ret = dirty_harvest(vm->mmu, slot, log->dirty_bitmap);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

/* When the caller's buffer fails, what was taken up to there is dirty again. */
static int dirty_clear(struct lodge_mmu *mmu, const struct lodge_memslot *slot, const struct kvm_clear_dirty_log *log)
{
	const unsigned long __user *from = log->dirty_bitmap;
	unsigned long mask[DIRTY_BATCH], taken[DIRTY_BATCH];
	u64 done, words = dirty_words(log->num_pages);
	unsigned int n;
	int ret = 0;

	for (done = 0; done < words; done += n) {
		n = min_t(u64, words - done, DIRTY_BATCH);
		if (copy_from_user(mask, from + done, n * sizeof(mask[0]))) {
			bitmap_set(slot->dirty->bits, log->first_page, done * BITS_PER_LONG);
			ret = -EFAULT;
			break;
		}
		dirty_take(mmu, slot, log->first_page / BITS_PER_LONG + done, n, mask, taken);
		cond_resched();
	}
	lodge_dirty_flush(mmu);
	return ret;
}

int lodge_dirty_log_clear(struct lodge_vm *vm, const struct kvm_clear_dirty_log *log)
{
	struct lodge_memslot *slot;
	u64 left;
	int ret;

	if (READ_ONCE(vm->dirty_ring_bytes))
		return -ENXIO;
	mutex_lock(&vm->slots_lock);
	ret = log->slot >> 16 || log->slot >= LODGE_MAX_MEMSLOTS || log->first_page % BITS_PER_LONG ? -EINVAL : 0;
	if (!ret)
		ret = dirty_find(vm, log->slot, &slot);
	if (ret)
		goto unlock;
	ret = -EINVAL;
	if (log->first_page > slot->npages)
		goto unlock;
	left = slot->npages - log->first_page;
	if (log->num_pages > left || (log->num_pages < left && log->num_pages % BITS_PER_LONG))
		goto unlock;
	lodge_dirty_sync(vm->mmu);
	ret = dirty_clear(vm->mmu, slot, log);
unlock:
	mutex_unlock(&vm->slots_lock);
	return ret;
}
