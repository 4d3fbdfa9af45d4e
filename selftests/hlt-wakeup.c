// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU halted in the kernel sleeps, costs no CPU time, and wakes for every
 * kind of interrupt, wherever it comes from; with interrupts off only NMI and
 * INIT wake it.
 */
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "irq.h"
#include "thread.h"

#define VECTOR	0x50
#define GSI	20

static void guest_on_nmi(struct guest_frame *frame)
{
	guest_irqs[NMI_VECTOR]++;
}

static void guest_sleeps(void)
{
	guest_apic_enable();
	ioapic_redirect(GSI, VECTOR);
	guest_sync(1);
	guest_hlt();
	guest_sync(100 + guest_irqs[VECTOR]);
	guest_done();
}

static void guest_sleeps_masked(void)
{
	guest_apic_enable();
	ioapic_redirect(GSI, VECTOR);
	guest_sync(1);
	asm volatile("cli\n hlt");
	guest_sync(200 + guest_irqs[NMI_VECTOR]);
	GUEST_CHECK_EQ(guest_irqs[VECTOR], 0);
	guest_done();
}

struct sleeper {
	struct vcpu *vcpu;
	u64 woke;
	u64 cpu_ns;
};

static void *run_sleeper(void *arg)
{
	struct sleeper *s = arg;
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	CHECK_EQ(run_ucall(s->vcpu, __FILE__, __LINE__), UCALL_SYNC);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	s->cpu_ns = (u64)(b.tv_sec - a.tv_sec) * 1000000000 + (u64)(b.tv_nsec - a.tv_nsec);
	WRITE_ONCE(s->woke, s->vcpu->cpu->uc.args[0]);
	return NULL;
}

static struct vm *vm_asleep(struct sleeper *s, pthread_t *thread, void (*fn)(void))
{
	struct vm *vm;

	irq_handle(VECTOR);
	guest_handlers[NMI_VECTOR] = guest_on_nmi;
	vm = vm_create_irqchip();
	*s = (struct sleeper){ .vcpu = vcpu_add(vm, 0) };
	vcpu_entry(s->vcpu, fn);
	RUN_SYNC(s->vcpu, 1);
	*thread = thread_start(run_sleeper, s);
	sleep_ms(100);
	CHECK_EQ(READ_ONCE(s->woke), 0);
	return vm;
}

static void by_line(void)
{
	struct sleeper s;
	pthread_t thread;
	struct vm *vm = vm_asleep(&s, &thread, guest_sleeps);

	irq_pulse(vm, GSI);
	thread_join(thread);
	CHECK_EQ(s.woke, 101);
	vm_free(vm);
}

static void by_msi(void)
{
	struct sleeper s;
	pthread_t thread;
	struct vm *vm = vm_asleep(&s, &thread, guest_sleeps);

	CHECK_GE(signal_msi(vm, MSI_ADDRESS(0), VECTOR), 1);
	thread_join(thread);
	CHECK_EQ(s.woke, 101);
	vm_free(vm);
}

static void by_irqfd(void)
{
	struct kvm_irqfd arg = { .gsi = GSI };
	struct sleeper s;
	pthread_t thread;
	struct vm *vm = vm_asleep(&s, &thread, guest_sleeps);
	u64 one = 1;

	arg.fd = (u32)eventfd(0, 0);
	CHECK_EQ(xioctl(vm->fd, KVM_IRQFD, &arg), 0);
	CHECK_EQ(write((int)arg.fd, &one, 8), 8);
	thread_join(thread);
	CHECK_EQ(s.woke, 101);
	vm_free(vm);
}

static void nmi_with_interrupts_off(void)
{
	struct sleeper s;
	pthread_t thread;
	struct vm *vm = vm_asleep(&s, &thread, guest_sleeps_masked);

	irq_pulse(vm, GSI);
	sleep_ms(100);
	CHECK_EQ(READ_ONCE(s.woke), 0);
	/* KVM_NMI would wait for the vCPU to leave KVM_RUN. */
	CHECK_GE(signal_msi(vm, MSI_ADDRESS(0), APIC_MODE_NMI), 1);
	thread_join(thread);
	CHECK_EQ(s.woke, 201);
	vm_free(vm);
}

/* Asleep half a second: a small part of that in CPU time. */
static void sleeping_is_free(void)
{
	struct sleeper s;
	pthread_t thread;
	struct vm *vm = vm_asleep(&s, &thread, guest_sleeps);

	sleep_ms(1000);
	irq_pulse(vm, GSI);
	thread_join(thread);
	CHECK_LE(s.cpu_ns, 400000000);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(by_line),
	TEST(by_msi),
	TEST(by_irqfd),
	TEST(nmi_with_interrupts_off),
	TEST(sleeping_is_free),
};

KTAP_MAIN(tests)
