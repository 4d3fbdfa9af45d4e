/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of mmu/ share: memslots, the per-VM and per-mm objects, the table builder.
 *
 * Legend: (i) immutable once published; (a) single word, READ_ONCE/WRITE_ONCE or atomic; (l) mmu->lock;
 * (s) vm->slots_lock; (n) the lock of struct lodge_mm.
 *
 * mmu->lock is a rwlock. Shared: walk the tables, install and change entries by compare-and-exchange, look up slots.
 * Exclusive: remove entries, take tables out, change the slot array. Nobody waits for other CPUs or sleeps under it.
 */
#ifndef LODGE_MMU_INTERNAL_H
#define LODGE_MMU_INTERNAL_H

#include <linux/bitops.h>
#include <linux/mmu_notifier.h>
#include <linux/rwlock.h>
#include <linux/seqlock.h>
#include <linux/xarray.h>

#include "entry.h"
#include "mmu.h"

#define LODGE_TABLE_CACHE	16	/* spare table pages of a busy VM */

/* The dirty log of a slot. Allocated and freed apart from the slot, which is replaced when its flags change. */
struct lodge_dirty {
	struct rcu_head rcu;
	unsigned long bits[];		/* (a) one per page */
};

struct lodge_memslot {
	gfn_t base_gfn;			/* (i) */
	u64 npages;			/* (i) */
	hva_t hva;			/* (i) */
	struct lodge_dirty *dirty;	/* (i) or NULL */
	u32 flags;			/* (i) KVM_MEM_* */
	u16 id;				/* (i) */
	struct rcu_head rcu;
};

/*
 * The slots in the order of their GFN. Changed in place under the lock held exclusive; replaced only to grow.
 * lodge_memslot_find_rcu() reads it without the lock, under RCU and @seq: @base may be torn by a move, and @slot is
 * followed only after @seq is seen unchanged.
 */
struct lodge_memslots {
	seqcount_t seq;
	u32 nr;
	u32 capacity;			/* (i) */
	struct rcu_head rcu;
	struct lodge_memslot_entry {
		gfn_t base;
		struct lodge_memslot *slot;
	} entries[];
};

/* One mm that has VMs: the notifier subscription, shared by them. Freed by free_notifier. */
struct lodge_mm {
	struct mmu_notifier notifier;
	spinlock_t lock;
	struct list_head mmus;		/* (n) of struct lodge_mmu */
	unsigned int nr_invalidations;	/* (n) under way; read lockless with acquire */
	hva_t start, end;		/* (n) a range that covers all of them; read lockless */
	wait_queue_head_t wait;		/* for nr_invalidations to fall, and for pins to go */
};

struct lodge_mmu {
	rwlock_t lock;
	u64 *root;			/* (i) */
	struct lodge_mm *mm;		/* (i) */
	u32 last_slot;			/* (a) index of the slot that was found last: a guess */
	unsigned long nr_slot_changes;	/* (l) */
	u64 zapped;			/* (l) grows whenever a live entry lost rights */
	atomic64_t flushed;		/* the value of @zapped up to which every TLB is known to be clean */
	atomic64_t nr_tables;
	struct page *cache[LODGE_TABLE_CACHE];	/* (a) zeroed pages, taken and put by exchange */
	struct xarray slots_by_id;	/* (s) */
	u64 nr_pages;			/* (a) of all slots; written under slots_lock */
	u32 nr_logged;			/* (a) slots with a dirty log; written under slots_lock */
	bool dirty_initially_set;	/* (a) */
	bool cpu_logs;			/* (a) the CPUs log first writes while there is a dirty log: dirty_cpu.c */
	const struct lodge_memslot *moving;	/* (a) or NULL: its old place may be in the CPUs' logs still */

	struct lodge_vm *vm;		/* (i) */
	struct list_head link;		/* (n) in mm->mmus */
	unsigned int pins;		/* (n) notifier calls that are working on this VM */
	bool dying;			/* (n) no new pins */
};

/* memslot.c; the lock is held at least shared, or slots_lock. */
int lodge_memslots_create(struct lodge_vm *vm);
void lodge_memslots_destroy(struct lodge_vm *vm);
void lodge_memslots_zap(struct lodge_vm *vm);	/* unmap all; no vCPU runs */
struct lodge_memslot *lodge_memslot_search_rcu(struct lodge_vm *vm, gfn_t gfn);
struct lodge_memslot *lodge_memslot_search(struct lodge_vm *vm, gfn_t gfn);
struct lodge_memslot *lodge_memslot_by_id(struct lodge_vm *vm, u32 id);	/* slots_lock */

static inline struct lodge_memslots *lodge_memslots_locked(struct lodge_vm *vm)
{
	return rcu_dereference_protected(vm->memslots,
					 lockdep_is_held(&vm->slots_lock) || lockdep_is_held(&vm->mmu->lock));
}

static inline bool lodge_memslot_contains(const struct lodge_memslot *slot, gfn_t gfn)
{
	return gfn - slot->base_gfn < slot->npages;
}

/* The slot that a frame lies in, or NULL. */
static inline struct lodge_memslot *lodge_memslot_find(struct lodge_vm *vm, gfn_t gfn)
{
	struct lodge_memslots *slots = lodge_memslots_locked(vm);
	u32 guess = READ_ONCE(vm->mmu->last_slot);

	if (likely(guess < slots->nr) && likely(lodge_memslot_contains(slots->entries[guess].slot, gfn)))
		return slots->entries[guess].slot;
	return lodge_memslot_search(vm, gfn);
}

/* The same without a lock: under RCU or with interrupts off. */
static inline struct lodge_memslot *lodge_memslot_find_rcu(struct lodge_vm *vm, gfn_t gfn)
{
	struct lodge_memslots *slots = rcu_dereference_check(vm->memslots, irqs_disabled());
	unsigned int seq = raw_read_seqcount(&slots->seq);
	u32 guess = READ_ONCE(vm->mmu->last_slot);
	struct lodge_memslot *slot;

	if (likely(guess < READ_ONCE(slots->nr))) {
		slot = READ_ONCE(slots->entries[guess].slot);
		if (likely(!(seq & 1) && !read_seqcount_retry(&slots->seq, seq) &&
			   lodge_memslot_contains(slot, gfn)))
			return slot;
	}
	return lodge_memslot_search_rcu(vm, gfn);
}

static inline hva_t lodge_memslot_hva(const struct lodge_memslot *slot, gfn_t gfn)
{
	return slot->hva + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

/* The largest level, @level at most, for a page: GFN and HVA congruent, all of it inside the slot. */
static inline int lodge_memslot_level(const struct lodge_memslot *slot, gfn_t gfn, int level)
{
	u64 span;

	if (level > lodge_nested.max_level)
		level = lodge_nested.max_level;
	for (; level > 1; level--) {
		span = entry_span(level);
		if (!((slot->base_gfn ^ (slot->hva >> PAGE_SHIFT)) & (span - 1)) &&
		    (gfn & ~(span - 1)) >= slot->base_gfn &&
		    (gfn | (span - 1)) < slot->base_gfn + slot->npages)
			break;
	}
	return level;
}

/* Pages taken out of the tables, to be freed after the flush: struct page's lru links them. */
struct lodge_gather {
	struct list_head pages;
	bool may_sleep;			/* else the lock is only dropped for a moment */
	bool host_unmaps;		/* the host decided so knowing the page's age: do not refresh it */
};

#define LODGE_GATHER_INIT(name, sleep) { .pages = LIST_HEAD_INIT((name).pages), .may_sleep = (sleep) }

/* table.c */

/* Why an entry could not be made now. */
enum lodge_table_result {
	LODGE_TABLE_OK,
	LODGE_TABLE_RACED,	/* another CPU changed the entry: look again */
	LODGE_TABLE_NO_PAGE,	/* the cache is empty */
};

int lodge_table_create(struct lodge_mmu *mmu);
void lodge_table_destroy(struct lodge_mmu *mmu);
int lodge_table_fill_cache(struct lodge_mmu *mmu);	/* may sleep; -ENOMEM */
enum lodge_table_result lodge_table_install(struct lodge_mmu *mmu, u64 *ep);
enum lodge_table_result lodge_table_split(struct lodge_mmu *mmu, u64 *ep, u64 entry, int level);

/* Exclusive. zap and protect return with the lock held; zap may drop it in between. */
void lodge_table_zap(struct lodge_mmu *mmu, gfn_t start, gfn_t end, struct lodge_gather *gather);
void lodge_table_collapse(struct lodge_mmu *mmu, const struct lodge_memslot *slot, struct lodge_gather *gather);
void lodge_table_protect(struct lodge_mmu *mmu, gfn_t start, gfn_t end);
void lodge_table_push_protection(struct lodge_mmu *mmu, gfn_t gfn);

/* No lock: flush what is not known to be flushed up to @zapped, then free what was gathered. */
void lodge_table_flush(struct lodge_mmu *mmu, u64 zapped, struct lodge_gather *gather);

/* The table of leaves that was used last: pages are protected in the order of their address. */
struct lodge_protect_cursor {
	u64 *table;
	gfn_t base;
};

#define LODGE_PROTECT_CURSOR_INIT { .base = BIT_ULL(63) }	/* near no GFN */

void lodge_table_seek(struct lodge_mmu *mmu, struct lodge_protect_cursor *cursor, gfn_t gfn);

/* True when the entry could be written before. */
static inline bool lodge_table_protect_entry(u64 *ep, u64 entry)
{
	if (!(entry & LODGE_ENTRY_WRITE))
		return false;
	clear_bit(LODGE_ENTRY_WRITE_BIT, (unsigned long *)ep);
	return true;
}

/* Write-protect the leaves of the pages @base + i whose bit i is set. Exclusive. */
static inline void lodge_table_protect_pages(struct lodge_mmu *mmu, struct lodge_protect_cursor *cursor,
					     gfn_t base, unsigned long bits)
{
	bool protected = false;
	gfn_t gfn;
	u64 *ep;

	for (; bits; bits &= bits - 1) {
		gfn = base + __ffs(bits);
		if (gfn - cursor->base >= LODGE_ENTRIES)
			lodge_table_seek(mmu, cursor, gfn);
		if (!cursor->table)
			continue;
		ep = &cursor->table[gfn - cursor->base];
		protected |= lodge_table_protect_entry(ep, READ_ONCE(*ep));
	}
	mmu->zapped += protected;
}

/* The same where the CPU logs writes: leaves keep their right, their next write is logged. */
void lodge_table_relog_pages(struct lodge_mmu *mmu, struct lodge_protect_cursor *cursor, gfn_t base,
			     unsigned long bits);

bool lodge_table_test_young(struct lodge_mmu *mmu, gfn_t start, gfn_t end, bool clear);	/* shared */

/* host.c: the VMM's own mapping */

struct lodge_host_page {
	hfn_t hfn;		/* of the very 4 KiB page */
	u64 bits;		/* encryption bit, LODGE_ENTRY_HOST_WRITABLE, LODGE_ENTRY_SPECIAL */
	u8 level;		/* 1, 2 or 3 */
	u8 pat;			/* index of the memory type in the host's PAT */
};

/**
 * lodge_host_lookup() - what the VMM's own page tables say of an address
 * Return: true with *@page filled when it is mapped.
 * Context: interrupts off. Holds from the check of lodge_mm_is_quiet() until mmu->lock is dropped.
 */
bool lodge_host_lookup(struct mm_struct *mm, hva_t hva, struct lodge_host_page *page);

/**
 * lodge_host_fault_in() - have the host map an address
 * @interruptible: give up with -EINTR for any signal, not for a fatal one alone
 * Return: 0 (look again), -EFAULT, -ENOMEM, -EHWPOISON, -EINTR.
 * Context: may sleep; runs in the VMM's mm, no lock of the MMU held.
 */
int lodge_host_fault_in(struct mm_struct *mm, hva_t hva, bool write, bool interruptible);

/* notifier.c */
int lodge_mm_subscribe(struct lodge_mmu *mmu, struct mm_struct *mm);
void lodge_mm_unsubscribe(struct lodge_mmu *mmu);

/*
 * Whether the host is changing nothing of its mapping, or nothing of a range. With mmu->lock held shared, what the
 * host's tables say afterwards of that stays true until the lock is dropped: a later invalidation first takes the lock
 * exclusive.
 */
static inline bool lodge_mm_is_quiet(const struct lodge_mm *mm)
{
	/* Pairs with the releases in mm_invalidate_begin() and mm_invalidate_finish(). */
	return likely(!smp_load_acquire(&mm->nr_invalidations));
}

static inline bool lodge_mm_is_invalidating(const struct lodge_mm *mm, hva_t start, hva_t end)
{
	return !lodge_mm_is_quiet(mm) && start < READ_ONCE(mm->end) && end > READ_ONCE(mm->start);
}

/* dirty_ring.c: an entry for a page that was not in a ring. The vCPU is held. */
void lodge_dirty_ring_push(struct lodge_vcpu *vcpu, u16 slot, u64 offset);

/* dirty.c */

/* A page of @slot was written by @vcpu, or for it. Lock shared, or RCU. */
static __always_inline void lodge_dirty_mark(struct lodge_vcpu *vcpu, const struct lodge_memslot *slot, gfn_t gfn)
{
	u64 i = gfn - slot->base_gfn;

	/* Most writes hit a page that is dirty already: spare the locked operation. */
	if (slot->dirty && !test_bit(i, slot->dirty->bits) && !test_and_set_bit(i, slot->dirty->bits) &&
	    unlikely(vcpu->dirty_ring))
		lodge_dirty_ring_push(vcpu, slot->id, i);
}

/* Whether a log begins with all bits set, and its pages writable. */
static inline bool lodge_dirty_starts_set(const struct lodge_mmu *mmu)
{
	return READ_ONCE(mmu->dirty_initially_set) && !READ_ONCE(mmu->vm->dirty_ring_bytes);
}

/* Pages that were protected under the lock are written without a mark by nobody once this returns. */
void lodge_dirty_flush(struct lodge_mmu *mmu);

/*
 * dirty_cpu.c, where the CPU logs first writes; slots_lock. All that was written before a call of lodge_dirty_sync() is
 * marked after it. The other two stand around a change of slots from @old to @new, either of which may be NULL.
 */
void lodge_dirty_cpu_begin(struct lodge_mmu *mmu, const struct lodge_memslot *old, const struct lodge_memslot *new);
void lodge_dirty_cpu_end(struct lodge_mmu *mmu);
void lodge_dirty_collect(struct lodge_mmu *mmu);

static inline void lodge_dirty_sync(struct lodge_mmu *mmu)
{
	if (mmu->cpu_logs)
		lodge_dirty_collect(mmu);
}

struct lodge_dirty *lodge_dirty_alloc(const struct lodge_mmu *mmu, u64 npages);

#endif
