// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nested tables: building, splitting, zapping, write protection, accessed bits. Which page of the host a fault
 * maps is decided in fault.c; the encoding is in entry.h.
 *
 * A table entry without the write bit protects all that is below it, whatever the leaves say; their write bits are
 * stale until lodge_table_push_protection() has cleared them. mmu->lock: see mmu_internal.h. Tables that were taken
 * out may still be walked by CPUs, so they are freed only after the flush (lodge_table_flush()).
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "mmu_internal.h"

/* Pages zapped at most before others may have the lock. */
#define ZAP_BATCH	BIT_ULL(14)

struct lodge_nested_config lodge_nested __read_mostly;

/* What serves as a table counts as such: in the VM's figures, and in SecPageTables of the host's /proc/meminfo. */
static void table_account(struct lodge_mmu *mmu, const u64 *table, int n)
{
	atomic64_add(n, &mmu->nr_tables);
	lruvec_stat_mod_folio(virt_to_folio(table), NR_SECONDARY_PAGETABLE, n);
}

/*
 * vCPUs of several nodes fill one cache, each with pages of its own. The CPU that faults is the one that will walk the
 * table most, so a page of its node is preferred. A page that was seen may be taken by another; its node stays true.
 */
static struct page *table_cache_take(struct lodge_mmu *mmu)
{
	struct page *page, *seen;
	int i, node = numa_mem_id();
	bool any, others = false;

	for (any = false;; any = true) {
		for (i = 0; i < LODGE_TABLE_CACHE; i++) {
			seen = READ_ONCE(mmu->cache[i]);
			if (!seen)
				continue;
			others = true;
			if (!any && page_to_nid(seen) != node)
				continue;
			page = xchg(&mmu->cache[i], NULL);
			if (page)
				return page;
		}
		if (any || !others)
			return NULL;
	}
}

/* @page is zeroed. */
static void table_cache_put(struct lodge_mmu *mmu, struct page *page)
{
	int i;

	for (i = 0; i < LODGE_TABLE_CACHE; i++)
		if (!READ_ONCE(mmu->cache[i]) && !cmpxchg(&mmu->cache[i], NULL, page))
			return;
	__free_page(page);
}

/*
 * Make sure that one fault finds its tables. A VM that has few tables gets no more than that, so that an idle one
 * stays small; one that grows gets a reserve, so that nearly all of its faults are resolved inside the section.
 */
int lodge_table_fill_cache(struct lodge_mmu *mmu)
{
	int want = atomic64_read(&mmu->nr_tables) < 64 ? lodge_nested.levels - 1 : LODGE_TABLE_CACHE;
	struct page *page;
	int i;

	for (i = 0; i < want; i++) {
		if (READ_ONCE(mmu->cache[i]))
			continue;
		page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!page)
			return -ENOMEM;
		if (cmpxchg(&mmu->cache[i], NULL, page))
			__free_page(page);
	}
	return 0;
}

/*
 * lodge_table_install() - put an empty table behind an entry that is not present
 * Context: lock shared.
 */
enum lodge_table_result lodge_table_install(struct lodge_mmu *mmu, u64 *ep)
{
	struct page *page = table_cache_take(mmu);

	if (!page)
		return LODGE_TABLE_NO_PAGE;
	if (cmpxchg64(ep, 0, entry_make_table(page_to_phys(page)))) {
		table_cache_put(mmu, page);
		return LODGE_TABLE_RACED;
	}
	table_account(mmu, page_address(page), 1);
	return LODGE_TABLE_OK;
}

/*
 * lodge_table_split() - replace a large leaf by a table of smaller ones
 * @entry: what *@ep was seen to be, at @level
 * Context: lock shared. No flush is needed: translations stay the same, and so do rights but for execution, which
 * smaller ones may gain; a CPU that sets dirty in the leaf meanwhile fails the exchange.
 */
enum lodge_table_result lodge_table_split(struct lodge_mmu *mmu, u64 *ep, u64 entry, int level)
{
	struct page *page = table_cache_take(mmu);
	u64 bits = entry_split_bits(entry, level);
	hfn_t hfn = entry_leaf_hfn(entry, level);
	u64 span = entry_span(level - 1);
	u64 *table;
	unsigned int i;

	if (!page)
		return LODGE_TABLE_NO_PAGE;
	/*
	 * Where the CPU logs the first write to each small page, that needs no fault. What can be written now keeps its
	 * dirty bit: a TLB may have it.
	 */
	if (level == 2 && READ_ONCE(mmu->cpu_logs) &&
	    (entry & (LODGE_ENTRY_HOST_WRITABLE | LODGE_ENTRY_WRITE)) == LODGE_ENTRY_HOST_WRITABLE)
		bits = entry_relog(bits) | LODGE_ENTRY_WRITE;
	table = page_address(page);
	for (i = 0; i < LODGE_ENTRIES; i++)
		table[i] = bits | (hfn + i * span) << PAGE_SHIFT;
	if (cmpxchg64(ep, entry, entry_make_table(page_to_phys(page))) != entry) {
		clear_page(table);
		table_cache_put(mmu, page);
		return LODGE_TABLE_RACED;
	}
	table_account(mmu, table, 1);
	return LODGE_TABLE_OK;
}

/*
 * The host page learns what the guest did to it. It is alive: whoever takes it from the VMM's mapping has to come
 * through the notifier, and so through the lock that the caller holds, first.
 */
static void table_release_leaf(u64 entry, const struct lodge_gather *gather)
{
	hfn_t hfn = entry_hfn(entry);
	struct folio *folio;
	struct page *page;

	if (entry & LODGE_ENTRY_SPECIAL || !pfn_valid(hfn))
		return;
	page = pfn_to_page(hfn);
	if (PageReserved(page))
		return;
	folio = page_folio(page);
	if ((entry & (entry_dirty_mask() | LODGE_ENTRY_WAS_DIRTY)) && !folio_test_dirty(folio))
		folio_mark_dirty(folio);
	/* One mark is enough: a second would move the page between the host's lists, which costs as much as a fault. */
	if ((entry & entry_accessed_mask()) && !gather->host_unmaps && !folio_test_referenced(folio))
		folio_mark_accessed(folio);
}

/* Take an entry and all below it out. Exchange, since the CPU may set dirty until it sees the entry gone. */
static bool table_zap_entry(struct lodge_mmu *mmu, u64 *ep, int level, struct lodge_gather *gather)
{
	u64 entry, *table;
	unsigned int i;

	if (!READ_ONCE(*ep))
		return false;
	entry = xchg(ep, 0);
	if (entry_is_leaf(entry, level)) {
		table_release_leaf(entry, gather);
		return true;
	}
	table = entry_table(entry);
	for (i = 0; i < LODGE_ENTRIES; i++)
		table_zap_entry(mmu, &table[i], level - 1, gather);
	list_add(&virt_to_page(table)->lru, &gather->pages);
	table_account(mmu, table, -1);
	return true;
}

static bool table_zap_range(struct lodge_mmu *mmu, u64 *table, int level, gfn_t start, gfn_t end,
			    struct lodge_gather *gather)
{
	u64 span = entry_span(level);
	bool zapped = false;
	gfn_t gfn, base, next;
	u64 *ep, entry;

	for (gfn = start; gfn < end; gfn = next) {
		base = gfn & ~(span - 1);
		next = base + span;
		ep = &table[entry_index(gfn, level)];
		entry = READ_ONCE(*ep);
		if (!entry_is_present(entry))
			continue;
		if ((base >= start && next <= end) || entry_is_leaf(entry, level))
			zapped |= table_zap_entry(mmu, ep, level, gather);
		else
			zapped |= table_zap_range(mmu, entry_table(entry), level - 1, gfn, min(next, end), gather);
	}
	return zapped;
}

static void table_let_others(struct lodge_mmu *mmu, const struct lodge_gather *gather)
{
	if (gather->may_sleep) {
		cond_resched_rwlock_write(&mmu->lock);
	} else if (rwlock_needbreak(&mmu->lock)) {
		write_unlock(&mmu->lock);
		cpu_relax();
		write_lock(&mmu->lock);
	}
}

/* Frames that the tables can map; what is beyond is never present. */
static gfn_t table_end(gfn_t end)
{
	return min(end, entry_span(lodge_nested.levels + 1));
}

/*
 * lodge_table_zap() - remove what is mapped of a range, with the tables that serve it alone
 * Context: lock exclusive; dropped and taken again between batches, so the caller must have seen to it that nothing
 * new is mapped there.
 */
void lodge_table_zap(struct lodge_mmu *mmu, gfn_t start, gfn_t end, struct lodge_gather *gather)
{
	gfn_t gfn, next;

	lockdep_assert_held_write(&mmu->lock);
	end = table_end(end);
	for (gfn = start; gfn < end; gfn = next) {
		next = min(end, (gfn | (ZAP_BATCH - 1)) + 1);
		mmu->zapped += table_zap_range(mmu, mmu->root, lodge_nested.levels, gfn, next, gather);
		if (next < end)
			table_let_others(mmu, gather);
	}
	/* The batches were too narrow to cover the entries of the upper levels. */
	if (end > start + ZAP_BATCH)
		mmu->zapped += table_zap_range(mmu, mmu->root, lodge_nested.levels, start, end, gather);
}

/*
 * lodge_table_collapse() - remove small mappings where the host has a large one, so that the next fault maps it
 * Context: lock exclusive, may be dropped; vm->slots_lock; runs in the VMM's mm.
 */
void lodge_table_collapse(struct lodge_mmu *mmu, const struct lodge_memslot *slot, struct lodge_gather *gather)
{
	gfn_t gfn = slot->base_gfn, end = slot->base_gfn + slot->npages;
	struct lodge_host_page page;
	unsigned long flags;
	bool mapped;
	u64 span;
	int level;

	lockdep_assert_held_write(&mmu->lock);
	while (gfn < end) {
		local_irq_save(flags);
		mapped = lodge_host_lookup(mmu->vm->mm, lodge_memslot_hva(slot, gfn), &page);
		local_irq_restore(flags);
		level = mapped ? lodge_memslot_level(slot, gfn, page.level) : 1;
		span = entry_span(max(level, 2));
		if (level > 1)
			lodge_table_zap(mmu, gfn & ~(span - 1), (gfn | (span - 1)) + 1, gather);
		gfn = (gfn | (span - 1)) + 1;
		table_let_others(mmu, gather);
	}
}

static bool table_protect_range(u64 *table, int level, gfn_t start, gfn_t end)
{
	u64 span = entry_span(level);
	bool protected = false;
	gfn_t gfn, base, next;
	u64 *ep, entry;

	for (gfn = start; gfn < end; gfn = next) {
		base = gfn & ~(span - 1);
		next = base + span;
		ep = &table[entry_index(gfn, level)];
		entry = READ_ONCE(*ep);
		if (!entry_is_present(entry) || !(entry & LODGE_ENTRY_WRITE))
			continue;
		if ((base >= start && next <= end) || entry_is_leaf(entry, level))
			protected |= lodge_table_protect_entry(ep, entry);
		else
			protected |= table_protect_range(entry_table(entry), level - 1, gfn, min(next, end));
	}
	return protected;
}

/*
 * lodge_table_protect() - no page of a range can be written without a fault, once flushed
 *
 * The highest entries that lie in the range whole are protected, not the leaves: the cost does not grow with the
 * pages that are mapped.
 * Context: lock exclusive.
 */
void lodge_table_protect(struct lodge_mmu *mmu, gfn_t start, gfn_t end)
{
	lockdep_assert_held_write(&mmu->lock);
	mmu->zapped += table_protect_range(mmu->root, lodge_nested.levels, start, table_end(end));
}

/* Whether the CPU had set dirty, bit @dirty, in a leaf that it may write: its next write is logged. */
static __always_inline bool table_relog_entry(u64 *ep, u64 entry, unsigned int dirty)
{
	const u64 written = LODGE_ENTRY_WRITE | BIT_ULL(dirty);

	if ((entry & written) != written)
		return false;
	/* Two steps: nobody but the CPU, which only sets dirty, changes the leaf meanwhile. */
	if (!(entry & LODGE_ENTRY_WAS_DIRTY))
		set_bit(LODGE_ENTRY_WAS_DIRTY_BIT, (unsigned long *)ep);
	clear_bit(dirty, (unsigned long *)ep);
	return true;
}

/*
 * lodge_table_push_protection() - move the write protection of tables on the way to a page down to the leaves
 * Context: lock exclusive. Nothing becomes writable that was not before; no flush.
 */
void lodge_table_push_protection(struct lodge_mmu *mmu, gfn_t gfn)
{
	int level = lodge_nested.levels;
	u64 *table = mmu->root, *below, *ep, entry;
	unsigned int i;

	lockdep_assert_held_write(&mmu->lock);
	for (;; level--, table = below) {
		ep = &table[entry_index(gfn, level)];
		entry = READ_ONCE(*ep);
		if (!entry_is_present(entry) || entry_is_leaf(entry, level))
			return;
		below = entry_table(entry);
		if (entry & LODGE_ENTRY_WRITE)
			continue;
		/* A CPU not yet flushed may still set dirty below, hence a locked operation. */
		for (i = 0; i < LODGE_ENTRIES; i++) {
			if (level == 2 && READ_ONCE(mmu->cpu_logs))
				table_relog_entry(&below[i], READ_ONCE(below[i]), entry_dirty_bit());
			else
				lodge_table_protect_entry(&below[i], READ_ONCE(below[i]));
		}
		smp_wmb();	/* the leaves lose the right before the table gains it, as the CPU's walker sees it */
		set_bit(LODGE_ENTRY_WRITE_BIT, (unsigned long *)ep);
	}
}

/*
 * lodge_table_seek() - the table of leaves that a page is in, for lodge_table_protect_pages()
 *
 * None when there is nothing to protect below. A large leaf is protected here.
 * Context: lock exclusive.
 */
void lodge_table_seek(struct lodge_mmu *mmu, struct lodge_protect_cursor *cursor, gfn_t gfn)
{
	int level = lodge_nested.levels;
	u64 *table = mmu->root, *ep, entry;

	lockdep_assert_held_write(&mmu->lock);
	cursor->base = gfn & ~(gfn_t)(LODGE_ENTRIES - 1);
	cursor->table = NULL;
	for (; level > 1; level--, table = entry_table(entry)) {
		ep = &table[entry_index(gfn, level)];
		entry = READ_ONCE(*ep);
		if (!entry_is_present(entry) || !(entry & LODGE_ENTRY_WRITE))
			return;
		if (entry_is_leaf(entry, level)) {
			mmu->zapped += lodge_table_protect_entry(ep, entry);
			return;
		}
	}
	cursor->table = table;
}

/* Context: lock exclusive. */
void lodge_table_relog_pages(struct lodge_mmu *mmu, struct lodge_protect_cursor *cursor, gfn_t base,
			     unsigned long bits)
{
	const unsigned int dirty = entry_dirty_bit();
	bool cleared = false;
	gfn_t gfn;
	u64 *ep;

	for (; bits; bits &= bits - 1) {
		gfn = base + __ffs(bits);
		if (gfn - cursor->base >= LODGE_ENTRIES)
			lodge_table_seek(mmu, cursor, gfn);
		if (!cursor->table)
			continue;
		ep = &cursor->table[gfn - cursor->base];
		cleared |= table_relog_entry(ep, READ_ONCE(*ep), dirty);
	}
	mmu->zapped += cleared;
}

static bool table_young_range(u64 *table, int level, gfn_t start, gfn_t end, bool clear)
{
	u64 span = entry_span(level);
	bool young = false;
	gfn_t gfn, next;
	u64 *ep, entry;

	for (gfn = start; gfn < end; gfn = next) {
		next = (gfn & ~(span - 1)) + span;
		ep = &table[entry_index(gfn, level)];
		entry = READ_ONCE(*ep);
		if (!entry_is_present(entry))
			continue;
		if (!entry_is_leaf(entry, level)) {
			young |= table_young_range(entry_table(entry), level - 1, gfn, min(next, end), clear);
		} else if (entry & entry_accessed_mask()) {
			young = true;
			if (clear)
				clear_bit(entry_accessed_bit(), (unsigned long *)ep);
		}
	}
	return young;
}

/*
 * lodge_table_test_young() - whether the guest touched a range since its accessed bits were last cleared
 *
 * No flush follows a clearing: a translation that stays in a TLB only makes the page look older, as on the host itself.
 * Context: lock shared.
 */
bool lodge_table_test_young(struct lodge_mmu *mmu, gfn_t start, gfn_t end, bool clear)
{
	if (!lodge_nested.has_ad)
		return false;
	return table_young_range(mmu->root, lodge_nested.levels, start, table_end(end), clear);
}

/*
 * lodge_table_flush() - make removals that were done under the lock final
 * @zapped: mmu->zapped, read before the lock was dropped
 *
 * Also the removals of others count: a page that another CPU has unmapped but not yet flushed must not be given back.
 * Context: no lock of the MMU held.
 */
void lodge_table_flush(struct lodge_mmu *mmu, u64 zapped, struct lodge_gather *gather)
{
	struct page *page, *next;
	u64 flushed = atomic64_read_acquire(&mmu->flushed);

	if (flushed < zapped) {
		lodge_flush_remote(mmu->vm);
		while (flushed < zapped)
			if (atomic64_try_cmpxchg(&mmu->flushed, (s64 *)&flushed, zapped))
				break;
	}
	list_for_each_entry_safe(page, next, &gather->pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

int lodge_table_create(struct lodge_mmu *mmu)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!page)
		return -ENOMEM;
	mmu->root = page_address(page);
	table_account(mmu, mmu->root, 1);
	return 0;
}

/* The tables map nothing any more and no CPU walks them. */
void lodge_table_destroy(struct lodge_mmu *mmu)
{
	struct lodge_gather gather = LODGE_GATHER_INIT(gather, true);
	struct page *page;
	unsigned int i;

	for (i = 0; i < LODGE_ENTRIES; i++)
		table_zap_entry(mmu, &mmu->root[i], lodge_nested.levels, &gather);
	lodge_table_flush(mmu, 0, &gather);
	while ((page = table_cache_take(mmu)))
		__free_page(page);
	table_account(mmu, mmu->root, -1);
	free_page((unsigned long)mmu->root);
}
