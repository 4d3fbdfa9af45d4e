// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR and WRMSR in the guest: what the host set is read, what the guest
 * writes the host reads; unknown MSRs and forbidden values are #GP(0) and
 * change nothing.
 */
#include <stdlib.h>

#include "modes.h"

static const u32 plain[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, MSR_FS_BASE,
};

static void guest_swaps(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(plain); i++) {
		GUEST_CHECK_EQ(rdmsr(plain[i]), 0x1000 + i);
		wrmsr(plain[i], 0x2000 + i);
		GUEST_CHECK_EQ(rdmsr(plain[i]), 0x2000 + i);
	}
	GUEST_CHECK_EQ(rdmsr(MSR_IA32_CR_PAT), 0x0007040600070406);
	wrmsr(MSR_IA32_CR_PAT, 0x0407050600070106);
	guest_done();
}

static void shared_with_the_host(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u32 i;

	vcpu_entry(vcpu, guest_swaps);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		msr_set(vcpu, plain[i], 0x1000 + i);
	RUN_DONE(vcpu);
	for (i = 0; i < ARRAY_SIZE(plain); i++)
		CHECK_EQ(msr_get(vcpu, plain[i]), 0x2000 + i);
	CHECK_EQ(msr_get(vcpu, MSR_IA32_CR_PAT), 0x0407050600070106);
	vm_free(vm);
}

static const u32 unknown[] = {
	0x12345678, 0x5, 0x4000, 0xc0002fff, 0xc0010fff, 0xc0020000, 0x80000000,
	0xffffffff, 0x4b564d20,
};

static void guest_unknown(void)
{
	u64 val = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		GUEST_CHECK_EQ(guest_rdmsr_safe(unknown[i], &val), GP_VECTOR);
		GUEST_CHECK_EQ(guest_exc()->error, 0);
		GUEST_CHECK_EQ(guest_wrmsr_safe(unknown[i], 0), GP_VECTOR);
		GUEST_CHECK_EQ(guest_exc()->error, 0);
	}
	guest_done();
}

static void unknown_is_gp(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 val;
	u32 i;

	vcpu_entry(vcpu, guest_unknown);
	RUN_DONE(vcpu);
	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		CHECK_EQ(msr_get_try(vcpu, unknown[i], &val), 0);
		CHECK_EQ(msr_set_try(vcpu, unknown[i], 0), 0);
	}
	vm_free(vm);
}

static void guest_bad_values(void)
{
	u64 efer = rdmsr(MSR_EFER), pat = rdmsr(MSR_IA32_CR_PAT);

	/* Reserved bits; LME may not change while paging is on. */
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_EFER, efer | BIT(1)), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_EFER, efer | BIT(40)), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_EFER, efer & ~EFER_LME), GP_VECTOR);
	/* Memory types that do not exist. */
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_IA32_CR_PAT, 0x02), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_IA32_CR_PAT, 0x08), GP_VECTOR);
	/* Read only. */
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_MTRRcap, 0), GP_VECTOR);
	/* Nothing of that changed anything. */
	GUEST_CHECK_EQ(rdmsr(MSR_EFER), efer);
	GUEST_CHECK_EQ(rdmsr(MSR_IA32_CR_PAT), pat);
	GUEST_CHECK_EQ(rdmsr(MSR_LSTAR), 0x5000);
	guest_done();
}

static void bad_values_are_gp(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_bad_values);
	msr_set(vcpu, MSR_LSTAR, 0x5000);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* APM 2, 5.3.1. */
static void guest_non_canonical(void)
{
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_LSTAR, BIT(63)), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_CSTAR, BIT(50)), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_KERNEL_GS_BASE, BIT(48)), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_FS_BASE, BIT(47)), GP_VECTOR);
	guest_done();
}

static void non_canonical_is_gp(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	if (host_is_tcg())
		ktap_skip("QEMU's emulation takes non-canonical addresses in MSRs");
	vcpu_entry(vcpu, guest_non_canonical);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* LMA is the CPU's, whatever is written. */
static void guest_efer(void)
{
	u64 efer = rdmsr(MSR_EFER);

	GUEST_CHECK_EQ(efer & (EFER_LMA | EFER_LME), EFER_LMA | EFER_LME);
	wrmsr(MSR_EFER, efer | EFER_SCE);
	GUEST_CHECK_EQ(rdmsr(MSR_EFER), efer | EFER_SCE);
	wrmsr(MSR_EFER, efer);
	GUEST_CHECK_EQ(rdmsr(MSR_EFER), efer);
	guest_done();
}

static void efer(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_efer);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_upper_ignored(void)
{
	u64 a = ~0ull, d = ~0ull;

	/* Results are zero-extended; the upper half of RCX does not count. */
	asm volatile("rdmsr" : "+a" (a), "+d" (d)
		     : "c" (0xffffffff00000000ull | MSR_STAR));
	GUEST_CHECK_EQ(a, 0x55667788);
	GUEST_CHECK_EQ(d, 0x11223344);
	guest_done();
}

static void operand_widths(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_upper_ignored);
	msr_set(vcpu, MSR_STAR, 0x1122334455667788);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_user_code(void)
{
	asm volatile("rdmsr" :: "c" (MSR_STAR) : "eax", "edx");
}

static u64 guest_user_error = ~0ull;

static void guest_on_gp(struct guest_frame *frame)
{
	GUEST_CHECK_EQ(frame->cs, SEL_USER_CODE64);
	guest_user_error = frame->error;
	guest_done();
}

static void guest_to_user(void)
{
	guest_handlers[GP_VECTOR] = guest_on_gp;
	asm volatile("push %0\n push %%rsp\n pushq $2\n push %1\n push %2\n iretq"
		     :: "r" ((u64)SEL_USER_DATA), "r" ((u64)SEL_USER_CODE64),
		        "r" (guest_user_code) : "memory");
}

static void user_mode_is_gp(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 page;

	vcpu_entry(vcpu, guest_to_user);
	for (page = 0x400000; page < 0x600000; page += PAGE_SIZE)
		*long_pte(vm, page) |= PTE_U;
	RUN_DONE(vcpu);
	CHECK_EQ(GVAR(vm, guest_user_error), 0);
	vm_free(vm);
}

/* User space may set what the CPU has before, or without, telling the guest of it. */
static void efer_by_user_space(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	struct kvm_cpuid2 *table = supported_cpuid(vm->sys);
	struct kvm_cpuid_entry2 *entry = cpuid_entry(table, 0x80000001, 0);
	const u64 given = EFER_SCE | EFER_LME | EFER_NX;

	CHECK(entry);
	entry->edx &= ~(u32)(BIT(11) | BIT(20) | BIT(29));	/* SYSCALL, NX, long mode */
	cpuid_set(vcpu, table);
	CHECK_EQ(msr_set_try(vcpu, MSR_EFER, given), 1);
	CHECK_EQ(msr_get(vcpu, MSR_EFER), given);
	/* What the CPU lacks. */
	CHECK_EQ(msr_set_try(vcpu, MSR_EFER, BIT(1)), 0);
	CHECK_EQ(msr_set_try(vcpu, MSR_EFER, given | BIT(40)), 0);
	CHECK_EQ(msr_get(vcpu, MSR_EFER), given);
	/* The CPU's own. */
	CHECK_EQ(msr_set_try(vcpu, MSR_EFER, EFER_LME | EFER_LMA), 1);
	CHECK_EQ(msr_get(vcpu, MSR_EFER), EFER_LME);
	CHECK_EQ(msr_set_try(vcpu, MSR_EFER, 0), 1);
	CHECK_EQ(msr_get(vcpu, MSR_EFER), 0);
	free(table);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(shared_with_the_host),
	TEST(unknown_is_gp),
	TEST(bad_values_are_gp),
	TEST(non_canonical_is_gp),
	TEST(efer),
	TEST(efer_by_user_space),
	TEST(operand_widths),
	TEST(user_mode_is_gp),
};

KTAP_MAIN(tests)
