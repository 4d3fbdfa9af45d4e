// SPDX-License-Identifier: GPL-2.0-only
/*
 * State of the in-kernel chips: initial values, GET after SET, and a guest
 * that sees what was set.
 */
#include "irq.h"

static struct kvm_irqchip chip_get(struct vm *vm, u32 id)
{
	struct kvm_irqchip chip;

	memset(&chip, 0xaa, sizeof(chip));
	chip.chip_id = id;
	CHECK_EQ(xioctl(vm->fd, KVM_GET_IRQCHIP, &chip), 0);
	CHECK_EQ(chip.chip_id, id);
	return chip;
}

static void chip_set(struct vm *vm, const struct kvm_irqchip *chip)
{
	CHECK_EQ(xioctl(vm->fd, KVM_SET_IRQCHIP, chip), 0);
}

static void pic(void)
{
	struct vm *vm = vm_create_irqchip();
	u32 id;

	for (id = KVM_IRQCHIP_PIC_MASTER; id <= KVM_IRQCHIP_PIC_SLAVE; id++) {
		struct kvm_irqchip set = chip_get(vm, id), got;

		set.chip.pic.irq_base = (u8)(0x20 + 8 * id);
		set.chip.pic.imr = 0x5a;
		set.chip.pic.elcr = id ? 0x0e : 0x20;
		set.chip.pic.read_reg_select = 1;
		set.chip.pic.special_mask = 0;
		set.chip.pic.init4 = 1;
		chip_set(vm, &set);
		got = chip_get(vm, id);
		CHECK_MEM(&set.chip.pic, &got.chip.pic, sizeof(set.chip.pic));
	}
	vm_free(vm);
}

static void ioapic_initial(void)
{
	struct vm *vm = vm_create_irqchip();
	struct kvm_irqchip chip = chip_get(vm, KVM_IRQCHIP_IOAPIC);
	unsigned int i;

	CHECK_EQ(chip.chip.ioapic.base_address, IOAPIC_BASE);
	CHECK_EQ(chip.chip.ioapic.irr, 0);
	for (i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
		CHECK_EQ(chip.chip.ioapic.redirtbl[i].bits, IOAPIC_MASKED);
	vm_free(vm);
}

static void guest_reads_ioapic(void)
{
	guest_sync(ioapic_entry(5));
	ioapic_redirect(6, 0x0200000000000000 | 0x77);
	guest_done();
}

static void ioapic(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_irqchip set = chip_get(vm, KVM_IRQCHIP_IOAPIC), got;
	const u64 entry = 0x0100000000010055;

	set.chip.ioapic.redirtbl[5].bits = entry;
	set.chip.ioapic.redirtbl[23].bits = 0x10000 | 0x66;
	set.chip.ioapic.id = 3;
	set.chip.ioapic.ioregsel = 0x12;
	chip_set(vm, &set);
	got = chip_get(vm, KVM_IRQCHIP_IOAPIC);
	CHECK_EQ(got.chip.ioapic.redirtbl[5].bits, entry);
	CHECK_EQ(got.chip.ioapic.redirtbl[23].bits, 0x10066);
	CHECK_EQ(got.chip.ioapic.id, 3);
	CHECK_EQ(got.chip.ioapic.ioregsel, 0x12);
	vcpu_entry(vcpu, guest_reads_ioapic);
	RUN_SYNC(vcpu, entry);
	RUN_DONE(vcpu);
	got = chip_get(vm, KVM_IRQCHIP_IOAPIC);
	CHECK_EQ(got.chip.ioapic.redirtbl[6].bits, 0x0200000000000077);
	vm_free(vm);
}

static void lapic_initial(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *first = vcpu_add(vm, 0), *second = vcpu_add(vm, 3);

	CHECK_EQ(lapic_get(first, APIC_ID), 0);
	CHECK_EQ(lapic_get(second, APIC_ID), 3u << 24);
	CHECK_EQ(lapic_get(first, APIC_LVR) & 0xff, 0x14);
	CHECK_GE(lapic_get(first, APIC_LVR) >> 16 & 0xff, 5);
	CHECK_EQ(lapic_get(first, APIC_TPR), 0);
	CHECK_EQ(lapic_get(first, APIC_SVR), 0xff);
	CHECK_EQ(lapic_get(first, APIC_DFR), 0xffffffff);
	CHECK_EQ(lapic_get(first, APIC_LVTT), APIC_LVT_MASKED);
	CHECK_EQ(lapic_get(second, APIC_LVT0), APIC_LVT_MASKED);
	CHECK_EQ(lapic_get(first, APIC_LVT1), APIC_LVT_MASKED);
	CHECK_EQ(lapic_get(first, APIC_LVTERR), APIC_LVT_MASKED);
	/* The boot CPU's LINT0 is in virtual-wire mode for the PIC's sake. */
	CHECK_EQ(lapic_get(first, APIC_LVT0), APIC_MODE_EXTINT);
	vm_free(vm);
}

static void guest_reads_lapic(void)
{
	GUEST_CHECK_EQ(apic_read(APIC_TPR), 0x30);
	GUEST_CHECK_EQ(apic_read(APIC_LVT0), APIC_MODE_EXTINT);
	GUEST_CHECK_EQ(apic_read(APIC_LVT1), APIC_MODE_NMI);
	GUEST_CHECK_EQ(apic_read(APIC_SVR), 0x1ff);
	GUEST_CHECK_EQ(apic_read(APIC_TDCR), 0xb);
	GUEST_CHECK_EQ(apic_read(APIC_TMICT), 0);
	apic_write(APIC_TPR, 0x50);
	apic_write(APIC_LVTERR, 0x99);
	guest_done();
}

static void lapic_set(struct vcpu *vcpu, struct kvm_lapic_state *state, u32 reg, u32 val)
{
	memcpy(state->regs + reg, &val, sizeof(val));
}

static void lapic(void)
{
	struct vm *vm = vm_create_irqchip();
	struct vcpu *vcpu = vcpu_add(vm, 0);
	struct kvm_lapic_state state, got;

	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_LAPIC, &state), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_LAPIC, &state), 0);
	lapic_set(vcpu, &state, APIC_TPR, 0x30);
	lapic_set(vcpu, &state, APIC_LVT0, APIC_MODE_EXTINT);
	lapic_set(vcpu, &state, APIC_LVT1, APIC_MODE_NMI);
	lapic_set(vcpu, &state, APIC_SVR, 0x1ff);
	lapic_set(vcpu, &state, APIC_TDCR, 0xb);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_LAPIC, &state), 0);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_LAPIC, &got), 0);
	CHECK_MEM(got.regs + APIC_LVT0, state.regs + APIC_LVT0, 4);
	CHECK_MEM(got.regs + APIC_LVT1, state.regs + APIC_LVT1, 4);
	CHECK_MEM(got.regs + APIC_SVR, state.regs + APIC_SVR, 4);
	CHECK_MEM(got.regs + APIC_TPR, state.regs + APIC_TPR, 4);
	vcpu_entry(vcpu, guest_reads_lapic);
	RUN_DONE(vcpu);
	CHECK_EQ(lapic_get(vcpu, APIC_TPR), 0x50);
	CHECK_EQ(lapic_get(vcpu, APIC_LVTERR), 0x99);
	CHECK_EQ(sregs_get(vcpu).cr8, 5);
	vm_free(vm);
}

/* An interrupt that was pending when the state was saved is delivered. */
static void guest_takes_one(void)
{
	guest_sti();
	while (!guest_irqs[0x61])
		;
	guest_done();
}

static void pending_interrupt_restored(void)
{
	struct kvm_lapic_state state;
	struct vcpu *vcpu;
	struct vm *vm;

	irq_handle(0x61);
	vm = vm_create_irqchip();
	vcpu = vcpu_add(vm, 0);
	vcpu_entry(vcpu, guest_takes_one);
	CHECK_EQ(xioctl(vcpu->fd, KVM_GET_LAPIC, &state), 0);
	lapic_set(vcpu, &state, APIC_SVR, 0x1ff);
	lapic_set(vcpu, &state, APIC_IRR + 0x10 * (0x61 / 32), 1u << 0x61 % 32);
	CHECK_EQ(xioctl(vcpu->fd, KVM_SET_LAPIC, &state), 0);
	RUN_DONE(vcpu);
	CHECK_EQ(GVAR(vm, guest_irqs[0x61]), 1);
	vm_free(vm);
}

static void pit(void)
{
	struct vm *vm = vm_create_irqchip();
	struct kvm_pit_config config = { .flags = 0 };
	struct kvm_pit_state2 set, got;

	REQUIRE_CAP(vm->fd, KVM_CAP_PIT2);
	CHECK_EQ(xioctl(vm->fd, KVM_CREATE_PIT2, &config), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_GET_PIT2, &set), 0);
	set.channels[1].count = 0x1234;
	set.channels[1].mode = 2;
	set.channels[1].rw_mode = 3;
	set.channels[1].bcd = 0;
	set.channels[2].gate = 1;
	set.channels[2].count = 0x4321;
	set.channels[2].mode = 3;
	CHECK_EQ(xioctl(vm->fd, KVM_SET_PIT2, &set), 0);
	CHECK_EQ(xioctl(vm->fd, KVM_GET_PIT2, &got), 0);
	CHECK_EQ(got.channels[1].count, 0x1234);
	CHECK_EQ(got.channels[1].mode, 2);
	CHECK_EQ(got.channels[1].rw_mode, 3);
	CHECK_EQ(got.channels[2].gate, 1);
	CHECK_EQ(got.channels[2].count, 0x4321);
	CHECK_EQ(got.channels[2].mode, 3);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(pic),
	TEST(ioapic_initial),
	TEST(ioapic),
	TEST(lapic_initial),
	TEST(lapic),
	TEST(pending_interrupt_restored),
	TEST(pit),
};

KTAP_MAIN(tests)
