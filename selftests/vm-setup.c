// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VMM says about a VM before it runs: TSS and identity-map addresses,
 * the boot vCPU, the size of the shadow, capabilities to enable; and when it is
 * too late for that.
 */
#include "vm.h"

static void tss_address(void)
{
	struct vm *vm = vm_create_bare();

	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000ul), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfeffd000ul), 0);
	/* Three pages below 4 GiB. */
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSS_ADDR, 0xffffd000ul), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_TSS_ADDR, 0xffffe000ul), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffff000ul), EINVAL);
	vm_free(vm);
}

static void identity_map_address(void)
{
	struct vm *vm = vm_create_bare();
	u64 addr = 0xfeffc000;

	REQUIRE_CAP(vm->fd, KVM_CAP_SET_IDENTITY_MAP_ADDR);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &addr), 0);
	addr = 0;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &addr), 0);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, (void *)8), EFAULT);
	vcpu_add_bare(vm, 0);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &addr), EINVAL);
	vm_free(vm);
}

static void boot_vcpu(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *first, *second;

	REQUIRE_CAP(vm->fd, KVM_CAP_SET_BOOT_CPU_ID);
	CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	CHECK_EQ(xioctl(vm->fd, KVM_SET_BOOT_CPU_ID, 1), 0);
	first = vcpu_add_bare(vm, 0);
	second = vcpu_add_bare(vm, 1);
	CHECK_EQ(sregs_get(first).apic_base & APIC_BASE_BSP, 0);
	CHECK_EQ(sregs_get(second).apic_base & APIC_BASE_BSP, APIC_BASE_BSP);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_BOOT_CPU_ID, 0), EBUSY);
	vm_free(vm);
}

static void shadow_size(void)
{
	struct vm *vm = vm_create_bare();

	CHECK_ERR(xioctl(vm->fd, KVM_SET_NR_MMU_PAGES, 63), EINVAL);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_NR_MMU_PAGES, 64), 0);
	vm_free(vm);
}

/* Once; the first vCPU settles it too. */
static void highest_vcpu_id(void)
{
	struct vm *vm = vm_create_bare();
	long max = REQUIRE_CAP(vm->fd, KVM_CAP_MAX_VCPU_ID);

	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_MAX_VCPU_ID, max + 1), EINVAL);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 0), 0);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 5), 0);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 5), 0);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 6), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_CREATE_VCPU, 5ul), EINVAL);
	vcpu_add_bare(vm, 4);
	vm_free(vm);

	vm = vm_create_bare();
	vcpu_add_bare(vm, 0);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_MAX_VCPU_ID, 5), EINVAL);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_MAX_VCPU_ID, max), 0);
	vm_free(vm);
}

/* System management is not offered, and its interrupt is refused. */
static void no_smm(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);

	if (cap(vm->fd, KVM_CAP_X86_SMM))
		ktap_skip("SMM is offered");
	CHECK_ERR(xioctl(vcpu->fd, KVM_SMI, 0), EINVAL);
	vm_free(vm);
}

static void unknown_capability(void)
{
	struct vm *vm = vm_create_bare();
	struct kvm_enable_cap arg = { .cap = 5000 };

	CHECK_ERR(xioctl(vm->fd, KVM_ENABLE_CAP, &arg), EINVAL);
	arg.cap = KVM_CAP_USER_MEMORY;	/* one that cannot be enabled */
	CHECK_ERR(xioctl(vm->fd, KVM_ENABLE_CAP, &arg), EINVAL);
	CHECK_ERR(xioctl(vm->fd, KVM_ENABLE_CAP, (void *)8), EFAULT);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(tss_address),
	TEST(identity_map_address),
	TEST(boot_vcpu),
	TEST(shadow_size),
	TEST(highest_vcpu_id),
	TEST(no_smm),
	TEST(unknown_capability),
};

KTAP_MAIN(tests)
