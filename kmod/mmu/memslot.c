// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memslots: the map from GFN to the VMM's addresses. Setting, moving, deleting and finding them; what a change does to
 * the nested tables is decided here and done in table.c. Writers hold vm->slots_lock and, for the array, mmu->lock
 * exclusive; readers hold either, shared; lodge_memslot_find_rcu() needs neither (struct lodge_memslots says how).
 * A slot and its dirty log are immutable: a change makes a new one and frees the old one by RCU.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/processor.h>

#include "../io_bus.h"
#include "mmu_internal.h"

#define MEMSLOTS_FIRST	4			/* capacity of a new VM's array */
#define MEMSLOT_FLAGS	(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)
#define MEMSLOT_PAGES	((1ULL << 31) - 1)	/* in one slot */

enum memslot_change { MEMSLOT_SAME, MEMSLOT_CREATE, MEMSLOT_DELETE, MEMSLOT_MOVE, MEMSLOT_FLAGS_ONLY };

/* Index of the last slot that begins at or below @gfn; -1 if there is none. */
static int memslots_search(const struct lodge_memslots *slots, gfn_t gfn)
{
	u32 low = 0, high = READ_ONCE(slots->nr), middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (READ_ONCE(slots->entries[middle].base) <= gfn)
			low = middle + 1;
		else
			high = middle;
	}
	return (int)low - 1;
}

/* lodge_memslot_find() guessed wrong. */
struct lodge_memslot *lodge_memslot_search(struct lodge_vm *vm, gfn_t gfn)
{
	struct lodge_memslots *slots = lodge_memslots_locked(vm);
	int i = memslots_search(slots, gfn);

	if (i < 0 || !lodge_memslot_contains(slots->entries[i].slot, gfn))
		return NULL;
	WRITE_ONCE(vm->mmu->last_slot, i);
	return slots->entries[i].slot;
}

struct lodge_memslot *lodge_memslot_by_id(struct lodge_vm *vm, u32 id)
{
	lockdep_assert_held(&vm->slots_lock);
	return xa_load(&vm->mmu->slots_by_id, id);
}

/* lodge_memslot_find_rcu() guessed wrong, or a change was under way. */
struct lodge_memslot *lodge_memslot_search_rcu(struct lodge_vm *vm, gfn_t gfn)
{
	const struct lodge_memslots *slots;
	struct lodge_memslot *slot;
	unsigned int seq;
	int i;

	do {
		slots = rcu_dereference_check(vm->memslots, irqs_disabled());
		seq = read_seqcount_begin(&slots->seq);
		i = memslots_search(slots, gfn);
		slot = i < 0 ? NULL : READ_ONCE(slots->entries[i].slot);
	} while (read_seqcount_retry(&slots->seq, seq));
	if (!slot || !lodge_memslot_contains(slot, gfn))
		return NULL;
	WRITE_ONCE(vm->mmu->last_slot, i);
	return slot;
}

bool lodge_gpa_is_ram(struct lodge_vm *vm, gpa_t gpa, bool write)
{
	const struct lodge_memslot *slot;
	bool is_ram;

	rcu_read_lock();
	slot = lodge_memslot_find_rcu(vm, gpa >> PAGE_SHIFT);
	is_ram = slot && !(write && (slot->flags & KVM_MEM_READONLY));
	rcu_read_unlock();
	return is_ram;
}

static struct lodge_memslots *memslots_alloc(u32 capacity)
{
	struct lodge_memslots *slots;

	slots = kvzalloc(struct_size(slots, entries, capacity), GFP_KERNEL_ACCOUNT);
	if (slots) {
		seqcount_init(&slots->seq);
		slots->capacity = capacity;
	}
	return slots;
}

/* Room for one more slot. */
static int memslots_reserve(struct lodge_vm *vm)
{
	struct lodge_memslots *old = lodge_memslots_locked(vm), *slots;

	if (old->nr < old->capacity)
		return 0;
	slots = memslots_alloc(2 * old->capacity);
	if (!slots)
		return -ENOMEM;
	slots->nr = old->nr;
	memcpy(slots->entries, old->entries, old->nr * sizeof(old->entries[0]));
	write_lock(&vm->mmu->lock);
	rcu_assign_pointer(vm->memslots, slots);
	write_unlock(&vm->mmu->lock);
	kvfree_rcu(old, rcu);
	return 0;
}

static void memslots_remove(struct lodge_memslots *slots, const struct lodge_memslot *slot)
{
	int i = memslots_search(slots, slot->base_gfn);

	memmove(&slots->entries[i], &slots->entries[i + 1], (slots->nr - i - 1) * sizeof(slots->entries[0]));
	WRITE_ONCE(slots->nr, slots->nr - 1);
}

static void memslots_insert(struct lodge_memslots *slots, struct lodge_memslot *slot)
{
	int i = memslots_search(slots, slot->base_gfn) + 1;

	memmove(&slots->entries[i + 1], &slots->entries[i], (slots->nr - i) * sizeof(slots->entries[0]));
	slots->entries[i].base = slot->base_gfn;
	slots->entries[i].slot = slot;
	WRITE_ONCE(slots->nr, slots->nr + 1);
}

/* Publish: @old (or NULL) is replaced by @new (or NULL). There is room. */
static void memslots_replace(struct lodge_vm *vm, const struct lodge_memslot *old, struct lodge_memslot *new)
{
	struct lodge_memslots *slots = lodge_memslots_locked(vm);
	unsigned long flags;

	lockdep_assert_held_write(&vm->mmu->lock);
	/* An interrupt here must not find the sequence odd: its reader would wait for us. */
	local_irq_save(flags);
	write_seqcount_begin(&slots->seq);
	if (old)
		memslots_remove(slots, old);
	if (new)
		memslots_insert(slots, new);
	write_seqcount_end(&slots->seq);
	local_irq_restore(flags);
	vm->mmu->nr_slot_changes++;
}

static bool memslot_overlaps(struct lodge_vm *vm, gfn_t start, gfn_t end, const struct lodge_memslot *except)
{
	const struct lodge_memslots *slots = lodge_memslots_locked(vm);
	const struct lodge_memslot *slot;
	int i = max(memslots_search(slots, start), 0);

	for (; i < slots->nr && slots->entries[i].base < end; i++) {
		slot = slots->entries[i].slot;
		if (slot != except && slot->base_gfn + slot->npages > start)
			return true;
	}
	return false;
}

/* The highest frame that the hardware can address, whatever the guest was told. */
static gfn_t memslot_max_gfn(void)
{
	u32 bits = boot_cpu_data.x86_phys_bits;

	/* The kernel takes the bits that memory encryption uses off; nested paging still has them. */
	if (boot_cpu_data.extended_cpuid_level >= 0x80000008)
		bits = cpuid_eax(0x80000008) & 0xff;
	return (1ULL << (bits - PAGE_SHIFT)) - 1;
}

/* What is wrong with the numbers alone. */
static int memslot_check_region(const struct kvm_userspace_memory_region *region)
{
	hva_t hva = region->userspace_addr;

	if ((u16)region->slot >= LODGE_MAX_MEMSLOTS || region->flags & ~MEMSLOT_FLAGS)
		return -EINVAL;
	if ((region->memory_size | region->guest_phys_addr | region->userspace_addr) & ~PAGE_MASK)
		return -EINVAL;
	/* access_ok() may let address tags through; the notifier speaks of addresses without. */
	if (!access_ok((void __user *)hva, region->memory_size) || hva > TASK_SIZE_MAX ||
	    region->memory_size > TASK_SIZE_MAX - hva)
		return -EINVAL;
	if (region->slot >> 16)
		return -EINVAL;
	if (region->guest_phys_addr + region->memory_size < region->guest_phys_addr)
		return -EINVAL;
	return region->memory_size >> PAGE_SHIFT > MEMSLOT_PAGES ? -EINVAL : 0;
}

/* Return: enum memslot_change, or -EINVAL, -EEXIST. */
static int memslot_check(struct lodge_vm *vm, const struct kvm_userspace_memory_region *region,
			 const struct lodge_memslot *old)
{
	gfn_t base = region->guest_phys_addr >> PAGE_SHIFT;
	u64 npages = region->memory_size >> PAGE_SHIFT;
	int change = MEMSLOT_CREATE;

	if (!npages)
		return old ? MEMSLOT_DELETE : -EINVAL;
	if (old) {
		if (region->userspace_addr != old->hva || npages != old->npages ||
		    (region->flags ^ old->flags) & KVM_MEM_READONLY)
			return -EINVAL;
		if (base == old->base_gfn)
			return region->flags == old->flags ? MEMSLOT_SAME : MEMSLOT_FLAGS_ONLY;
		change = MEMSLOT_MOVE;
	} else if (vm->mmu->nr_pages + npages < npages) {
		return -EINVAL;
	}
	if (memslot_overlaps(vm, base, base + npages, old))
		return -EEXIST;
	return base + npages - 1 > memslot_max_gfn() ? -EINVAL : change;
}

/* The slot that @region asks for. It takes @old's dirty log over. */
static struct lodge_memslot *memslot_alloc(struct lodge_vm *vm, const struct kvm_userspace_memory_region *region,
					   const struct lodge_memslot *old)
{
	struct lodge_memslot *slot = kzalloc(sizeof(*slot), GFP_KERNEL_ACCOUNT);

	if (!slot)
		return NULL;
	slot->base_gfn = region->guest_phys_addr >> PAGE_SHIFT;
	slot->npages = region->memory_size >> PAGE_SHIFT;
	slot->hva = region->userspace_addr;
	slot->flags = region->flags;
	slot->id = region->slot;
	if (!(slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		return slot;
	slot->dirty = old && old->dirty ? old->dirty : lodge_dirty_alloc(vm->mmu, slot->npages);
	if (!slot->dirty) {
		kfree(slot);
		return NULL;
	}
	return slot;
}

/* Free @slot after readers, and its log unless @heir (or NULL) has it now. */
static void memslot_free_later(struct lodge_memslot *slot, const struct lodge_memslot *heir)
{
	if (slot->dirty && !(heir && heir->dirty == slot->dirty))
		kvfree_rcu(slot->dirty, rcu);
	kfree_rcu(slot, rcu);
}

/* What the nested tables must forget of @old. The lock is held exclusive and may be dropped in between. */
static void memslot_sync_tables(struct lodge_mmu *mmu, const struct lodge_memslot *old,
				const struct lodge_memslot *new, enum memslot_change change,
				struct lodge_gather *gather)
{
	if (!old)
		return;
	if (change != MEMSLOT_FLAGS_ONLY)
		lodge_table_zap(mmu, old->base_gfn, old->base_gfn + old->npages, gather);
	else if (!new->dirty)
		lodge_table_collapse(mmu, new, gather);
	else if (!lodge_dirty_starts_set(mmu))
		lodge_table_protect(mmu, new->base_gfn, new->base_gfn + new->npages);
}

static int memslot_apply(struct lodge_vm *vm, const struct kvm_userspace_memory_region *region,
			 struct lodge_memslot *old, enum memslot_change change)
{
	struct lodge_mmu *mmu = vm->mmu;
	struct lodge_gather gather = LODGE_GATHER_INIT(gather, true);
	struct lodge_memslot *new = NULL;
	u64 zapped;
	int ret;

	if (change == MEMSLOT_DELETE) {
		xa_erase(&mmu->slots_by_id, old->id);
		WRITE_ONCE(mmu->nr_pages, mmu->nr_pages - old->npages);
	} else {
		ret = memslots_reserve(vm);
		if (ret)
			return ret;
		new = memslot_alloc(vm, region, old);
		if (!new)
			return -ENOMEM;
		/* Over an old one this needs no memory. */
		ret = xa_err(xa_store(&mmu->slots_by_id, new->id, new, GFP_KERNEL_ACCOUNT));
		if (ret) {
			memslot_free_later(new, old);
			return ret;
		}
		if (!old)
			WRITE_ONCE(mmu->nr_pages, mmu->nr_pages + new->npages);
	}
	WRITE_ONCE(mmu->nr_logged, mmu->nr_logged + (new && new->dirty) - (old && old->dirty));
	lodge_dirty_cpu_begin(mmu, old, new);

	write_lock(&mmu->lock);
	memslots_replace(vm, old, new);
	memslot_sync_tables(mmu, old, new, change, &gather);
	zapped = mmu->zapped;
	write_unlock(&mmu->lock);
	lodge_io_hints_drop(vm);
	lodge_table_flush(mmu, zapped, &gather);
	lodge_dirty_cpu_end(mmu);
	if (old)
		memslot_free_later(old, new);
	return 0;
}

int lodge_memslot_set(struct lodge_vm *vm, const struct kvm_userspace_memory_region *region)
{
	struct lodge_memslot *old;
	int ret = memslot_check_region(region);

	if (ret)
		return ret;
	mutex_lock(&vm->slots_lock);
	old = lodge_memslot_by_id(vm, region->slot);
	ret = memslot_check(vm, region, old);
	if (ret > MEMSLOT_SAME)
		ret = memslot_apply(vm, region, old, ret);
	mutex_unlock(&vm->slots_lock);
	return ret;
}

int lodge_memslots_create(struct lodge_vm *vm)
{
	struct lodge_memslots *slots = memslots_alloc(MEMSLOTS_FIRST);

	if (!slots)
		return -ENOMEM;
	RCU_INIT_POINTER(vm->memslots, slots);
	return 0;
}

void lodge_memslots_zap(struct lodge_vm *vm)
{
	struct lodge_mmu *mmu = vm->mmu;
	struct lodge_gather gather = LODGE_GATHER_INIT(gather, true);
	struct lodge_memslots *slots;
	u32 i;

	mutex_lock(&vm->slots_lock);
	slots = lodge_memslots_locked(vm);
	write_lock(&mmu->lock);
	for (i = 0; i < slots->nr; i++)
		lodge_table_zap(mmu, slots->entries[i].base,
				slots->entries[i].base + slots->entries[i].slot->npages, &gather);
	write_unlock(&mmu->lock);
	mutex_unlock(&vm->slots_lock);
	lodge_table_flush(mmu, 0, &gather);
}

/* Nobody can find the VM any more. */
void lodge_memslots_destroy(struct lodge_vm *vm)
{
	struct lodge_memslots *slots = rcu_dereference_protected(vm->memslots, true);
	u32 i;

	for (i = 0; i < slots->nr; i++) {
		kvfree(slots->entries[i].slot->dirty);
		kfree(slots->entries[i].slot);
	}
	xa_destroy(&vm->mmu->slots_by_id);
	RCU_INIT_POINTER(vm->memslots, NULL);
	kvfree(slots);
}
