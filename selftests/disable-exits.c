// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_X86_DISABLE_EXITS: a guest that may halt by itself does not leave for it, and a signal still gets its
 * thread back. Only for vCPUs made later, only what exists.
 */
#include <signal.h>
#include <sys/time.h>

#include "modes.h"
#include "thread.h"

/* Again and again: where the CPU does not keep the guest's halt over an interrupt of the host, it goes on behind it. */
GUEST_CODE(halts, 64,
	"sti\n"
	"1: hlt\n"
	"jmp 1b\n");

static void refusals(void)
{
	struct vm *vm = vm_create_bare();

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_DISABLE_EXITS);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_X86_DISABLE_EXITS, 16), EINVAL);
	CHECK_ERR(cap_enable(vm->fd, KVM_CAP_X86_DISABLE_EXITS, BIT(32) | KVM_X86_DISABLE_EXITS_HLT), EINVAL);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_PAUSE), 0);
	/* What this CPU cannot is passed over. */
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_MWAIT), 0);
	vm_free(vm);
}

static void halts_inside(void)
{
	struct itimerval timer = { .it_value.tv_usec = 300000, .it_interval.tv_usec = 300000 };
	struct vm *vm = vm_create();
	struct vcpu *vcpu;

	CHECK_NE(REQUIRE_CAP(vm->fd, KVM_CAP_X86_DISABLE_EXITS) & KVM_X86_DISABLE_EXITS_HLT, 0);
	CHECK_EQ(cap_enable(vm->fd, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_HLT), 0);
	vcpu = vcpu_add(vm, 0);
	code_load(vm, REAL_CODE, halts);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	signal_catch(SIGALRM);
	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
	CHECK_ERR(run_try(vcpu), EINTR);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
	vm_free(vm);
}

static void halts_outside_by_default(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_X86_DISABLE_EXITS);
	/* Too late for this vCPU; whether it is refused depends on KVM's version. */
	cap_enable(vm->fd, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_EXITS_HLT);
	code_load(vm, REAL_CODE, halts);
	vcpu_mode(vcpu, MODE_LONG64, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(refusals),
	TEST(halts_inside),
	TEST(halts_outside_by_default),
};

KTAP_MAIN(tests)
