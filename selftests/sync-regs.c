// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_SYNC_REGS: the register sets that kvm_valid_regs names are in kvm_run after every return, and those that
 * kvm_dirty_regs names are taken before the guest runs and unmarked. What no set has a bit for, and sets with
 * bad contents, are refused.
 */
#include "modes.h"

#define ALL	(KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

GUEST_CODE(counts, 64,
	"1: out %al, $0x42\n"
	"inc %rbx\n"
	"jmp 1b\n");

static struct vm *vm_counting(struct vcpu **vcpu)
{
	struct vm *vm = vm_create();

	CHECK_EQ(REQUIRE_CAP(vm->fd, KVM_CAP_SYNC_REGS), ALL);
	*vcpu = vcpu_add(vm, 0);
	code_load(vm, REAL_CODE, counts);
	vcpu_mode(*vcpu, MODE_LONG64, REAL_CODE);
	return vm;
}

static void refusals(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);

	vcpu->run->kvm_valid_regs = ALL | 8;
	CHECK_ERR(run_try(vcpu), EINVAL);
	vcpu->run->kvm_valid_regs = BIT(63);
	CHECK_ERR(run_try(vcpu), EINVAL);
	vcpu->run->kvm_valid_regs = 0;
	vcpu->run->kvm_dirty_regs = 8;
	CHECK_ERR(run_try(vcpu), EINVAL);
	vcpu->run->kvm_dirty_regs = 0;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	vm_free(vm);
}

static void nothing_asked_nothing_stored(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);

	memset(&vcpu->run->s, 0x5a, sizeof(vcpu->run->s));
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->s.regs.regs.rip, 0x5a5a5a5a5a5a5a5a);
	vcpu->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->s.regs.regs.rip, regs_get(vcpu).rip);
	CHECK_EQ(vcpu->run->s.regs.sregs.cr3, 0x5a5a5a5a5a5a5a5a);
	vm_free(vm);
}

static void stored_as_the_ioctls_tell(void)
{
	struct kvm_vcpu_events events;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);

	vcpu->run->kvm_valid_regs = ALL;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	regs = regs_get(vcpu);
	sregs = sregs_get(vcpu);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events), 0);
	CHECK_MEM(&vcpu->run->s.regs.regs, &regs, sizeof(regs));
	CHECK_MEM(&vcpu->run->s.regs.sregs, &sregs, sizeof(sregs));
	CHECK_MEM(&vcpu->run->s.regs.events, &events, sizeof(events));
	/* After an error too. */
	vcpu->run->s.regs.regs.rip = 0;
	vcpu->run->immediate_exit = 1;
	CHECK_ERR(run_try(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
	CHECK_NE(vcpu->run->s.regs.regs.rip, 0);
	vm_free(vm);
}

static void dirty_sets_are_taken(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	struct kvm_run *run = vcpu->run;

	run->kvm_valid_regs = ALL;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	run->s.regs.regs.rbx = 1000;
	run->s.regs.sregs.cr2 = 0x4000;
	/* Not marked: not taken. */
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(run->s.regs.regs.rbx, 1);
	CHECK_EQ(run->s.regs.sregs.cr2, 0);

	run->s.regs.regs.rbx = 1000;
	run->s.regs.sregs.cr2 = 0x4000;
	run->s.regs.events.nmi.masked = 1;
	run->kvm_dirty_regs = ALL;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(run->kvm_dirty_regs, 0);
	CHECK_EQ(run->s.regs.regs.rbx, 1001);
	CHECK_EQ(run->s.regs.sregs.cr2, 0x4000);
	CHECK_EQ(run->s.regs.events.nmi.masked, 1);
	CHECK_EQ(regs_get(vcpu).rbx, 1001);
	vm_free(vm);
}

static void bad_contents(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_counting(&vcpu);
	struct kvm_run *run = vcpu->run;
	u64 cr4;

	run->kvm_valid_regs = ALL;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	cr4 = run->s.regs.sregs.cr4;
	run->s.regs.sregs.cr4 |= BIT(31);
	run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	CHECK_ERR(run_try(vcpu), EINVAL);
	CHECK_EQ(run->kvm_dirty_regs, KVM_SYNC_X86_SREGS);
	CHECK_EQ(run->s.regs.sregs.cr4, cr4);	/* stored anew on the way out */
	run->s.regs.events.exception.injected = 1;
	run->s.regs.events.exception.nr = NMI_VECTOR;
	run->kvm_dirty_regs = KVM_SYNC_X86_EVENTS;
	CHECK_ERR(run_try(vcpu), EINVAL);
	run->kvm_dirty_regs = 0;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(refusals),
	TEST(nothing_asked_nothing_stored),
	TEST(stored_as_the_ioctls_tell),
	TEST(dirty_sets_are_taken),
	TEST(bad_contents),
};

KTAP_MAIN(tests)
