// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's time stamp counter: it only grows, it is what the VMM set, RDTSC
 * and the MSR agree, a guest's own write sticks, and two vCPUs that were given
 * the same value stay together.
 */
#include "modes.h"

static void guest_monotonic(void)
{
	u64 last = rdtsc(), now, i;

	for (i = 0; i < 1000; i++) {
		now = rdtsc();
		GUEST_CHECK(now > last);
		last = now;
		if (i % 100 == 0)
			guest_sync(i / 100);
	}
	guest_done();
}

static void only_grows(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 i;

	vcpu_entry(vcpu, guest_monotonic);
	for (i = 0; i < 10; i++)
		RUN_SYNC(vcpu, i);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_reports(void)
{
	for (;;) {
		u64 a = rdtsc(), b = rdmsr(MSR_IA32_TSC), c = rdtsc();

		GUEST_CHECK(a <= b);
		GUEST_CHECK(b <= c);
		guest_sync(a);
	}
}

static u64 guest_tsc(struct vcpu *vcpu)
{
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	return vcpu->cpu->uc.args[0];
}

/*
 * What a counter that was set to @base at @since shows now: not less, and not
 * more than the host's own has gone on meanwhile, a little rounding aside.
 */
static void check_since(u64 now, u64 base, u64 since)
{
	u64 passed = rdtsc() - since;

	CHECK(now >= base);
	if (now - base > passed + passed / 8 + 100000)
		FAIL("counted %llu, the host %llu", (unsigned long long)(now - base),
		     (unsigned long long)passed);
}

static void host_sets(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 base = 1ull << 50, since;
	unsigned int i;

	vcpu_entry(vcpu, guest_reports);
	for (i = 0; i < 3; i++, base *= 4) {
		since = rdtsc();
		msr_set(vcpu, MSR_IA32_TSC, base);
		check_since(guest_tsc(vcpu), base, since);
		check_since(msr_get(vcpu, MSR_IA32_TSC), base, since);
		check_since(guest_tsc(vcpu), base, since);
	}
	vm_free(vm);
}

#define GUEST_BASE	(1ull << 51)

static void guest_sets(void)
{
	wrmsr(MSR_IA32_TSC, GUEST_BASE);
	guest_sync(rdtsc());
	guest_sync(rdtsc());
	guest_done();
}

static void guest_write(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 since;

	vcpu_entry(vcpu, guest_sets);
	since = rdtsc();
	check_since(guest_tsc(vcpu), GUEST_BASE, since);
	check_since(msr_get(vcpu, MSR_IA32_TSC), GUEST_BASE, since);
	check_since(guest_tsc(vcpu), GUEST_BASE, since);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void starts_near_zero(void)
{
	u64 since = rdtsc();
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_reports);
	check_since(guest_tsc(vcpu), 0, since);
	vm_free(vm);
}

static void vcpus_stay_together(void)
{
	struct vm *vm = vm_create();
	struct vcpu *a = vcpu_add(vm, 0), *b = vcpu_add(vm, 1);
	u64 ta, tb, ta2;
	unsigned int i;

	vcpu_entry(a, guest_reports);
	vcpu_entry(b, guest_reports);
	msr_set(a, MSR_IA32_TSC, 0);
	msr_set(b, MSR_IA32_TSC, 0);
	for (i = 0; i < 20; i++) {
		ta = guest_tsc(a);
		tb = guest_tsc(b);
		ta2 = guest_tsc(a);
		CHECK(ta < tb);
		CHECK(tb < ta2);
	}
	vm_free(vm);
}

static void khz(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	REQUIRE_CAP(vm->fd, KVM_CAP_GET_TSC_KHZ);
	CHECK_GE(xioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0), 1000);
	vm_free(vm);
}

/* RDTSCP and RDPID's MSR, where the table has it. */
static void guest_rdtscp(void)
{
	u32 lo, hi, aux;

	asm volatile("rdtscp" : "=a" (lo), "=d" (hi), "=c" (aux));
	GUEST_CHECK_EQ(aux, 0x1234);
	wrmsr(MSR_TSC_AUX, 0x777);
	asm volatile("rdtscp" : "=a" (lo), "=d" (hi), "=c" (aux));
	GUEST_CHECK_EQ(aux, 0x777);
	guest_sync(1);
	asm volatile("rdtscp" : "=a" (lo), "=d" (hi), "=c" (aux));
	GUEST_CHECK_EQ(aux, 0x777);
	guest_done();
}

static void tsc_aux(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);

	if (!(cpuid_entry(t, 0x80000001, 0)->edx & BIT(27)))
		ktap_skip("no RDTSCP in the CPUID table");
	vcpu_entry(vcpu, guest_rdtscp);
	msr_set(vcpu, MSR_TSC_AUX, 0x1234);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(msr_get(vcpu, MSR_TSC_AUX), 0x777);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(only_grows),
	TEST(host_sets),
	TEST(guest_write),
	TEST(starts_near_zero),
	TEST(vcpus_stay_together),
	TEST(khz),
	TEST(tsc_aux),
};

KTAP_MAIN(tests)
