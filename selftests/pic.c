// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pair of 8259s behind LINT0 in ExtINT mode: initialisation, masks,
 * priorities, EOI, the cascade, level mode, and the registers' read-back.
 */
#include "irq.h"

#define BASE	0x20	/* vectors of the master; the slave's follow */

static void guest_pic_init(u8 mask_master, u8 mask_slave)
{
	outb(0x20, 0x11);
	outb(0x21, BASE);
	outb(0x21, 0x04);
	outb(0x21, 0x01);
	outb(0xa0, 0x11);
	outb(0xa1, BASE + 8);
	outb(0xa1, 0x02);
	outb(0xa1, 0x01);
	outb(0x21, mask_master);
	outb(0xa1, mask_slave);
}

static volatile u64 counts[16];
static volatile u64 last_irq;

static void guest_on_pic(struct guest_frame *frame)
{
	u64 irq = frame->vector - BASE;

	counts[irq]++;
	last_irq = irq;
	if (irq >= 8)
		outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static void guest_window(void)
{
	guest_sti();
	guest_cli();
}

static struct vm *vm_with_pic(struct vcpu **vcpu, void (*fn)(void))
{
	struct vm *vm;
	unsigned int i;

	for (i = 0; i < 16; i++)
		guest_handlers[BASE + i] = guest_on_pic;
	vm = vm_create_irqchip();
	*vcpu = vcpu_add(vm, 0);
	vcpu_entry(*vcpu, fn);
	return vm;
}

static void guest_takes(void)
{
	guest_pic_init(0, 0);
	guest_sync(1);
	guest_window();
	GUEST_CHECK_EQ(counts[3], 1);
	guest_sync(2);
	guest_window();
	GUEST_CHECK_EQ(counts[11], 1);
	GUEST_CHECK_EQ(counts[2], 0);
	guest_sync(3);
	/* Higher priority first: 1 before 3, the slave at the cascade's place. */
	guest_sti();
	while (counts[3] < 2)
		;
	guest_cli();
	GUEST_CHECK_EQ(last_irq, 3);
	GUEST_CHECK_EQ(counts[1], 1);
	GUEST_CHECK_EQ(counts[12], 1);
	guest_done();
}

static void delivery(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pic(&vcpu, guest_takes);

	RUN_SYNC(vcpu, 1);
	irq_pulse(vm, 3);
	RUN_SYNC(vcpu, 2);
	irq_pulse(vm, 11);
	RUN_SYNC(vcpu, 3);
	irq_line(vm, 3, 1);
	irq_line(vm, 12, 1);
	irq_line(vm, 1, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_masks(void)
{
	guest_pic_init(0xff & ~BIT(2), 0xff);
	GUEST_CHECK_EQ(inb(0x21), 0xfb);
	GUEST_CHECK_EQ(inb(0xa1), 0xff);
	guest_sync(1);
	guest_window();
	GUEST_CHECK_EQ(counts[4] + counts[9], 0);
	/* The request is kept while the line is up. */
	outb(0x20, 0x0a);
	GUEST_CHECK_EQ(inb(0x20) & BIT(4), BIT(4));
	outb(0x21, 0xff & ~(BIT(2) | BIT(4)));
	guest_window();
	GUEST_CHECK_EQ(counts[4], 1);
	outb(0xa1, 0xff & ~BIT(1));
	guest_window();
	GUEST_CHECK_EQ(counts[9], 1);
	GUEST_CHECK_EQ(inb(0x20) & BIT(4), 0);
	guest_done();
}

static void masks(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pic(&vcpu, guest_masks);

	RUN_SYNC(vcpu, 1);
	irq_line(vm, 4, 1);
	irq_line(vm, 9, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* In service until EOI: same and lower priorities wait, higher ones do not. */
static void guest_on_slow(struct guest_frame *frame)
{
	counts[frame->vector - BASE]++;
	outb(0x20, 0x0b);
	GUEST_CHECK_EQ(inb(0x20), BIT(5));
	guest_sync(2);
	guest_window();
	GUEST_CHECK_EQ(counts[7], 0);
	GUEST_CHECK_EQ(counts[0], 1);
	outb(0x20, 0x20);
}

static void guest_in_service(void)
{
	guest_pic_init(0, 0);
	guest_sync(1);
	guest_window();
	guest_window();
	GUEST_CHECK_EQ(counts[5], 1);
	GUEST_CHECK_EQ(counts[7], 1);
	guest_done();
}

static void in_service(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[BASE] = guest_on_pic;
	guest_handlers[BASE + 7] = guest_on_pic;
	guest_handlers[BASE + 5] = guest_on_slow;
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_in_service);
	RUN_SYNC(vcpu, 1);
	irq_line(vm, 5, 1);
	RUN_SYNC(vcpu, 2);
	irq_line(vm, 7, 1);
	irq_line(vm, 0, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* The edge/level registers make line 10 a level: it repeats. */
static void guest_on_level(struct guest_frame *frame)
{
	counts[10]++;
	if (counts[10] == 3)
		guest_sync(2);
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static void guest_level(void)
{
	guest_pic_init(0, 0);
	outb(0x4d1, 0x04);
	GUEST_CHECK_EQ(inb(0x4d1), 0x04);
	GUEST_CHECK_EQ(inb(0x4d0), 0);
	guest_sync(1);
	guest_sti();
	while (counts[10] < 3)
		;
	guest_cli();
	guest_window();
	GUEST_CHECK_EQ(counts[10], 3);
	guest_done();
}

static void level(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[BASE + 10] = guest_on_level;
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_level);
	RUN_SYNC(vcpu, 1);
	irq_line(vm, 10, 1);
	RUN_SYNC(vcpu, 2);
	irq_line(vm, 10, 0);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_halted(void)
{
	guest_pic_init(0, 0);
	guest_sync(1);
	guest_hlt();
	GUEST_CHECK_EQ(counts[6], 1);
	guest_done();
}

static void wakes_a_halted_cpu(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pic(&vcpu, guest_halted);

	RUN_SYNC(vcpu, 1);
	irq_line(vm, 6, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static void guest_lint0(void)
{
	guest_apic_enable();	/* masks LINT0 */
	guest_pic_init(0, 0);
	guest_sync(1);
	guest_window();
	GUEST_CHECK_EQ(counts[6], 0);
	/* Fixed delivery is not the PIC's. */
	apic_write(APIC_LVT0, 0x60);
	guest_window();
	GUEST_CHECK_EQ(counts[6], 0);
	guest_done();
}

static void masked_by_lint0(void)
{
	struct vcpu *vcpu;
	struct vm *vm = vm_with_pic(&vcpu, guest_lint0);

	RUN_SYNC(vcpu, 1);
	irq_line(vm, 6, 1);
	RUN_DONE(vcpu);
	vm_free(vm);
}

/* Automatic EOI and rotation commands leave nothing in service. */
static void guest_auto_eoi(void)
{
	guest_pic_init(0, 0);
	outb(0x20, 0x11);
	outb(0x21, BASE);
	outb(0x21, 0x04);
	outb(0x21, 0x03);
	outb(0x21, 0);
	guest_sync(1);
	guest_window();
	GUEST_CHECK_EQ(counts[3], 1);
	outb(0x20, 0x0b);
	GUEST_CHECK_EQ(inb(0x20), 0);
	guest_sync(2);
	guest_window();
	GUEST_CHECK_EQ(counts[3], 2);
	guest_done();
}

static void guest_on_no_eoi(struct guest_frame *frame)
{
	counts[frame->vector - BASE]++;
}

static void automatic_eoi(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	guest_handlers[BASE + 3] = guest_on_no_eoi;
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_auto_eoi);
	RUN_SYNC(vcpu, 1);
	irq_pulse(vm, 3);
	RUN_SYNC(vcpu, 2);
	irq_pulse(vm, 3);
	RUN_DONE(vcpu);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(delivery),
	TEST(masks),
	TEST(in_service),
	TEST(level),
	TEST(wakes_a_halted_cpu),
	TEST(masked_by_lint0),
	TEST(automatic_eoi),
};

KTAP_MAIN(tests)
