// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs that go and come while a vCPU runs on them: the guest goes on elsewhere
 * with its state whole, and a CPU that comes back can run guests at once.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"
#include "thread.h"

static void guest_counts(void)
{
	u64 i, x = 0x1234567890abcdef;

	asm volatile("movq %0, %%xmm5" :: "r" (x));
	for (i = 0;; i++) {
		u64 y;

		asm volatile("movq %%xmm5, %0" : "=r" (y));
		GUEST_CHECK_EQ(y, x);
		guest_sync(i);
	}
}

struct runner {
	struct vcpu *vcpu;
	u64 count;
	bool stop;
};

static void *run_on(void *arg)
{
	struct runner *run = arg;

	while (!READ_ONCE(run->stop)) {
		RUN_SYNC(run->vcpu, run->count);
		WRITE_ONCE(run->count, run->count + 1);
	}
	return NULL;
}

static void wait_progress(struct runner *run)
{
	u64 from = READ_ONCE(run->count);

	wait_until(READ_ONCE(run->count) > from + 10);
}

static void goes_and_comes(void)
{
	struct runner run = { 0 };
	pthread_t thread;
	cpu_set_t set;
	struct vm *vm;
	unsigned int i;

	require_cpus(2);
	require_root();
	vm = vm_create();
	run.vcpu = vcpu_add(vm, 0);
	vcpu_entry(run.vcpu, guest_counts);
	CPU_ZERO(&set);
	CPU_SET(1, &set);
	thread = thread_start(run_on, &run);
	for (i = 0; i < 3; i++) {
		/* Onto CPU 1; the kernel moves it off when that goes. */
		CHECK_EQ(pthread_setaffinity_np(thread, sizeof(set), &set), 0);
		wait_progress(&run);
		cpu_online_set(1, false);
		wait_progress(&run);
		cpu_online_set(1, true);
		wait_progress(&run);
	}
	WRITE_ONCE(run.stop, true);
	thread_join(thread);
	vm_free(vm);
}

/* A VM made while a CPU is away, then run on that CPU. */
static void comes_back_later(void)
{
	struct vm *vm;
	struct vcpu *vcpu;
	u64 i;

	require_cpus(2);
	require_root();
	cpu_online_set(1, false);
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_counts);
	RUN_SYNC(vcpu, 0);
	cpu_online_set(1, true);
	for (i = 1; i < 20; i++) {
		pin_cpu(i & 1);
		RUN_SYNC(vcpu, i);
	}
	vm_free(vm);
}

/* The last VM goes while a CPU is away; that CPU comes back clean. */
static void away_at_the_end(void)
{
	struct vm *vm;

	require_cpus(2);
	require_root();
	vm = vm_create();
	cpu_online_set(1, false);
	vm_free(vm);
	cpu_online_set(1, true);
	vm = vm_create();
	vcpu_add(vm, 0);
	vcpu_entry(vm->vcpus[0], guest_counts);
	pin_cpu(1);
	RUN_SYNC(vm->vcpus[0], 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(goes_and_comes),
	TEST(comes_back_later),
	TEST(away_at_the_end),
};

KTAP_MAIN(tests)
