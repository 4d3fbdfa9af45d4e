// SPDX-License-Identifier: GPL-2.0-only
/*
 * Descriptors may be closed in any order: a vCPU holds its VM, a VM holds the
 * device; what is still open works.
 */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "modes.h"
#include "thread.h"

static void hlt_run(struct vcpu *vcpu)
{
	memset(vm_hva(vcpu->vm, REAL_CODE), 0xf4, 1);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
}

static void device_first(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	CHECK_EQ(close(vm->sys), 0);
	hlt_run(vcpu);
	vcpu_add_bare(vm, 1);
	hlt_run(vcpu);
}

static void vm_before_vcpu(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	CHECK_EQ(close(vm->sys), 0);
	CHECK_EQ(close(vm->fd), 0);
	hlt_run(vcpu);
	hlt_run(vcpu);
	CHECK_EQ(close(vcpu->fd), 0);
}

static void one_vcpu_of_two(void)
{
	struct vm *vm = vm_create();
	struct vcpu *first = vcpu_add(vm, 0), *second = vcpu_add(vm, 1);

	vcpu_close(first);
	hlt_run(second);
	vm_free(vm);
}

/* Without a descriptor the memory may go before the VM does. */
static void memory_before_everything(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	hlt_run(vcpu);
	CHECK_EQ(munmap(vm->mem, VM_MEM_SIZE), 0);
	CHECK_EQ(close(vm->fd), 0);
	CHECK_EQ(close(vcpu->fd), 0);
	CHECK_EQ(close(vm->sys), 0);
}

static void *run_forever(void *arg)
{
	struct vcpu *vcpu = arg;

	xioctl(vcpu->fd, KVM_RUN, 0);
	return NULL;
}

/* A descriptor closed under a running thread: the run goes on until kicked. */
static void closed_while_running(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	pthread_t thread;

	signal_catch(SIGUSR1);
	memcpy(vm_hva(vm, REAL_CODE), "\xeb\xfe", 2);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	thread = thread_start(run_forever, vcpu);
	sleep_ms(50);
	CHECK_EQ(close(vm->fd), 0);
	CHECK_EQ(close(vcpu->fd), 0);
	CHECK_EQ(close(vm->sys), 0);
	sleep_ms(10);
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	thread_join(thread);
}

static const struct test tests[] = {
	TEST(device_first),
	TEST(vm_before_vcpu),
	TEST(one_vcpu_of_two),
	TEST(memory_before_everything),
	TEST(closed_while_running),
};

KTAP_MAIN(tests)
