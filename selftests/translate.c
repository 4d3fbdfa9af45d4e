// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_TRANSLATE: where a guest-virtual address leads, in every mode and with
 * pages of every size.
 */
#include "modes.h"

static struct kvm_translation translate(struct vcpu *vcpu, u64 gva)
{
	struct kvm_translation t;

	memset(&t, 0xaa, sizeof(t));
	t.linear_address = gva;
	CHECK_EQ(xioctl(vcpu->fd, KVM_TRANSLATE, &t), 0);
	CHECK_EQ(t.linear_address, gva);
	return t;
}

static void expect(struct vcpu *vcpu, u64 gva, u64 gpa)
{
	struct kvm_translation t = translate(vcpu, gva);

	CHECK_EQ(t.valid, 1);
	CHECK_EQ(t.physical_address, gpa);
}

static void without_paging(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	expect(vcpu, 0x12345, 0x12345);
	vcpu_mode(vcpu, MODE_PROT32, REAL_CODE);
	expect(vcpu, 0xd0001234, 0xd0001234);
	vm_free(vm);
}

static void legacy_paging(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_mode(vcpu, MODE_PAGED32, REAL_CODE);
	*paged32_pte(vm, 0x300000) = 0x7000 | PTE_P | PTE_W;
	*paged32_pte(vm, 0x301000) = 0;
	expect(vcpu, 0xd0001234, 0xd0001234);
	expect(vcpu, 0x300123, 0x7123);
	CHECK_EQ(translate(vcpu, 0x301123).valid, 0);
	vm_free(vm);
}

static void long_mode(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	long_map(vm, 0x300000, 0x7000, PTE_P | PTE_W);
	long_map(vm, 0x301000, 0, 0);
	long_map(vm, 0xffffffff80000000, 0x9000, PTE_P | PTE_NX);
	expect(vcpu, 0xd0001234, 0xd0001234);
	expect(vcpu, 0x300123, 0x7123);
	expect(vcpu, 0xffffffff80000fff, 0x9fff);
	CHECK_EQ(translate(vcpu, 0x301123).valid, 0);
	CHECK_EQ(translate(vcpu, 0x7f0000000000).valid, 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(without_paging),
	TEST(legacy_paging),
	TEST(long_mode),
};

KTAP_MAIN(tests)
