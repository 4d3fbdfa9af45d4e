// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_USER_MEMORY_REGION2: as the older command, whose slots it shares. What
 * the struct has more is for memory that is not offered, and ignored without it.
 */
#include <linux/kvm.h>

#include "modes.h"

#ifndef KVM_SET_USER_MEMORY_REGION2
struct kvm_userspace_memory_region2 {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
	__u64 guest_memfd_offset;
	__u32 guest_memfd;
	__u32 pad1;
	__u64 pad2[14];
};
#define KVM_SET_USER_MEMORY_REGION2 _IOW(KVMIO, 0x49, struct kvm_userspace_memory_region2)
#endif
#define CAP_USER_MEMORY2	231
#define MEM_GUEST_MEMFD		BIT(2)

#define GPA	0x40000000ul
#define SIZE	(4 * PAGE_SIZE)

static long region2_try(struct vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva)
{
	struct kvm_userspace_memory_region2 region;

	memset(&region, 0xee, sizeof(region));
	region.slot = slot;
	region.flags = flags;
	region.guest_phys_addr = gpa;
	region.memory_size = size;
	region.userspace_addr = (u64)(uintptr_t)hva;
	return xioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, &region);
}

static void guest_reads(void)
{
	guest_sync(*(volatile u64 *)GPA);
	guest_sync(*(volatile u64 *)(GPA + SIZE));
	guest_done();
}

static struct vm *region2_vm(void)
{
	struct vm *vm = vm_create();

	require_cap(vm->fd, CAP_USER_MEMORY2, "KVM_CAP_USER_MEMORY2");
	CHECK_EQ(cap(vm->sys, CAP_USER_MEMORY2), 1);
	return vm;
}

static void gives_memory(void)
{
	struct vm *vm = region2_vm();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 *a = pages_map(SIZE), *b = pages_map(SIZE), bitmap;
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = &bitmap };

	a[0] = 0x1234;
	b[0] = 0x5678;
	CHECK_EQ(region2_try(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, GPA, SIZE, a), 0);
	CHECK_EQ(region2_try(vm, 2, KVM_MEM_READONLY, GPA + SIZE, SIZE, b), 0);
	vcpu_entry(vcpu, guest_reads);
	RUN_SYNC(vcpu, 0x1234);
	RUN_SYNC(vcpu, 0x5678);
	CHECK_EQ(xioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), 0);
	vm_free(vm);
}

static void same_slots_and_rules(void)
{
	struct vm *vm = region2_vm();
	void *mem = pages_map(SIZE);

	CHECK_EQ(region2_try(vm, 1, 0, GPA, SIZE, mem), 0);
	CHECK_ERR(region2_try(vm, 2, 0, GPA, SIZE, mem), EEXIST);
	CHECK_ERR(slot_try(vm, 2, 0, GPA, SIZE, mem), EEXIST);
	CHECK_ERR(region2_try(vm, 2, BIT(5), GPA + SIZE, SIZE, mem), EINVAL);
	CHECK_ERR(slot_try(vm, 2, MEM_GUEST_MEMFD, GPA + SIZE, SIZE, mem), EINVAL);
	CHECK_ERR(region2_try(vm, 2, 0, GPA + SIZE + 1, SIZE, mem), EINVAL);
	CHECK_EQ(slot_try(vm, 1, 0, GPA, 0, mem), 0);
	CHECK_ERR(region2_try(vm, 1, 0, GPA, 0, mem), EINVAL);
	CHECK_EQ(slot_try(vm, 2, 0, GPA, SIZE, mem), 0);
	CHECK_EQ(region2_try(vm, 2, 0, 0, 0, NULL), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_USER_MEMORY_REGION2, 8), EFAULT);
	vm_free(vm);
}

/* Memory without a mapping: refused as long as no VM type has it. */
static void no_private_memory(void)
{
	struct vm *vm = region2_vm();

	require_lodge();
	CHECK_ERR(region2_try(vm, 1, MEM_GUEST_MEMFD, GPA, SIZE, pages_map(SIZE)), EINVAL);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(gives_memory),
	TEST(same_slots_and_rules),
	TEST(no_private_memory),
};

KTAP_MAIN(tests)
