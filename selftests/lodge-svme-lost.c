// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU's virtualization feature taken away under a running guest, here by
 * clearing EFER.SVME behind the module's back: the VM ends with an error and
 * the host goes on; the next VM works.
 */
#include "host.h"
#include "modes.h"
#include "thread.h"

static void guest_spins(void)
{
	guest_sync(1);
	for (;;)
		outb(0x42, 0);
}

static void require_amd(void)
{
	struct cpuid_regs r = cpuid(0x80000001, 0);

	if (!(r.ecx & BIT(2)))
		ktap_skip("not an AMD-V host");
}

struct runner {
	struct vcpu *vcpu;
	long r;
	u64 exits;
};

static void *run_until_error(void *arg)
{
	struct runner *run = arg;

	pin_cpu(0);
	while (!(run->r = run_try(run->vcpu)))
		WRITE_ONCE(run->exits, run->exits + 1);
	return NULL;
}

static void a_vm_works(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_spins);
	RUN_SYNC(vcpu, 1);
	vm_free(vm);
}

static void svme_cleared(void)
{
	struct runner run = { 0 };
	struct vm *vm;
	pthread_t thread;
	u64 efer;

	require_lodge();
	require_amd();
	require_root();
	vm = vm_create();
	run.vcpu = vcpu_add(vm, 0);
	vcpu_entry(run.vcpu, guest_spins);
	/* Loads the msr module where it is not there: its end is a signal, which must not be the vCPU thread's. */
	efer = host_msr_get(0, MSR_EFER);
	thread = thread_start(run_until_error, &run);
	wait_until(READ_ONCE(run.exits) > 10);
	efer = host_msr_get(0, MSR_EFER);
	CHECK(efer & EFER_SVME);
	host_msr_set(0, MSR_EFER, efer & ~EFER_SVME);
	thread_join(thread);
	CHECK_ERR(run.r, EIO);
	/* The VM stays dead; its other commands still answer. */
	CHECK_ERR(run_try(run.vcpu), EIO);
	/* The next VM has the feature switched on again, whether the dead one is gone or not. */
	CHECK(!(host_msr_get(0, MSR_EFER) & EFER_SVME));
	a_vm_works();
	CHECK_ERR(run_try(run.vcpu), EIO);
	vm_free(vm);
	a_vm_works();
	wait_until(!(host_msr_get(0, MSR_EFER) & EFER_SVME));
	a_vm_works();
}

static void the_other_vm_lives(void)
{
	struct vm *vm, *other;
	struct vcpu *vcpu, *second;
	u64 efer;

	require_lodge();
	require_amd();
	require_root();
	pin_cpu(0);
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_spins);
	RUN_SYNC(vcpu, 1);
	other = vm_create();
	second = vcpu_add(other, 0);
	vcpu_entry(second, guest_spins);
	efer = host_msr_get(0, MSR_EFER);
	host_msr_set(0, MSR_EFER, efer & ~EFER_SVME);
	CHECK_ERR(run_try(vcpu), EIO);
	/* Given back before the other one runs, it never notices. */
	host_msr_set(0, MSR_EFER, efer);
	RUN_SYNC(second, 1);
	CHECK_ERR(run_try(vcpu), EIO);
	vm_free(vm);
	vm_free(other);
}

static const struct test tests[] = {
	TEST(svme_cleared),
	TEST(the_other_vm_lives),
};

KTAP_MAIN(tests)
