// SPDX-License-Identifier: GPL-2.0-only
/*
 * The paravirtual clock: the page that a guest registers has an even version
 * and sane factors, time only grows on each vCPU and across vCPUs, and
 * KVM_SET_CLOCK and KVM_GET_CLOCK are the same clock.
 */
#include <time.h>

#include "modes.h"
#include "thread.h"

/* Layout: Linux, Documentation/virt/kvm/x86/msr.rst. */
struct pvclock {
	u32 version;
	u32 pad0;
	u64 tsc_timestamp;
	u64 system_time;
	u32 tsc_to_system_mul;
	s8 tsc_shift;
	u8 flags;
	u8 pad[2];
} __attribute__((packed));

struct wallclock {
	u32 version;
	u32 sec;
	u32 nsec;
};

#define SECOND			1000000000ull
#define CLOCK_GUEST_STOPPED	2	/* of flags */

static struct pvclock pages[2] __attribute__((aligned(64)));
static struct wallclock wall __attribute__((aligned(64)));

static u64 pvclock_read(volatile struct pvclock *p)
{
	u64 delta, time;
	u32 version;

	do {
		version = p->version;
		barrier();
		delta = rdtsc() - p->tsc_timestamp;
		if (p->tsc_shift >= 0)
			delta <<= p->tsc_shift;
		else
			delta >>= -p->tsc_shift;
		time = p->system_time +
		       (u64)(((unsigned __int128)delta * p->tsc_to_system_mul) >> 32);
		barrier();
	} while ((version & 1) || version != p->version);
	return time;
}

static void guest_clock(void)
{
	volatile struct pvclock *p = &pages[guest_this()->index];
	u64 last = 0, now, i;

	wrmsr(MSR_KVM_SYSTEM_TIME, (u64)(uintptr_t)p | 1);
	GUEST_CHECK_EQ(rdmsr(MSR_KVM_SYSTEM_TIME), (u64)(uintptr_t)p | 1);
	for (;;) {
		for (i = 0; i < 200; i++) {
			now = pvclock_read(p);
			GUEST_CHECK(now >= last);
			last = now;
		}
		GUEST_CHECK_EQ(p->version & 1, 0);
		GUEST_CHECK(p->version != 0);
		GUEST_CHECK(p->tsc_to_system_mul != 0);
		guest_sync(now);
	}
}

static u64 guest_time(struct vcpu *vcpu)
{
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	return vcpu->cpu->uc.args[0];
}

static u64 clock_get(struct vm *vm)
{
	struct kvm_clock_data data;

	memset(&data, 0, sizeof(data));
	CHECK_EQ(xioctl(vm->fd, KVM_GET_CLOCK, &data), 0);
	return data.clock;
}

static void require_clock(struct vm *vm)
{
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);
	struct kvm_cpuid_entry2 *e = cpuid_entry(t, 0x40000001, 0);

	if (!e || !(e->eax & BIT(3)))
		ktap_skip("no kvm-clock in the CPUID table");
}

static void page_and_ioctl_agree(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	unsigned int i;

	require_clock(vm);
	REQUIRE_CAP(vm->fd, KVM_CAP_ADJUST_CLOCK);
	vcpu_entry(vcpu, guest_clock);
	guest_time(vcpu);
	for (i = 0; i < 20; i++) {
		u64 a = clock_get(vm), b = guest_time(vcpu), c = clock_get(vm);

		/* A microsecond of rounding between the two readers. */
		CHECK(a <= b + 1000);
		CHECK(b <= c + 1000);
		sleep_ms(5);
	}
	vm_free(vm);
}

static void runs_like_the_host(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 host, guest;

	require_clock(vm);
	vcpu_entry(vcpu, guest_clock);
	guest_time(vcpu);
	host = now_ns();
	guest = guest_time(vcpu);
	sleep_ms(500);
	guest = guest_time(vcpu) - guest;
	host = now_ns() - host;
	/* Within a quarter: the lab's own clock is not better. */
	CHECK_GE(guest, 400000000);
	CHECK_LE(guest, host + host / 4);
	vm_free(vm);
}

static void across_vcpus(void)
{
	struct vm *vm = vm_create();
	struct vcpu *a = vcpu_add(vm, 0), *b = vcpu_add(vm, 1);
	u64 last = 0;
	unsigned int i;

	require_clock(vm);
	vcpu_entry(a, guest_clock);
	vcpu_entry(b, guest_clock);
	guest_time(a);
	guest_time(b);
	for (i = 0; i < 50; i++) {
		u64 now = guest_time(i & 1 ? a : b);

		CHECK(now >= last);
		last = now;
	}
	vm_free(vm);
}

static void clock_set(struct vm *vm, u64 time)
{
	struct kvm_clock_data data = { .clock = time };

	CHECK_EQ(xioctl(vm->fd, KVM_SET_CLOCK, &data), 0);
}

static void set_clock(void)
{
	static const u64 times[] = { 0, 1000000000ull, 86400000000000ull, 5000000000ull };
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	size_t i;

	require_clock(vm);
	REQUIRE_CAP(vm->fd, KVM_CAP_ADJUST_CLOCK);
	for (i = 0; i < ARRAY_SIZE(times); i++) {
		u64 now;

		/* The guest's own check is that time grows: begin it anew. */
		vcpu_entry(vcpu, guest_clock);
		clock_set(vm, times[i]);
		now = clock_get(vm);
		CHECK(now >= times[i]);
		CHECK(now < times[i] + 5000000000ull);
		now = guest_time(vcpu);
		CHECK(now >= times[i]);
		CHECK(now < times[i] + 10000000000ull);
	}
	vm_free(vm);
}

static void clock_flags(void)
{
	struct vm *vm = vm_create();
	struct kvm_clock_data data = { .clock = 5, .flags = BIT(20) };

	REQUIRE_CAP(vm->fd, KVM_CAP_ADJUST_CLOCK);
	CHECK_ERR(xioctl(vm->fd, KVM_SET_CLOCK, &data), EINVAL);
	memset(&data, 0xff, sizeof(data));
	CHECK_EQ(xioctl(vm->fd, KVM_GET_CLOCK, &data), 0);
	CHECK_EQ(data.flags & ~(u32)cap(vm->fd, KVM_CAP_ADJUST_CLOCK), 0);
	CHECK_EQ(data.pad[0], 0);
	vm_free(vm);
}

static void guest_wall(void)
{
	wrmsr(MSR_KVM_WALL_CLOCK, (u64)(uintptr_t)&wall);
	GUEST_CHECK_EQ(wall.version & 1, 0);
	GUEST_CHECK(wall.version != 0);
	guest_sync(wall.sec);
	guest_done();
}

static u64 realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

/* What the clock showed, the host's time and its TSC are of one moment. */
static void clock_and_realtime(void)
{
	struct vm *vm = vm_create();
	struct kvm_clock_data data = {};
	u64 before, after, tsc_before, tsc_after;

	if ((REQUIRE_CAP(vm->fd, KVM_CAP_ADJUST_CLOCK) & (KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)) !=
	    (KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC))
		ktap_skip("KVM_GET_CLOCK tells no host time here");
	before = realtime_ns();
	tsc_before = rdtsc();
	CHECK_EQ(xioctl(vm->fd, KVM_GET_CLOCK, &data), 0);
	tsc_after = rdtsc();
	after = realtime_ns();
	if (!(data.flags & KVM_CLOCK_REALTIME))
		ktap_skip("the host does not keep time by its TSC");
	CHECK(data.flags & KVM_CLOCK_HOST_TSC);
	/* The host's own clock is bent at each tick. */
	CHECK(data.realtime + 1000000 >= before);
	CHECK(data.realtime <= after + 1000000);
	CHECK(data.host_tsc >= tsc_before);
	CHECK(data.host_tsc <= tsc_after);
	vm_free(vm);
}

/* A clock that was saved a while ago goes on as if it had run meanwhile; one of the future stays as it is. */
static void set_by_realtime(void)
{
	struct vm *vm = vm_create();
	struct kvm_clock_data data = { .clock = 5 * SECOND, .flags = KVM_CLOCK_REALTIME };
	u64 now;

	if (!(REQUIRE_CAP(vm->fd, KVM_CAP_ADJUST_CLOCK) & KVM_CLOCK_REALTIME))
		ktap_skip("KVM_SET_CLOCK takes no host time here");
	data.realtime = realtime_ns() - 1000 * SECOND;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_CLOCK, &data), 0);
	now = clock_get(vm);
	CHECK(now >= 1005 * SECOND);
	CHECK(now < 1015 * SECOND);
	data.realtime = realtime_ns() + 1000 * SECOND;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_CLOCK, &data), 0);
	now = clock_get(vm);
	CHECK(now >= 5 * SECOND);
	CHECK(now < 15 * SECOND);
	vm_free(vm);
}

/* The wall clock at boot: now, less what the VM has run. */
static void wall_clock(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct timespec ts;

	require_clock(vm);
	vcpu_entry(vcpu, guest_wall);
	clock_gettime(CLOCK_REALTIME, &ts);
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_GE(vcpu->cpu->uc.args[0], (u64)ts.tv_sec - 60);
	CHECK_LE(vcpu->cpu->uc.args[0], (u64)ts.tv_sec + 5);
	vm_free(vm);
}

/* The old numbers are the same registers. */
static void guest_old_msr(void)
{
	wrmsr(MSR_KVM_SYSTEM_TIME_OLD, (u64)(uintptr_t)&pages[0] | 1);
	GUEST_CHECK(pages[0].tsc_to_system_mul == 0 || pages[0].version != 0);
	guest_sync(1);
	GUEST_CHECK(pages[0].tsc_to_system_mul != 0);
	wrmsr(MSR_KVM_SYSTEM_TIME_OLD, 0);
	guest_sync(pages[0].version);
	guest_sync(pages[0].version);
	guest_done();
}

static void disabled_again(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u64 version;

	require_clock(vm);
	vcpu_entry(vcpu, guest_old_msr);
	RUN_SYNC(vcpu, 1);
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	version = vcpu->cpu->uc.args[0];
	clock_set(vm, 1000);
	sleep_ms(20);
	RUN_SYNC(vcpu, version);
	vm_free(vm);
}

/* Not running for a while is no lockup: KVM_KVMCLOCK_CTRL sets a mark, which stays until the guest takes it away. */
static void guest_sees_mark(void)
{
	volatile struct pvclock *p = &pages[0];

	wrmsr(MSR_KVM_SYSTEM_TIME, (u64)(uintptr_t)p | 1);
	guest_sync(p->flags & CLOCK_GUEST_STOPPED);
	guest_sync(p->flags & CLOCK_GUEST_STOPPED);
	guest_sync(p->flags & CLOCK_GUEST_STOPPED);
	p->flags &= ~CLOCK_GUEST_STOPPED;
	guest_sync(0);
	guest_sync(p->flags & CLOCK_GUEST_STOPPED);
	guest_done();
}

static void stopped_is_told(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	require_clock(vm);
	REQUIRE_CAP(vm->fd, KVM_CAP_KVMCLOCK_CTRL);
	vcpu_entry(vcpu, guest_sees_mark);
	CHECK_ERR(xioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0), EINVAL);
	RUN_SYNC(vcpu, 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0), 0);
	RUN_SYNC(vcpu, CLOCK_GUEST_STOPPED);
	clock_set(vm, 1000000);
	RUN_SYNC(vcpu, CLOCK_GUEST_STOPPED);
	RUN_SYNC(vcpu, 0);
	clock_set(vm, 2000000);
	RUN_SYNC(vcpu, 0);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(page_and_ioctl_agree),
	TEST(runs_like_the_host),
	TEST(across_vcpus),
	TEST(set_clock),
	TEST(clock_flags),
	TEST(clock_and_realtime),
	TEST(set_by_realtime),
	TEST(wall_clock),
	TEST(disabled_again),
	TEST(stopped_is_told),
};

KTAP_MAIN(tests)
