// SPDX-License-Identifier: GPL-2.0-only
/*
 * Feature MSRs: their list's size protocol, reading them on the device, and
 * that a vCPU takes what the device reported.
 */
#include <stdlib.h>

#include "host.h"
#include "vm.h"

#define MSR_VMX_BASIC	0x480
#define MSR_VMX_VMFUNC	0x491

#define MAX	256

static struct kvm_msr_list *feature_list(int sys)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MAX * 4);

	REQUIRE_CAP(sys, KVM_CAP_GET_MSR_FEATURES);
	list->nmsrs = MAX;
	CHECK_EQ(xioctl(sys, KVM_GET_MSR_FEATURE_INDEX_LIST, list), 0);
	CHECK_LE(list->nmsrs, MAX);
	return list;
}

static long feature_get(int sys, u32 index, u64 *val)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e;
	} m = { .head.nmsrs = 1, .e.index = index };
	long r = xioctl(sys, KVM_GET_MSRS, &m);

	*val = m.e.data;
	return r;
}

static void list_size(void)
{
	int sys = device_open();
	u32 n = feature_list(sys)->nmsrs;
	struct kvm_msr_list *small = calloc(1, sizeof(*small) + MAX * 4);

	small->nmsrs = 0;
	if (n)
		CHECK_ERR(xioctl(sys, KVM_GET_MSR_FEATURE_INDEX_LIST, small), E2BIG);
	CHECK_EQ(small->nmsrs, n);
	CHECK_EQ(xioctl(sys, KVM_GET_MSR_FEATURE_INDEX_LIST, small), 0);
	CHECK_EQ(small->nmsrs, n);
}

static void readable_on_the_device(void)
{
	int sys = device_open();
	struct kvm_msr_list *list = feature_list(sys);
	u64 val;
	u32 i;

	for (i = 0; i < list->nmsrs; i++)
		if (feature_get(sys, list->indices[i], &val) != 1)
			FAIL("feature MSR 0x%x cannot be read", list->indices[i]);
	CHECK_EQ(feature_get(sys, 0x12345678, &val), 0);
}

static void sizes(void)
{
	int sys = device_open();
	struct kvm_msrs *m = calloc(1, sizeof(*m) + 300 * sizeof(m->entries[0]));

	REQUIRE_CAP(sys, KVM_CAP_GET_MSR_FEATURES);
	CHECK_EQ(xioctl(sys, KVM_GET_MSRS, m), 0);
	m->nmsrs = 256;
	CHECK_ERR(xioctl(sys, KVM_GET_MSRS, m), E2BIG);
	CHECK_ERR(xioctl(sys, KVM_GET_MSRS, (void *)8), EFAULT);
}

static void vcpu_takes_them(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_msr_list *list = feature_list(vm->sys);
	u64 val;
	u32 i;

	for (i = 0; i < list->nmsrs; i++) {
		/* KVM's VT-x capabilities are for nesting, and bound to the guest's CPUID. */
		if (!device_is_lodge() && list->indices[i] >= MSR_VMX_BASIC &&
		    list->indices[i] <= MSR_VMX_VMFUNC)
			continue;
		CHECK_EQ(feature_get(vm->sys, list->indices[i], &val), 1);
		msr_set(vcpu, list->indices[i], val);
		CHECK_EQ(msr_get(vcpu, list->indices[i]), val);
	}
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(list_size),
	TEST(readable_on_the_device),
	TEST(sizes),
	TEST(vcpu_takes_them),
};

KTAP_MAIN(tests)
