// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSR_PLATFORM_INFO and CPUID faulting: the guest reads the MSR unless KVM_CAP_MSR_PLATFORM_INFO takes it away, turns
 * faulting on only where it is announced, and then CPUID is #GP outside CPL 0.
 */
#include "modes.h"

#define MSR_PLATFORM_INFO		0xce
#define MSR_MISC_FEATURES_ENABLES	0x140
#define CPUID_FAULT			BIT(31)

static void guest_reads(void)
{
	u64 val;

	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_PLATFORM_INFO, &val), NO_EXCEPTION);
	GUEST_CHECK_EQ(val, CPUID_FAULT);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_PLATFORM_INFO, val), GP_VECTOR);
	guest_sync(1);
	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_PLATFORM_INFO, &val), GP_VECTOR);
	guest_done();
}

static void may_be_hidden(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_MSR_PLATFORM_INFO);
	vcpu_entry(vcpu, guest_reads);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_MSR_PLATFORM_INFO, 0), 0);
	CHECK_EQ(msr_get(vcpu, MSR_PLATFORM_INFO), CPUID_FAULT);	/* not from user space */
	RUN_DONE(vcpu);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_MSR_PLATFORM_INFO, 1), 0);
	vm_free(vm);
}

static void faulting_must_be_announced(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_MSR_PLATFORM_INFO);
	CHECK_EQ(msr_set_try(vcpu, MSR_MISC_FEATURES_ENABLES, 2), 0);
	msr_set(vcpu, MSR_PLATFORM_INFO, 0);
	CHECK_EQ(msr_set_try(vcpu, MSR_MISC_FEATURES_ENABLES, 1), 0);
	msr_set(vcpu, MSR_MISC_FEATURES_ENABLES, 0);
	msr_set(vcpu, MSR_PLATFORM_INFO, CPUID_FAULT);
	msr_set(vcpu, MSR_MISC_FEATURES_ENABLES, 1);
	/* While it is on its announcement stays. */
	CHECK_EQ(msr_set_try(vcpu, MSR_PLATFORM_INFO, 0), 0);
	CHECK_EQ(msr_get(vcpu, MSR_MISC_FEATURES_ENABLES), 1);
	vm_free(vm);
}

static u64 guest_gp_rip, guest_gp_cs;

static void guest_on_gp(struct guest_frame *frame)
{
	guest_gp_rip = frame->rip;
	guest_gp_cs = frame->cs;
	guest_sync(frame->error);
}

static void guest_on_bp(struct guest_frame *frame)
{
	guest_sync(frame->vector);
	wrmsr(MSR_MISC_FEATURES_ENABLES, 1);
	frame->rip -= 5;	/* back to the CPUID */
}

GUEST_CODE(user, 64,
	"xor %eax, %eax\n"
	"cpuid\n"
	"nop\n"
	"nop\n"
	"int3\n");

static void guest_to_user(void)
{
	wrmsr(MSR_MISC_FEATURES_ENABLES, 0);
	cpuid(0, 0);
	asm volatile("push %0\n push %%rsp\n pushq $2\n push %1\n push %2\n iretq"
		     :: "r" ((u64)SEL_USER_DATA), "r" ((u64)SEL_USER_CODE64), "r" ((u64)REAL_CODE)
		     : "memory");
}

static void faults_in_user_mode(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	u64 *idt;

	guest_handlers[GP_VECTOR] = guest_on_gp;
	guest_handlers[BP_VECTOR] = guest_on_bp;
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	REQUIRE_CAP(vm->fd, KVM_CAP_MSR_PLATFORM_INFO);
	vcpu_entry(vcpu, guest_to_user);
	code_load(vm, REAL_CODE, user);
	*long_pte(vm, REAL_CODE) |= PTE_U;
	idt = vm_hva(vm, vm->idt64);
	idt[2 * BP_VECTOR] |= 3ull << 45;
	RUN_SYNC(vcpu, BP_VECTOR);	/* off: CPUID answers */
	RUN_SYNC(vcpu, 0);		/* on: #GP(0) */
	CHECK_EQ(GVAR(vm, guest_gp_cs), SEL_USER_CODE64);
	CHECK_EQ(msr_get(vcpu, MSR_MISC_FEATURES_ENABLES), 1);
	vm_free(vm);
}

static void guest_asks_in_kernel(void)
{
	wrmsr(MSR_MISC_FEATURES_ENABLES, 1);
	GUEST_TRY("cpuid", , "a" (0) COMMA "c" (0), "rbx", "rdx");
	GUEST_CHECK_EQ(guest_exc()->vector, NO_EXCEPTION);
	guest_done();
}

static void not_in_kernel_mode(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_MSR_PLATFORM_INFO);
	vcpu_entry(vcpu, guest_asks_in_kernel);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(may_be_hidden),
	TEST(faulting_must_be_announced),
	TEST(faults_in_user_mode),
	TEST(not_in_kernel_mode),
};

KTAP_MAIN(tests)
