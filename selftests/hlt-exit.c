// SPDX-License-Identifier: GPL-2.0-only
/*
 * HLT without an in-kernel LAPIC: an exit, RIP behind the instruction, in every
 * mode; the run area's flags are right; the next run goes on.
 */
#include "modes.h"

GUEST_CODE(halts, 16,
	"hlt\n"
	"hlt\n"
	"out %al, $0x42\n");

static void every_mode(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	enum guest_mode mode;

	code_load(vm, REAL_CODE, halts);
	for (mode = 0; mode < NR_MODES; mode++) {
		vcpu_mode(vcpu, mode, REAL_CODE);
		RUN_EXPECT(vcpu, KVM_EXIT_HLT);
		CHECK_EQ(regs_get(vcpu).rip, REAL_CODE + 1);
		CHECK_EQ(vcpu->run->if_flag, 0);
		RUN_EXPECT(vcpu, KVM_EXIT_HLT);
		CHECK_EQ(regs_get(vcpu).rip, REAL_CODE + 2);
		RUN_EXPECT(vcpu, KVM_EXIT_IO);
	}
	vm_free(vm);
}

static void guest_user_halt(void)
{
	asm volatile("hlt");
}

static void guest_on_gp(struct guest_frame *frame)
{
	GUEST_CHECK_EQ(frame->cs, SEL_USER_CODE64);
	GUEST_CHECK_EQ(frame->error, 0);
	GUEST_CHECK_EQ(frame->rip, (u64)(uintptr_t)guest_user_halt);
	guest_done();
}

static void guest_to_user(void)
{
	guest_handlers[GP_VECTOR] = guest_on_gp;
	asm volatile("push %0\n push %%rsp\n pushq $2\n push %1\n push %2\n iretq"
		     :: "r" ((u64)SEL_USER_DATA), "r" ((u64)SEL_USER_CODE64),
		        "r" (guest_user_halt) : "memory");
}

/* Privileged: APM 3, HLT. */
static void user_mode_is_gp(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 page;

	vcpu_entry(vcpu, guest_to_user);
	for (page = 0x400000; page < 0x600000; page += PAGE_SIZE)
		*long_pte(vm, page) |= PTE_U;
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(every_mode),
	TEST(user_mode_is_gp),
};

KTAP_MAIN(tests)
