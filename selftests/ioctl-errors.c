// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that a descriptor does not know: unknown numbers, and commands that
 * belong to another kind of descriptor. Each kind has its own errno, as in KVM.
 * Bad pointers are EFAULT, and nothing changes.
 */
#include "vm.h"

/* In KVM's range, unused there in every version so far. */
#define UNKNOWN_KVM	_IO(KVMIO, 0xff)
/* A foreign type byte: TCGETS. */
#define UNKNOWN_TYPE	0x5401ul

static void unknown_on_device(void)
{
	int sys = device_open();

	CHECK_ERR(xioctl(sys, UNKNOWN_KVM, 0), EINVAL);
	CHECK_ERR(xioctl(sys, UNKNOWN_TYPE, 0), EINVAL);
}

static void unknown_on_vm(void)
{
	struct vm *vm = vm_create_bare();

	CHECK_ERR(xioctl(vm->fd, UNKNOWN_KVM, 0), ENOTTY);
	CHECK_ERR(xioctl(vm->fd, UNKNOWN_TYPE, 0), ENOTTY);
	vm_free(vm);
}

static void unknown_on_vcpu(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);

	CHECK_ERR(xioctl(vcpu->fd, UNKNOWN_KVM, 0), EINVAL);
	CHECK_ERR(xioctl(vcpu->fd, UNKNOWN_TYPE, 0), EINVAL);
	vm_free(vm);
}

static void size_is_part_of_the_command(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	u8 buf[4096] = { 0 };

	/* Right number, wrong size or direction: another command. */
	CHECK_ERR(xioctl(vcpu->fd, _IOR(KVMIO, 0x81, u64), buf), EINVAL);
	CHECK_ERR(xioctl(vcpu->fd, _IOW(KVMIO, 0x81, struct kvm_regs), buf), EINVAL);
	CHECK_ERR(xioctl(vm->fd, _IOW(KVMIO, 0x46, u64), buf), ENOTTY);
	vm_free(vm);
}

static void wrong_kind_of_descriptor(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_regs regs;

	CHECK_ERR(xioctl(vm->sys, KVM_CREATE_VCPU, 1), EINVAL);
	CHECK_ERR(xioctl(vm->sys, KVM_RUN, 0), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VM, 0), ENOTTY);
	CHECK_ERR(xioctl(vm->fd, KVM_GET_API_VERSION, 0), ENOTTY);
	CHECK_ERR(xioctl(vm->fd, KVM_RUN, 0), ENOTTY);
	CHECK_ERR(xioctl(vm->fd, KVM_GET_REGS, &regs), ENOTTY);
	CHECK_ERR(xioctl(vcpu->fd, KVM_CREATE_VM, 0), EINVAL);
	CHECK_ERR(xioctl(vcpu->fd, KVM_CREATE_VCPU, 1), EINVAL);
	CHECK_ERR(xioctl(vcpu->fd, KVM_CHECK_EXTENSION, 0), EINVAL);
	vm_free(vm);
}

static void run_takes_no_argument(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);

	CHECK_ERR(xioctl(vcpu->fd, KVM_RUN, 1), EINVAL);
	CHECK_ERR(xioctl(vcpu->fd, KVM_RUN, vcpu->run), EINVAL);
	vm_free(vm);
}

static void bad_pointers(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_sregs before = sregs_get(vcpu), after;
	void *bad = (void *)8;

	CHECK_ERR(xioctl(vm->sys, KVM_GET_SUPPORTED_CPUID, bad), EFAULT);
	CHECK_ERR(xioctl(vm->sys, KVM_GET_MSR_INDEX_LIST, bad), EFAULT);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_REGS, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_REGS, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_SREGS, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_SREGS, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_FPU, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_FPU, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_CPUID2, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_CPUID2, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_MSRS, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_MSRS, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_MP_STATE, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_MP_STATE, bad), EFAULT);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, bad), EFAULT);
	after = sregs_get(vcpu);
	CHECK_MEM(&before, &after, sizeof(before));
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(unknown_on_device),
	TEST(unknown_on_vm),
	TEST(unknown_on_vcpu),
	TEST(size_is_part_of_the_command),
	TEST(wrong_kind_of_descriptor),
	TEST(run_takes_no_argument),
	TEST(bad_pointers),
};

KTAP_MAIN(tests)
