// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_SREGS with what no CPU accepts: EINVAL, and not one register has
 * changed, the valid ones of the same call included.
 */
#include <stdlib.h>

#include "modes.h"

static void refused(struct vcpu *vcpu, const struct kvm_sregs *bad, const char *what)
{
	struct kvm_sregs before = sregs_get(vcpu), after, set = *bad;
	long r;

	set.cr2 ^= 0x5000;
	set.fs.base ^= 0x1000;
	r = xioctl(vcpu->fd, KVM_SET_SREGS, &set);
	if (r != -EINVAL)
		FAIL("%s: %s, expected EINVAL", what, errno_name(r));
	after = sregs_get(vcpu);
	if (memcmp(&before, &after, sizeof(before)))
		FAIL("%s: refused, yet something changed", what);
}

static struct vm *vm_in_mode(struct vcpu **vcpu, enum guest_mode mode)
{
	struct vm *vm = vm_create();

	*vcpu = vcpu_add(vm, 0);
	vcpu_mode(*vcpu, mode, REAL_CODE);
	return vm;
}

/* Bits that no CPU has, one at a time. */
static void cr4_reserved(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_in_mode(&vcpu, MODE_LONG64);
	static const u8 bits[] = { 15, 26, 31, 32, 40, 63 };
	struct kvm_sregs s;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		s = sregs_get(vcpu);
		s.cr4 |= BIT(bits[i]);
		refused(vcpu, &s, "reserved bit of CR4");
	}
	vm_free(vm);
}

/* Bits whose CPUID feature the table lacks (SDM 3, 2.5). */
static void cr4_without_feature(void)
{
	static const struct {
		u64 cr4;
		u32 leaf;
		int reg;	/* 1 ebx, 2 ecx */
		u8 bit;
	} deps[] = {
		{ X86_CR4_UMIP, 7, 2, 2 },
		{ X86_CR4_FSGSBASE, 7, 1, 0 },
		{ X86_CR4_PCIDE, 1, 2, 17 },
		{ X86_CR4_OSXSAVE, 1, 2, 26 },
		{ X86_CR4_SMEP, 7, 1, 7 },
		{ X86_CR4_SMAP, 7, 1, 20 },
		{ X86_CR4_PKE, 7, 2, 3 },
		{ X86_CR4_LA57, 7, 2, 16 },
		{ X86_CR4_VMXE, 1, 2, 5 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(deps); i++) {
		struct vm *vm = vm_create();
		struct vcpu *vcpu = vcpu_add(vm, 0);
		struct kvm_cpuid2 *table = supported_cpuid(vm->sys);
		struct kvm_cpuid_entry2 *e = cpuid_entry(table, deps[i].leaf, 0);
		struct kvm_sregs s;

		if (e && deps[i].reg == 1)
			e->ebx &= ~(u32)BIT(deps[i].bit);
		else if (e)
			e->ecx &= ~(u32)BIT(deps[i].bit);
		cpuid_set(vcpu, table);
		vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
		s = sregs_get(vcpu);
		s.cr4 |= deps[i].cr4;
		refused(vcpu, &s, "CR4 bit without its CPUID feature");
		free(table);
		vm_free(vm);
	}
}

/* Combinations that long mode forbids (APM 2, 14.6.1). */
static void long_mode_combinations(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_in_mode(&vcpu, MODE_LONG64);
	struct kvm_sregs good = sregs_get(vcpu), s;

	s = good;
	s.cr4 &= ~X86_CR4_PAE;
	refused(vcpu, &s, "long mode without PAE");
	s = good;
	s.efer &= ~EFER_LMA;
	refused(vcpu, &s, "paging with LME and without LMA");
	vm_free(vm);
}

/* What belongs to long mode, outside of it. */
static void legacy_mode_combinations(void)
{
	static const enum guest_mode modes[] = { MODE_REAL16, MODE_PROT32, MODE_PAGED32 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct vcpu *vcpu;
		struct vm *vm = vm_in_mode(&vcpu, modes[i]);
		struct kvm_sregs good = sregs_get(vcpu), s;

		s = good;
		s.efer |= EFER_LMA;
		refused(vcpu, &s, "LMA outside long mode");
		s = good;
		s.cs.l = 1;
		refused(vcpu, &s, "CS.L outside long mode");
		vm_free(vm);
	}
}

static void cr3_reserved(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_in_mode(&vcpu, MODE_LONG64);
	struct kvm_sregs s = sregs_get(vcpu);

	s.cr3 |= BIT(62);
	refused(vcpu, &s, "bit 62 of CR3 in long mode");
	s.cr3 = sregs_get(vcpu).cr3 | BIT(52);
	refused(vcpu, &s, "bit 52 of CR3 in long mode");
	vm_free(vm);
}

static void apic_base(void)
{
	static const u64 bad[] = {
		BIT(0), BIT(7), BIT(9), BIT(52), BIT(63),
		/* x2APIC without the enable bit (SDM 3, 11.12.5). */
		APIC_BASE_X2APIC,
	};
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu;
	struct kvm_sregs s;
	size_t i;

	CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	vcpu = vcpu_add_bare(vm, 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		s = sregs_get(vcpu);
		s.apic_base = bad[i] == APIC_BASE_X2APIC ?
			(s.apic_base & ~APIC_BASE_ENABLE) | bad[i] : s.apic_base | bad[i];
		refused(vcpu, &s, "APIC base");
	}
	vm_free(vm);
}

static void interrupt_bitmap(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_in_mode(&vcpu, MODE_LONG64);
	struct kvm_sregs s = sregs_get(vcpu), got;

	/* One pending interrupt is a state; it is read back. */
	s.interrupt_bitmap[1] = BIT(5);
	sregs_set(vcpu, &s);
	got = sregs_get(vcpu);
	CHECK_EQ(got.interrupt_bitmap[0], 0);
	CHECK_EQ(got.interrupt_bitmap[1], BIT(5));
	CHECK_EQ(got.interrupt_bitmap[2], 0);
	vm_free(vm);
}

/* Any mode at once, from any other, before there is a CPUID table. */
static void any_mode_in_one_step(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0), *bare;
	struct kvm_sregs want[NR_MODES], got;
	enum guest_mode from, to;

	for (to = 0; to < NR_MODES; to++) {
		vcpu_mode(vcpu, to, REAL_CODE);
		want[to] = sregs_get(vcpu);
		want[to].apic_base = 0;
	}
	bare = vcpu_add_bare(vm, 1);
	for (from = 0; from < NR_MODES; from++)
		for (to = 0; to < NR_MODES; to++) {
			want[from].apic_base = sregs_get(bare).apic_base;
			want[to].apic_base = want[from].apic_base;
			sregs_set(bare, &want[from]);
			sregs_set(bare, &want[to]);
			got = sregs_get(bare);
			CHECK_MEM(&got, &want[to], sizeof(got));
		}
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(cr4_reserved),
	TEST(cr4_without_feature),
	TEST(long_mode_combinations),
	TEST(legacy_mode_combinations),
	TEST(cr3_reserved),
	TEST(apic_base),
	TEST(interrupt_bitmap),
	TEST(any_mode_in_one_step),
};

KTAP_MAIN(tests)
