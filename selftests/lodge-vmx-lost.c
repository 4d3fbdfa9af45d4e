// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMX operation ended under a running guest, behind the module's back: the VMs of that CPU end with an error, the host
 * goes on, and the next VM works. The module that ends it is built by make test-modules.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "host.h"
#include "modes.h"
#include "thread.h"

static void guest_spins(void)
{
	guest_sync(1);
	for (;;)
		outb(0x42, 0);
}

static void require_vmx(void)
{
	if (!(cpuid(1, 0).ecx & BIT(5)))
		ktap_skip("not a VT-x host");
}

/* On this CPU. The module answers ECANCELED when it was in VMX operation, ENODEV when not. */
static void vmx_end(void)
{
	struct utsname host;
	char path[256];
	long r;
	int fd;

	uname(&host);
	snprintf(path, sizeof(path), "build/selftests/vmxoff-%s.ko", host.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		ktap_skip("no %s: make test-modules KERNELS=%s", path, host.release);
	r = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	CHECK_ERR(r, ECANCELED);
}

static struct vcpu *spinning_vcpu(struct vm *vm)
{
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_spins);
	RUN_SYNC(vcpu, 1);
	return vcpu;
}

static void a_vm_works(void)
{
	struct vm *vm = vm_create();

	spinning_vcpu(vm);
	vm_free(vm);
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

static void ended_while_running(void)
{
	struct runner run = { 0 };
	struct kvm_regs regs;
	pthread_t thread;
	struct vm *vm;

	require_lodge();
	require_vmx();
	require_root();
	pin_cpu(0);
	vm = vm_create();
	run.vcpu = spinning_vcpu(vm);
	thread = thread_start(run_until_error, &run);
	wait_until(READ_ONCE(run.exits) > 10);
	vmx_end();
	thread_join(thread);
	CHECK_ERR(run.r, EIO);
	CHECK_ERR(run_try(run.vcpu), EIO);
	/* A dead VM's other commands still answer, or refuse. */
	xioctl(run.vcpu->fd, KVM_GET_REGS, (long)&regs);
	vm_free(vm);
	a_vm_works();
}

/* Two VMs of one CPU: both find out, each by itself. */
static void ended_between_runs(void)
{
	struct vcpu *first, *second;
	struct vm *vm, *other;

	require_lodge();
	require_vmx();
	require_root();
	pin_cpu(0);
	vm = vm_create();
	first = spinning_vcpu(vm);
	other = vm_create();
	second = spinning_vcpu(other);
	vmx_end();
	CHECK_ERR(run_try(first), EIO);
	CHECK_ERR(run_try(second), EIO);
	vm_free(vm);
	vm_free(other);
	a_vm_works();
}

static const struct test tests[] = {
	TEST(ended_while_running),
	TEST(ended_between_runs),
};

KTAP_MAIN(tests)
