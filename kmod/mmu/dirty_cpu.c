// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log where the CPUs log first writes themselves (lodge_nested.logs_writes): small leaves of a logged slot
 * stay writable, and a cleared dirty bit is what makes the next write a first one. Each vCPU has a log of its own in
 * the backend; it is brought into the slots' bitmaps when it is full and before anything looks at those.
 *
 * No vCPU may enter the guest without its log while there is a leaf that counts on it: mmu->cpu_logs and the request
 * that tells of it come before the first such slot is published. vm->slots_lock is held but in what vCPUs call.
 */
#include "../backend.h"
#include "mmu_internal.h"

static void dirty_mark_moving(struct lodge_vcpu *vcpu, const struct lodge_memslot *slot, const u64 *gpas,
			      unsigned int n)
{
	for (; n; n--, gpas++)
		if (lodge_memslot_contains(slot, *gpas >> PAGE_SHIFT))
			lodge_dirty_mark(vcpu, slot, *gpas >> PAGE_SHIFT);
}

/* Interrupts off are what keeps the slots, and neighbours mostly share one. */
void lodge_dirty_logged(struct lodge_vcpu *vcpu, const u64 *gpas, unsigned int n)
{
	const struct lodge_memslot *slot = NULL;
	unsigned int i;
	gfn_t gfn;

	lockdep_assert_irqs_disabled();
	for (i = 0; i < n; i++) {
		gfn = gpas[i] >> PAGE_SHIFT;
		if (!slot || unlikely(!lodge_memslot_contains(slot, gfn)))
			slot = lodge_memslot_find_rcu(vcpu->vm, gfn);
		if (likely(slot))
			lodge_dirty_mark(vcpu, slot, gfn);
	}
	/* After the search, which knows the slots from before the move or sees this one. */
	smp_rmb();
	slot = READ_ONCE(vcpu->vm->mmu->moving);
	if (unlikely(slot))
		dirty_mark_moving(vcpu, slot, gpas, n);
}

int lodge_dirty_follow(struct lodge_vcpu *vcpu)
{
	int ret = lodge_op(log_writes)(vcpu, READ_ONCE(vcpu->vm->mmu->cpu_logs));

	/* It does not enter without. */
	if (ret)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_LOG);
	return ret;
}

void lodge_dirty_collect(struct lodge_mmu *mmu)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	lockdep_assert_held(&mmu->vm->slots_lock);
	/* What a CPU has logged is in memory when it has left the guest. */
	lodge_vcpus_leave(mmu->vm);
	lodge_for_each_vcpu(i, vcpu, mmu->vm)
		lodge_op(drain_log)(vcpu);
}

static void dirty_tell_vcpus(struct lodge_mmu *mmu, bool cpu_logs)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	WRITE_ONCE(mmu->cpu_logs, cpu_logs);
	smp_mb();	/* a vCPU that is not counted yet sees it, when it takes the request it was born with */
	lodge_for_each_vcpu(i, vcpu, mmu->vm)
		lodge_vcpu_request(vcpu, LODGE_REQ_LOG);
}

void lodge_dirty_cpu_begin(struct lodge_mmu *mmu, const struct lodge_memslot *old, const struct lodge_memslot *new)
{
	if (!lodge_nested.logs_writes || !new || !new->dirty || READ_ONCE(mmu->vm->dirty_ring_bytes))
		return;
	if (!mmu->cpu_logs)
		dirty_tell_vcpus(mmu, true);
	/* A log that begins has nothing of what was written before; one that moves has all of it. */
	lodge_dirty_collect(mmu);
	if (old && old->dirty)
		WRITE_ONCE(mmu->moving, old);
}

void lodge_dirty_cpu_end(struct lodge_mmu *mmu)
{
	if (!mmu->cpu_logs)
		return;
	if (mmu->moving) {
		lodge_dirty_collect(mmu);
		WRITE_ONCE(mmu->moving, NULL);
	}
	if (!mmu->nr_logged)
		dirty_tell_vcpus(mmu, false);
}
