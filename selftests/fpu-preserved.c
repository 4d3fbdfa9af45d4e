// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's FPU, XMM and YMM registers survive exits, other processes and
 * other vCPUs on the same CPU; and the host's survive the guest's.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "modes.h"
#include "thread.h"

#define ROUNDS	300

/* Registers full of a pattern of the vCPU's own, checked after each exit. */
static void guest_holds(void)
{
	u64 seed = guest_this()->index * 0x1111111111111111 + 0x0123456789abcdef;
	u64 out[2] __attribute__((aligned(16)));
	u64 i;

	for (i = 0; i < ROUNDS; i++) {
		u64 a = seed + i, b = ~a;

		asm volatile("movq %0, %%xmm0\n movq %1, %%xmm15\n"
			     "movq %1, %%xmm7\n punpcklqdq %%xmm0, %%xmm7\n"
			     "fninit\n fildll %2"
			     :: "r" (a), "r" (b), "m" (a) : "memory");
		guest_sync(i);
		/* Spin a little, so that the host's tick hits too. */
		for (u64 j = 0; j < 2000; j++)
			barrier();
		asm volatile("movq %%xmm0, %0" : "=r" (out[0]));
		GUEST_CHECK_EQ(out[0], a);
		asm volatile("movq %%xmm15, %0" : "=r" (out[0]));
		GUEST_CHECK_EQ(out[0], b);
		asm volatile("movdqa %%xmm7, %0" : "=m" (out));
		GUEST_CHECK_EQ(out[0], b);
		GUEST_CHECK_EQ(out[1], a);
		asm volatile("fistpll %0" : "=m" (out[0]));
		GUEST_CHECK_EQ(out[0], a);
	}
	guest_done();
}

static void guest_holds_ymm(void)
{
	u64 out[4], i;

	GUEST_WRITE_CR(4, GUEST_READ_CR(4) | X86_CR4_OSXSAVE);
	for (i = 0; i < ROUNDS; i++) {
		u64 in[4] = { i, ~i, i << 32 | i, 0x5555 + i };

		asm volatile("vmovdqu %0, %%ymm1\n vmovdqu %0, %%ymm14"
			     :: "m" (in));
		guest_sync(i);
		asm volatile("vmovdqu %%ymm1, %0" : "=m" (out));
		GUEST_CHECK_EQ(out[0], in[0]);
		GUEST_CHECK_EQ(out[1], in[1]);
		GUEST_CHECK_EQ(out[2], in[2]);
		GUEST_CHECK_EQ(out[3], in[3]);
		asm volatile("vmovdqu %%ymm14, %0" : "=m" (out));
		GUEST_CHECK_EQ(out[2], in[2]);
		GUEST_CHECK_EQ(out[3], in[3]);
	}
	guest_done();
}

/* The host's own registers, loaded before a run and compared after it. */
static void run_with_own_registers(struct vcpu *vcpu, u64 expected)
{
	u64 pattern = ~expected * 3, low, high;
	long r;

	asm volatile("movq %1, %%xmm0\n movq %1, %%xmm15\n"
		     "syscall\n"
		     "movq %%xmm0, %2\n movq %%xmm15, %3"
		     : "=a" (r), "+r" (pattern), "=&r" (low), "=&r" (high)
		     : "0" (16L), "D" ((long)vcpu->fd), "S" ((long)KVM_RUN), "d" (0L)
		     : "rcx", "r11", "memory");
	CHECK_EQ(r, 0);
	CHECK_EQ(low, pattern);
	CHECK_EQ(high, pattern);
	CHECK_EQ(ucall_check(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(vcpu->cpu->uc.args[0], expected);
}

/* Processes that clobber everything they can, on the same CPU. */
static pid_t clobber_start(void)
{
	pid_t pid = fork();

	CHECK_GE(pid, 0);
	if (!pid) {
		u64 i;

		pin_cpu(0);
		for (i = 0;; i++)
			asm volatile("movq %0, %%xmm0\n movq %0, %%xmm1\n"
				     "movq %0, %%xmm7\n movq %0, %%xmm14\n"
				     "movq %0, %%xmm15\n fninit\n fld1" :: "r" (i));
	}
	return pid;
}

static void exits_and_other_processes(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	pid_t a, b;
	u64 i;

	pin_cpu(0);
	a = clobber_start();
	b = clobber_start();
	vcpu_entry(vcpu, guest_holds);
	for (i = 0; i < ROUNDS; i++) {
		run_with_own_registers(vcpu, i);
		if (i % 16 == 0)
			sleep_ms(1);
	}
	RUN_DONE(vcpu);
	kill(a, SIGKILL);
	kill(b, SIGKILL);
	vm_free(vm);
}

static void *run_one(void *arg)
{
	struct vcpu *vcpu = arg;
	u64 i;

	pin_cpu(0);
	for (i = 0; i < ROUNDS; i++)
		run_with_own_registers(vcpu, i);
	RUN_DONE(vcpu);
	return NULL;
}

static void two_vcpus_on_one_cpu(void)
{
	struct vm *vm = vm_create();
	struct vcpu *first = vcpu_add(vm, 0), *second = vcpu_add(vm, 1);
	pthread_t a, b;

	vcpu_entry(first, guest_holds);
	vcpu_entry(second, guest_holds);
	a = thread_start(run_one, first);
	b = thread_start(run_one, second);
	thread_join(a);
	thread_join(b);
	vm_free(vm);
}

static void upper_halves(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *table = supported_cpuid(vm->sys);
	struct kvm_cpuid_entry2 *e = cpuid_entry(table, 1, 0);
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = 7 };
	pid_t a;
	u64 i;

	CHECK(e);
	if (!(e->ecx & BIT(28)))
		ktap_skip("no AVX in the CPUID table");
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XCRS, &xcrs), 0);
	pin_cpu(0);
	a = clobber_start();
	vcpu_entry(vcpu, guest_holds_ymm);
	for (i = 0; i < ROUNDS; i++)
		RUN_SYNC(vcpu, i);
	RUN_DONE(vcpu);
	kill(a, SIGKILL);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(exits_and_other_processes),
	TEST(two_vcpus_on_one_cpu),
	TEST(upper_halves),
};

KTAP_MAIN(tests)
