// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel memory of an idle VM: irqchip, one slot, one vCPU that made one
 * exit and then halted. What 256 of them take of the host's free memory, the
 * nested tables apart; and 1,000 of them alive at once. On another hypervisor
 * the figure is shown and not judged.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "host.h"
#include "thread.h"

#define NR		256u
#define MANY		1000u
#define LIMIT_KIB	32
#define MEM_SIZE	(1ul << 20)
#define PORT		0x42

/* out %al, $PORT; hlt; jmp back */
static const u8 code[] = { 0xe6, PORT, 0xf4, 0xeb, 0xfb };

struct idle_vm {
	int vm, vcpu;
	struct kvm_run *run;
};

/* All of them share one page: what they map of the test's memory is not the question. */
static u8 *code_map(void)
{
	u8 *mem = pages_map(MEM_SIZE);

	memcpy(mem, code, sizeof(code));
	return mem;
}

static void to_first_exit(struct idle_vm *v)
{
	CHECK_EQ(xioctl(v->vcpu, KVM_RUN, 0), 0);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(v->run->io.port, PORT);
}

/* The signal comes while the vCPU sleeps in HLT, or is sent again. */
static void halt(struct idle_vm *v)
{
	struct itimerval soon = { .it_value.tv_usec = 1000, .it_interval.tv_usec = 1000 }, never = { 0 };

	CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	CHECK_ERR(xioctl(v->vcpu, KVM_RUN, 0), EINTR);
	CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
}

static void idle_create(struct idle_vm *v, int sys, u8 *mem)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = MEM_SIZE, .userspace_addr = (u64)(uintptr_t)mem,
	};
	struct kvm_regs regs = { .rflags = X86_EFLAGS_FIXED };
	struct kvm_sregs sregs;

	v->vm = (int)CHECK_OK(xioctl(sys, KVM_CREATE_VM, 0));
	CHECK_OK(xioctl(v->vm, KVM_CREATE_IRQCHIP, 0));
	CHECK_OK(xioctl(v->vm, KVM_SET_USER_MEMORY_REGION, &region));
	v->vcpu = (int)CHECK_OK(xioctl(v->vm, KVM_CREATE_VCPU, 0));
	v->run = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, v->vcpu, 0);
	CHECK(v->run != MAP_FAILED);
	CHECK_OK(xioctl(v->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs.base = sregs.cs.selector = 0;
	CHECK_OK(xioctl(v->vcpu, KVM_SET_SREGS, &sregs));
	CHECK_OK(xioctl(v->vcpu, KVM_SET_REGS, &regs));
	to_first_exit(v);
}

static void idle_destroy(struct idle_vm *v)
{
	CHECK_EQ(munmap(v->run, PAGE_SIZE), 0);
	CHECK_EQ(close(v->vcpu), 0);
	CHECK_EQ(close(v->vm), 0);
}

static void create_all(struct idle_vm *v, unsigned int n, int sys, u8 *mem)
{
	unsigned int i;

	signal_catch(SIGALRM);
	for (i = 0; i < n; i++) {
		idle_create(&v[i], sys, mem);
		halt(&v[i]);
	}
}

static void destroy_all(struct idle_vm *v, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		idle_destroy(&v[i]);
}

static void files_allow(rlim_t n)
{
	struct rlimit limit = { n, n };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		ktap_skip("RLIMIT_NOFILE: %s", errno_name(errno));
}

static void kernel_memory(void)
{
	struct idle_vm *v = calloc(NR, sizeof(*v));
	u64 before, after, tables, each;
	int sys = device_open();
	u8 *mem = code_map();

	CHECK(v);
	files_allow(NR * 2 + 64);
	/* Caches that grow with the first use are not the VMs'. */
	create_all(v, NR / 4, sys, mem);
	destroy_all(v, NR / 4);
	sleep_ms(500);
	before = free_memory_kib();
	tables = meminfo_kib("SecPageTables");
	create_all(v, NR, sys, mem);
	after = free_memory_kib();
	tables = meminfo_kib("SecPageTables") - tables;
	CHECK_LE(after, before);
	/* The host counts the pages of tables per CPU and tells of them in batches. */
	tables = (tables + NR / 2) / NR;
	each = (before - after + NR - 1) / NR;
	ktap_diag("an idle VM: %llu KiB, of which %llu KiB nested tables", (unsigned long long)each,
		  (unsigned long long)tables);
	if (device_is_lodge()) {
		/* The page of code, and a table a level. */
		CHECK_GE(tables, 16);
		CHECK_LE(tables, 20);
		CHECK_LE(each - tables, kernel_debugs() ? LIMIT_KIB * 2 : LIMIT_KIB);
	}
	destroy_all(v, NR);
	if (device_is_lodge())
		wait_until(free_memory_kib() + 1024 >= before);
	CHECK_EQ(munmap(mem, MEM_SIZE), 0);
	close(sys);
	free(v);
}

static void a_thousand(void)
{
	struct idle_vm *v = calloc(MANY, sizeof(*v));
	int sys = device_open();
	u8 *mem = code_map();
	unsigned int i;

	CHECK(v);
	files_allow(MANY * 2 + 64);
	create_all(v, MANY, sys, mem);
	/* Each of them is alive: it starts anew and makes its exit. */
	for (i = 0; i < MANY; i++) {
		struct kvm_regs regs = { .rflags = X86_EFLAGS_FIXED };
		struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };

		CHECK_OK(xioctl(v[i].vcpu, KVM_SET_MP_STATE, &mp));
		CHECK_OK(xioctl(v[i].vcpu, KVM_SET_REGS, &regs));
		to_first_exit(&v[i]);
	}
	destroy_all(v, MANY);
	CHECK_EQ(munmap(mem, MEM_SIZE), 0);
	close(sys);
	free(v);
}

static const struct test tests[] = {
	TEST_SECONDS(kernel_memory, 60),
	TEST_SECONDS(a_thousand, 100),
};

KTAP_MAIN(tests)
