// SPDX-License-Identifier: GPL-2.0-only
/*
 * An instruction that cannot be emulated: kernel code leaves to user space and takes #UD if it is run again, a user
 * program takes #UD alone; with KVM_CAP_EXIT_ON_EMULATION_FAILURE both leave to user space each time, without #UD.
 */
#include "modes.h"

/* Packed arithmetic on MMIO. */
GUEST_CODE(failing, 64,
	"mov $0xd0000000, %eax\n"
	"paddb (%rax), %xmm0\n"
	"hlt\n");
#define FAILING_AT	5

static struct vcpu *failing_vcpu(struct vm **vm, bool user)
{
	struct vcpu *vcpu;
	struct kvm_sregs s;

	*vm = vm_create();
	REQUIRE_CAP((*vm)->fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE);
	vcpu = vcpu_add(*vm, 0);
	code_load(*vm, REAL_CODE, failing);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	vcpu_exceptions_to_host(vcpu);
	if (!user)
		return vcpu;
	*long_pte(*vm, REAL_CODE) |= PTE_U;
	*long_pte(*vm, VM_MMIO_BASE) |= PTE_U;
	s = sregs_get(vcpu);
	s.cs.selector = SEL_USER_CODE64;
	s.ss.selector = SEL_USER_DATA;
	s.cs.dpl = s.ss.dpl = 3;
	sregs_set(vcpu, &s);
	return vcpu;
}

static void expect_failure(struct vcpu *vcpu)
{
	static const u8 insn[] = { 0x66, 0x0f, 0xfc, 0x00 };

	RUN_EXPECT(vcpu, KVM_EXIT_INTERNAL_ERROR);
	CHECK_EQ(vcpu->run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
	CHECK(vcpu->run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES);
	CHECK_MEM(vcpu->run->emulation_failure.insn_bytes, insn, sizeof(insn));
	CHECK_EQ(regs_get(vcpu).rip, REAL_CODE + FAILING_AT);
}

static void expect_ud(struct vcpu *vcpu)
{
	struct guest_exc exc;

	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK(exception_read(vcpu, MODE_LONG64, &exc));
	CHECK_EQ(exc.vector, UD_VECTOR);
	CHECK_EQ(exc.rip, REAL_CODE + FAILING_AT);
}

static void of_the_kernel(void)
{
	struct vm *vm;
	struct vcpu *vcpu = failing_vcpu(&vm, false);

	expect_failure(vcpu);
	expect_ud(vcpu);
	vm_free(vm);
}

static void of_a_user_program(void)
{
	struct vm *vm;
	struct vcpu *vcpu = failing_vcpu(&vm, true);

	expect_ud(vcpu);
	vm_free(vm);
}

static void always_to_user_space(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	int user;

	for (user = 0; user < 2; user++) {
		vcpu = failing_vcpu(&vm, user);
		CHECK_EQ(cap_enable(vm->fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1), 0);
		expect_failure(vcpu);
		expect_failure(vcpu);
		CHECK_EQ(cap_enable(vm->fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 0), 0);
		if (!user)
			expect_failure(vcpu);
		expect_ud(vcpu);
		vm_free(vm);
	}
}

static void arguments(void)
{
	struct vm *vm = vm_create_bare();

	REQUIRE_CAP(vm->fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 2), EINVAL);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE, BIT(32) | 1), EINVAL);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1), 0);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 0), 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(of_the_kernel),
	TEST(of_a_user_program),
	TEST(always_to_user_space),
	TEST(arguments),
};

KTAP_MAIN(tests)
