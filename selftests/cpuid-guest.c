// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest's CPUID instruction answers: the table that was set, the bits
 * that follow the vCPU's state, zero or the highest basic leaf outside of it
 * (as AMD's or Intel's CPUs do, by the vendor in the table).
 */
#include <stdlib.h>

#include "modes.h"

#define MAX_ENTRIES	128

static struct kvm_cpuid_entry2 guest_table[MAX_ENTRIES];
static u32 guest_nent;

static void guest_compares(void)
{
	u32 i;

	for (i = 0; i < READ_ONCE(guest_nent); i++) {
		const struct kvm_cpuid_entry2 *e = &guest_table[i];
		struct cpuid_regs r = cpuid(e->function, e->index);

		if (r.eax != e->eax || r.ebx != e->ebx || r.ecx != e->ecx ||
		    r.edx != e->edx)
			guest_sync4(e->function, e->index,
				    (u64)r.eax << 32 | r.ebx, (u64)r.ecx << 32 | r.edx);
	}
	guest_done();
}

static void sees_the_table(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);

	vcpu_entry(vcpu, guest_compares);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_CPUID2, t), 0);
	CHECK_LE(t->nent, MAX_ENTRIES);
	memcpy(vm_hva(vm, (u64)(uintptr_t)guest_table), t->entries,
	       t->nent * sizeof(t->entries[0]));
	GVAR(vm, guest_nent) = t->nent;
	while (run_ucall(vcpu, __FILE__, __LINE__) == UCALL_SYNC) {
		u64 *a = vcpu->cpu->uc.args;
		struct kvm_cpuid_entry2 *e = cpuid_entry(t, (u32)a[0], (u32)a[1]);

		FAIL("leaf 0x%x.%u: guest has %llx %llx, table %08x%08x %08x%08x",
		     e->function, e->index, (unsigned long long)a[2],
		     (unsigned long long)a[3], e->eax, e->ebx, e->ecx, e->edx);
	}
	vm_free(vm);
}

static void guest_dynamic(void)
{
	u64 cr4 = GUEST_READ_CR(4);

	GUEST_CHECK_EQ(cpuid(1, 0).ecx & BIT(27), 0);
	GUEST_WRITE_CR(4, cr4 | X86_CR4_OSXSAVE);
	GUEST_CHECK_EQ(cpuid(1, 0).ecx & BIT(27), BIT(27));
	GUEST_WRITE_CR(4, cr4);
	GUEST_CHECK_EQ(cpuid(1, 0).ecx & BIT(27), 0);
	guest_done();
}

static void osxsave_follows_cr4(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);

	if (!(cpuid_entry(t, 1, 0)->ecx & BIT(26)))
		ktap_skip("no XSAVE in the CPUID table");
	vcpu_entry(vcpu, guest_dynamic);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_apic_bit(void)
{
	guest_sync(cpuid(1, 0).edx >> 9 & 1);
	guest_sync(cpuid(1, 0).edx >> 9 & 1);
	guest_done();
}

static void apic_follows_apic_base(void)
{
	struct vm *vm = vm_create();
	struct kvm_sregs s;
	struct vcpu *vcpu;

	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_apic_bit);
	RUN_SYNC(vcpu, 1);
	s = sregs_get(vcpu);
	s.apic_base &= ~APIC_BASE_ENABLE;
	sregs_set(vcpu, &s);
	RUN_SYNC(vcpu, 0);
	vm_free(vm);
}

/* Size of the area for what XCR0 enables now (SDM 2, CPUID leaf 0DH). */
static void guest_xsave_size(void)
{
	GUEST_WRITE_CR(4, GUEST_READ_CR(4) | X86_CR4_OSXSAVE);
	guest_sync(cpuid(0xd, 0).ebx);
	guest_sync(cpuid(0xd, 0).ebx);
	guest_done();
}

static void xsave_size_follows_xcr0(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);
	struct kvm_xcrs x = { .nr_xcrs = 1 };
	struct kvm_cpuid_entry2 *e = cpuid_entry(t, 0xd, 0);

	if (!e || !(e->eax & BIT(2)))
		ktap_skip("no YMM state in the CPUID table");
	vcpu_entry(vcpu, guest_xsave_size);
	RUN_SYNC(vcpu, 576);
	x.xcrs[0].value = 7;
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XCRS, &x), 0);
	RUN_SYNC(vcpu, cpuid_entry(t, 0xd, 2)->ebx + cpuid_entry(t, 0xd, 2)->eax);
	vm_free(vm);
}

static void guest_xsetbv(u32 xcr0)
{
	asm volatile("xsetbv" :: "a" (xcr0), "d" (0), "c" (0));
}

/* No exit to user space between the write and what CPUID makes of it. */
static void guest_sets_xcr0(void)
{
	u32 small, large, again;

	GUEST_WRITE_CR(4, GUEST_READ_CR(4) | X86_CR4_OSXSAVE);
	guest_xsetbv(3);
	small = cpuid(0xd, 0).ebx;
	guest_xsetbv(7);
	large = cpuid(0xd, 0).ebx;
	guest_xsetbv(3);
	again = cpuid(0xd, 0).ebx;
	guest_sync4(small, large, again, 0);
	guest_done();
}

static void xsave_size_follows_the_guest(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);
	struct kvm_cpuid_entry2 *e = cpuid_entry(t, 0xd, 0);
	u64 *args = vcpu->cpu->uc.args;

	if (!e || !(e->eax & BIT(2)))
		ktap_skip("no YMM state in the CPUID table");
	if (!device_is_lodge() && host_is_tcg())
		ktap_skip("the emulator does not tell KVM of XSETBV");
	vcpu_entry(vcpu, guest_sets_xcr0);
	CHECK_EQ(run_ucall(vcpu, __FILE__, __LINE__), UCALL_SYNC);
	CHECK_EQ(args[0], 576);
	CHECK_EQ(args[1], cpuid_entry(t, 0xd, 2)->ebx + cpuid_entry(t, 0xd, 2)->eax);
	CHECK_EQ(args[2], 576);
	vm_free(vm);
}

static const u32 outside[] = {
	0x17, 0x77, 0x100, 0x12345678, 0x3fffffff, 0x40000005, 0x400000ff,
	0x7fffffff, 0x80000028, 0x8fffffff, 0x90000000, 0xc0000001, 0xffffffff,
};

static struct cpuid_regs guest_got[16];

static void guest_asks_outside(void)
{
	u32 i;

	for (i = 0; i < 13; i++)
		guest_got[i] = cpuid(outside[i], 0);
	guest_got[13] = cpuid(5, 0);
	guest_done();
}

static void set_vendor(struct kvm_cpuid_entry2 *e, const char *vendor)
{
	memcpy(&e->ebx, vendor, 4);
	memcpy(&e->edx, vendor + 4, 4);
	memcpy(&e->ecx, vendor + 8, 4);
}

/* A table of three leaves whose highest basic one is recognisable. */
static struct vm *ask_outside(const char *vendor)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 *t = supported_cpuid(vm->sys);
	struct kvm_cpuid_entry2 *e = t->entries;
	struct kvm_cpuid_entry2 ext = *cpuid_entry(t, 0x80000001, 0);
	struct kvm_cpuid_entry2 one = *cpuid_entry(t, 1, 0);

	memset(e, 0, 6 * sizeof(*e));
	e[0].eax = 0x6;
	set_vendor(&e[0], vendor);
	e[1] = one;
	e[2].function = 6;
	e[2].eax = 0x11111111;
	e[2].ebx = 0x22222222;
	e[2].ecx = 0x33333333;
	e[2].edx = 0x44444444;
	e[3].function = 0x80000000;
	e[3].eax = 0x80000001;
	set_vendor(&e[3], vendor);
	e[4] = ext;
	t->nent = 5;
	cpuid_set(vcpu, t);
	vcpu_entry(vcpu, guest_asks_outside);
	RUN_DONE(vcpu);
	return vm;
}

static void check_outside(struct vm *vm, bool highest_basic)
{
	static const struct cpuid_regs zero, six = {
		0x11111111, 0x22222222, 0x33333333, 0x44444444,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		/* Extended leaves above their own maximum count as outside too. */
		const struct cpuid_regs *want = highest_basic ? &six : &zero;
		struct cpuid_regs got;

		memcpy(&got, vm_hva(vm, (u64)(uintptr_t)&guest_got[i]), sizeof(got));
		if (memcmp(&got, want, sizeof(got)))
			FAIL("leaf 0x%x gives %08x %08x %08x %08x, expected %08x ...",
			     outside[i], got.eax, got.ebx, got.ecx, got.edx, want->eax);
	}
	/* Inside the range but without an entry: zero for either vendor. */
	CHECK_MEM(vm_hva(vm, (u64)(uintptr_t)&guest_got[13]), &zero, sizeof(zero));
}

static void outside_amd(void)
{
	struct vm *vm = ask_outside("AuthenticAMD");

	check_outside(vm, false);
	vm_free(vm);
}

static void outside_intel(void)
{
	struct vm *vm = ask_outside("GenuineIntel");

	check_outside(vm, true);
	vm_free(vm);
}

static void guest_upper_halves(void)
{
	u64 a = 0xffffffff00000000, b = ~0ull, c = 0xffffffff00000000, d = ~0ull;

	asm volatile("cpuid" : "+a" (a), "+b" (b), "+c" (c), "+d" (d));
	GUEST_CHECK_EQ(a >> 32, 0);
	GUEST_CHECK_EQ(b >> 32, 0);
	GUEST_CHECK_EQ(c >> 32, 0);
	GUEST_CHECK_EQ(d >> 32, 0);
	guest_done();
}

static void results_are_zero_extended(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);

	vcpu_entry(vcpu, guest_upper_halves);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* Without any table every leaf is zero. */
static void guest_no_table(void)
{
	struct cpuid_regs r = cpuid(0, 0);

	GUEST_CHECK_EQ(r.eax | r.ebx | r.ecx | r.edx, 0);
	r = cpuid(0x80000000, 0);
	GUEST_CHECK_EQ(r.eax | r.ebx | r.ecx | r.edx, 0);
	guest_done();
}

static void no_table(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_cpuid2 none = { .nent = 0 };

	vcpu_entry(vcpu, guest_no_table);
	cpuid_set(vcpu, &none);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(sees_the_table),
	TEST(osxsave_follows_cr4),
	TEST(apic_follows_apic_base),
	TEST(xsave_size_follows_xcr0),
	TEST(xsave_size_follows_the_guest),
	TEST(outside_amd),
	TEST(outside_intel),
	TEST(results_are_zero_extended),
	TEST(no_table),
};

KTAP_MAIN(tests)
