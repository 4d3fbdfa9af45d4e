// SPDX-License-Identifier: GPL-2.0-only
/*
 * 200 processes with a running guest, an irqchip, an irqfd and two vCPUs, each
 * killed by SIGKILL at a random moment: no memory, and on lodge no CPU feature
 * switched on, is left behind.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "irq.h"
#include "thread.h"

#define CYCLES	200

static void guest_works(void)
{
	volatile u64 *p = (u64 *)0x10000000;
	u64 i;

	for (i = 0;; i++) {
		p[(i * 512) % (1 << 18)] = i;
		if (i % 64 == 0)
			outb(0x42, (u8)i);
	}
}

static void *run_on(void *arg)
{
	while (!run_try(arg))
		;
	return NULL;
}

static void victim(int ready)
{
	struct kvm_irqfd irqfd = { .gsi = 5 };
	struct vm *vm = vm_create();
	unsigned int i;

	if (cap(vm->fd, KVM_CAP_IRQCHIP)) {
		CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
		irqfd.fd = (u32)eventfd(0, 0);
		CHECK_OK(xioctl(vm->fd, KVM_IRQFD, &irqfd));
	}
	slot_set(vm, 1, 0, 0x10000000, 2 << 20, pages_map(2 << 20));
	for (i = 0; i < 2; i++) {
		struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };
		struct vcpu *vcpu = vcpu_add(vm, i);

		vcpu_entry(vcpu, guest_works);
		CHECK_OK(xioctl(vcpu->fd, KVM_SET_MP_STATE, &mp));
		thread_start(run_on, vcpu);
	}
	CHECK_EQ(write(ready, "x", 1), 1);
	pause();
	_exit(1);
}

static void cycle(unsigned int number)
{
	int fds[2], status;
	pid_t pid;
	char c;

	CHECK_EQ(pipe(fds), 0);
	pid = fork();
	CHECK_GE(pid, 0);
	if (!pid)
		victim(fds[1]);
	/* Every fourth one dies before it is ready. */
	if (number % 4)
		CHECK_EQ(read(fds[0], &c, 1), 1);
	usleep(number * 7919 % 8000);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	close(fds[0]);
	close(fds[1]);
}

static u64 kernel_memory_kib(void)
{
	return meminfo_kib("Slab") + meminfo_kib("KernelStack") +
	       meminfo_kib("PageTables") + meminfo_kib("VmallocUsed") + meminfo_kib("Percpu");
}

/* What neither is free nor caches a file. */
static u64 used_memory_kib(void)
{
	return meminfo_kib("MemTotal") - free_memory_kib() - meminfo_kib("Active(file)") -
	       meminfo_kib("Inactive(file)") - meminfo_kib("SReclaimable");
}

static void leave_nothing(void)
{
	/* Where each takes seconds, and the kernel itself finds what is left. */
	const unsigned int cycles = kernel_debugs() ? CYCLES / 5 : CYCLES;
	u64 used, kernel, after = 0, kernel_after = 0;
	unsigned int i;

	close(device_open());
	/* Caches that grow with the first use are not leaks. */
	for (i = 0; i < 20; i++)
		cycle(i);
	sleep_ms(300);
	slab_shrink();
	used = used_memory_kib();
	kernel = kernel_memory_kib();
	for (i = 0; i < cycles; i++)
		cycle(i);
	/* Freeing may be deferred: give it a few seconds. */
	for (i = 0; i < 50; i++) {
		sleep_ms(100);
		slab_shrink();
		after = used_memory_kib();
		kernel_after = kernel_memory_kib();
		if (after < used + 1024 && kernel_after < kernel + 1024)
			break;
	}
	ktap_diag("used %llu -> %llu KiB, kernel's %llu -> %llu KiB",
		  (unsigned long long)used, (unsigned long long)after,
		  (unsigned long long)kernel, (unsigned long long)kernel_after);
	/* Five KiB for each VM would show, of 200. */
	CHECK_LE(after, used + 1024);
	CHECK_LE(kernel_after, kernel + 1024);
	if (device_is_lodge() && (cpuid(0x80000001, 0).ecx & BIT(2)))
		wait_until(!(host_msr_get(0, MSR_EFER) & EFER_SVME));
}

static const struct test tests[] = {
	TEST_SECONDS(leave_nothing, 150),
};

KTAP_MAIN(tests)
