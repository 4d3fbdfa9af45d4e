// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lodge's own accesses to guest memory: read, write, compare-and-exchange, through the VMM's mapping. Each piece is
 * copied with page faults off and mmu->lock held shared, so that after a slot was deleted, which takes the lock
 * exclusive, no access to its memory is still on the way. A page that is not there is faulted in without the lock.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mmu_internal.h"

/* One try at a piece inside a page. */
struct guest_access {
	struct lodge_vm *vm;
	struct lodge_vcpu *vcpu;	/* that writes */
	gpa_t gpa;
	unsigned int len;
	bool write;
	hva_t hva;		/* set by the try */
};

/* Lock shared. */
static struct lodge_memslot *access_find(struct guest_access *access)
{
	gfn_t gfn = access->gpa >> PAGE_SHIFT;
	struct lodge_memslot *slot = lodge_memslot_find(access->vm, gfn);

	if (!slot || (access->write && (slot->flags & KVM_MEM_READONLY)))
		return NULL;
	access->hva = lodge_memslot_hva(slot, gfn) + offset_in_page(access->gpa);
	return slot;
}

/* After a try that failed: -EFAULT, or 0 to try again. */
static int access_fault_in(const struct guest_access *access)
{
	return lodge_host_fault_in(access->vm->mm, access->hva, access->write, false) ? -EFAULT : 0;
}

static unsigned long access_copy_in(void *buf, hva_t hva, unsigned int len)
{
	const void __user *from = (const void __user *)hva;

	if (len == 8)	/* page-table entries, mostly */
		return __get_user(*(u64 *)buf, (const u64 __user *)from) ? len : 0;
	return __copy_from_user_inatomic(buf, from, len);
}

static int access_read_piece(struct guest_access *access, void *buf)
{
	rwlock_t *lock = &access->vm->mmu->lock;
	unsigned long left;
	bool found;

	for (;;) {
		read_lock(lock);
		found = access_find(access);
		if (found) {
			pagefault_disable();
			left = access_copy_in(buf, access->hva, access->len);
			pagefault_enable();
		}
		read_unlock(lock);
		if (!found)
			return -ENXIO;
		if (!left)
			return 0;
		if (access_fault_in(access))
			return -EFAULT;
	}
}

/* 0, the number of bytes that were left, or -ENXIO: no slot to write to. */
static int access_write_try(struct guest_access *access, const void *buf)
{
	rwlock_t *lock = &access->vm->mmu->lock;
	struct lodge_memslot *slot;
	int left = -ENXIO;

	read_lock(lock);
	slot = access_find(access);
	if (slot) {
		pagefault_disable();
		left = __copy_to_user_inatomic((void __user *)access->hva, buf, access->len);
		pagefault_enable();
		lodge_dirty_mark(access->vcpu, slot, access->gpa >> PAGE_SHIFT);
	}
	read_unlock(lock);
	return left;
}

static int access_write_piece(struct guest_access *access, const void *buf)
{
	int left;

	for (;;) {
		left = access_write_try(access, buf);
		if (left <= 0)
			return left;
		if (access_fault_in(access))
			return -EFAULT;
	}
}

/* Inlined for each length: code is peeked at in each exit whose instruction the CPU does not tell. */
static __always_inline bool guest_peek(struct lodge_vm *vm, gpa_t gpa, void *buf, unsigned int len)
{
	const struct lodge_memslot *slot = lodge_memslot_find_rcu(vm, gpa >> PAGE_SHIFT);
	const u64 __user *from;
	u64 *to = buf;

	if (unlikely(!slot))
		return false;
	from = (const u64 __user *)(lodge_memslot_hva(slot, gpa >> PAGE_SHIFT) + offset_in_page(gpa));
	pagefault_disable();
	if (!user_read_access_begin(from, len))
		goto out;
	if (len == 4) {
		unsafe_get_user(*(u32 *)to, (const u32 __user *)from, fault);
	} else {
		unsafe_get_user(to[0], from, fault);
		if (len == 16)
			unsafe_get_user(to[1], from + 1, fault);
	}
	user_read_access_end();
	pagefault_enable();
	return true;

fault:
	user_read_access_end();
out:
	pagefault_enable();
	return false;
}

bool lodge_guest_peek(struct lodge_vm *vm, gpa_t gpa, void *buf, unsigned int len)
{
	return len == 4 ? guest_peek(vm, gpa, buf, 4) : guest_peek(vm, gpa, buf, 8);
}

bool lodge_guest_peek16(struct lodge_vm *vm, gpa_t gpa, u64 *buf)
{
	return guest_peek(vm, gpa, buf, 16);
}

/* The VMM's addresses mean something in its mm alone. */
static bool access_allowed(const struct lodge_vm *vm)
{
	might_sleep();
	return !WARN_ON_ONCE(current->mm != vm->mm);
}

static unsigned int access_piece_len(gpa_t gpa, size_t len)
{
	return min_t(size_t, len, PAGE_SIZE - offset_in_page(gpa));
}

int lodge_guest_read(struct lodge_vm *vm, gpa_t gpa, void *buf, size_t len)
{
	struct guest_access access = { .vm = vm, .gpa = gpa };
	int ret;

	if (!access_allowed(vm))
		return -EFAULT;
	for (; len; len -= access.len, buf += access.len, access.gpa += access.len) {
		access.len = access_piece_len(access.gpa, len);
		ret = access_read_piece(&access, buf);
		if (ret)
			return ret;
	}
	return 0;
}

int lodge_guest_write(struct lodge_vcpu *vcpu, gpa_t gpa, const void *buf, size_t len)
{
	struct guest_access access = { .vm = vcpu->vm, .vcpu = vcpu, .gpa = gpa, .write = true };
	int ret;

	if (!access_allowed(vcpu->vm))
		return -EFAULT;
	for (; len; len -= access.len, buf += access.len, access.gpa += access.len) {
		access.len = access_piece_len(access.gpa, len);
		ret = access_write_piece(&access, buf);
		if (ret)
			return ret;
	}
	return 0;
}

int lodge_guest_try_write(struct lodge_vcpu *vcpu, gpa_t gpa, const void *buf, unsigned int len)
{
	struct guest_access access = { .vm = vcpu->vm, .vcpu = vcpu, .gpa = gpa, .len = len, .write = true };

	if (WARN_ON_ONCE(current->mm != vcpu->vm->mm || access_piece_len(gpa, len) != len))
		return -EFAULT;
	return access_write_try(&access, buf) ? -EFAULT : 0;
}

static int access_cmpxchg16(hva_t hva, u64 *old, const u64 *new)
{
	struct { u64 low, high; } __user *ptr = (void __user *)hva;
	bool equal = false;
	int err = 0;

	if (!boot_cpu_has(X86_FEATURE_CX16) || !user_access_begin(ptr, 16))
		return -EFAULT;
	asm volatile("1:	lock cmpxchg16b %[mem]\n"
		     "	setz %[equal]\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %[err])
		     : [mem] "+m" (*(__force typeof(*ptr) *)ptr), [equal] "+q" (equal), [err] "+r" (err),
		       "+a" (old[0]), "+d" (old[1])
		     : "b" (new[0]), "c" (new[1])
		     : "memory", "cc");
	user_access_end();
	return err ? -EFAULT : equal;
}

/* One locked exchange on the VMM's memory, page faults off. 1 exchanged, 0 not equal, -EFAULT. */
static int access_cmpxchg(hva_t hva, void *old, const void *new, unsigned int len)
{
	int differs = -EFAULT;

	switch (len) {
	case 1:
		differs = __try_cmpxchg_user((u8 __user *)hva, (u8 *)old, *(const u8 *)new, fault1);
		break;
	case 2:
		differs = __try_cmpxchg_user((u16 __user *)hva, (u16 *)old, *(const u16 *)new, fault2);
		break;
	case 4:
		differs = __try_cmpxchg_user((u32 __user *)hva, (u32 *)old, *(const u32 *)new, fault4);
		break;
	case 8:
		differs = __try_cmpxchg_user((u64 __user *)hva, (u64 *)old, *(const u64 *)new, fault8);
		break;
	case 16:
		return access_cmpxchg16(hva, old, new);
	}
	return differs < 0 ? -EFAULT : !differs;
}

int lodge_guest_cmpxchg(struct lodge_vcpu *vcpu, gpa_t gpa, void *old, const void *new, unsigned int len)
{
	struct lodge_vm *vm = vcpu->vm;
	struct guest_access access = { .vm = vm, .vcpu = vcpu, .gpa = gpa, .len = len, .write = true };
	struct lodge_memslot *slot;
	int ret = 0;

	if (!access_allowed(vm))
		return -EFAULT;
	if (WARN_ON_ONCE(!is_power_of_2(len) || len > 16 || gpa & (len - 1)))
		return -EFAULT;
	for (;;) {
		read_lock(&vm->mmu->lock);
		slot = access_find(&access);
		if (slot) {
			pagefault_disable();
			ret = access_cmpxchg(access.hva, old, new, len);
			pagefault_enable();
			if (ret > 0)
				lodge_dirty_mark(vcpu, slot, gpa >> PAGE_SHIFT);
		}
		read_unlock(&vm->mmu->lock);
		if (!slot)
			return -ENXIO;
		if (ret >= 0)
			return ret;
		if (access_fault_in(&access))
			return -EFAULT;
	}
}
