// SPDX-License-Identifier: GPL-2.0-only
/*
 * All state of a VM, read from one and written to a fresh one that has the same memory, at each word of the guest's: it
 * goes on as if nothing had happened, with registers, FPU, MSRs, debug registers, interrupt controllers, timers that
 * run, an interrupt that waits, and a clock that does not go back.
 */
#include <stdlib.h>
#include <unistd.h>

#include "irq.h"

#define TIMER_VECTOR	0x50
#define WAITING_VECTOR	0x61
#define STAGES		6
#define MAX_MSRS	256
#define HV_MSRS		0x40000000	/* some count, where there is an interface of Hyper-V's */

struct state {
	struct kvm_regs regs;
	struct kvm_sregs2 sregs;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp;
	struct kvm_lapic_state lapic;
	struct kvm_irqchip chips[3];
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[MAX_MSRS];
	} msrs;
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[CPUID_ENTRIES];
	} cpuid;
	struct kvm_xsave *xsave;
};

static void msr_indices(struct vm *vm, struct state *s)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MAX_MSRS * sizeof(u32));
	u32 i;

	list->nmsrs = MAX_MSRS;
	CHECK_EQ(xioctl(vm->sys, KVM_GET_MSR_INDEX_LIST, list), 0);
	s->msrs.head.nmsrs = list->nmsrs;
	for (i = 0; i < list->nmsrs; i++)
		s->msrs.entries[i].index = list->indices[i];
	free(list);
}

static void state_save(struct vcpu *vcpu, struct state *s)
{
	struct vm *vm = vcpu->vm;
	long size = cap(vm->fd, KVM_CAP_XSAVE2);
	u32 i;

	s->xsave = calloc(1, size > 4096 ? (size_t)size : 4096);
	s->cpuid.head.nent = CPUID_ENTRIES;
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_CPUID2, &s->cpuid), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_MP_STATE, &s->mp), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_REGS, &s->regs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_SREGS2, &s->sregs), 0);
	CHECK_EQ(xioctl(vcpu->fd, size ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, s->xsave), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_XCRS, &s->xcrs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_DEBUGREGS, &s->debugregs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &s->events), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_LAPIC, &s->lapic), 0);
	msr_indices(vm, s);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_MSRS, &s->msrs), s->msrs.head.nmsrs);
	for (i = 0; i < 3; i++) {
		s->chips[i].chip_id = i;
		CHECK_EQ(xioctl(vm->fd, KVM_GET_IRQCHIP, &s->chips[i]), 0);
	}
	CHECK_EQ(xioctl(vm->fd, KVM_GET_PIT2, &s->pit), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_GET_CLOCK, &s->clock), 0);
}

static void state_load(struct vcpu *vcpu, struct state *s)
{
	struct vm *vm = vcpu->vm;
	u32 i;

	s->clock.flags = 0;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_CLOCK, &s->clock), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_SET_PIT2, &s->pit), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(xioctl(vm->fd, KVM_SET_IRQCHIP, &s->chips[i]), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_CPUID2, &s->cpuid), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_SREGS2, &s->sregs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_REGS, &s->regs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XCRS, &s->xcrs), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_XSAVE, s->xsave), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_LAPIC, &s->lapic), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MSRS, &s->msrs), s->msrs.head.nmsrs);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &s->events), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MP_STATE, &s->mp), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_DEBUGREGS, &s->debugregs), 0);
	free(s->xsave);
}

static struct vm *machine(void)
{
	struct kvm_pit_config pit = { .flags = 0 };
	struct vm *vm = vm_create_bare();

	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &pit), 0);
	return vm;
}

/* To a new VM, which takes the old one's memory over. */
static struct vcpu *move(struct vcpu *from)
{
	struct vm *old = from->vm, *vm = machine();
	struct vcpu *vcpu;
	struct state s = {};

	run_finish_io(from);
	state_save(from, &s);
	vm->mem = old->mem;
	slot_set(vm, 0, 0, 0, VM_MEM_SIZE, vm->mem);
	vcpu = vcpu_add_bare(vm, 0);
	vcpu->cpu = from->cpu;
	vcpu->cpu_gpa = from->cpu_gpa;
	vcpu->stack = from->stack;
	old->mem = NULL;
	vm_free(old);
	state_load(vcpu, &s);
	return vcpu;
}

static const u64 numbers[4] = { 0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc, 0xddddeeeeffff0001 };

static void guest_prepares(void)
{
	guest_apic_enable();
	ioapic_redirect(0, TIMER_VECTOR);
	outb(0x43, 0x34);
	outb(0x40, 1193182 / 100 & 0xff);
	outb(0x40, 1193182 / 100 >> 8);
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, APIC_LVT_PERIODIC | (TIMER_VECTOR + 1));
	apic_write(APIC_TMICT, 10000000);
	wrmsr(MSR_LSTAR, 0xffffffff81000000);
	wrmsr(MSR_STAR, 0x23001000000000);
	wrmsr(MSR_IA32_SYSENTER_EIP, 0x1234000);
	asm volatile("mov %0, %%dr0\n mov %1, %%dr3" :: "r" (0x7123ul), "r" (0x7456ul));
	/* Waits behind the closed interrupt flag until the end. */
	apic_write(APIC_ICR, APIC_SHORT_SELF | WAITING_VECTOR);
}

static void guest_checks(u64 stage)
{
	u64 dr0, dr3;

	asm volatile("mov %%dr0, %0\n mov %%dr3, %1" : "=r" (dr0), "=r" (dr3));
	GUEST_CHECK_EQ(dr0, 0x7123);
	GUEST_CHECK_EQ(dr3, 0x7456);
	GUEST_CHECK_EQ(rdmsr(MSR_LSTAR), 0xffffffff81000000);
	GUEST_CHECK_EQ(rdmsr(MSR_STAR), 0x23001000000000);
	GUEST_CHECK_EQ(rdmsr(MSR_IA32_SYSENTER_EIP), 0x1234000);
	GUEST_CHECK_EQ(apic_read(APIC_LVTT), APIC_LVT_PERIODIC | (TIMER_VECTOR + 1));
	GUEST_CHECK_EQ(apic_read(APIC_TMICT), 10000000);
	GUEST_CHECK_EQ(ioapic_entry(0) & 0xff, TIMER_VECTOR);
	if (stage < STAGES - 1) {
		GUEST_CHECK(apic_read(APIC_IRR + (WAITING_VECTOR / 32 << 4)) & BIT(WAITING_VECTOR % 32));
		GUEST_CHECK_EQ(guest_irqs[WAITING_VECTOR], 0);
	}
}

static void guest_goes_on(void)
{
	register u64 kept asm("r13") = 0xfeedfacecafebeef;
	u64 tsc = 0, now, stage, got[4];

	guest_prepares();
	asm volatile("movdqu %0, %%xmm5\n movdqu %1, %%xmm14" :: "m" (numbers[0]), "m" (numbers[2]));
	for (stage = 0; stage < STAGES; stage++) {
		asm volatile("" : "+r" (kept));
		guest_sync(stage);
		asm volatile("" : "+r" (kept));
		GUEST_CHECK_EQ(kept, 0xfeedfacecafebeef);
		asm volatile("movdqu %%xmm5, %0\n movdqu %%xmm14, %1" : "=m" (got[0]), "=m" (got[2]) :: "memory");
		GUEST_CHECK_EQ(got[0], numbers[0]);
		GUEST_CHECK_EQ(got[2], numbers[2]);
		now = rdtsc();
		GUEST_CHECK(now > tsc);
		tsc = now;
		guest_checks(stage);
	}
	/* Each interrupt comes: the one that waited once, the timers again and again. */
	while (guest_irqs[TIMER_VECTOR] < 5 || guest_irqs[TIMER_VECTOR + 1] < 5 || !guest_irqs[WAITING_VECTOR])
		guest_hlt();
	GUEST_CHECK_EQ(guest_irqs[WAITING_VECTOR], 1);
	guest_done();
}

static void goes_on(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	u64 stage;

	irq_handle(TIMER_VECTOR);
	irq_handle(TIMER_VECTOR + 1);
	irq_handle(WAITING_VECTOR);
	vm = vm_create_irqchip();
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &(struct kvm_pit_config){}), 0);
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_goes_on);
	/* Far from a fresh VM's, which a value less than a second off would be taken for. */
	msr_set(vcpu, MSR_IA32_TSC, BIT(50));
	for (stage = 0; stage < STAGES; stage++) {
		RUN_SYNC(vcpu, stage);
		vcpu = move(vcpu);
	}
	RUN_DONE(vcpu);
	vm_free(vcpu->vm);
}

/* What is written is what is read again, but for what runs. */
static void reads_as_written(void)
{
	struct vcpu *vcpu;
	struct state a = {}, b = {};
	struct vm *vm;
	u32 i;

	irq_handle(WAITING_VECTOR);
	vm = vm_create_irqchip();
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &(struct kvm_pit_config){}), 0);
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_goes_on);
	RUN_SYNC(vcpu, 0);
	run_finish_io(vcpu);
	state_save(vcpu, &a);
	vcpu = move(vcpu);
	state_save(vcpu, &b);
	CHECK_MEM(&a.regs, &b.regs, sizeof(a.regs));
	CHECK_MEM(&a.sregs, &b.sregs, sizeof(a.sregs));
	CHECK_MEM(&a.xcrs, &b.xcrs, sizeof(a.xcrs));
	CHECK_MEM(a.xsave, b.xsave, 512);
	CHECK_MEM(&a.debugregs, &b.debugregs, sizeof(a.debugregs));
	CHECK_EQ(a.mp.mp_state, b.mp.mp_state);
	/* The PIT ticks meanwhile. */
	a.chips[0].chip.pic.irr &= ~1;
	b.chips[0].chip.pic.irr &= ~1;
	a.chips[0].chip.pic.last_irr &= ~1;
	b.chips[0].chip.pic.last_irr &= ~1;
	CHECK_MEM(&a.chips[0], &b.chips[0], sizeof(a.chips[0]));
	CHECK_MEM(&a.chips[1], &b.chips[1], sizeof(a.chips[1]));
	CHECK_GE(b.clock.clock, a.clock.clock);
	for (i = 0; i < a.msrs.head.nmsrs; i++) {
		u32 index = a.msrs.entries[i].index;

		if (index == MSR_IA32_TSC || index >> 12 == HV_MSRS >> 12)
			continue;
		if (a.msrs.entries[i].data != b.msrs.entries[i].data)
			FAIL("MSR %x: %llx became %llx", index, (unsigned long long)a.msrs.entries[i].data,
			     (unsigned long long)b.msrs.entries[i].data);
	}
	vm_free(vcpu->vm);
}

static const struct test tests[] = {
	TEST(goes_on),
	TEST(reads_as_written),
};

KTAP_MAIN(tests)
