// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM's hypercalls: an unknown number is -ENOSYS (KVM's own 1000), user mode is
 * -EPERM, only RAX changes, and outside long mode the upper half is zero.
 */
#include "modes.h"

#define KVM_ENOSYS	1000
#define KVM_EPERM	1

/* The vendor's instruction; KVM takes either, at a price. */
static u64 guest_hypercall(bool intel, u64 nr)
{
	u64 ret = nr, b = 0x1111, c = 0x2222, d = 0x3333;

	if (intel)
		asm volatile(".byte 0x0f, 0x01, 0xc1" : "+a" (ret), "+b" (b), "+c" (c), "+d" (d)
			     :: "memory");
	else
		asm volatile(".byte 0x0f, 0x01, 0xd9" : "+a" (ret), "+b" (b), "+c" (c), "+d" (d)
			     :: "memory");
	GUEST_CHECK_EQ(b, 0x1111);
	GUEST_CHECK_EQ(c, 0x2222);
	GUEST_CHECK_EQ(d, 0x3333);
	return ret;
}

static bool guest_on_intel(void)
{
	return cpuid(0, 0).ebx == 0x756e6547;	/* "Genu" */
}

static void guest_calls(void)
{
	bool intel = guest_on_intel();

	GUEST_CHECK_EQ(guest_hypercall(intel, 0x7777), (u64)-KVM_ENOSYS);
	GUEST_CHECK_EQ(guest_hypercall(intel, ~0ull), (u64)-KVM_ENOSYS);
	GUEST_CHECK_EQ(guest_hypercall(intel, 1), 0);	/* KVM_HC_VAPIC_POLL_IRQ */
	guest_done();
}

static void from_the_kernel(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_calls);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* An INT3 brings user code back. */
static u64 guest_user_result;

static void guest_on_bp(struct guest_frame *frame)
{
	GUEST_CHECK_EQ(frame->cs, SEL_USER_CODE64);
	guest_user_result = frame->rax;
	guest_done();
}

static void guest_user_amd(void)
{
	asm volatile("mov $1, %%eax\n .byte 0x0f, 0x01, 0xd9\n int3" ::: "rax");
}

static void guest_user_intel(void)
{
	asm volatile("mov $1, %%eax\n .byte 0x0f, 0x01, 0xc1\n int3" ::: "rax");
}

static void guest_to_user(void)
{
	void (*fn)(void) = guest_on_intel() ? guest_user_intel : guest_user_amd;

	guest_handlers[BP_VECTOR] = guest_on_bp;
	asm volatile("push %0\n push %%rsp\n pushq $2\n push %1\n push %2\n iretq"
		     :: "r" ((u64)SEL_USER_DATA), "r" ((u64)SEL_USER_CODE64), "r" (fn)
		     : "memory");
}

static void from_user_mode(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 page, *idt;

	vcpu_entry(vcpu, guest_to_user);
	for (page = 0x400000; page < 0x600000; page += PAGE_SIZE)
		*long_pte(vm, page) |= PTE_U;
	/* Let user code use the breakpoint gate. */
	idt = vm_hva(vm, vm->idt64);
	idt[2 * BP_VECTOR] |= 3ull << 45;
	RUN_DONE(vcpu);
	CHECK_EQ(GVAR(vm, guest_user_result), (u64)-KVM_EPERM);
	vm_free(vm);
}

GUEST_CODE(call32, 32,
	"mov $0x7777, %eax\n"
	".byte 0x0f, 0x01, 0xd9\n"
	"hlt\n");

static void outside_long_mode(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u8 *code = vm_hva(vm, REAL_CODE);

	code_load(vm, REAL_CODE, call32);
	if (cpuid(0, 0).ebx == 0x756e6547)
		code[7] = 0xc1;
	vcpu_mode(vcpu, MODE_PROT32, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(regs_get(vcpu).rax, (u32)-KVM_ENOSYS);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(from_the_kernel),
	TEST(from_user_mode),
	TEST(outside_long_mode),
};

KTAP_MAIN(tests)
