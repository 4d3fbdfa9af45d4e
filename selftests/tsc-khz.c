// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rate of a guest's TSC, per VM and per vCPU: what is refused, what is told, and that the counter, kvm-clock and
 * the LAPIC's deadline go by it. Where the CPU does not scale, a rate near the host's is taken as it is, a lower one
 * is refused, and for a higher one the counter is moved up.
 */
#include <stdlib.h>

#include "irq.h"
#include "thread.h"

#define VECTOR		0x70
#define AUX		0x1234
#define SECOND_NS	1000000000ull
#define TRIES		5

/* kvm-clock's page: Linux, Documentation/virt/kvm/x86/msr.rst. */
static volatile struct {
	u32 version, pad0;
	u64 tsc_timestamp, system_time;
	u32 mul;
	s8 shift;
	u8 flags, pad[2];
} page __attribute__((aligned(64)));

static bool scales(struct vm *vm)
{
	long vcpus = cap(vm->fd, KVM_CAP_TSC_CONTROL);

	CHECK_EQ(cap(vm->fd, KVM_CAP_VM_TSC_CONTROL), vcpus);
	return vcpus;
}

static long khz_of(int fd)
{
	return CHECK_OK(xioctl(fd, KVM_GET_TSC_KHZ, 0));
}

/* To the host's own rate and back, and what is near enough to it. */
static void near_the_hosts(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	long host = khz_of(vcpu->fd);

	CHECK_GE(host, 1000);
	CHECK_EQ(khz_of(vm->fd), host);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, host), 0);
	CHECK_EQ(khz_of(vcpu->fd), host);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, host - host / 5000), 0);
	CHECK_EQ(khz_of(vcpu->fd), host - host / 5000);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, 0), 0);
	CHECK_EQ(khz_of(vcpu->fd), host);
	vm_free(vm);
}

static void of_vcpus_to_come(void)
{
	struct vm *vm = vm_create();
	long host = khz_of(vm->fd), rate = host + host / 5000;
	struct vcpu *vcpu;

	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSC_KHZ, rate), 0);
	CHECK_EQ(khz_of(vm->fd), rate);
	vcpu = vcpu_add(vm, 0);
	CHECK_EQ(khz_of(vcpu->fd), rate);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, host), 0);
	CHECK_EQ(khz_of(vm->fd), rate);
	vm_free(vm);
	vm = vm_create();
	CHECK_EQ(khz_of(vm->fd), host);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSC_KHZ, rate), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSC_KHZ, 0), 0);
	CHECK_EQ(khz_of(vm->fd), host);
	vm_free(vm);
}

static void refused(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	long host = khz_of(vm->fd);

	if (scales(vm)) {
		CHECK_ERR(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, 0x7fffffff), EINVAL);
		CHECK_ERR(xioctl(vm->fd, KVM_SET_TSC_KHZ, 0x7fffffff), EINVAL);
	} else {
		CHECK_ERR(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, host / 2), EINVAL);
		CHECK_ERR(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, host - host / 1000), EINVAL);
	}
	/* There KVM's vCPU keeps what it refused. */
	if (scales(vm) || device_is_lodge())
		CHECK_EQ(khz_of(vcpu->fd), host);
	CHECK_EQ(khz_of(vm->fd), host);
	vm_free(vm);
}

/* Nanoseconds by the page, and the counter that they were reckoned from. */
static u64 page_time(u64 *tsc)
{
	unsigned __int128 delta;
	u32 version;
	u64 time;

	do {
		version = page.version & ~1u;
		barrier();
		*tsc = rdtsc();
		delta = *tsc - page.tsc_timestamp;
		delta = page.shift < 0 ? delta >> -page.shift : delta << page.shift;
		time = page.system_time + (u64)((delta * page.mul) >> 32);
		barrier();
	} while (version != page.version);
	return time;
}

static void guest_counts(void)
{
	u32 lo, hi, aux;
	u64 last, tsc, ns;

	wrmsr(MSR_KVM_SYSTEM_TIME, (u64)(uintptr_t)&page | 1);
	wrmsr(MSR_TSC_AUX, AUX);
	for (;;) {
		last = rdtsc();
		asm volatile("rdtscp" : "=a" (lo), "=d" (hi), "=c" (aux));
		GUEST_CHECK_EQ(aux, AUX);
		GUEST_CHECK(((u64)hi << 32 | lo) >= last);
		ns = page_time(&tsc);
		GUEST_CHECK(tsc >= ((u64)hi << 32 | lo));
		GUEST_CHECK(rdmsr(MSR_IA32_TSC) >= tsc);
		guest_sync4(tsc, ns, 0, 0);
	}
}

struct sample {
	u64 host_ns, tsc, clock_ns;
};

static struct sample sample_take(struct vcpu *vcpu)
{
	struct sample s = { .host_ns = now_ns() };

	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	s.tsc = vcpu->cpu->uc.args[0];
	s.clock_ns = vcpu->cpu->uc.args[1];
	return s;
}

/* KVM moves the counter up when it writes the clock's page: never, while the host's TSC is good. */
static void require_true_rate(struct vm *vm)
{
	if (!scales(vm))
		require_lodge();
}

static bool near(u64 value, u64 wanted)
{
	return value > wanted - wanted / 8 && value < wanted + wanted / 8;
}

/*
 * Over half a second the counter makes its ticks, and the page's time is the host's. A busy machine may come between
 * the two readings of a sample, but not each time.
 */
static void check_rate(struct vcpu *vcpu, long khz)
{
	struct sample a, b, d;
	unsigned int i;

	vcpu_entry(vcpu, guest_counts);
	sample_take(vcpu);
	for (i = 0; i < TRIES; i++) {
		a = sample_take(vcpu);
		sleep_ms(500);
		b = sample_take(vcpu);
		d = (struct sample){ b.host_ns - a.host_ns, b.tsc - a.tsc, b.clock_ns - a.clock_ns };
		if (near(d.tsc, d.host_ns * khz / 1000000) && near(d.clock_ns, d.host_ns))
			return;
	}
	FAIL("%llu ticks at %ld kHz, %llu ns of kvm-clock in %llu", (unsigned long long)d.tsc, khz,
	     (unsigned long long)d.clock_ns, (unsigned long long)d.host_ns);
}

static void require_features(struct vm *vm)
{
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);

	if (!(cpuid_entry(t, 0x80000001, 0)->edx & BIT(27)))
		ktap_skip("no RDTSCP in the CPUID table");
	free(t);
}

static void faster(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	long host = khz_of(vm->fd);

	require_features(vm);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, 3 * host), 0);
	CHECK_EQ(khz_of(vcpu->fd), 3 * host);
	require_true_rate(vm);
	check_rate(vcpu, 3 * host);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, host), 0);
	check_rate(vcpu, host);
	vm_free(vm);
}

static void slower(void)
{
	struct vm *vm = vm_create();
	long host = khz_of(vm->fd);
	struct vcpu *vcpu;

	require_features(vm);
	if (!scales(vm))
		ktap_skip("this CPU does not scale the TSC");
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSC_KHZ, host / 3), 0);
	vcpu = vcpu_add(vm, 0);
	CHECK_EQ(khz_of(vcpu->fd), host / 3);
	check_rate(vcpu, host / 3);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, host / 2), 0);
	check_rate(vcpu, host / 2);
	vm_free(vm);
}

/* The offset is what is added after the scaling. */
static void attribute_of(struct vcpu *vcpu, unsigned long cmd, u64 *offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (u64)(uintptr_t)offset,
	};

	CHECK_EQ(xioctl(vcpu->fd, cmd, &attr), 0);
}

static void offset_is_unscaled(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	long host = khz_of(vm->fd);
	u64 offset = 0, before, now, after;

	REQUIRE_CAP(vm->fd, KVM_CAP_VCPU_ATTRIBUTES);
	if (!scales(vm))
		ktap_skip("this CPU does not scale the TSC");
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, host / 2), 0);
	attribute_of(vcpu, KVM_SET_DEVICE_ATTR, &offset);
	before = rdtsc();
	now = msr_get(vcpu, MSR_IA32_TSC);
	after = rdtsc();
	/* Half a rate in kHz may have been rounded by one. */
	CHECK(now >= before / 2 - before / 2 / host * 2);
	CHECK(now <= after / 2);
	vm_free(vm);
}

/* vCPUs of one rate to which one value is written count together. */
static void written_together(void)
{
	struct vm *vm = vm_create();
	long host = khz_of(vm->fd);
	struct vcpu *a, *b;
	u64 first, second, third;

	if (!scales(vm))
		ktap_skip("this CPU does not scale the TSC");
	CHECK_EQ(xioctl(vm->fd, KVM_SET_TSC_KHZ, host / 2), 0);
	a = vcpu_add(vm, 0);
	b = vcpu_add(vm, 1);
	msr_set(a, MSR_IA32_TSC, BIT(40));
	msr_set(b, MSR_IA32_TSC, BIT(40));
	first = msr_get(a, MSR_IA32_TSC);
	second = msr_get(b, MSR_IA32_TSC);
	third = msr_get(a, MSR_IA32_TSC);
	CHECK(first < second);
	CHECK(second < third);
	vm_free(vm);
}

static u64 deadline_ticks;

static void guest_deadline(void)
{
	u64 deadline, i;

	guest_apic_enable();
	apic_write(APIC_LVTT, APIC_LVT_DEADLINE | VECTOR);
	for (i = 0;; i++) {
		guest_sync(i);
		deadline = rdtsc() + deadline_ticks;
		wrmsr(MSR_IA32_TSC_DEADLINE, deadline);
		while (guest_irqs[VECTOR] <= i)
			guest_hlt();
		GUEST_CHECK(rdtsc() >= deadline);
	}
}

/* A third of a second of its ticks is one of the host's time: never early, and late by the host's load alone. */
static void deadline_by_its_rate(void)
{
	struct kvm_cpuid2 *t;
	struct vcpu *vcpu;
	struct vm *vm;
	u64 passed, i;
	long khz;

	irq_handle(VECTOR);
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	REQUIRE_CAP(vm->fd, KVM_CAP_TSC_DEADLINE_TIMER);
	require_true_rate(vm);
	khz = scales(vm) ? khz_of(vm->fd) / 3 : 3 * khz_of(vm->fd);
	t = supported_cpuid(vm->sys);
	cpuid_entry(t, 1, 0)->ecx |= BIT(24);
	cpuid_set(vcpu, t);
	free(t);
	vcpu_entry(vcpu, guest_deadline);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_TSC_KHZ, khz), 0);
	GVAR(vm, deadline_ticks) = khz * 1000ull / 3;
	RUN_SYNC(vcpu, 0);
	for (i = 1; i <= TRIES; i++) {
		passed = now_ns();
		RUN_SYNC(vcpu, i);
		passed = now_ns() - passed;
		CHECK_GE(passed, SECOND_NS / 3 - SECOND_NS / 30);
		if (passed < SECOND_NS / 3 + SECOND_NS / 4)
			break;
	}
	CHECK_LE(i, TRIES);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(near_the_hosts),
	TEST(of_vcpus_to_come),
	TEST(refused),
	TEST(faster),
	TEST(slower),
	TEST(offset_is_unscaled),
	TEST(written_together),
	TEST(deadline_by_its_rate),
};

KTAP_MAIN(tests)
