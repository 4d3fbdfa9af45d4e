// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions of a guest whose CPU is interrupted all the time: an exit between an exception and its handler's
 * first instruction finds the handler's RIP, not that of what raised it, and nothing is delivered twice.
 */
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "modes.h"
#include "thread.h"

#define ROUNDS		10000	/* between two looks of the host's */
#define INTERRUPTS	100

static bool barrier_end;
static unsigned long nr_barriers;

static void guest_divides(void)
{
	u64 before, after, i;

	for (i = 0;; i++) {
		if (i % ROUNDS == 0)
			guest_sync(i / ROUNDS);
		guest_this()->exc.vector = NO_EXCEPTION;
		asm volatile("mov %%rsp, %0\n\t"
			     "lea 1f(%%rip), %%r11\n\t"
			     "mov %%r11, %%gs:8\n\t"
			     "div %2\n"
			     "1: movq $0, %%gs:8\n\t"
			     "mov %%rsp, %1\n\t"
			     "mov %0, %%rsp"
			     : "=&r" (before), "=&r" (after) : "r" (0) : "rax", "rdx", "r11", "memory", "cc");
		GUEST_CHECK_EQ(guest_exc()->vector, DE_VECTOR);
		/* What is delivered twice leaves a frame on the stack. */
		GUEST_CHECK_EQ(after, before);
	}
}

/*
 * Each call interrupts the CPUs on which this process runs. Without a pause the next would wait there before the guest
 * is entered again, and it would stand still; pauses differ so that they end anywhere in the guest's loop.
 */
static void *thread_interrupts(void *arg)
{
	unsigned long i;

	pin_cpu(1);
	while (!READ_ONCE(barrier_end)) {
		for (i = nr_barriers * 37 % 2048; i > 0; i--)
			cpu_relax();
		CHECK_EQ(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0);
		WRITE_ONCE(nr_barriers, nr_barriers + 1);
	}
	return NULL;
}

static void divisions_by_zero(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int i;
	pthread_t other;

	require_cpus(2);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		ktap_skip("the kernel has no membarrier()");
	pin_cpu(0);
	vcpu_entry(vcpu, guest_divides);
	RUN_SYNC(vcpu, 0);
	other = thread_start(thread_interrupts, NULL);
	for (i = 1; i <= 10 || READ_ONCE(nr_barriers) < INTERRUPTS; i++)
		RUN_SYNC(vcpu, i);
	ktap_diag("%u rounds, %lu interrupts", (i - 1) * ROUNDS, READ_ONCE(nr_barriers));
	WRITE_ONCE(barrier_end, true);
	thread_join(other);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(divisions_by_zero),
};

KTAP_MAIN(tests)
