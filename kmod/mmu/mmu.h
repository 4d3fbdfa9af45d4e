/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of lodge may use of the MMU: memslots, guest memory access, nested faults, the guest's own
 * page walk, dirty tracking. Locking is told in each file's head and in Documentation/mmu.rst.
 */
#ifndef LODGE_MMU_H
#define LODGE_MMU_H

#include "../lodge.h"
#include "walk.h"

#define LODGE_MAX_MEMSLOTS	32764	/* user slots, as KVM reports */

/* The nested page-table format; the backend picks it once at load. */
enum lodge_nested_format { LODGE_NESTED_NPT, LODGE_NESTED_EPT };

struct lodge_nested_config {
	enum lodge_nested_format format;
	u8 levels;		/* 4 or 5 */
	u8 max_level;		/* of a leaf: 3 for 1 GiB, 2 for 2 MiB, 1 for 4 KiB */
	u8 exec_level;		/* the same of one that the guest may execute from; below max_level on EPT only */
	bool has_ad;		/* accessed and dirty bits (always on NPT) */
	bool logs_writes;	/* a vCPU can log the first write to each page itself: the ops log_writes, drain_log */
	u64 encryption_mask;	/* sme_me_mask, set in every table address and leaf */
};

extern struct lodge_nested_config lodge_nested;		/* set by the backend before any VM exists */

/* VM lifetime */
int lodge_mmu_create(struct lodge_vm *vm);	/* 0 or -ENOMEM; subscribes to the mm's notifier */
void lodge_mmu_destroy(struct lodge_vm *vm);	/* no vCPU runs any more; never waits for a grace period */
int lodge_mmu_init(void);			/* module load: caches */
void lodge_mmu_exit(void);			/* module unload: waits for notifiers and RCU */

/**
 * lodge_mmu_root() - physical address of the root of the nested tables
 * Return: what goes to nCR3 (encryption bit included) or, with attributes added by the backend, to EPTP.
 */
hpa_t lodge_mmu_root(struct lodge_vm *vm);

/**
 * lodge_memslot_set() - KVM_SET_USER_MEMORY_REGION
 * Return: 0 or KVM's errno: -EINVAL, -EEXIST (overlap), -ENOMEM. Order of checks as KVM's.
 * Context: may sleep; takes slots_lock.
 */
int lodge_memslot_set(struct lodge_vm *vm, const struct kvm_userspace_memory_region *region);

/* KVM_GET_DIRTY_LOG, KVM_CLEAR_DIRTY_LOG: errnos as KVM's (-EINVAL, -ENOENT, -EFAULT). */
int lodge_dirty_log_get(struct lodge_vm *vm, const struct kvm_dirty_log *log);
int lodge_dirty_log_clear(struct lodge_vm *vm, const struct kvm_clear_dirty_log *log);

/**
 * lodge_dirty_log_configure() - KVM_ENABLE_CAP(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2)
 * @flags: KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE, KVM_DIRTY_LOG_INITIALLY_SET; checked by the caller
 * Context: vm->lock held. Slots whose logging begins later follow it.
 */
void lodge_dirty_log_configure(struct lodge_vm *vm, u64 flags);

/* After LODGE_REQ_LOG: have the CPU log the vCPU's writes, or not, as its VM wants. 0 or -ENOMEM. May sleep. */
int lodge_dirty_follow(struct lodge_vcpu *vcpu);

/* From the backend: the CPU logged the first writes of @vcpu to @n pages, those at @gpas. Interrupts off. */
void lodge_dirty_logged(struct lodge_vcpu *vcpu, const u64 *gpas, unsigned int n);

#define LODGE_DIRTY_RING_BYTES	(65536 * sizeof(struct kvm_dirty_gfn))	/* the largest ring */

/**
 * lodge_dirty_ring_enable() - KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING): every vCPU made from now on has a ring
 * Return: 0; -EINVAL (no power of 2, too small, enabled before, vCPUs there), -E2BIG.
 * Context: vm->lock held.
 */
int lodge_dirty_ring_enable(struct lodge_vm *vm, u32 bytes);
int lodge_dirty_ring_create(struct lodge_vcpu *vcpu);	/* 0 or -ENOMEM; nothing where rings are off */
void lodge_dirty_ring_destroy(struct lodge_vcpu *vcpu);

/* The pages of a vCPU's mapping that are the ring's. */
bool lodge_dirty_ring_maps(const struct lodge_vm *vm, unsigned long pgoff);
struct page *lodge_dirty_ring_page(struct lodge_vcpu *vcpu, unsigned long pgoff);

/* Takes LODGE_REQ_DIRTY_RING; true: the ring is as good as full, and user space must hear of it. The vCPU is held. */
bool lodge_dirty_ring_stops(struct lodge_vcpu *vcpu);

/* KVM_RESET_DIRTY_RINGS: the number of entries, or -EINVAL where rings are off. May sleep. */
int lodge_dirty_rings_reset(struct lodge_vm *vm);

/**
 * lodge_guest_read() - copy from guest memory
 * Return: 0, -ENXIO when a page is in no memslot, -EFAULT when the VMM's mapping does not give it.
 * Context: may sleep; runs in the VMM's mm.
 */
int lodge_guest_read(struct lodge_vm *vm, gpa_t gpa, void *buf, size_t len);

/**
 * lodge_guest_peek() - read guest memory without a lock or a fault
 * @len: 4 or 8 bytes that do not cross a page
 * What is read may be older than a change of memslots under way.
 * Return: false when it is not to be had now; lodge_guest_read() knows more.
 * Context: in the section, or interrupts off in the VMM's mm.
 */
bool lodge_guest_peek(struct lodge_vm *vm, gpa_t gpa, void *buf, unsigned int len);
bool lodge_guest_peek16(struct lodge_vm *vm, gpa_t gpa, u64 *buf);	/* the same for 16 bytes */

/* As lodge_guest_read(); -ENXIO also for a read-only slot. Marks dirty, in @vcpu's ring: the caller holds it. */
int lodge_guest_write(struct lodge_vcpu *vcpu, gpa_t gpa, const void *buf, size_t len);

/*
 * The same for bytes inside one page, without sleeping and without letting others run before it is done: -EFAULT
 * also when the page is not there now.
 */
int lodge_guest_try_write(struct lodge_vcpu *vcpu, gpa_t gpa, const void *buf, unsigned int len);

/* Whether a GPA lies in a memslot (for writes: one that is not read-only). RCU inside; any context. */
bool lodge_gpa_is_ram(struct lodge_vm *vm, gpa_t gpa, bool write);

/**
 * lodge_guest_cmpxchg() - locked compare-and-exchange on guest RAM
 * @old: in: expected, out: what was there; @len 1, 2, 4, 8 or 16, naturally aligned
 * Return: 1 exchanged, 0 compared unequal, -ENXIO and -EFAULT as lodge_guest_write().
 */
int lodge_guest_cmpxchg(struct lodge_vcpu *vcpu, gpa_t gpa, void *old, const void *new, unsigned int len);

/* What a nested fault came to. */
enum lodge_fault_result {
	LODGE_FAULT_DONE,	/* mapped, or raced with a change: enter again */
	LODGE_FAULT_MMIO,	/* no memslot, or a write to a read-only one: emulate the instruction */
	LODGE_FAULT_RETRY_SLEEP,	/* (atomic variant) must be taken again where it may sleep */
	/* or -EFAULT, -ENOMEM, -EINTR, -EHWPOISON */
};

/**
 * lodge_mmu_fault() - resolve a nested page fault
 * @vcpu: the vCPU
 * @gpa: what was touched
 * @access: LODGE_ACCESS_READ, _WRITE, _EXEC
 * Context: may sleep, runs in the VMM's mm.
 */
int lodge_mmu_fault(struct lodge_vcpu *vcpu, gpa_t gpa, u32 access);

/*
 * The same inside the section, interrupts off and vcpu->mode LODGE_IN_GUEST (so that lodge_flush_remote() waits for
 * it), for pages present in the host. Never sleeps: LODGE_FAULT_RETRY_SLEEP when it would have to.
 */
int lodge_mmu_fault_atomic(struct lodge_vcpu *vcpu, gpa_t gpa, u32 access);

/**
 * lodge_mmu_walk() - translate a linear address through the guest's own tables
 * @vcpu: the vCPU; its cr0, cr3, cr4, efer, rflags (AC), pkru decide
 * @gva: linear address
 * @access: LODGE_ACCESS_* (USER for code at CPL 3; SMAP, SMEP, WP, NX, protection keys as APM 2, 5.6 say)
 * Sets accessed and dirty bits as the CPU would, by compare-and-exchange.
 * Return: 0 with *walk filled, or -EFAULT when the VMM's mapping does not give a table.
 * Context: may sleep, runs in the VMM's mm.
 */
int lodge_mmu_walk(struct lodge_vcpu *vcpu, gva_t gva, u32 access, struct lodge_walk *walk);

/* The same in the section, for an address that the CPU has just used: no bits are set. -EFAULT: walk again outside. */
int lodge_mmu_walk_section(struct lodge_vcpu *vcpu, gva_t gva, u32 access, struct lodge_walk *walk);

/* KVM_TRANSLATE's walk: no access check, no accessed bits; as lodge_mmu_walk() otherwise. */
int lodge_mmu_translate(struct lodge_vcpu *vcpu, gva_t gva, struct lodge_walk *walk);

u64 lodge_mmu_nr_tables(struct lodge_vm *vm);	/* pages of nested tables; any context */
u64 lodge_mmu_nr_pages(struct lodge_vm *vm);	/* pages of all memslots; any context */

/**
 * lodge_flush_remote() - every vCPU drops nested translations before it enters again, those in the guest leave now
 * Context: may sleep; no spinlock held (it waits for other CPUs). In vcpu.c.
 */
void lodge_flush_remote(struct lodge_vm *vm);

/* Those in the guest leave it once: what they did there is seen by the caller. Context: the same. */
void lodge_vcpus_leave(struct lodge_vm *vm);

#endif
