// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM belongs to the address space that made it: its descriptors, inherited
 * by a forked process, answer EIO there, and go on working for the maker. The
 * device descriptor is not bound.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "modes.h"

static void in_child(void (*fn)(struct vm *vm), struct vm *vm)
{
	pid_t pid = fork();
	int status;

	CHECK_GE(pid, 0);
	if (!pid) {
		fn(vm);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static void child_uses(struct vm *vm)
{
	struct kvm_regs regs;

	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 1), EIO);
	CHECK_ERR(xioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY), EIO);
	CHECK_ERR(slot_try(vm, 1, 0, 0x10000000, PAGE_SIZE, vm->mem), EIO);
	CHECK_ERR(xioctl(vm->vcpus[0]->fd, KVM_GET_REGS, &regs), EIO);
	CHECK_ERR(xioctl(vm->vcpus[0]->fd, KVM_RUN, 0), EIO);
}

static void vm_is_refused(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	in_child(child_uses, vm);
	memset(vm_hva(vm, REAL_CODE), 0xf4, 1);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	vcpu_add_bare(vm, 1);
	vm_free(vm);
}

static void child_makes(struct vm *vm)
{
	struct vm own = *vm;

	CHECK_EQ(xioctl(vm->sys, KVM_GET_API_VERSION, 0), 12);
	own.fd = (int)CHECK_OK(xioctl(vm->sys, KVM_CREATE_VM, 0));
	CHECK_OK(xioctl(own.fd, KVM_CREATE_VCPU, 0));
	CHECK_EQ(slot_try(&own, 0, 0, 0, PAGE_SIZE, pages_map(PAGE_SIZE)), 0);
}

static void device_is_shared(void)
{
	struct vm *vm = vm_create_bare();

	in_child(child_makes, vm);
	vm_free(vm);
}

/* The last references may go in a process that never could use them. */
static void last_close_elsewhere(void)
{
	struct vm *vm = vm_create();
	int pipefd[2], status;
	pid_t pid;
	char c;

	vcpu_add(vm, 0);
	CHECK_EQ(pipe(pipefd), 0);
	pid = fork();
	CHECK_GE(pid, 0);
	if (!pid) {
		close(pipefd[1]);
		CHECK_EQ(read(pipefd[0], &c, 1), 0);
		CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 9), EIO);
		_exit(0);
	}
	vm_free(vm);
	close(pipefd[1]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static const struct test tests[] = {
	TEST(vm_is_refused),
	TEST(device_is_shared),
	TEST(last_close_elsewhere),
};

KTAP_MAIN(tests)
