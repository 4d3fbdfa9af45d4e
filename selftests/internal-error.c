// SPDX-License-Identifier: GPL-2.0-only
/*
 * What cannot be executed ends in an internal-error exit that says so: code
 * fetched from where no memory is, and an instruction on MMIO that nobody
 * emulates, whose bytes are in the exit. Never a hang, never a guess.
 */
#include "modes.h"

#define HOLE	0x20000000ul

static void expect_error(struct vcpu *vcpu, u64 rip)
{
	RUN_EXPECT(vcpu, KVM_EXIT_INTERNAL_ERROR);
	CHECK_EQ(vcpu->run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	CHECK_EQ(regs_get(vcpu).rip, rip);
}

static void no_memory_at_the_reset_vector(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);

	slot_set(vm, 0, 0, 0, PAGE_SIZE, pages_map(PAGE_SIZE));
	expect_error(vcpu, 0xfff0);
	vm_free(vm);
}

/* KVM refuses to run with ENOSPC here: it never counted a page. */
static void no_slot_at_all(void)
{
	struct vm *vm = vm_create_bare();
	struct vcpu *vcpu = vcpu_add_bare(vm, 0);
	long r = run_try(vcpu);

	if (r != -ENOSPC) {
		CHECK_EQ(r, 0);
		CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTERNAL_ERROR);
	}
	slot_set(vm, 0, 0, 0xffff0000, 0x10000, memset(pages_map(0x10000), 0xf4, 0x10000));
	CHECK_EQ(regs_get(vcpu).rip, 0xfff0);
	vm_free(vm);
}

static void fetch_from_a_hole(void)
{
	static const enum guest_mode modes[] = { MODE_PROT32, MODE_PAGED32, MODE_LONG64 };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	size_t i;

	for (i = 0; i < 3 * ARRAY_SIZE(modes); i++) {
		vcpu_mode(vcpu, modes[i % 3], HOLE);
		expect_error(vcpu, HOLE);
	}
	vm_free(vm);
}

/* The hole filled in: the same instruction now runs. */
static void goes_on_when_cured(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *mem = pages_map(PAGE_SIZE);

	vcpu_mode(vcpu, MODE_LONG64, HOLE);
	expect_error(vcpu, HOLE);
	mem[0] = 0xf4;
	/* Setting the registers drops what KVM queued with the error. */
	vcpu_mode(vcpu, MODE_LONG64, HOLE);
	slot_set(vm, 1, 0, HOLE, PAGE_SIZE, mem);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(regs_get(vcpu).rip, HOLE + 1);
	vm_free(vm);
}

/* FXSAVE-family and packed arithmetic on MMIO: nobody's driver does that. */
GUEST_CODE(exotic, 64,
	"mov $0xd0000000, %eax\n"
	"paddb (%rax), %xmm0\n"
	"hlt\n");

static void exotic_instruction(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	static const u8 insn[] = { 0x66, 0x0f, 0xfc, 0x00 };
	const u8 *bytes;

	code_load(vm, REAL_CODE, exotic);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	expect_error(vcpu, REAL_CODE + 5);
	CHECK(vcpu->run->emulation_failure.ndata >= 3);
	CHECK(vcpu->run->emulation_failure.flags &
	      KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
	bytes = vcpu->run->emulation_failure.insn_bytes;
	CHECK_GE(vcpu->run->emulation_failure.insn_size, sizeof(insn));
	CHECK_MEM(bytes, insn, sizeof(insn));
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(no_memory_at_the_reset_vector),
	TEST(no_slot_at_all),
	TEST(fetch_from_a_hole),
	TEST(goes_on_when_cured),
	TEST(exotic_instruction),
};

KTAP_MAIN(tests)
