// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_SUPPORTED_CPUID, KVM_SET_CPUID2, KVM_GET_CPUID2: sizes, round trip,
 * and when a table may still change.
 */
#include <stdlib.h>

#include "modes.h"

static struct kvm_cpuid2 *table_alloc(u32 nent)
{
	struct kvm_cpuid2 *t = calloc(1, sizeof(*t) + (nent + 1) * sizeof(t->entries[0]));

	CHECK(t);
	t->nent = nent;
	return t;
}

static void supported_short_buffer(void)
{
	int sys = device_open();
	struct kvm_cpuid2 *full = supported_cpuid(sys), *t;
	u32 nent;

	for (nent = 0; nent < full->nent; nent++) {
		t = table_alloc(nent);
		CHECK_ERR(xioctl(sys, KVM_GET_SUPPORTED_CPUID, t), E2BIG);
		free(t);
	}
	t = table_alloc(full->nent);
	CHECK_EQ(xioctl(sys, KVM_GET_SUPPORTED_CPUID, t), 0);
	CHECK_EQ(t->nent, full->nent);
	/* Clients stop at 80 (rust-vmm). */
	CHECK_LE(full->nent, 80);
}

static void supported_contents(void)
{
	int sys = device_open();
	struct kvm_cpuid2 *t = supported_cpuid(sys);
	static const u32 leaves[] = {
		0, 1, 7, 0xd, 0x40000000, 0x40000001, 0x80000000, 0x80000001,
		0x80000002, 0x80000003, 0x80000004, 0x80000005, 0x80000006,
		0x80000008,
	};
	struct cpuid_regs host = cpuid(0, 0);
	struct kvm_cpuid_entry2 *e;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++)
		if (!cpuid_entry(t, leaves[i], 0))
			FAIL("no entry for leaf 0x%x", leaves[i]);
	e = cpuid_entry(t, 0, 0);
	CHECK_EQ(e->ebx, host.ebx);
	CHECK_EQ(e->ecx, host.ecx);
	CHECK_EQ(e->edx, host.edx);
	e = cpuid_entry(t, 0x40000000, 0);
	CHECK_EQ(e->eax, 0x40000001);
	CHECK_EQ(e->ebx, 0x4b4d564b);	/* "KVMK" */
	CHECK_EQ(e->ecx, 0x564b4d56);	/* "VMKV" */
	CHECK_EQ(e->edx, 0x4d);		/* "M" */
	e = cpuid_entry(t, 1, 0);
	CHECK(e->ecx & BIT(21));	/* x2APIC is always offered */
	CHECK(e->edx & BIT(6));		/* PAE */
	e = cpuid_entry(t, 0x80000001, 0);
	CHECK(e->edx & BIT(29));	/* long mode */
}

static void round_trip(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys), *got;

	cpuid_set(vcpu, t);
	got = table_alloc(t->nent);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_CPUID2, got), 0);
	CHECK_EQ(got->nent, t->nent);
	/* Bits that follow the vCPU's state are kept up to date: set them again. */
	cpuid_set(vcpu, got);
	memcpy(t, got, sizeof(*t) + got->nent * sizeof(t->entries[0]));
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_CPUID2, got), 0);
	CHECK_MEM(t, got, sizeof(*t) + t->nent * sizeof(t->entries[0]));
	vm_free(vm);
}

static void get_short_buffer(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys), *got;

	cpuid_set(vcpu, t);
	got = table_alloc(t->nent - 1);
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_CPUID2, got), E2BIG);
	got->nent = 0;
	CHECK_ERR(xioctl(vcpu->fd, KVM_GET_CPUID2, got), E2BIG);
	vm_free(vm);
}

static void empty_at_first(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_cpuid2 *got = table_alloc(0);

	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_CPUID2, got), 0);
	vm_free(vm);
}

static void set_sizes(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_cpuid2 *t = table_alloc(300);
	u32 i;

	for (i = 0; i < 300; i++)
		t->entries[i].function = 0x50000000 + i;
	t->nent = 257;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_CPUID2, t), E2BIG);
	t->nent = 0xffffffff;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_CPUID2, t), E2BIG);
	t->nent = 256;
	cpuid_set(vcpu, t);
	t->nent = 0;
	cpuid_set(vcpu, t);
	vm_free(vm);
}

/* Leaves nobody knows, all-zero entries, hypervisor leaves elsewhere. */
static void odd_entries(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);
	struct kvm_cpuid_entry2 *e = &t->entries[t->nent];

	e[0] = (struct kvm_cpuid_entry2){ .function = 0x40000010, .eax = 5 };
	e[1] = (struct kvm_cpuid_entry2){ .function = 0x40000100, .eax = 0x40000101 };
	e[2] = (struct kvm_cpuid_entry2){ .function = 0x12345678, .edx = 1 };
	e[3] = (struct kvm_cpuid_entry2){
		.function = 2, .flags = KVM_CPUID_FLAG_STATEFUL_FUNC |
					KVM_CPUID_FLAG_STATE_READ_NEXT,
	};
	t->nent += 4;
	cpuid_set(vcpu, t);
	vm_free(vm);
}

/* Features that the hypervisor lacks are the VMM's business. */
static void unsupported_features(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);
	struct kvm_cpuid_entry2 *e = cpuid_entry(t, 1, 0);

	e->ecx |= BIT(24) | BIT(3) | BIT(31);	/* TSC deadline, MONITOR */
	e->edx |= BIT(12) | BIT(7) | BIT(14);	/* MTRR, MCE, MCA */
	cpuid_set(vcpu, t);
	vm_free(vm);
}

static void after_the_first_run(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);

	memset(vm_hva(vm, REAL_CODE), 0xf4, 1);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_CPUID2, t), 0);
	/* The very same table is no change. */
	cpuid_set(vcpu, t);
	cpuid_entry(t, 0, 0)->ebx ^= 1;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_CPUID2, t), EINVAL);
	cpuid_entry(t, 0, 0)->ebx ^= 1;
	t->nent--;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_CPUID2, t), EINVAL);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(supported_short_buffer),
	TEST(supported_contents),
	TEST(round_trip),
	TEST(get_short_buffer),
	TEST(empty_at_first),
	TEST(set_sizes),
	TEST(odd_entries),
	TEST(unsupported_features),
	TEST(after_the_first_run),
};

KTAP_MAIN(tests)
