// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSR_KVM_STEAL_TIME: a vCPU that waits for its CPU reads for how long, others read that it does not run, and a TLB
 * flush left for it meanwhile is done before it runs on.
 */
#include "modes.h"
#include "thread.h"

#define MSR_KVM_STEAL_TIME	0x4b564d03
#define KVM_VCPU_PREEMPTED	1
#define KVM_VCPU_FLUSH_TLB	2
#define ENABLED			1

struct steal_page {
	u64 steal;
	u32 version;
	u32 flags;
	u8 preempted;
	u8 pad[47];
};

static struct steal_page guest_page __attribute__((aligned(64)));

static struct vm *vm_with_steal(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm = vm_create();

	REQUIRE_CAP(vm->fd, KVM_CAP_STEAL_TIME);
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static void guest_sets_msr(void)
{
	u64 val = 1;

	GUEST_CHECK_EQ(guest_rdmsr_safe(MSR_KVM_STEAL_TIME, &val), NO_EXCEPTION);
	GUEST_CHECK_EQ(val, 0);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_KVM_STEAL_TIME, (u64)(uintptr_t)&guest_page | 2 | ENABLED), GP_VECTOR);
	GUEST_CHECK_EQ(guest_wrmsr_safe(MSR_KVM_STEAL_TIME, (u64)(uintptr_t)&guest_page | 32), GP_VECTOR);
	wrmsr(MSR_KVM_STEAL_TIME, (u64)(uintptr_t)&guest_page | ENABLED);
	GUEST_CHECK_EQ(rdmsr(MSR_KVM_STEAL_TIME), (u64)(uintptr_t)&guest_page | ENABLED);
	guest_sync(1);
	for (;;) {
		GUEST_CHECK_EQ(READ_ONCE(guest_page.preempted), 0);
		GUEST_CHECK_EQ(READ_ONCE(guest_page.version) & 1, 0);
		guest_sync(2);
	}
}

static void told_when_it_runs(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_steal(&vcpu, guest_sets_msr);
	u32 version, tries;

	RUN_SYNC(vcpu, 1);
	RUN_SYNC(vcpu, 2);
	version = GVAR(vm, guest_page).version;
	CHECK_EQ(version & 1, 0);
	/*
	 * What is left there while it is away is taken off when it runs, as the guest itself checks. The host may want
	 * the CPU between the guest's last look and this one, and then it is there again; not each time.
	 */
	for (tries = 0; tries < 100; tries++) {
		GVAR(vm, guest_page).preempted = KVM_VCPU_PREEMPTED;
		RUN_SYNC(vcpu, 2);
		if (!GVAR(vm, guest_page).preempted)
			break;
	}
	CHECK(tries < 100);
	CHECK_NE(GVAR(vm, guest_page).version, version);
	CHECK_EQ(msr_get(vcpu, MSR_KVM_STEAL_TIME), (u64)(uintptr_t)&guest_page | ENABLED);
	vm_free(vm);
}

static bool looks_seen, looks_end;

static void guest_spins(void)
{
	wrmsr(MSR_KVM_STEAL_TIME, (u64)(uintptr_t)&guest_page | ENABLED);
	for (;;) {
		u32 i;

		for (i = 0; i < 10000000; i++)
			barrier();
		guest_sync(READ_ONCE(guest_page.steal) != 0);
	}
}

/* Beside the vCPU on its CPU, looking at its page: each time it gets to look the vCPU does not run. */
static void *thread_looks(void *arg)
{
	struct vm *vm = arg;

	while (!READ_ONCE(looks_end)) {
		if (GVAR(vm, guest_page).preempted == KVM_VCPU_PREEMPTED)
			WRITE_ONCE(looks_seen, true);
		cpu_relax();
	}
	return NULL;
}

/* Two runnable on one CPU: one of them waits. */
static void waiting_is_counted(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_steal(&vcpu, guest_spins);
	pthread_t hog;
	u64 before, end;

	pin_cpu(0);
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	hog = thread_start(thread_looks, vm);
	before = GVAR(vm, guest_page).steal;
	end = now_ns() + ktap_scale(15) * 1000000000ull;
	while ((GVAR(vm, guest_page).steal < before + 10000000 || !READ_ONCE(looks_seen)) && now_ns() < end)
		CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	WRITE_ONCE(looks_end, true);
	thread_join(hog);
	CHECK(looks_seen);
	CHECK_GE(GVAR(vm, guest_page).steal, before + 10000000);
	vm_free(vm);
}

#define WINDOW	0x40000000ul

static void guest_reads_window(void)
{
	wrmsr(MSR_KVM_STEAL_TIME, (u64)(uintptr_t)&guest_page | ENABLED);
	for (;;)
		guest_sync(*(volatile u64 *)WINDOW);
}

static void flush_is_done(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_steal(&vcpu, guest_reads_window);
	u64 a = vm_alloc_pages(vm, 1), b = vm_alloc_pages(vm, 1);

	*(u64 *)vm_hva(vm, a) = 11;
	*(u64 *)vm_hva(vm, b) = 22;
	long_map(vm, WINDOW, a, PTE_P | PTE_W);
	RUN_SYNC(vcpu, 11);
	long_map(vm, WINDOW, b, PTE_P | PTE_W);
	GVAR(vm, guest_page).preempted = KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB;
	RUN_SYNC(vcpu, 22);
	CHECK_EQ(GVAR(vm, guest_page).preempted & KVM_VCPU_FLUSH_TLB, 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(told_when_it_runs),
	TEST_SECONDS(waiting_is_counted, 40),
	TEST(flush_is_done),
};

KTAP_MAIN(tests)
