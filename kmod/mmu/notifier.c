// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the VMM's mm tells of changes: one mmu_notifier subscription per mm with the mm's VMs in a list under it. What
 * is unmapped on the host is zapped in every VM's nested tables first; accessed bits are told back. The subscription
 * is put, never unregistered, so that destroying a VM waits for no grace period.
 *
 * Locking: struct lodge_mm's lock guards the list and the account of invalidations under way. A VM is worked on
 * without it, pinned: lodge_mm_unsubscribe() waits for the pins, which last no longer than one notifier call.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "mmu_internal.h"

/* int, later bool. */
typedef typeof(((struct mmu_notifier_ops *)NULL)->test_young(NULL, NULL, 0)) lodge_young_t;

static struct lodge_mm *mm_from_notifier(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct lodge_mm, notifier);
}

/* The VM after @prev (the first for NULL), pinned; @prev is let go. */
static struct lodge_mmu *mm_next_mmu(struct lodge_mm *mm, struct lodge_mmu *prev)
{
	struct lodge_mmu *mmu;

	spin_lock(&mm->lock);
	mmu = prev ? prev : list_entry(&mm->mmus, struct lodge_mmu, link);
	list_for_each_entry_continue(mmu, &mm->mmus, link)
		if (!mmu->dying)
			break;
	if (list_entry_is_head(mmu, &mm->mmus, link))
		mmu = NULL;
	else
		mmu->pins++;
	if (prev && !--prev->pins && prev->dying)
		wake_up_all(&mm->wait);
	spin_unlock(&mm->lock);
	return mmu;
}

/* The part of @slot that lies at [@start, @end) of the VMM's mapping. */
static bool mm_slot_range(const struct lodge_memslot *slot, hva_t start, hva_t end, gfn_t *first, gfn_t *last)
{
	hva_t low = max(start, slot->hva);
	hva_t high = min(end, slot->hva + (slot->npages << PAGE_SHIFT));

	if (low >= high)
		return false;
	*first = slot->base_gfn + ((low - slot->hva) >> PAGE_SHIFT);
	*last = slot->base_gfn + ((high - slot->hva + PAGE_SIZE - 1) >> PAGE_SHIFT);
	return true;
}

static void mm_zap(struct lodge_mmu *mmu, hva_t start, hva_t end, bool may_sleep)
{
	struct lodge_gather gather = LODGE_GATHER_INIT(gather, may_sleep);
	struct lodge_memslots *slots;
	unsigned long changes;
	gfn_t first, last;
	u64 zapped;
	u32 i;

	gather.host_unmaps = true;
	write_lock(&mmu->lock);
again:
	slots = lodge_memslots_locked(mmu->vm);
	changes = mmu->nr_slot_changes;
	for (i = 0; i < slots->nr; i++) {
		if (!mm_slot_range(slots->entries[i].slot, start, end, &first, &last))
			continue;
		lodge_table_zap(mmu, first, last, &gather);
		/* The lock may have been dropped. What is zapped already is passed over quickly. */
		if (changes != mmu->nr_slot_changes)
			goto again;
	}
	zapped = mmu->zapped;
	write_unlock(&mmu->lock);
	lodge_table_flush(mmu, zapped, &gather);
}

static void mm_invalidate_begin(struct lodge_mm *mm, hva_t start, hva_t end)
{
	spin_lock(&mm->lock);
	if (mm->nr_invalidations) {
		WRITE_ONCE(mm->start, min(mm->start, start));
		WRITE_ONCE(mm->end, max(mm->end, end));
	} else {
		WRITE_ONCE(mm->start, start);
		WRITE_ONCE(mm->end, end);
	}
	/* The range is seen by whoever sees the count; pairs with lodge_mm_is_quiet(). */
	smp_store_release(&mm->nr_invalidations, mm->nr_invalidations + 1);
	spin_unlock(&mm->lock);
}

static void mm_invalidate_finish(struct lodge_mm *mm)
{
	spin_lock(&mm->lock);
	/* What the host's tables say now is seen by whoever sees the count; pairs as above. */
	smp_store_release(&mm->nr_invalidations, mm->nr_invalidations - 1);
	spin_unlock(&mm->lock);
	if (wq_has_sleeper(&mm->wait))
		wake_up_all(&mm->wait);
}

static void mm_zap_all(struct lodge_mm *mm, hva_t start, hva_t end, bool may_sleep)
{
	struct lodge_mmu *mmu;

	for (mmu = mm_next_mmu(mm, NULL); mmu; mmu = mm_next_mmu(mm, mmu))
		mm_zap(mmu, start, end, may_sleep);
}

/* Never fails: where it may not sleep it does not, and one that has an end could not be taken back. */
static int mm_invalidate_range_start(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct lodge_mm *mm = mm_from_notifier(notifier);

	mm_invalidate_begin(mm, range->start, range->end);
	mm_zap_all(mm, range->start, range->end, mmu_notifier_range_blockable(range));
	return 0;
}

static void mm_invalidate_range_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	mm_invalidate_finish(mm_from_notifier(notifier));
}

static bool mm_test_young(struct mmu_notifier *notifier, hva_t start, hva_t end, bool clear)
{
	struct lodge_mm *mm = mm_from_notifier(notifier);
	struct lodge_memslots *slots;
	struct lodge_mmu *mmu;
	gfn_t first, last;
	bool young = false;
	u32 i;

	for (mmu = mm_next_mmu(mm, NULL); mmu; mmu = mm_next_mmu(mm, mmu)) {
		read_lock(&mmu->lock);
		slots = lodge_memslots_locked(mmu->vm);
		for (i = 0; i < slots->nr; i++)
			if (mm_slot_range(slots->entries[i].slot, start, end, &first, &last))
				young |= lodge_table_test_young(mmu, first, last, clear);
		read_unlock(&mmu->lock);
	}
	return young;
}

/* Called under a page table's spinlock: no flush, which the host's own accessed bits do without as well. */
static lodge_young_t mm_clear_young(struct mmu_notifier *notifier, struct mm_struct *mm,
				    unsigned long start, unsigned long end)
{
	return mm_test_young(notifier, start, end, true);
}

static lodge_young_t mm_test_young_one(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long address)
{
	return mm_test_young(notifier, address, address + PAGE_SIZE, false);
}

/* The mm is going: nothing may be mapped again, so this invalidation is never finished. */
static void mm_release(struct mmu_notifier *notifier, struct mm_struct *unused)
{
	struct lodge_mm *mm = mm_from_notifier(notifier);

	mm_invalidate_begin(mm, 0, ULONG_MAX);
	mm_zap_all(mm, 0, ULONG_MAX, true);
}

static struct mmu_notifier *mm_alloc_notifier(struct mm_struct *unused)
{
	struct lodge_mm *mm = kzalloc(sizeof(*mm), GFP_KERNEL_ACCOUNT);

	if (!mm)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&mm->lock);
	INIT_LIST_HEAD(&mm->mmus);
	init_waitqueue_head(&mm->wait);
	return &mm->notifier;
}

static void mm_free_notifier(struct mmu_notifier *notifier)
{
	kfree(mm_from_notifier(notifier));
}

static const struct mmu_notifier_ops mm_notifier_ops = {
	.invalidate_range_start = mm_invalidate_range_start,
	.invalidate_range_end = mm_invalidate_range_end,
	.clear_flush_young = mm_clear_young,
	.clear_young = mm_clear_young,
	.test_young = mm_test_young_one,
	.release = mm_release,
	.alloc_notifier = mm_alloc_notifier,
	.free_notifier = mm_free_notifier,
};

int lodge_mm_subscribe(struct lodge_mmu *mmu, struct mm_struct *mm)
{
	struct mmu_notifier *notifier = mmu_notifier_get(&mm_notifier_ops, mm);

	if (IS_ERR(notifier))
		return PTR_ERR(notifier);
	mmu->mm = mm_from_notifier(notifier);
	spin_lock(&mmu->mm->lock);
	list_add_tail(&mmu->link, &mmu->mm->mmus);
	spin_unlock(&mmu->mm->lock);
	return 0;
}

void lodge_mm_unsubscribe(struct lodge_mmu *mmu)
{
	struct lodge_mm *mm = mmu->mm;

	spin_lock(&mm->lock);
	mmu->dying = true;
	while (mmu->pins) {
		spin_unlock(&mm->lock);
		wait_event(mm->wait, !READ_ONCE(mmu->pins));
		spin_lock(&mm->lock);
	}
	list_del(&mmu->link);
	spin_unlock(&mm->lock);
	mmu_notifier_put(&mm->notifier);
}
