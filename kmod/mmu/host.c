// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's own mapping, seen from the MMU: reading the host's page tables without a reference to the page, and
 * having the host fault a page in. No locks of its own: the lookup runs with interrupts off, which keeps the host's
 * table pages from being freed (they are freed by RCU or behind an IPI), and its answer stays true for as long as
 * mmu->lock is held and no invalidation is under way (lodge_mm_is_quiet()).
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/mm.h>

#include "../compat/gup.h"
#include "mmu_internal.h"

/* The guest's rights over a page are the VMM's own: present, user, and writable or not. */
static __always_inline bool host_fill(struct lodge_host_page *page, u64 entry, hva_t hva, int level)
{
	u64 span = entry_span(level);

	if (!(entry & _PAGE_USER))
		return false;
	page->level = level;
	page->hfn = ((entry & PTE_PFN_MASK) >> PAGE_SHIFT & ~(span - 1)) + ((hva >> PAGE_SHIFT) & (span - 1));
	page->bits = entry & lodge_nested.encryption_mask;
	if (entry & _PAGE_RW)
		page->bits |= LODGE_ENTRY_HOST_WRITABLE;
	if (entry & _PAGE_SPECIAL)
		page->bits |= LODGE_ENTRY_SPECIAL;
	page->pat = (entry >> _PAGE_BIT_PWT) & 3;
	if (entry & (level == 1 ? _PAGE_PAT : _PAGE_PAT_LARGE))
		page->pat |= 4;
	return true;
}

/*
 * Each entry is read once, as the CPU does: the table it names may be unhooked meanwhile, but not freed. Read raw,
 * since nested paging is not there where the tables hold anything else (Xen's paravirtualized guests).
 */
bool lodge_host_lookup(struct mm_struct *mm, hva_t hva, struct lodge_host_page *page)
{
	int level = pgtable_l5_enabled() ? 5 : 4;
	const u64 *table = (const u64 *)mm->pgd;
	unsigned long frames = PTE_PFN_MASK;
	gfn_t vfn = hva >> PAGE_SHIFT;
	u64 entry;

	for (; level > 1; level--, table = __va(entry & frames)) {
		entry = READ_ONCE(table[entry_index(vfn, level)]);
		if (!(entry & _PAGE_PRESENT))
			return false;
		if (unlikely(entry & _PAGE_PSE))
			return host_fill(page, entry, hva, level);
	}
	entry = READ_ONCE(table[entry_index(vfn, 1)]);
	return (entry & _PAGE_PRESENT) && host_fill(page, entry, hva, 1);
}

/* Mappings of device memory have no pages to get: fault them in as an access by the VMM itself would. */
static int host_fault_in_device(struct mm_struct *mm, hva_t hva, bool write)
{
	struct vm_area_struct *vma;
	bool unlocked = false;
	int ret = -EFAULT;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, hva);
	if (vma && (vma->vm_flags & (VM_IO | VM_PFNMAP)))
		ret = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
	mmap_read_unlock(mm);
	return ret;
}

int lodge_host_fault_in(struct mm_struct *mm, hva_t hva, bool write, bool interruptible)
{
	/* A page that waits for a NUMA hinting fault is not present to the lookup: take that fault now. */
	unsigned int flags = FOLL_HWPOISON | FOLL_HONOR_NUMA_FAULT;
	struct page *page;
	long ret;

	if (WARN_ON_ONCE(current->mm != mm))
		return -EFAULT;
	if (write)
		flags |= FOLL_WRITE;
	if (interruptible)
		flags |= FOLL_INTERRUPTIBLE;
	ret = get_user_pages_unlocked(hva, 1, &page, flags);
	if (ret == 1) {
		put_page(page);
		return 0;
	}
	if (ret == -EFAULT)
		return host_fault_in_device(mm, hva, write);
	if (!ret || ret == -EAGAIN)
		return signal_pending(current) ? -EINTR : 0;
	return ret;
}
