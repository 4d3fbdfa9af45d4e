// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_MSR_INDEX_LIST, KVM_GET_MSRS and KVM_SET_MSRS: sizes, the promise
 * that every listed MSR can be read and takes its own value back, and that a
 * call stops at the first entry it cannot do.
 */
#include <stdlib.h>

#include "modes.h"

#define MAX_MSRS	1024

static struct kvm_msr_list *msr_list(int sys)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MAX_MSRS * 4);

	list->nmsrs = MAX_MSRS;
	CHECK_EQ(xioctl(sys, KVM_GET_MSR_INDEX_LIST, list), 0);
	CHECK_LE(list->nmsrs, MAX_MSRS);
	return list;
}

static void list_size(void)
{
	int sys = device_open();
	struct kvm_msr_list *list = msr_list(sys), *small;
	u32 n = list->nmsrs;

	CHECK_GE(n, 10);
	/* Clients have room for 256, 28 of them their own. */
	CHECK_LE(n, 228);
	small = calloc(1, sizeof(*small) + MAX_MSRS * 4);
	small->nmsrs = 0;
	CHECK_ERR(xioctl(sys, KVM_GET_MSR_INDEX_LIST, small), E2BIG);
	CHECK_EQ(small->nmsrs, n);
	small->nmsrs = n - 1;
	CHECK_ERR(xioctl(sys, KVM_GET_MSR_INDEX_LIST, small), E2BIG);
	CHECK_EQ(small->nmsrs, n);
	CHECK_EQ(small->indices[0], 0);
	small->nmsrs = n;
	CHECK_EQ(xioctl(sys, KVM_GET_MSR_INDEX_LIST, small), 0);
	CHECK_MEM(small->indices, list->indices, n * 4);
}

static void list_has_no_doubles(void)
{
	struct kvm_msr_list *list = msr_list(device_open());
	u32 i, j;

	for (i = 0; i < list->nmsrs; i++)
		for (j = 0; j < i; j++)
			CHECK_NE(list->indices[i], list->indices[j]);
}

static void listed_msrs_keep_their_value(void)
{
	struct vm *vm = vm_create();
	struct kvm_msr_list *list = msr_list(vm->sys);
	struct vcpu *vcpu;
	u32 i, bad = 0;
	u64 val;

	/* Some of KVM's own MSRs need the in-kernel LAPIC. */
	if (cap(vm->fd, KVM_CAP_IRQCHIP))
		CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	vcpu = vcpu_add(vm, 0);

	for (i = 0; i < list->nmsrs; i++) {
		u32 index = list->indices[i];

		if (msr_get_try(vcpu, index, &val) != 1) {
			ktap_diag("0x%x is listed but cannot be read", index);
			bad++;
		} else if (msr_set_try(vcpu, index, val) != 1) {
			ktap_diag("0x%x does not take its own 0x%llx back", index,
				  (unsigned long long)val);
			bad++;
		}
	}
	CHECK_EQ(bad, 0);
	vm_free(vm);
}

/* What the VMMs write before the first run, with or without being listed. */
static void start_up_msrs(void)
{
	static const struct {
		u32 index;
		u64 val;
	} msrs[] = {
		{ MSR_IA32_SYSENTER_CS, 0 }, { MSR_IA32_SYSENTER_ESP, 0 },
		{ MSR_IA32_SYSENTER_EIP, 0 }, { MSR_STAR, 0 }, { MSR_CSTAR, 0 },
		{ MSR_KERNEL_GS_BASE, 0 }, { MSR_SYSCALL_MASK, 0 },
		{ MSR_LSTAR, 0 }, { MSR_IA32_TSC, 0 },
		{ MSR_IA32_MISC_ENABLE, 1 }, { MSR_MTRRdefType, 0xc06 },
		{ MSR_IA32_CR_PAT, 0x0007040600070406 },
		{ MSR_KVM_SYSTEM_TIME_OLD, 0 }, { MSR_KVM_WALL_CLOCK_OLD, 0 },
		{ MSR_IA32_MCG_STATUS, 0 },
		{ 0x250, 0 }, { 0x258, 0 }, { 0x259, 0 }, { 0x268, 0 }, { 0x26f, 0 },
		{ 0x200, 0 }, { 0x201, 0 }, { 0x20e, 0 }, { 0x20f, 0 },
	};
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 mcg_cap = 10 | BIT(8);	/* ten banks, MCG_CTL present */
	unsigned int bank;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		msr_set(vcpu, msrs[i].index, msrs[i].val);
	/* Without the capability the machine-check MSRs are there from the start. */
	if (cap(vm->sys, KVM_CAP_MCE))
		CHECK_EQ(xioctl(vcpu->fd, KVM_X86_SETUP_MCE, &mcg_cap), 0);
	msr_set(vcpu, MSR_IA32_MCG_CTL, ~0ull);
	for (bank = 0; bank < 10; bank++) {
		msr_set(vcpu, MSR_IA32_MC0_CTL + 4 * bank, ~0ull);
		msr_set(vcpu, MSR_IA32_MC0_CTL + 4 * bank + 1, 0);
		msr_set(vcpu, MSR_IA32_MC0_CTL + 4 * bank + 2, 0);
		msr_set(vcpu, MSR_IA32_MC0_CTL + 4 * bank + 3, 0);
	}
	vm_free(vm);
}

static void stops_at_the_first_failure(void)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry e[4];
	} m = { .head.nmsrs = 4 };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	m.e[0] = (struct kvm_msr_entry){ .index = MSR_STAR, .data = 0x11 };
	m.e[1] = (struct kvm_msr_entry){ .index = MSR_SYSCALL_MASK, .data = 0x22 };
	m.e[2] = (struct kvm_msr_entry){ .index = 0x12345678, .data = 0x33 };
	m.e[3] = (struct kvm_msr_entry){ .index = MSR_KERNEL_GS_BASE, .data = 0x44 };
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MSRS, &m), 2);
	CHECK_EQ(msr_get(vcpu, MSR_STAR), 0x11);
	CHECK_EQ(msr_get(vcpu, MSR_SYSCALL_MASK), 0x22);
	CHECK_EQ(msr_get(vcpu, MSR_KERNEL_GS_BASE), 0);
	m.e[0].data = m.e[1].data = 0;
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_MSRS, &m), 2);
	CHECK_EQ(m.e[0].data, 0x11);
	CHECK_EQ(m.e[1].data, 0x22);
	vm_free(vm);
}

static void call_sizes(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_msrs *m = calloc(1, sizeof(*m) + 300 * sizeof(m->entries[0]));
	u32 i;

	for (i = 0; i < 300; i++)
		m->entries[i].index = MSR_STAR;
	m->nmsrs = 0;
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_MSRS, m), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MSRS, m), 0);
	m->nmsrs = 255;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MSRS, m), 255);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_MSRS, m), 255);
	m->nmsrs = 256;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_MSRS, m), E2BIG);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_MSRS, m), E2BIG);
	m->nmsrs = 0xffffffff;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_MSRS, m), E2BIG);
	vm_free(vm);
}

static void values_stick(void)
{
	static const struct {
		u32 index;
		u64 val;
	} msrs[] = {
		{ MSR_STAR, 0x0023001000000000 }, { MSR_LSTAR, 0xffffffff81000000 },
		{ MSR_CSTAR, 0xffffffff81001000 }, { MSR_SYSCALL_MASK, 0x47700 },
		{ MSR_KERNEL_GS_BASE, 0xffff888000000000 },
		{ MSR_IA32_SYSENTER_CS, 0x10 },
		{ MSR_IA32_SYSENTER_ESP, 0xe0002000 },
		{ MSR_IA32_SYSENTER_EIP, 0x81002000 },
		{ MSR_IA32_CR_PAT, 0x0407050600070106 },
		{ MSR_FS_BASE, 0x7f0000001000 }, { MSR_GS_BASE, 0xffff888000001000 },
	};
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		msr_set(vcpu, msrs[i].index, msrs[i].val);
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		CHECK_EQ(msr_get(vcpu, msrs[i].index), msrs[i].val);
	CHECK_EQ(sregs_get(vcpu).fs.base, 0x7f0000001000);
	CHECK_EQ(sregs_get(vcpu).gs.base, 0xffff888000001000);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(list_size),
	TEST(list_has_no_doubles),
	TEST(listed_msrs_keep_their_value),
	TEST(start_up_msrs),
	TEST(stops_at_the_first_failure),
	TEST(call_sizes),
	TEST(values_stick),
};

KTAP_MAIN(tests)
