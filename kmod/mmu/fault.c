// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested page faults, and the VM's MMU object. A fault does all of its work under mmu->lock held shared: finds the
 * slot, reads the host's page tables, installs an entry by compare-and-exchange. What it cannot have there (a page
 * that the host has not mapped, a table page) is fetched with the lock dropped, and everything is looked at again.
 * Entries themselves: table.c; the host's side: host.c.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "mmu_internal.h"

/* What an attempt came to; the first rows are final. */
enum fault_step {
	FAULT_DONE,
	FAULT_MMIO,
	FAULT_RACED,		/* look again */
	FAULT_NEED_TABLE,	/* the cache is empty */
	FAULT_NEED_HOST,	/* the host must map the page first */
	FAULT_NEED_IDLE,	/* an invalidation of the range is under way */
	FAULT_NEED_PUSH,	/* a table on the way is write-protected */
	FAULT_STALE,		/* an entry contradicts the host's mapping */
};

/* Where a walk ended. */
struct fault_place {
	u64 *ep;
	u64 entry;
	int level;
	bool writable;		/* no table on the way is write-protected */
};

/* One attempt, under one hold of the lock. */
struct fault {
	struct lodge_vcpu *vcpu;
	struct lodge_mmu *mmu;
	struct lodge_memslot *slot;
	gfn_t gfn;
	hva_t hva;
	hva_t start, end;	/* what must not be under invalidation */
	bool write;
	bool exec;
	bool quiet;		/* nothing at all was, when the host's tables were about to be read */
	struct fault_place at;
};

static enum fault_step fault_from_table(enum lodge_table_result result)
{
	switch (result) {
	case LODGE_TABLE_OK:
		return FAULT_DONE;
	case LODGE_TABLE_RACED:
		return FAULT_RACED;
	case LODGE_TABLE_NO_PAGE:
		return FAULT_NEED_TABLE;
	}
	return FAULT_RACED;
}

/* Go down to the leaf or to the entry that is missing. Lock shared, or in the section. */
static __always_inline struct fault_place fault_walk(struct lodge_mmu *mmu, gfn_t gfn)
{
	const u64 frames = LODGE_ENTRY_ADDRESS & ~lodge_nested.encryption_mask;
	u64 entry, rights = LODGE_ENTRY_WRITE, *ep, *table = mmu->root;
	int shift = lodge_nested.levels * LODGE_ENTRY_BITS;

	/* Every fault pays for each instruction here: no entry_index(). */
	for (;;) {
		shift -= LODGE_ENTRY_BITS;
		ep = &table[(gfn >> shift) & (LODGE_ENTRIES - 1)];
		entry = READ_ONCE(*ep);
		if (!entry_is_present(entry) || !shift || (entry & LODGE_ENTRY_LARGE))
			break;
		rights &= entry;
		table = phys_to_virt(entry & frames);
	}
	return (struct fault_place){
		.ep = ep, .entry = entry, .level = shift / LODGE_ENTRY_BITS + 1, .writable = rights,
	};
}

static bool fault_exchange(struct fault *fault, u64 entry)
{
	return cmpxchg64(fault->at.ep, fault->at.entry, entry) == fault->at.entry;
}

/* Does the log want to know of this page's first write? */
static bool fault_is_logged(const struct fault *fault)
{
	return fault->slot->dirty;
}

/* A leaf is there that is too large for this access. */
static enum fault_step fault_split(struct fault *fault)
{
	enum lodge_table_result result =
		lodge_table_split(fault->mmu, fault->at.ep, fault->at.entry, fault->at.level);

	return result == LODGE_TABLE_OK ? FAULT_RACED : fault_from_table(result);
}

/* A leaf is there and the host lets it be written: give the right back that dirty logging took. */
static enum fault_step fault_make_writable(struct fault *fault)
{
	if (!fault->at.writable)
		return FAULT_NEED_PUSH;
	if (fault_is_logged(fault) && fault->at.level > 1)
		return fault_split(fault);
	if (!fault_exchange(fault, fault->at.entry | entry_writable_bits(true) | entry_accessed_mask()))
		return FAULT_RACED;
	if (fault_is_logged(fault))
		lodge_dirty_mark(fault->vcpu, fault->slot, fault->gfn);
	return FAULT_DONE;
}

static bool fault_must_wait(const struct fault *fault)
{
	return lodge_mm_is_invalidating(fault->mmu->mm, fault->start, fault->end);
}

/* The host's entry was read while only one page of its range was known to be quiet: the same for all of it. */
static enum fault_step fault_check_large(struct fault *fault, const struct lodge_host_page *page, u64 span)
{
	struct lodge_host_page again;

	if (likely(fault->quiet))
		return FAULT_DONE;
	fault->start = lodge_memslot_hva(fault->slot, fault->gfn & ~(span - 1));
	fault->end = fault->start + (span << PAGE_SHIFT);
	if (fault_must_wait(fault))
		return FAULT_NEED_IDLE;
	if (!lodge_host_lookup(fault->mmu->vm->mm, fault->hva, &again) || again.hfn != page->hfn ||
	    again.bits != page->bits || again.level != page->level || again.pat != page->pat)
		return FAULT_RACED;
	return FAULT_DONE;
}

/* Nothing is mapped: build the tables on the way and map the page, as large as both sides allow. */
static enum fault_step fault_map(struct fault *fault, const struct lodge_host_page *page)
{
	int level = lodge_memslot_level(fault->slot, fault->gfn, page->level);
	enum lodge_table_result result;
	enum fault_step step;
	u64 entry, span;

	if (fault_is_logged(fault) && fault->write)
		level = 1;
	if (fault->exec)
		level = min_t(int, level, lodge_nested.exec_level);
	level = min(level, fault->at.level);
	span = entry_span(level);
	if (level > 1) {
		step = fault_check_large(fault, page, span);
		if (step != FAULT_DONE)
			return step;
	}

	while (fault->at.level > level) {
		result = lodge_table_install(fault->mmu, fault->at.ep);
		if (result != LODGE_TABLE_OK)
			return fault_from_table(result);
		fault->at = fault_walk(fault->mmu, fault->gfn);
	}
	if (fault->at.entry || fault->at.level != level)
		return FAULT_RACED;

	entry = LODGE_ENTRY_PRESENT | entry_level_bits(level) | entry_accessed_mask() | page->bits |
		entry_memory_type(page->pat, level) | (page->hfn & ~(span - 1)) << PAGE_SHIFT;
	if (fault->slot->flags & KVM_MEM_READONLY)
		entry &= ~LODGE_ENTRY_HOST_WRITABLE;
	if ((entry & LODGE_ENTRY_HOST_WRITABLE) &&
	    (fault->write || !fault_is_logged(fault) || (level == 1 && READ_ONCE(fault->mmu->cpu_logs))))
		entry |= entry_writable_bits(fault->write);
	if (!fault_exchange(fault, entry))
		return FAULT_RACED;
	if (!fault->write)
		return FAULT_DONE;
	if (fault_is_logged(fault))
		lodge_dirty_mark(fault->vcpu, fault->slot, fault->gfn);
	return fault->at.writable ? FAULT_DONE : FAULT_NEED_PUSH;
}

/* A leaf is there that the host did not let be written when it was made. */
static enum fault_step fault_upgrade(struct fault *fault, const struct lodge_host_page *page)
{
	if (page->level < fault->at.level || page->hfn != entry_leaf_hfn(fault->at.entry, fault->at.level) +
					  (fault->gfn & (entry_span(fault->at.level) - 1)))
		return FAULT_STALE;
	fault_exchange(fault, fault->at.entry | LODGE_ENTRY_HOST_WRITABLE);
	return FAULT_RACED;
}

/* Lock shared, interrupts off. */
static enum fault_step fault_try(struct fault *fault)
{
	struct lodge_mmu *mmu = fault->mmu;
	struct lodge_host_page page;

	fault->slot = lodge_memslot_find(mmu->vm, fault->gfn);
	if (!fault->slot || (fault->write && (fault->slot->flags & KVM_MEM_READONLY)) ||
	    fault->gfn >= entry_span(lodge_nested.levels + 1))
		return FAULT_MMIO;

	fault->at = fault_walk(mmu, fault->gfn);
	if (entry_is_present(fault->at.entry)) {
		if (fault->exec && !(fault->at.entry & LODGE_ENTRY_EXEC))
			return fault_split(fault);
		if (!fault->write || (fault->at.writable && (fault->at.entry & LODGE_ENTRY_WRITE)))
			return FAULT_DONE;	/* another vCPU was faster */
		if (fault->at.entry & LODGE_ENTRY_HOST_WRITABLE)
			return fault_make_writable(fault);
	}

	fault->hva = lodge_memslot_hva(fault->slot, fault->gfn);
	fault->start = fault->hva;
	fault->end = fault->hva + PAGE_SIZE;
	/* First this, then the host's tables: see lodge_mm_is_quiet(). */
	fault->quiet = lodge_mm_is_quiet(mmu->mm);
	if (!fault->quiet && fault_must_wait(fault))
		return FAULT_NEED_IDLE;
	if (!lodge_host_lookup(mmu->vm->mm, fault->hva, &page) ||
	    (fault->write && !(page.bits & LODGE_ENTRY_HOST_WRITABLE)))
		return FAULT_NEED_HOST;
	return entry_is_present(fault->at.entry) ? fault_upgrade(fault, &page) : fault_map(fault, &page);
}

/* What needs the lock exclusive but no sleep; then the fault is tried again. */
static void fault_push(struct fault *fault)
{
	write_lock(&fault->mmu->lock);
	lodge_table_push_protection(fault->mmu, fault->gfn);
	write_unlock(&fault->mmu->lock);
}

/* Our own bug, or memory remapped behind the notifier's back: drop the entry, the next try makes a right one. */
static void fault_drop_stale(struct fault *fault)
{
	struct lodge_gather gather = LODGE_GATHER_INIT(gather, true);
	u64 zapped;

	WARN_ONCE(1, "lodge: nested entry contradicts the host's mapping\n");
	write_lock(&fault->mmu->lock);
	lodge_table_zap(fault->mmu, fault->gfn, fault->gfn + 1, &gather);
	zapped = fault->mmu->zapped;
	write_unlock(&fault->mmu->lock);
	lodge_table_flush(fault->mmu, zapped, &gather);
}

/*
 * The first write to a page since its log was read, without the lock: give the leaf its right back, then mark. Tables
 * cannot be freed under a vCPU in the section, since that waits for lodge_flush_remote(); an entry that was taken out
 * or changed fails the exchange. The slot is looked up after the exchange: should logging begin anew in between, its
 * write protection follows the slot's publication, so that it either undoes the exchange or its log is marked here.
 */
static bool fault_first_write(struct lodge_vcpu *vcpu, gfn_t gfn)
{
	struct lodge_mmu *mmu = vcpu->vm->mmu;
	struct fault_place at = fault_walk(mmu, gfn);
	const u64 want = LODGE_ENTRY_PRESENT | LODGE_ENTRY_HOST_WRITABLE;
	const struct lodge_memslot *slot;

	if (at.level > 1 || !at.writable || (at.entry & (want | LODGE_ENTRY_WRITE)) != want ||
	    cmpxchg64(at.ep, at.entry, at.entry | entry_writable_bits(true) | entry_accessed_mask()) != at.entry)
		return false;
	slot = lodge_memslot_find_rcu(mmu->vm, gfn);
	if (slot)
		lodge_dirty_mark(vcpu, slot, gfn);
	return true;
}

static noinline int fault_atomic(struct lodge_vcpu *vcpu, gfn_t gfn, u32 access)
{
	struct lodge_mmu *mmu = vcpu->vm->mmu;
	struct fault fault = {
		.vcpu = vcpu,
		.mmu = mmu,
		.gfn = gfn,
		.write = access & LODGE_ACCESS_WRITE,
		.exec = access & LODGE_ACCESS_EXEC,
	};
	enum fault_step step;

	/* No waiting with interrupts off: the holder may be long. */
	do {
		if (!read_trylock(&mmu->lock))
			return LODGE_FAULT_RETRY_SLEEP;
		step = fault_try(&fault);
		read_unlock(&mmu->lock);
	} while (step == FAULT_RACED);

	if (step == FAULT_DONE)
		return LODGE_FAULT_DONE;
	return step == FAULT_MMIO ? LODGE_FAULT_MMIO : LODGE_FAULT_RETRY_SLEEP;
}

int lodge_mmu_fault_atomic(struct lodge_vcpu *vcpu, gpa_t gpa, u32 access)
{
	struct lodge_mmu *mmu = vcpu->vm->mmu;
	gfn_t gfn = gpa >> PAGE_SHIFT;

	lockdep_assert_irqs_disabled();
	if ((access & LODGE_ACCESS_WRITE) && READ_ONCE(mmu->nr_logged) && fault_first_write(vcpu, gfn))
		return LODGE_FAULT_DONE;
	/* A device's registers: no lock needed to say so. */
	if (!lodge_memslot_find_rcu(vcpu->vm, gfn))
		return LODGE_FAULT_MMIO;
	return fault_atomic(vcpu, gfn, access);
}

/* Get what the attempt lacked. */
static int fault_provide(struct fault *fault, enum fault_step step)
{
	struct lodge_mm *mm = fault->mmu->mm;

	switch (step) {
	case FAULT_NEED_TABLE:
		return lodge_table_fill_cache(fault->mmu);
	case FAULT_NEED_HOST:
		return lodge_host_fault_in(fault->mmu->vm->mm, fault->hva, fault->write, true);
	case FAULT_NEED_IDLE:
		return wait_event_interruptible(mm->wait, !fault_must_wait(fault)) ? -EINTR : 0;
	case FAULT_NEED_PUSH:
		fault_push(fault);
		return 0;
	case FAULT_STALE:
		fault_drop_stale(fault);
		return 0;
	default:
		cond_resched();
		return 0;
	}
}

int lodge_mmu_fault(struct lodge_vcpu *vcpu, gpa_t gpa, u32 access)
{
	struct fault fault = {
		.vcpu = vcpu,
		.mmu = vcpu->vm->mmu,
		.gfn = gpa >> PAGE_SHIFT,
		.write = access & LODGE_ACCESS_WRITE,
		.exec = access & LODGE_ACCESS_EXEC,
	};
	enum fault_step step;
	int ret;

	might_sleep();
	for (;;) {
		read_lock(&fault.mmu->lock);
		local_irq_disable();
		step = fault_try(&fault);
		local_irq_enable();
		read_unlock(&fault.mmu->lock);

		if (step == FAULT_DONE)
			return LODGE_FAULT_DONE;
		if (step == FAULT_MMIO)
			return LODGE_FAULT_MMIO;
		ret = fault_provide(&fault, step);
		if (ret)
			return ret;
		if (signal_pending(current))
			return LODGE_FAULT_DONE;	/* the run loop sees it before it enters again */
	}
}

hpa_t lodge_mmu_root(struct lodge_vm *vm)
{
	return virt_to_phys(vm->mmu->root) | lodge_nested.encryption_mask;
}

u64 lodge_mmu_nr_tables(struct lodge_vm *vm)
{
	return atomic64_read(&vm->mmu->nr_tables);
}

u64 lodge_mmu_nr_pages(struct lodge_vm *vm)
{
	return READ_ONCE(vm->mmu->nr_pages);
}

int lodge_mmu_create(struct lodge_vm *vm)
{
	struct lodge_mmu *mmu = kzalloc(sizeof(*mmu), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!mmu)
		return ret;
	rwlock_init(&mmu->lock);
	xa_init(&mmu->slots_by_id);
	INIT_LIST_HEAD(&mmu->link);
	mmu->vm = vm;
	vm->mmu = mmu;
	ret = lodge_table_create(mmu);
	if (ret)
		goto free_mmu;
	ret = lodge_memslots_create(vm);
	if (ret)
		goto destroy_table;
	ret = lodge_mm_subscribe(mmu, vm->mm);
	if (ret)
		goto destroy_memslots;
	return 0;

destroy_memslots:
	lodge_memslots_destroy(vm);
destroy_table:
	lodge_table_destroy(mmu);
free_mmu:
	vm->mmu = NULL;
	kfree(mmu);
	return ret;
}

void lodge_mmu_destroy(struct lodge_vm *vm)
{
	struct lodge_mmu *mmu = vm->mmu;

	if (!mmu)
		return;
	/* While the notifier still watches: what is mapped is handed back to pages that are alive. */
	lodge_memslots_zap(vm);
	lodge_mm_unsubscribe(mmu);
	lodge_memslots_destroy(vm);
	lodge_table_destroy(mmu);
	vm->mmu = NULL;
	kfree(mmu);
}

int lodge_mmu_init(void)
{
	return 0;
}

void lodge_mmu_exit(void)
{
	mmu_notifier_synchronize();
}
