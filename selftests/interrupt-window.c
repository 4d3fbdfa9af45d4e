// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts from userspace, without an in-kernel irqchip: KVM_INTERRUPT, the
 * interrupt-window exit, if_flag, ready_for_interrupt_injection, and HLT.
 */
#include "host.h"
#include "modes.h"

#define VECTOR	0x40

static u64 guest_irqs;

static void guest_on_irq(struct guest_frame *frame)
{
	guest_irqs++;
	guest_sync(frame->vector);
}

static long interrupt(struct vcpu *vcpu, u32 vector)
{
	struct kvm_interrupt irq = { .irq = vector };

	return xioctl(vcpu->fd, KVM_INTERRUPT, &irq);
}

static struct vm *vm_with_handler(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm;

	guest_handlers[VECTOR] = guest_on_irq;
	guest_handlers[VECTOR + 1] = guest_on_irq;
	vm = vm_create();
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static void guest_sti(void)
{
	guest_sync(1);
	asm volatile("sti\n nop\n nop");
	guest_sync(2);
	asm volatile("cli");
	guest_sync(3);
	guest_done();
}

static void flags_in_the_run_area(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_handler(&vcpu, guest_sti);

	RUN_SYNC(vcpu, 1);
	CHECK_EQ(vcpu->run->if_flag, 0);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(vcpu->run->if_flag, 1);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	RUN_SYNC(vcpu, 3);
	CHECK_EQ(vcpu->run->if_flag, 0);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void window_opens(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_handler(&vcpu, guest_sti);

	vcpu->run->request_interrupt_window = 1;
	RUN_SYNC(vcpu, 1);
	RUN_EXPECT(vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
	CHECK_EQ(vcpu->run->if_flag, 1);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	vcpu->run->request_interrupt_window = 0;
	CHECK_EQ(interrupt(vcpu, VECTOR), 0);
	RUN_SYNC(vcpu, VECTOR);
	CHECK_EQ(vcpu->run->if_flag, 0);
	RUN_SYNC(vcpu, 2);
	RUN_SYNC(vcpu, 3);
	RUN_DONE(vcpu);
	CHECK_EQ(GVAR(vm, guest_irqs), 1);
	vm_free(vm);
}

static void guest_sti_only(void)
{
	asm volatile("sti\n nop");
	guest_sync(1);
	guest_sync(2);
	guest_done();
}

static void injected_at_once_when_ready(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_handler(&vcpu, guest_sti_only);

	RUN_SYNC(vcpu, 1);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	CHECK_EQ(interrupt(vcpu, VECTOR), 0);
	RUN_SYNC(vcpu, VECTOR);
	RUN_SYNC(vcpu, 2);
	vm_free(vm);
}

static void guest_halts(void)
{
	guest_sync(1);
	asm volatile("sti\n hlt");
	guest_sync(2);
	asm volatile("sti\n hlt");
	guest_sync(3);
	guest_done();
}

static void halt_and_wake(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_handler(&vcpu, guest_halts);

	RUN_SYNC(vcpu, 1);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	CHECK_EQ(vcpu->run->if_flag, 1);
	CHECK_EQ(vcpu->run->ready_for_interrupt_injection, 1);
	CHECK_EQ(interrupt(vcpu, VECTOR), 0);
	RUN_SYNC(vcpu, VECTOR);
	RUN_SYNC(vcpu, 2);
	RUN_EXPECT(vcpu, KVM_EXIT_HLT);
	/* Run again without an interrupt: execution simply goes on. */
	RUN_SYNC(vcpu, 3);
	CHECK_EQ(GVAR(vm, guest_irqs), 1);
	vm_free(vm);
}

static void guest_shadow(void)
{
	u64 ss = SEL_DATA;

	/* MOV SS and STI hold the window shut for one instruction. */
	asm volatile("xor %%eax, %%eax\n"
		     "sti\n"
		     "inc %%eax\n"
		     "1: cmp $0, %0\n"
		     "je 1b\n" :: "m" (guest_irqs) : "eax", "memory");
	asm volatile("mov %0, %%ss" :: "r" (ss));
	guest_done();
}

static void guest_shadow_handler(struct guest_frame *frame)
{
	guest_irqs++;
	/* The instruction behind STI has been executed. */
	guest_sync(frame->rax);
}

static void sti_shadow(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[VECTOR] = guest_shadow_handler;
	vm = vm_create();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_shadow);
	vcpu->run->request_interrupt_window = 1;
	RUN_EXPECT(vcpu, KVM_EXIT_IRQ_WINDOW_OPEN);
	vcpu->run->request_interrupt_window = 0;
	CHECK_EQ(interrupt(vcpu, VECTOR), 0);
	RUN_SYNC(vcpu, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_wants_two(void)
{
	guest_sync(1);
	asm volatile("sti\n nop\n nop");
	guest_sync(2);
	guest_done();
}

/* A vector given while the guest cannot take it waits, and then arrives. */
static void waits_for_the_window(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_handler(&vcpu, guest_wants_two);
	struct kvm_sregs s;

	if (!device_is_lodge() && host_has_vmx())
		ktap_skip("KVM on VT-x injects it at once, which fails the entry");
	RUN_SYNC(vcpu, 1);
	/* Given as a pending bit: QEMU's way to restore one. */
	s = sregs_get(vcpu);
	s.interrupt_bitmap[VECTOR / 64] = BIT(VECTOR % 64);
	CHECK_EQ(s.interrupt_bitmap[0], 0);
	sregs_set(vcpu, &s);
	CHECK_EQ(vcpu->run->if_flag, 0);
	RUN_SYNC(vcpu, VECTOR);
	RUN_SYNC(vcpu, 2);
	CHECK_EQ(sregs_get(vcpu).interrupt_bitmap[VECTOR / 64], 0);
	vm_free(vm);
}

static void refusals(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_handler(&vcpu, guest_wants_two);

	CHECK_ERR(interrupt(vcpu, 256), EINVAL);
	CHECK_ERR(interrupt(vcpu, 0xffffffff), EINVAL);
	vm_free(vm);

	vm = vm_create();
	REQUIRE_CAP(vm->fd, KVM_CAP_IRQCHIP);
	CHECK_OK(xioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	vcpu = vcpu_add(vm, 0);
	CHECK_ERR(interrupt(vcpu, VECTOR), ENXIO);
	vm_free(vm);
}

GUEST_CODE(real_irq, 16,
	"sti\n"
	"nop\n"
	"out %al, $0x42\n"
	"out %al, $0x43\n"
	"hlt\n");

GUEST_CODE(real_isr, 16,
	"out %al, $0x44\n"
	"iret\n");

static void real_mode(void)
{
	struct vm *vm = vm_create();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	u16 *ivt;

	code_load(vm, REAL_CODE, real_irq);
	code_load(vm, REAL_CODE + 0x100, real_isr);
	vcpu_mode(vcpu, MODE_REAL16, REAL_CODE);
	ivt = vm_hva(vm, 0);
	ivt[2 * 0x40] = REAL_CODE + 0x100;
	ivt[2 * 0x40 + 1] = 0;
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x42);
	CHECK_EQ(interrupt(vcpu, 0x40), 0);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x44);
	CHECK_EQ(vcpu->run->if_flag, 0);
	RUN_EXPECT(vcpu, KVM_EXIT_IO);
	CHECK_EQ(vcpu->run->io.port, 0x43);
	CHECK_EQ(vcpu->run->if_flag, 1);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(flags_in_the_run_area),
	TEST(window_opens),
	TEST(injected_at_once_when_ready),
	TEST(halt_and_wake),
	TEST(sti_shadow),
	TEST(waits_for_the_window),
	TEST(refusals),
	TEST(real_mode),
};

KTAP_MAIN(tests)
