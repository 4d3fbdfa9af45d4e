// SPDX-License-Identifier: GPL-2.0-only
/*
 * immediate_exit: KVM_RUN finishes what is pending and returns EINTR without
 * entering the guest, whether set before the call or from a signal handler.
 */
#include <signal.h>

#include "modes.h"
#include "thread.h"

static void guest_counts(void)
{
	u64 i;

	for (i = 1;; i++)
		guest_sync(i);
}

static void never_enters(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_regs before, after;
	unsigned int i;

	vcpu_entry(vcpu, guest_counts);
	before = regs_get(vcpu);
	vcpu->run->immediate_exit = 1;
	for (i = 0; i < 10; i++)
		CHECK_ERR(run_try(vcpu), EINTR);
	after = regs_get(vcpu);
	CHECK_MEM(&before, &after, sizeof(before));
	vcpu->run->immediate_exit = 0;
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

static void exactly_after_the_exit(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 i, rip;

	vcpu_entry(vcpu, guest_counts);
	for (i = 1; i < 20; i++) {
		RUN_SYNC(vcpu, i);
		run_finish_io(vcpu);
		rip = regs_get(vcpu).rip;
		run_finish_io(vcpu);
		CHECK_EQ(regs_get(vcpu).rip, rip);
	}
	vm_free(vm);
}

/* The field is the VMM's: a run leaves it as it is. */
static void not_cleared(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_counts);
	vcpu->run->immediate_exit = 1;
	CHECK_ERR(run_try(vcpu), EINTR);
	CHECK_EQ(vcpu->run->immediate_exit, 1);
	vcpu->run->immediate_exit = 5;
	CHECK_ERR(run_try(vcpu), EINTR);
	CHECK_EQ(vcpu->run->immediate_exit, 5);
	vm_free(vm);
}

static struct kvm_run *handler_run;

static void set_from_handler(int sig)
{
	handler_run->immediate_exit = 1;
}

static void guest_spins(void)
{
	for (;;)
		cpu_relax();
}

static void *kick_thread(void *arg)
{
	sleep_ms(50);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void from_a_signal_handler(void)
{
	struct sigaction sa = { .sa_handler = set_from_handler };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	pthread_t self = pthread_self(), thread;

	handler_run = vcpu->run;
	sigaction(SIGUSR1, &sa, NULL);
	vcpu_entry(vcpu, guest_spins);
	thread = thread_start(kick_thread, &self);
	CHECK_ERR(run_try(vcpu), EINTR);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
	CHECK_EQ(vcpu->run->immediate_exit, 1);
	CHECK_ERR(run_try(vcpu), EINTR);
	thread_join(thread);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(never_enters),
	TEST(exactly_after_the_exit),
	TEST(not_cleared),
	TEST(from_a_signal_handler),
};

KTAP_MAIN(tests)
