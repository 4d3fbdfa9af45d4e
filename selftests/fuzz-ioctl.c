// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random ioctls with random arguments on all three kinds of descriptor, from
 * several threads and processes, for a bounded time: whatever they answer, the
 * host goes on, and an innocent VM beside them works. The seed is printed and
 * may be given in LODGE_FUZZ_SEED.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "modes.h"
#include "thread.h"

#define SECONDS	4

static u64 state;

/* xorshift64*: reproducible everywhere. */
static u64 next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

/* Numbers near which code changes its mind. */
static u64 interesting(void)
{
	static const u64 values[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 63, 64, 255, 256, 257, 4095, 4096,
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0xfee00000,
		0xfec00000, 0x7fffffffffffffff, 0x8000000000000000, ~0ull,
	};

	switch (next() % 4) {
	case 0:
		return values[next() % ARRAY_SIZE(values)];
	case 1:
		return 1ull << (next() % 64);
	case 2:
		return next() % 4096;
	default:
		return next();
	}
}

/* Known commands, so that arguments get past the table. */
static const unsigned long commands[] = {
	KVM_GET_API_VERSION, KVM_CHECK_EXTENSION, KVM_GET_SUPPORTED_CPUID,
	KVM_GET_MSR_INDEX_LIST, KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE,
	KVM_CREATE_VCPU, KVM_SET_USER_MEMORY_REGION, KVM_SET_TSS_ADDR,
	KVM_SET_IDENTITY_MAP_ADDR, KVM_CREATE_IRQCHIP, KVM_CREATE_PIT2,
	KVM_GET_IRQCHIP, KVM_SET_IRQCHIP, KVM_GET_PIT2, KVM_SET_PIT2,
	KVM_IRQ_LINE, KVM_IRQ_LINE_STATUS, KVM_SIGNAL_MSI, KVM_SET_GSI_ROUTING,
	KVM_IRQFD, KVM_IOEVENTFD, KVM_REGISTER_COALESCED_MMIO,
	KVM_UNREGISTER_COALESCED_MMIO, KVM_GET_DIRTY_LOG, KVM_GET_CLOCK,
	KVM_SET_CLOCK, KVM_ENABLE_CAP, KVM_REINJECT_CONTROL, KVM_SET_BOOT_CPU_ID,
	KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS, KVM_GET_FPU,
	KVM_SET_FPU, KVM_GET_XSAVE, KVM_SET_XSAVE, KVM_GET_XCRS, KVM_SET_XCRS,
	KVM_GET_MSRS, KVM_SET_MSRS, KVM_SET_CPUID2, KVM_GET_CPUID2,
	KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_GET_MP_STATE, KVM_SET_MP_STATE,
	KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_GET_DEBUGREGS,
	KVM_SET_DEBUGREGS, KVM_INTERRUPT, KVM_NMI, KVM_SET_SIGNAL_MASK,
	KVM_GET_TSC_KHZ, KVM_SET_TSC_KHZ, KVM_KVMCLOCK_CTRL, KVM_SET_GUEST_DEBUG,
	KVM_TRANSLATE, KVM_X86_SETUP_MCE, KVM_TPR_ACCESS_REPORTING,
	KVM_SET_VAPIC_ADDR, KVM_GET_SREGS2, KVM_SET_SREGS2, KVM_RUN, KVM_RUN,
	KVM_RUN,
};

struct target {
	int fds[3];
	u8 *mem;
	struct kvm_run *run;
};

/* An argument block, random from its beginning, its pointers into our memory. */
static void fill(u64 *block, size_t words, u8 *mem)
{
	size_t i, n = 1 + next() % 8;

	memset(block, 0, words * 8);
	for (i = 0; i < n; i++)
		block[next() % (next() % 4 ? 16 : words)] = interesting();
	if (next() % 2)
		block[next() % 6] = (u64)(uintptr_t)mem + (next() % 64) * PAGE_SIZE;
}

static void fuzz_once(struct target *t)
{
	u64 block[4096 / 8 * 2];
	unsigned long cmd = commands[next() % ARRAY_SIZE(commands)];
	int fd = t->fds[next() % 3];
	long r;

	if (next() % 16 == 0)
		cmd = _IOC(next() % 4, next() % 8 ? KVMIO : 0xb7, next() % 256, next() % 256);
	fill(block, ARRAY_SIZE(block), t->mem);
	/* What is a true state of the vCPU goes deeper than noise. */
	if ((cmd == KVM_SET_SREGS || cmd == KVM_SET_REGS) && next() % 2) {
		xioctl(t->fds[2], cmd == KVM_SET_REGS ? KVM_GET_REGS : KVM_GET_SREGS, block);
		block[next() % 40] = interesting();
	}
	t->run->immediate_exit = next() % 8 == 0;
	t->run->request_interrupt_window = next() & 1;
	r = xioctl(fd, cmd, next() % 8 ? (void *)block : (void *)interesting());
	if (r > 2 && (cmd == KVM_CREATE_VM || cmd == KVM_CREATE_VCPU))
		close((int)r);
}

/* A guest of random bytes, in some mode. */
static void target_make(struct target *t)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu;
	size_t i;

	if (next() % 2 && cap(vm->fd, KVM_CAP_IRQCHIP))
		CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	vcpu = vcpu_add(vm, 0);
	vcpu_mode(vcpu, next() % NR_MODES, REAL_CODE);
	for (i = 0; i < PAGE_SIZE / 8; i++)
		((u64 *)vm_hva(vm, REAL_CODE))[i] = next();
	t->fds[0] = vm->sys;
	t->fds[1] = vm->fd;
	t->fds[2] = vcpu->fd;
	t->mem = vm->mem;
	t->run = vcpu->run;
}

static void fuzz_process(u64 seed, u64 end)
{
	struct sigevent sev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct itimerspec its = { { 0, 2000000 }, { 0, 2000000 } };
	struct target t;
	timer_t timer;
	unsigned int i;

	state = seed;
	signal_catch(SIGUSR1);
	CHECK_EQ(timer_create(CLOCK_MONOTONIC, &sev, &timer), 0);
	CHECK_EQ(timer_settime(timer, 0, &its, NULL), 0);
	while (now_ns() < end) {
		signal_block(SIGUSR1);
		target_make(&t);
		signal_unblock(SIGUSR1);
		for (i = 0; i < 400 && now_ns() < end; i++)
			fuzz_once(&t);
		close(t.fds[0]);
		close(t.fds[1]);
		close(t.fds[2]);
	}
	_exit(0);
}

static void guest_counts(void)
{
	u64 i;

	for (i = 0;; i++)
		guest_sync(i);
}

static u64 seed_get(void)
{
	const char *text = getenv("LODGE_FUZZ_SEED");
	u64 seed = text ? strtoull(text, NULL, 0) : (u64)time(NULL) * 2654435761u ^ now_ns();

	ktap_diag("LODGE_FUZZ_SEED=0x%llx", (unsigned long long)seed);
	return seed | 1;
}

static void random_commands(void)
{
	u64 seed = seed_get(), end = now_ns() + SECONDS * 1000000000ull, i = 0;
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	pid_t pids[2];
	int status, n;

	for (n = 0; n < 2; n++) {
		pids[n] = fork();
		CHECK_GE(pids[n], 0);
		if (!pids[n])
			fuzz_process(seed + (u64)n * 1000, end);
	}
	vcpu_entry(vcpu, guest_counts);
	while (now_ns() < end) {
		RUN_SYNC(vcpu, i);
		i++;
	}
	for (n = 0; n < 2; n++) {
		/* A command that never ends is a failure; a crash of its own is not. */
		u64 limit = now_ns() + 10000000000ull;
		pid_t r;

		while (!(r = waitpid(pids[n], &status, WNOHANG)) && now_ns() < limit)
			sleep_ms(10);
		if (!r) {
			kill(pids[n], SIGKILL);
			FAIL("a command did not return");
		}
		/* What it maps over itself may crash it; SIGKILL is the kernel's, after an oops. */
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			ktap_diag("a fuzzing process died of signal %d", WTERMSIG(status));
		else
			CHECK_EQ(status, 0);
	}
	RUN_SYNC(vcpu, i);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(random_commands),
};

KTAP_MAIN(tests)
