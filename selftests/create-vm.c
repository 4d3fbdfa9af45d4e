// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CREATE_VM: the type argument, many VMs beside one another, and the
 * descriptor it returns.
 */
#include <fcntl.h>
#include <unistd.h>

#include "vm.h"

static void bad_types(void)
{
	static const long types[] = { 1, 2, 0x100, -1, 1l << 33 };
	int sys = device_open();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++)
		CHECK_ERR(xioctl(sys, KVM_CREATE_VM, types[i]), EINVAL);
}

static void descriptor_is_close_on_exec(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);

	CHECK_EQ(fcntl(vm->fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(vcpu->fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(vm->fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CHECK_EQ(fcntl(vcpu->fd, F_GETFL) & O_ACCMODE, O_RDWR);
	vm_free(vm);
}

static void descriptor_neither_reads_nor_writes(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	char c = 0;

	CHECK_EQ(read(vm->fd, &c, 1), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(write(vm->fd, &c, 1), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(read(vcpu->fd, &c, 1), -1);
	CHECK_EQ(errno, EINVAL);
	vm_free(vm);
}

static void many_at_once(void)
{
	struct vm *vms[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vms); i++) {
		vms[i] = vm_create_bare();
		vcpu_add_bare(vms[i], 0);
	}
	for (i = 0; i < ARRAY_SIZE(vms); i++)
		vm_free(vms[i]);
}

static void one_after_another(void)
{
	unsigned int i;

	for (i = 0; i < 50; i++) {
		struct vm *vm = vm_create();

		vcpu_add(vm, 0);
		vm_free(vm);
	}
}

static const struct test tests[] = {
	TEST(bad_types),
	TEST(descriptor_is_close_on_exec),
	TEST(descriptor_neither_reads_nor_writes),
	TEST(many_at_once),
	TEST(one_after_another),
};

KTAP_MAIN(tests)
