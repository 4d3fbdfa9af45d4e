// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_REGS and KVM_GET_REGS, KVM_SET_SREGS and KVM_GET_SREGS: what is set
 * is read back, what is set is what the guest has, what the guest leaves is
 * what is read.
 */
#include "modes.h"

static struct kvm_regs pattern_regs(u64 seed)
{
	struct kvm_regs regs;
	u64 *r = (u64 *)&regs;
	size_t i;

	for (i = 0; i < sizeof(regs) / 8; i++)
		r[i] = (i + 1) * 0x0101010101010101 * seed;
	regs.rip = REAL_CODE;
	regs.rflags = X86_EFLAGS_FIXED;
	return regs;
}

static void set_then_get(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_regs set = pattern_regs(1), got;

	set.rflags = X86_EFLAGS_FIXED | X86_EFLAGS_CF | X86_EFLAGS_DF;
	set.rip = 0x123456789abc;
	regs_set(vcpu, &set);
	got = regs_get(vcpu);
	CHECK_MEM(&set, &got, sizeof(set));
	vm_free(vm);
}

/* Bit 1 of RFLAGS is one in every read (APM 2, 3.1.6). */
static void rflags_fixed_bit(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_regs regs = regs_get(vcpu);

	regs.rflags = 0;
	regs_set(vcpu, &regs);
	CHECK_EQ(regs_get(vcpu).rflags, X86_EFLAGS_FIXED);
	vm_free(vm);
}

GUEST_CODE(invert, 64,
	"not %rax\n" "not %rbx\n" "not %rcx\n" "not %rdx\n"
	"not %rsi\n" "not %rdi\n" "not %rbp\n" "not %rsp\n"
	"not %r8\n" "not %r9\n" "not %r10\n" "not %r11\n"
	"not %r12\n" "not %r13\n" "not %r14\n" "not %r15\n"
	"stc\n"
	"hlt");

static void guest_has_them(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_regs set, got;
	u64 *s = (u64 *)&set, *g = (u64 *)&got;
	unsigned int i, round;

	code_load(vm, REAL_CODE, invert);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	for (round = 1; round < 4; round++) {
		set = pattern_regs(round);
		regs_set(vcpu, &set);
		RUN_EXPECT(vcpu, KVM_EXIT_HLT);
		got = regs_get(vcpu);
		for (i = 0; i < 16; i++)	/* rip and rflags come last */
			CHECK_EQ(g[i], ~s[i]);
		CHECK_EQ(got.rip, REAL_CODE + (u64)(invert_end - invert_start));
		CHECK_EQ(got.rflags, X86_EFLAGS_FIXED | X86_EFLAGS_CF);
	}
	vm_free(vm);
}

static void sregs_set_then_get(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_sregs set, got;
	enum guest_mode mode;

	for (mode = 0; mode < NR_MODES; mode++) {
		vcpu_mode(vcpu, mode, REAL_CODE);
		set = sregs_get(vcpu);
		set.cr2 = 0x1234567890;
		set.cr8 = 5;
		set.fs.base = 0x11223344;
		set.gs.base = 0x55667788;
		set.ldt = (struct kvm_segment){
			.base = 0x3000, .limit = 0x57, .selector = 0x40,
			.type = 2, .present = 1,
		};
		sregs_set(vcpu, &set);
		got = sregs_get(vcpu);
		if (memcmp(&set, &got, sizeof(set)))
			FAIL("mode %s: special registers differ", mode_names[mode]);
		sregs_set(vcpu, &got);
		got = sregs_get(vcpu);
		CHECK_MEM(&set, &got, sizeof(set));
	}
	vm_free(vm);
}

/* Every attribute bit of every data segment on its own. */
static void segment_bits(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_sregs set, got;
	unsigned int i;

	vcpu_mode(vcpu, MODE_PROT32, REAL_CODE);
	for (i = 0; i < 16; i++) {
		set = sregs_get(vcpu);
		set.fs = (struct kvm_segment){
			.base = 0x1000 * i, .limit = i & 1 ? 0xffffffff : 0x1fff,
			.selector = (u16)(8 * i + 3), .type = (u8)(1 | (i & 6)),
			.present = 1, .dpl = i & 3, .db = i >> 3 & 1, .s = 1,
			.g = i & 1, .avl = i >> 1 & 1,
		};
		sregs_set(vcpu, &set);
		got = sregs_get(vcpu);
		CHECK_MEM(&set.fs, &got.fs, sizeof(set.fs));
	}
	vm_free(vm);
}

static void guest_special(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) table;
	u16 sel;

	GUEST_CHECK_EQ(GUEST_READ_CR(2), 0xabcdef);
	GUEST_CHECK_EQ(rdmsr(MSR_FS_BASE), 0x1234560);
	asm volatile("sgdt %0" : "=m" (table));
	GUEST_CHECK_EQ(table.limit, 0x3f);
	asm volatile("sidt %0" : "=m" (table));
	GUEST_CHECK_EQ(table.limit, 0xfff);
	asm volatile("str %0" : "=r" (sel));
	GUEST_CHECK_EQ(sel, SEL_TSS);
	asm volatile("sldt %0" : "=r" (sel));
	GUEST_CHECK_EQ(sel, 0x40);
	GUEST_WRITE_CR(2, 0x777000);
	wrmsr(MSR_FS_BASE, 0xffff800000001000);
	GUEST_WRITE_CR(0, GUEST_READ_CR(0) | X86_CR0_AM);
	GUEST_WRITE_CR(4, GUEST_READ_CR(4) | X86_CR4_PGE | X86_CR4_DE);
	GUEST_WRITE_CR(8, 9);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	guest_done();
}

static void sregs_and_guest(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_sregs set, got;

	vcpu_entry(vcpu, guest_special);
	set = sregs_get(vcpu);
	set.cr2 = 0xabcdef;
	set.fs.base = 0x1234560;
	set.ldt = (struct kvm_segment){
		.base = 0x3000, .limit = 0x57, .selector = 0x40,
		.type = 2, .present = 1,
	};
	sregs_set(vcpu, &set);
	RUN_DONE(vcpu);
	got = sregs_get(vcpu);
	CHECK_EQ(got.cr2, 0x777000);
	CHECK_EQ(got.fs.base, 0xffff800000001000);
	CHECK_EQ(got.cr0, set.cr0 | X86_CR0_AM);
	CHECK_EQ(got.cr4, set.cr4 | X86_CR4_PGE | X86_CR4_DE);
	CHECK_EQ(got.cr8, 9);
	CHECK_EQ(got.efer, set.efer | EFER_SCE);
	CHECK_EQ(got.cr3, set.cr3);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(set_then_get),
	TEST(rflags_fixed_bit),
	TEST(guest_has_them),
	TEST(sregs_set_then_get),
	TEST(segment_bits),
	TEST(sregs_and_guest),
};

KTAP_MAIN(tests)
