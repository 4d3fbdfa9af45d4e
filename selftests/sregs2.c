// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_SREGS2 and KVM_SET_SREGS2: the same registers as the older pair, and
 * the four page-directory pointers of PAE paging.
 */
#include <stddef.h>

#include "modes.h"

#define COMMON	offsetof(struct kvm_sregs, interrupt_bitmap)

static struct kvm_sregs2 sregs2_get(struct vcpu *vcpu)
{
	struct kvm_sregs2 s;

	memset(&s, 0xaa, sizeof(s));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_SREGS2, &s), 0);
	return s;
}

static void same_registers(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	enum guest_mode mode;

	REQUIRE_CAP(vm->fd, KVM_CAP_SREGS2);
	for (mode = 0; mode < NR_MODES; mode++) {
		struct kvm_sregs one;
		struct kvm_sregs2 two;

		vcpu_mode(vcpu, mode, REAL_CODE);
		one = sregs_get(vcpu);
		two = sregs2_get(vcpu);
		CHECK_MEM(&one, &two, COMMON);
		CHECK_EQ(two.flags, 0);
		two.cr2 = 0x123000;
		two.fs.base = 0x5000;
		CHECK_EQ(xioctl(vcpu->fd, KVM_SET_SREGS2, &two), 0);
		CHECK_EQ(sregs_get(vcpu).cr2, 0x123000);
		CHECK_EQ(sregs_get(vcpu).fs.base, 0x5000);
	}
	vm_free(vm);
}

static void refusals(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_sregs2 good, bad, got;

	REQUIRE_CAP(vm->fd, KVM_CAP_SREGS2);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	good = sregs2_get(vcpu);
	bad = good;
	bad.flags = BIT(5);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_SREGS2, &bad), EINVAL);
	/* Pointers where paging has none. */
	bad.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_SREGS2, &bad), EINVAL);
	bad = good;
	bad.cr4 |= BIT(31);
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_SREGS2, &bad), EINVAL);
	got = sregs2_get(vcpu);
	CHECK_MEM(&good, &got, sizeof(good));
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(same_registers),
	TEST(refusals),
};

KTAP_MAIN(tests)
