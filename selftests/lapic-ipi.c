// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interprocessor interrupts among three vCPUs: physical, logical and shorthand
 * destinations, NMI, by xAPIC and x2APIC; start-up of application processors
 * by INIT and SIPI.
 */
#include "irq.h"
#include "thread.h"

#define VECTOR	0x60
#define NR	3

static volatile u64 guest_counts[NR], guest_nmis[NR];
static volatile u64 guest_up, guest_stop;

static void guest_on_ipi(struct guest_frame *frame)
{
	guest_counts[guest_this()->index]++;
	apic_write(APIC_EOI, 0);
}

static void guest_on_x2_ipi(struct guest_frame *frame)
{
	guest_counts[guest_this()->index]++;
	wrmsr(MSR_X2APIC + APIC_EOI / 16, 0);
}

static void guest_on_nmi(struct guest_frame *frame)
{
	guest_nmis[guest_this()->index]++;
}

/* Alternately halted and spinning, so that both are woken. */
static void guest_target(void)
{
	guest_apic_enable();
	apic_write(APIC_LDR, 1u << (24 + guest_this()->index));
	asm volatile("lock incq %0" : "+m" (guest_up));
	while (!guest_stop) {
		guest_hlt();
		guest_sti();
		cpu_relax();
	}
	guest_done();
}

static void guest_wait(u64 a, u64 b, u64 c)
{
	/* Once at least: what should not have come must have its chance. */
	do {
		guest_sti();
		cpu_relax();
		guest_cli();
	} while (guest_counts[0] < a || guest_counts[1] < b || guest_counts[2] < c);
	GUEST_CHECK_EQ(guest_counts[0], a);
	GUEST_CHECK_EQ(guest_counts[1], b);
	GUEST_CHECK_EQ(guest_counts[2], c);
}

static void guest_icr(u32 dest, u32 low)
{
	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, low);
}

static void guest_finish(void)
{
	guest_stop = 1;
	guest_icr(0, APIC_SHORT_OTHERS | VECTOR);
	guest_done();
}

static void guest_sender(void)
{
	guest_apic_enable();
	apic_write(APIC_LDR, 1u << 24);
	while (guest_up < 2)
		cpu_relax();
	guest_icr(0, APIC_SHORT_SELF | VECTOR);
	guest_wait(1, 0, 0);
	guest_icr(1, VECTOR);
	guest_wait(1, 1, 0);
	guest_icr(2, VECTOR);
	guest_wait(1, 1, 1);
	guest_icr(0, APIC_SHORT_OTHERS | VECTOR);
	guest_wait(1, 2, 2);
	guest_icr(0, APIC_SHORT_ALL | VECTOR);
	guest_wait(2, 3, 3);
	guest_icr(0xff, VECTOR);
	guest_wait(3, 4, 4);
	guest_icr(0x06, APIC_DEST_LOGICAL | VECTOR);
	guest_wait(3, 5, 5);
	guest_icr(0x01, APIC_DEST_LOGICAL | VECTOR);
	guest_wait(4, 5, 5);
	/* Nobody is there. */
	guest_icr(9, VECTOR);
	guest_icr(1, APIC_MODE_NMI);
	while (!guest_nmis[1])
		cpu_relax();
	GUEST_CHECK_EQ(guest_nmis[0] + guest_nmis[2], 0);
	guest_wait(4, 5, 5);
	guest_finish();
}

static void *run_to_done(void *arg)
{
	RUN_DONE((struct vcpu *)arg);
	return NULL;
}

static void run_all(void (*sender)(void), void (*target)(void), guest_handler_t ipi)
{
	pthread_t threads[NR];
	struct vm *vm;
	unsigned int i;

	require_cpus(2);
	guest_handlers[VECTOR] = ipi;
	guest_handlers[NMI_VECTOR] = guest_on_nmi;
	vm = vm_create_irqchip();
	for (i = 0; i < NR; i++) {
		struct vcpu *vcpu = vcpu_add(vm, i);
		struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_RUNNABLE };

		vcpu_entry(vcpu, i ? target : sender);
		CHECK_EQ(xioctl(vcpu->fd, KVM_SET_MP_STATE, &mp), 0);
	}
	for (i = 0; i < NR; i++)
		threads[i] = thread_start(run_to_done, vm->vcpus[i]);
	for (i = 0; i < NR; i++)
		thread_join(threads[i]);
	vm_free(vm);
}

static void xapic(void)
{
	run_all(guest_sender, guest_target, guest_on_ipi);
}

static void guest_x2_enable(void)
{
	wrmsr(MSR_IA32_APICBASE, rdmsr(MSR_IA32_APICBASE) | APIC_BASE_X2APIC);
	wrmsr(MSR_X2APIC + APIC_SVR / 16, 0x1ff);
}

static void guest_x2_target(void)
{
	guest_x2_enable();
	asm volatile("lock incq %0" : "+m" (guest_up));
	while (!guest_stop) {
		guest_hlt();
		guest_sti();
		cpu_relax();
	}
	guest_done();
}

static void guest_x2_icr(u32 dest, u32 low)
{
	wrmsr(MSR_X2APIC + APIC_ICR / 16, (u64)dest << 32 | low);
}

static void guest_x2_sender(void)
{
	guest_x2_enable();
	while (guest_up < 2)
		cpu_relax();
	wrmsr(MSR_X2APIC + APIC_SELF_IPI / 16, VECTOR);
	guest_wait(1, 0, 0);
	guest_x2_icr(1, VECTOR);
	guest_wait(1, 1, 0);
	guest_x2_icr(0xffffffff, VECTOR);
	guest_wait(2, 2, 1);
	/* Cluster 0, members 1 and 2. */
	guest_x2_icr(0x6, APIC_DEST_LOGICAL | VECTOR);
	guest_wait(2, 3, 2);
	guest_x2_icr(0, APIC_SHORT_OTHERS | VECTOR);
	guest_wait(2, 4, 3);
	guest_stop = 1;
	guest_x2_icr(0, APIC_SHORT_OTHERS | VECTOR);
	guest_done();
}

static void x2apic(void)
{
	run_all(guest_x2_sender, guest_x2_target, guest_on_x2_ipi);
}

/* Lowest priority goes to exactly one of those addressed. */
static void guest_lowest(void)
{
	u64 i;

	guest_apic_enable();
	apic_write(APIC_LDR, 1u << 24);
	while (guest_up < 2)
		cpu_relax();
	for (i = 1; i <= 20; i++) {
		guest_icr(0x06, APIC_DEST_LOGICAL | 0x100 | VECTOR);
		while (guest_counts[1] + guest_counts[2] < i)
			cpu_relax();
	}
	GUEST_CHECK_EQ(guest_counts[1] + guest_counts[2], 20);
	GUEST_CHECK_EQ(guest_counts[0], 0);
	guest_finish();
}

static void lowest_priority(void)
{
	run_all(guest_lowest, guest_target, guest_on_ipi);
}

/* SIPI with vector 3 begins at 0300:0000 = 0x3000. */
#define AP_PAGE	0x3000

GUEST_CODE(ap_code, 16,
	"mov %cs, %ax\n"
	"out %ax, $0x42\n"
	"hlt\n"
	"out %ax, $0x43\n"
	"1: hlt\n"
	"jmp 1b\n");

static void guest_starts_ap(void)
{
	guest_apic_enable();
	guest_icr(1, APIC_MODE_INIT | APIC_LEVEL_ASSERT);
	guest_icr(1, APIC_MODE_STARTUP | AP_PAGE >> 12);
	guest_sync(1);
	/* Ignored: it is running. */
	guest_icr(1, APIC_MODE_STARTUP | 0x77);
	guest_sync(2);
	/* Again from the beginning. */
	guest_icr(1, APIC_MODE_INIT | APIC_LEVEL_ASSERT);
	guest_icr(1, APIC_MODE_STARTUP | AP_PAGE >> 12);
	guest_sync(3);
	guest_done();
}

static void *run_ap(void *arg)
{
	struct vcpu *ap = arg;
	long r;

	do {
		r = run_try(ap);
	} while (r == -EAGAIN);
	CHECK_EQ(r, 0);
	return NULL;
}

static void check_ap_started(struct vcpu *ap)
{
	struct kvm_sregs s = sregs_get(ap);

	CHECK_EQ(ap->run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(ap->run->io.port, 0x42);
	CHECK_EQ(s.cs.selector, AP_PAGE >> 4);
	CHECK_EQ(s.cs.base, AP_PAGE);
	/* INIT leaves CD and NW alone (APM 2, 14.1.3). */
	CHECK_EQ(s.cr0 & ~(X86_CR0_CD | X86_CR0_NW), X86_CR0_ET);
	CHECK_EQ(s.cr4, 0);
	CHECK_EQ(s.efer, 0);
	CHECK_EQ(regs_get(ap).rbx, 0);
}

static void init_and_sipi(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *bsp = vcpu_add(vm, 0), *ap = vcpu_add(vm, 1);
	struct kvm_mp_state mp;
	struct kvm_regs regs;
	pthread_t thread;

	memcpy(vm_hva(vm, AP_PAGE), ap_code_start, (size_t)(ap_code_end - ap_code_start));
	vcpu_entry(bsp, guest_starts_ap);
	/* What some VMMs load into APs must not survive INIT. */
	vcpu_entry(ap, guest_target);
	regs = regs_get(ap);
	regs.rbx = 0x1234;
	regs_set(ap, &regs);
	CHECK_EQ(xioctl(ap->fd, KVM_GET_MP_STATE, &mp), 0);
	CHECK_EQ(mp.mp_state, KVM_MP_STATE_UNINITIALIZED);
	thread = thread_start(run_ap, ap);
	RUN_SYNC(bsp, 1);
	thread_join(thread);
	check_ap_started(ap);
	CHECK_EQ(xioctl(ap->fd, KVM_GET_MP_STATE, &mp), 0);
	CHECK_EQ(mp.mp_state, KVM_MP_STATE_RUNNABLE);
	/* A SIPI without INIT changes nothing. */
	RUN_SYNC(bsp, 2);
	CHECK_EQ(sregs_get(ap).cs.selector, AP_PAGE >> 4);
	thread = thread_start(run_ap, ap);
	sleep_ms(50);
	RUN_SYNC(bsp, 3);
	thread_join(thread);
	check_ap_started(ap);
	RUN_DONE(bsp);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(xapic),
	TEST(x2apic),
	TEST(lowest_priority),
	TEST(init_and_sipi),
};

KTAP_MAIN(tests)
