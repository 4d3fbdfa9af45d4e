// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host suspends while VMs live. The kernel's own rehearsal (/sys/power/pm_test, level "core") goes down to the
 * last CPU with interrupts off and comes back without the machine having slept: tasks frozen, devices suspended,
 * CPUs off, the module's suspend and resume called.
 * The lab's root does not survive that, its device being one that forgets its queues: this program locks itself into
 * memory, opens no file of the root afterwards, and needs a machine of its own (flag alone).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"
#include "thread.h"

#define PM_TEST		"/sys/power/pm_test"
#define MEM_SLEEP	"/sys/power/mem_sleep"
#define DELAY		"/sys/module/suspend/parameters/pm_test_delay"
#define NR_VCPUS	2

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
	int cpu;
	u64 count;
	bool stop;
};

/* Freezing interrupts KVM_RUN as a signal does: it is called again. */
static void *run_on(void *arg)
{
	struct runner *run = arg;

	pin_cpu(run->cpu);
	while (!READ_ONCE(run->stop)) {
		long r = run_try(run->vcpu);

		if (r == -EINTR)
			continue;
		CHECK_EQ(r, 0);
		if (run->vcpu->run->exit_reason != KVM_EXIT_IO)
			exit_diag(run->vcpu);
		CHECK_EQ(run->vcpu->run->exit_reason, KVM_EXIT_IO);
		CHECK_EQ(run->vcpu->cpu->uc.cmd, UCALL_SYNC);
		CHECK_EQ(run->vcpu->cpu->uc.args[0], run->count);
		WRITE_ONCE(run->count, run->count + 1);
	}
	return NULL;
}

static void wait_progress(struct runner *run)
{
	u64 from = READ_ONCE(run->count);

	wait_until(READ_ONCE(run->count) > from + 10);
}

/* On VT-x it is a bit of CR4, which user space cannot see. */
static bool feature_is(bool on)
{
	int cpu;

	for (cpu = 0; !host_has_vmx() && cpu < NR_VCPUS; cpu++)
		if (!!(host_msr_get(cpu, MSR_EFER) & EFER_SVME) != on)
			return false;
	return true;
}

static void require_suspend(void)
{
	char line[64] = "";
	int fd = open(MEM_SLEEP, O_RDONLY | O_CLOEXEC);

	require_root();
	require_cpus(NR_VCPUS);
	if (fd < 0 || access(PM_TEST, W_OK))
		ktap_skip("this kernel has no rehearsal of suspend");
	if (read(fd, line, sizeof(line) - 1) < 0 || !strstr(line, "deep"))
		ktap_skip("this machine has no S3: %s", line);
	close(fd);
}

static void suspend_rehearse(void)
{
	text_write(DELAY, "0");
	text_write(MEM_SLEEP, "deep");
	text_write(PM_TEST, "core");
	text_write("/sys/power/state", "mem");
	text_write(PM_TEST, "none");
}

static void guests_go_on(void)
{
	struct runner runs[NR_VCPUS] = { 0 };
	pthread_t threads[NR_VCPUS];
	struct vm *vm;
	int i;

	require_suspend();
	vm = vm_create();
	for (i = 0; i < NR_VCPUS; i++) {
		runs[i].vcpu = vcpu_add(vm, i);
		runs[i].cpu = i;
		vcpu_entry(runs[i].vcpu, guest_counts);
		threads[i] = thread_start(run_on, &runs[i]);
	}
	for (i = 0; i < NR_VCPUS; i++)
		wait_progress(&runs[i]);
	suspend_rehearse();
	CHECK(feature_is(true));
	for (i = 0; i < NR_VCPUS; i++)
		wait_progress(&runs[i]);
	for (i = 0; i < NR_VCPUS; i++) {
		WRITE_ONCE(runs[i].stop, true);
		thread_join(threads[i]);
	}
	vm_free(vm);
	wait_until(feature_is(false));
}

static void off_stays_off(void)
{
	struct vm *vm;

	require_suspend();
	suspend_rehearse();
	CHECK(feature_is(false));
	vm = vm_create();
	vcpu_add(vm, 0);
	vcpu_entry(vm->vcpus[0], guest_counts);
	RUN_SYNC(vm->vcpus[0], 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST_SECONDS(off_stays_off, 60),
	TEST_SECONDS(guests_go_on, 60),
};

int main(int argc, char **argv)
{
	module_load("msr");
	if (mlockall(MCL_CURRENT))
		return KTAP_FAIL;
	return ktap_run(argc, argv, tests, ARRAY_SIZE(tests));
}
