// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_X86_SET_MSR_FILTER: which MSRs a guest may read and write, by user space's bitmaps. The filter is the VM's and
 * replaced whole, under vm->lock; vCPUs read it under RCU. While there is one, every MSR exit of the guest is
 * handled outside the section, where it is looked up; a vCPU learns of a change by LODGE_REQ_MSR_FILTER.
 */
#include "msr_filter.h"

#include <linux/bitmap.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "backend.h"

#define MSR_X2APIC_FIRST	0x800
#define MSR_X2APIC_LAST		0x8ff

struct msr_filter_range {
	u32 flags, base, nmsrs;
	unsigned long *bitmap;		/* a set bit allows */
};

struct lodge_msr_filter {
	struct rcu_head rcu;
	bool default_allow;
	u32 nr_ranges;
	struct msr_filter_range ranges[KVM_MSR_FILTER_MAX_RANGES];
};

static void msr_filter_free(struct lodge_msr_filter *filter)
{
	u32 i;

	if (!filter)
		return;
	for (i = 0; i < filter->nr_ranges; i++)
		kfree(filter->ranges[i].bitmap);
	kfree(filter);
}

static void msr_filter_free_rcu(struct rcu_head *rcu)
{
	msr_filter_free(container_of(rcu, struct lodge_msr_filter, rcu));
}

static int msr_filter_add(struct lodge_msr_filter *filter, const struct kvm_msr_filter_range *user)
{
	const u32 known = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
	struct msr_filter_range *range = &filter->ranges[filter->nr_ranges];
	size_t size = BITS_TO_LONGS((size_t)user->nmsrs) * sizeof(long);
	void *bitmap;

	if (!user->nmsrs)
		return 0;
	if (!user->flags || (user->flags & ~known) || size > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	bitmap = memdup_user((const void __user *)user->bitmap, size);
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	*range = (struct msr_filter_range){
		.flags = user->flags, .base = user->base, .nmsrs = user->nmsrs, .bitmap = bitmap,
	};
	filter->nr_ranges++;
	return 0;
}

/* A filter without a range that denies by default would deny all, which is nobody's intent: -EINVAL, as KVM. */
static struct lodge_msr_filter *msr_filter_create(const struct kvm_msr_filter *user)
{
	struct lodge_msr_filter *filter;
	unsigned int i;
	int ret = 0;

	if (user->flags & ~(u32)KVM_MSR_FILTER_DEFAULT_DENY)
		return ERR_PTR(-EINVAL);
	filter = kzalloc(sizeof(*filter), GFP_KERNEL_ACCOUNT);
	if (!filter)
		return ERR_PTR(-ENOMEM);
	filter->default_allow = !(user->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < ARRAY_SIZE(user->ranges) && !ret; i++)
		ret = msr_filter_add(filter, &user->ranges[i]);
	if (!ret && !filter->nr_ranges && !filter->default_allow)
		ret = -EINVAL;
	if (ret) {
		msr_filter_free(filter);
		return ERR_PTR(ret);
	}
	return filter;
}

int lodge_msr_filter_set(struct lodge_vm *vm, const struct kvm_msr_filter *user)
{
	struct lodge_msr_filter *filter = msr_filter_create(user), *old;
	struct lodge_vcpu *vcpu;
	unsigned long i;

	lockdep_assert_held(&vm->lock);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	old = rcu_replace_pointer(vm->msr_filter, filter, lockdep_is_held(&vm->lock));
	if (old)
		call_rcu(&old->rcu, msr_filter_free_rcu);
	lodge_for_each_vcpu(i, vcpu, vm)
		lodge_vcpu_request(vcpu, LODGE_REQ_MSR_FILTER);
	return 0;
}

void lodge_msr_filter_destroy(struct lodge_vm *vm)
{
	msr_filter_free(rcu_dereference_protected(vm->msr_filter, true));
}

static bool msr_filter_allows(const struct lodge_msr_filter *filter, u32 msr, u32 access)
{
	u32 i;

	/* The interrupt controller's registers are not filtered. */
	if (!filter || msr - MSR_X2APIC_FIRST <= MSR_X2APIC_LAST - MSR_X2APIC_FIRST)
		return true;
	for (i = 0; i < filter->nr_ranges; i++) {
		const struct msr_filter_range *range = &filter->ranges[i];

		if (msr - range->base < range->nmsrs && (range->flags & access))
			return test_bit(msr - range->base, range->bitmap);
	}
	return filter->default_allow;
}

bool lodge_msr_allowed(struct lodge_vcpu *vcpu, u32 msr, u32 access)
{
	bool allowed;

	rcu_read_lock();
	allowed = msr_filter_allows(rcu_dereference(vcpu->vm->msr_filter), msr, access);
	rcu_read_unlock();
	return allowed;
}

/* The MSRs that a guest reaches without an exit must exit when one of them is denied. */
void lodge_msr_filter_apply(struct lodge_vcpu *vcpu)
{
	const struct lodge_msr_filter *filter;
	bool denied = false;
	const u32 *msr;

	rcu_read_lock();
	filter = rcu_dereference(vcpu->vm->msr_filter);
	vcpu->msr_exits_defer = filter ? ~0ULL : 0;
	for (msr = lodge_backend->msr_passthrough; *msr && !denied; msr++)
		denied = !msr_filter_allows(filter, *msr, KVM_MSR_FILTER_READ) ||
			 !msr_filter_allows(filter, *msr, KVM_MSR_FILTER_WRITE);
	rcu_read_unlock();
	lodge_op(intercept_msrs)(vcpu, denied);
}
