// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CREATE_VCPU: which ids are taken, which are refused, and that a failed
 * create leaves nothing behind.
 */
#include <unistd.h>

#include "vm.h"

static void same_id_twice(void)
{
	struct vm *vm = vm_create_bare();

	vcpu_add_bare(vm, 0);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 0), EEXIST);
	vcpu_add_bare(vm, 1);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 1), EEXIST);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 0), EEXIST);
	vm_free(vm);
}

/* The object lives as long as the VM, even when its descriptor is closed. */
static void id_stays_taken_after_close(void)
{
	struct vm *vm = vm_create_bare();

	vcpu_close(vcpu_add_bare(vm, 3));
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 3), EEXIST);
	vm_free(vm);
}

static void id_out_of_range(void)
{
	struct vm *vm = vm_create_bare();
	long max = cap(vm->fd, KVM_CAP_MAX_VCPU_ID);

	CHECK_GE(max, 1);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, max), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, max + 1), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 0x7fffffffl), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 0xffffffffl), EINVAL);
	vcpu_add_bare(vm, (unsigned int)max - 1);
	vm_free(vm);
}

static void sparse_ids(void)
{
	static const unsigned int ids[] = { 8, 0, 5, 200, 1 };
	struct vm *vm = vm_create_bare();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ids); i++)
		vcpu_add_bare(vm, ids[i]);
	for (i = 0; i < ARRAY_SIZE(ids); i++)
		CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, ids[i]), EEXIST);
	vm_free(vm);
}

static void many(void)
{
	struct vm *vm = vm_create_bare();
	int fds[64];
	size_t i;

	if (cap(vm->fd, KVM_CAP_MAX_VCPUS) < (long)ARRAY_SIZE(fds))
		ktap_skip("KVM_CAP_MAX_VCPUS below %zu", ARRAY_SIZE(fds));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = (int)CHECK_OK(xioctl(vm->fd, KVM_CREATE_VCPU, (long)i));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	vm_free(vm);
}

static void before_memory(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	void *mem = pages_map(PAGE_SIZE);

	slot_set(vm, 0, 0, 0, PAGE_SIZE, mem);
	CHECK_EQ(sregs_get(vcpu).cs.selector, 0xf000);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(same_id_twice),
	TEST(id_stays_taken_after_close),
	TEST(id_out_of_range),
	TEST(sparse_ids),
	TEST(many),
	TEST(before_memory),
};

KTAP_MAIN(tests)
