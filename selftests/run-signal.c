// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals and KVM_RUN: an unblocked signal ends the run with EINTR and the exit
 * reason INTR, whatever the guest does; KVM_SET_SIGNAL_MASK replaces the mask
 * for the time of the run alone.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"
#include "thread.h"

#define SHARED_GPA	0x40000000ul

static void guest_spins(void)
{
	guest_sync(1);
	for (;;)
		barrier();
}

static void guest_exits(void)
{
	for (;;)
		guest_sync(1);
}

static pthread_t main_thread;

static void *kick(void *arg)
{
	sleep_ms(50);
	pthread_kill(main_thread, SIGUSR1);
	return NULL;
}

static void check_interrupted(struct vcpu *vcpu)
{
	CHECK_ERR(run_try(vcpu), EINTR);
	CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
}

static void spinning_guest(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int i;

	signal_catch(SIGUSR1);
	main_thread = pthread_self();
	vcpu_entry(vcpu, guest_spins);
	RUN_SYNC(vcpu, 1);
	for (i = 0; i < 3; i++) {
		pthread_t thread = thread_start(kick, NULL);

		check_interrupted(vcpu);
		CHECK_EQ(signal_count(), (int)i + 1);
		thread_join(thread);
	}
	vm_free(vm);
}

/* Interrupts off in the guest are no obstacle, in real mode neither. */
static void real_mode_spin(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	pthread_t thread;

	signal_catch(SIGUSR1);
	main_thread = pthread_self();
	memcpy(vm_hva(vm, REAL_CODE), "\xfa\xeb\xfe", 3);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	thread = thread_start(kick, NULL);
	check_interrupted(vcpu);
	CHECK_EQ(regs_get(vcpu).rip, REAL_CODE + 1);
	thread_join(thread);
	vm_free(vm);
}

/* Pending before the call: the run returns without entering the guest. */
static void pending_before(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct {
		struct kvm_signal_mask head;
		u8 set[8];
	} mask = { .head.len = 8 };
	struct kvm_regs before, after;

	signal_catch(SIGUSR1);
	signal_block(SIGUSR1);
	vcpu_entry(vcpu, guest_exits);
	RUN_SYNC(vcpu, 1);
	run_finish_io(vcpu);
	before = regs_get(vcpu);
	CHECK_EQ(raise(SIGUSR1), 0);
	/* Blocked: it does not disturb. */
	RUN_SYNC(vcpu, 1);
	run_finish_io(vcpu);
	before = regs_get(vcpu);
	/* Unblocked for the run alone: it ends the run and stays pending. */
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &mask), 0);
	check_interrupted(vcpu);
	after = regs_get(vcpu);
	CHECK_MEM(&before, &after, sizeof(before));
	CHECK_EQ(signal_count(), 0);
	check_interrupted(vcpu);
	/* Without a mask again. */
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, NULL), 0);
	RUN_SYNC(vcpu, 1);
	signal_unblock(SIGUSR1);
	CHECK_EQ(signal_count(), 1);
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

static void mask_blocks(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct {
		struct kvm_signal_mask head;
		u64 set;
	} __attribute__((packed)) mask = { .head.len = 8 };
	pthread_t thread;
	unsigned int i;

	signal_catch(SIGUSR1);
	main_thread = pthread_self();
	mask.set = 1ull << (SIGUSR1 - 1);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &mask), 0);
	vcpu_entry(vcpu, guest_exits);
	thread = thread_start(kick, NULL);
	/* It arrives between runs, where the thread's own mask rules. */
	for (i = 0; i < 100000 && !signal_count(); i++)
		RUN_SYNC(vcpu, 1);
	CHECK_EQ(signal_count(), 1);
	thread_join(thread);
	vm_free(vm);
}

static void mask_refusals(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct {
		struct kvm_signal_mask head;
		u8 set[16];
	} mask = { .head.len = 4 };

	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &mask), EINVAL);
	mask.head.len = 16;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &mask), EINVAL);
	mask.head.len = 0;
	CHECK_ERR(xioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &mask), EINVAL);
	vm_free(vm);
}

/* A timer that fires often, but not so that the host does nothing else. */
static void signal_storm(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const long period = kernel_debugs() ? 5000000 : 300000;
	struct itimerspec its = { { 0, period }, { 0, period } };
	unsigned int syncs = 0, interrupts = 0;
	timer_t timer;
	long r;

	signal_catch(SIGUSR1);
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &sev, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &its, NULL), 0);
	vcpu_entry(vcpu, guest_exits);
	while (syncs < 1000 || interrupts < 20) {
		r = run_try(vcpu);
		if (r == -EINTR) {
			CHECK_EQ(vcpu->run->exit_reason, KVM_EXIT_INTR);
			interrupts++;
			continue;
		}
		CHECK_EQ(r, 0);
		CHECK_EQ(ucall_check(vcpu, __FILE__, __LINE__), UCALL_SYNC);
		syncs++;
	}
	timer_delete(timer);
	vm_free(vm);
}

/* SIGKILL ends a process whose guest spins. */
static void killed_while_running(void)
{
	unsigned int i;
	int status;

	for (i = 0; i < 5; i++) {
		pid_t pid = fork();

		CHECK_GE(pid, 0);
		if (!pid) {
			struct vm *vm = vm_create();
			struct vcpu *vcpu = vcpu_add(vm, 0);

			vcpu_entry(vcpu, guest_spins);
			RUN_SYNC(vcpu, 1);
			run_try(vcpu);
			_exit(1);
		}
		sleep_ms(100);
		CHECK_EQ(kill(pid, SIGKILL), 0);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), SIGKILL);
	}
}

/* A stop and a continue interrupt the run like a signal without a handler. */
/* Says that it runs to a process that did not make it. */
static void guest_spins_openly(void)
{
	guest_sync(1);
	*(volatile u64 *)SHARED_GPA = 1;
	for (;;)
		barrier();
}

static void stopped_and_continued(void)
{
	volatile u64 *shared = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status;

	CHECK(shared != MAP_FAILED);
	pid = fork();

	CHECK_GE(pid, 0);
	if (!pid) {
		struct vm *vm = vm_create();
		struct vcpu *vcpu = vcpu_add(vm, 0);
		long r;

		slot_set(vm, 1, 0, SHARED_GPA, PAGE_SIZE, (void *)shared);
		vcpu_entry(vcpu, guest_spins_openly);
		RUN_SYNC(vcpu, 1);
		r = run_try(vcpu);
		_exit(r == -EINTR && vcpu->run->exit_reason == KVM_EXIT_INTR ? 0 : 1);
	}
	wait_until(*shared);
	CHECK_EQ(kill(pid, SIGSTOP), 0);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(kill(pid, SIGCONT), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static const struct test tests[] = {
	TEST(spinning_guest),
	TEST(real_mode_spin),
	TEST(pending_before),
	TEST(mask_blocks),
	TEST(mask_refusals),
	TEST(signal_storm),
	TEST(killed_while_running),
	TEST(stopped_and_continued),
};

KTAP_MAIN(tests)
