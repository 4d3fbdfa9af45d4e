// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pair of 8259A interrupt controllers: ports 0x20, 0x21, 0xa0, 0xa1 and the edge/level registers 0x4d0,
 * 0x4d1. The output goes to whichever LAPIC takes ExtINT at LINT0. Everything under pic->lock; acknowledges are
 * told after it is dropped.
 */
#include "irqchip_internal.h"

#include <linux/slab.h>

#define PIC_CASCADE_PIN		2
#define ELCR_MASTER		0xf8
#define ELCR_SLAVE		0xde

static void pic_chip_reset(struct lodge_pic_chip *chip)
{
	u8 elcr = chip->elcr, mask = chip->elcr_mask;

	memset(chip, 0, sizeof(*chip));
	chip->elcr = elcr;
	chip->elcr_mask = mask;
}

/* The priority (0 highest) of the first set bit of @mask, counted from the rotating top; 8 for none. */
static int pic_priority(const struct lodge_pic_chip *chip, u8 mask)
{
	int priority;

	if (!mask)
		return 8;
	for (priority = 0; !(mask & BIT((priority + chip->priority_add) & 7)); priority++)
		;
	return priority;
}

/* The pin that would interrupt, or -1. */
static int pic_chip_pending(const struct lodge_pic *pic, const struct lodge_pic_chip *chip)
{
	int priority = pic_priority(chip, chip->irr & ~chip->imr);
	u8 isr = chip->isr;

	if (priority == 8)
		return -1;
	if (chip->special_mask)
		isr &= ~chip->imr;
	/* The master of a fully nested pair lets the slave interrupt again. */
	if (chip->special_fully_nested_mode && chip == &pic->chips[0])
		isr &= ~BIT(PIC_CASCADE_PIN);
	return priority < pic_priority(chip, isr) ? (priority + chip->priority_add) & 7 : -1;
}

static void pic_chip_set(struct lodge_pic_chip *chip, int pin, int level)
{
	u8 mask = BIT(pin);

	if (chip->elcr & mask) {
		if (level) {
			chip->irr |= mask;
			chip->last_irr |= mask;
		} else {
			chip->irr &= ~mask;
			chip->last_irr &= ~mask;
		}
		return;
	}
	if (level) {
		if (!(chip->last_irr & mask))
			chip->irr |= mask;
		chip->last_irr |= mask;
	} else {
		chip->last_irr &= ~mask;
	}
}

static void pic_update(struct lodge_pic *pic)
{
	int slave = pic_chip_pending(pic, &pic->chips[1]);
	bool output;

	if (slave >= 0) {
		/* An edge at the cascade pin for each new interrupt of the slave. */
		pic_chip_set(&pic->chips[0], PIC_CASCADE_PIN, 1);
		pic_chip_set(&pic->chips[0], PIC_CASCADE_PIN, 0);
	}
	output = pic_chip_pending(pic, &pic->chips[0]) >= 0;
	pic->rose |= output && !pic->output;
	WRITE_ONCE(pic->output, output);
}

/* The output rose: let the first vCPU that takes ExtINT look. A second one would find a spurious interrupt. */
static void pic_wake(struct lodge_pic *pic)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	lodge_for_each_vcpu(i, vcpu, pic->vm) {
		if (vcpu->lapic && lodge_lapic_accepts_extint(vcpu)) {
			lodge_vcpu_request(vcpu, LODGE_REQ_EVENT);
			break;
		}
	}
}

/* Tell acknowledged pins to their listeners, without the lock. */
static void pic_tell_acks(struct lodge_pic *pic, const u8 acked[2])
{
	int pin;

	for (pin = 0; pin < PIC_PINS; pin++)
		if (acked[pin >> 3] & BIT(pin & 7))
			lodge_irq_acked(pic->vm, pin >> 3, pin & 7);
}

/*
 * The end of every change. Listeners to acknowledges, who may lower a line, come before the priorities are looked
 * at again: else the slave would ask the master for a level that is on its way down.
 */
static void pic_unlock(struct lodge_pic *pic, unsigned long flags)
	__releases(&pic->lock)
{
	bool rose;

	while (unlikely(pic->acked[0] | pic->acked[1])) {
		u8 acked[2] = { pic->acked[0], pic->acked[1] };

		pic->acked[0] = pic->acked[1] = 0;
		raw_spin_unlock_irqrestore(&pic->lock, flags);
		pic_tell_acks(pic, acked);
		raw_spin_lock_irqsave(&pic->lock, flags);
	}
	pic_update(pic);
	rose = pic->rose;
	pic->rose = false;
	raw_spin_unlock_irqrestore(&pic->lock, flags);
	if (rose)
		pic_wake(pic);
}

static void pic_clear_isr(struct lodge_pic *pic, struct lodge_pic_chip *chip, int pin)
{
	chip->isr &= ~BIT(pin);
	pic->acked[chip == &pic->chips[1]] |= BIT(pin);
}

static void pic_intack(struct lodge_pic *pic, struct lodge_pic_chip *chip, int pin)
{
	chip->isr |= BIT(pin);
	/* A level stays requested as long as its line is up. */
	if (!(chip->elcr & BIT(pin)))
		chip->irr &= ~BIT(pin);
	if (chip->auto_eoi) {
		if (chip->rotate_on_auto_eoi)
			chip->priority_add = (pin + 1) & 7;
		pic_clear_isr(pic, chip, pin);
	}
}

int lodge_pic_set(struct lodge_pic *pic, u32 pin, u32 source, int level)
{
	struct lodge_pic_chip *chip = &pic->chips[pin >> 3];
	bool pending, seen;
	unsigned long flags;
	int ret = 1;

	raw_spin_lock_irqsave(&pic->lock, flags);
	__assign_bit(source, &pic->sources[pin], level);
	level = !!pic->sources[pin];
	pending = chip->irr & BIT(pin & 7);
	/* An edge pin that is up already sees nothing. */
	seen = level && ((chip->elcr & BIT(pin & 7)) || !(chip->last_irr & BIT(pin & 7)));
	pic_chip_set(chip, pin & 7, level);
	/* Masked is negative, still pending is 0: KVM_IRQ_LINE_STATUS. */
	if (chip->imr & BIT(pin & 7))
		ret = -1;
	else if (seen && pending)
		ret = 0;
	pic_unlock(pic, flags);
	return ret;
}

/* The CPU's INTA cycle: the vector, or -1 when the request has gone, as another vCPU may have taken it. */
int lodge_pic_read_vector(struct lodge_pic *pic)
{
	struct lodge_pic_chip *master = &pic->chips[0], *slave = &pic->chips[1];
	unsigned long flags;
	int pin, vector = -1;

	raw_spin_lock_irqsave(&pic->lock, flags);
	pin = pic_chip_pending(pic, master);
	if (pin >= 0 && pin != PIC_CASCADE_PIN) {
		pic_intack(pic, master, pin);
		vector = master->irq_base + pin;
	} else if (pin >= 0) {
		int slave_pin = pic_chip_pending(pic, slave);

		pic_intack(pic, master, pin);
		if (slave_pin >= 0)
			pic_intack(pic, slave, slave_pin);
		/* The slave's request went between its edge and now: its spurious interrupt. */
		vector = slave->irq_base + (slave_pin >= 0 ? slave_pin : 7);
	}
	pic_unlock(pic, flags);
	return vector < 0 ? vector : vector & 0xff;
}

static void pic_write_icw1(struct lodge_pic *pic, struct lodge_pic_chip *chip, u8 val)
{
	u8 edges = chip->irr & ~chip->elcr, slave = chip == &pic->chips[1];

	chip->init4 = val & 1;
	chip->last_irr = 0;
	chip->irr &= chip->elcr;
	chip->imr = 0;
	chip->priority_add = 0;
	chip->special_mask = 0;
	chip->read_reg_select = 0;
	chip->special_fully_nested_mode = chip->init4 ? chip->special_fully_nested_mode : 0;
	chip->auto_eoi = chip->init4 ? chip->auto_eoi : 0;
	chip->init_state = 1;
	pic->acked[slave] |= chip->isr | edges;
	chip->isr = 0;
}

static void pic_write_ocw2(struct lodge_pic *pic, struct lodge_pic_chip *chip, u8 val)
{
	int command = val >> 5, priority, pin = val & 7;

	switch (command) {
	case 0:		/* rotate in automatic EOI mode, off and on */
	case 4:
		chip->rotate_on_auto_eoi = command >> 2;
		break;
	case 1:		/* non-specific EOI, without and with rotation */
	case 5:
		priority = pic_priority(chip, chip->isr);
		if (priority == 8)
			break;
		pin = (priority + chip->priority_add) & 7;
		if (command == 5)
			chip->priority_add = (pin + 1) & 7;
		pic_clear_isr(pic, chip, pin);
		break;
	case 3:		/* specific EOI */
		pic_clear_isr(pic, chip, pin);
		break;
	case 6:		/* set priority */
		chip->priority_add = (pin + 1) & 7;
		break;
	case 7:		/* specific EOI with rotation */
		chip->priority_add = (pin + 1) & 7;
		pic_clear_isr(pic, chip, pin);
		break;
	}
}

static void pic_chip_write(struct lodge_pic *pic, struct lodge_pic_chip *chip, bool odd, u8 val)
{
	if (!odd) {
		if (val & 0x10) {
			pic_write_icw1(pic, chip, val);
		} else if (val & 0x08) {
			if (val & 0x04)
				chip->poll = 1;
			if (val & 0x02)
				chip->read_reg_select = val & 1;
			if (val & 0x40)
				chip->special_mask = (val >> 5) & 1;
		} else {
			pic_write_ocw2(pic, chip, val);
		}
		return;
	}
	switch (chip->init_state) {
	case 0:
		chip->imr = val;
		break;
	case 1:
		chip->irq_base = val & 0xf8;
		chip->init_state = 2;
		break;
	case 2:
		chip->init_state = chip->init4 ? 3 : 0;
		break;
	case 3:
		chip->special_fully_nested_mode = (val >> 4) & 1;
		chip->auto_eoi = (val >> 1) & 1;
		chip->init_state = 0;
		break;
	}
}

/* A poll acknowledges like INTA: the pin with bit 7, or 0. A polled slave no longer asks the master. */
static u8 pic_poll(struct lodge_pic *pic, struct lodge_pic_chip *chip)
{
	int pin = pic_chip_pending(pic, chip);

	chip->poll = 0;
	if (pin < 0)
		return 0;
	if (chip == &pic->chips[1])
		pic->chips[0].irr &= ~BIT(PIC_CASCADE_PIN);
	pic_intack(pic, chip, pin);
	return 0x80 | pin;
}

/* A register is one byte and reading it changes nothing: no lock. */
static u8 pic_chip_read(const struct lodge_pic_chip *chip, bool odd)
{
	if (odd)
		return READ_ONCE(chip->imr);
	return READ_ONCE(chip->read_reg_select) ? READ_ONCE(chip->isr) : READ_ONCE(chip->irr);
}

/* A polled read acknowledges. Not inlined: its lock would cost the common read registers to save. */
static noinline u8 pic_read_poll(struct lodge_pic *pic, struct lodge_pic_chip *chip, bool odd)
{
	unsigned long flags;
	u8 val;

	raw_spin_lock_irqsave(&pic->lock, flags);
	val = chip->poll ? pic_poll(pic, chip) : pic_chip_read(chip, odd);
	pic_unlock(pic, flags);
	return val;
}

static int pic_port_read(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len, void *val)
{
	struct lodge_pic *pic = container_of(dev, struct lodge_pic, dev);
	struct lodge_pic_chip *chip = &pic->chips[addr >> 7];

	if (unlikely(len != 1))
		memset(val, 0, len);
	else if (unlikely(READ_ONCE(chip->poll)))
		*(u8 *)val = pic_read_poll(pic, chip, addr & 1);
	else
		*(u8 *)val = pic_chip_read(chip, addr & 1);
	return 0;
}

static int pic_port_write(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len,
			  const void *val)
{
	struct lodge_pic *pic = container_of(dev, struct lodge_pic, dev);
	unsigned long flags;

	if (len != 1)
		return 0;
	raw_spin_lock_irqsave(&pic->lock, flags);
	pic_chip_write(pic, &pic->chips[addr >> 7], addr & 1, *(const u8 *)val);
	pic_unlock(pic, flags);
	return 0;
}

static int elcr_port_read(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len, void *val)
{
	struct lodge_pic *pic = container_of(dev, struct lodge_pic, elcr_dev);

	memset(val, 0, len);
	if (len == 1)
		*(u8 *)val = READ_ONCE(pic->chips[addr & 1].elcr);
	return 0;
}

static int elcr_port_write(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len,
			   const void *val)
{
	struct lodge_pic *pic = container_of(dev, struct lodge_pic, elcr_dev);
	struct lodge_pic_chip *chip = &pic->chips[addr & 1];
	unsigned long flags;

	if (len != 1)
		return 0;
	raw_spin_lock_irqsave(&pic->lock, flags);
	chip->elcr = *(const u8 *)val & chip->elcr_mask;
	pic_unlock(pic, flags);
	return 0;
}

static void pic_put(struct lodge_pic *pic)
{
	if (refcount_dec_and_test(&pic->users))
		kfree(pic);
}

static void pic_release(struct lodge_io_device *dev)
{
	pic_put(container_of(dev, struct lodge_pic, dev));
}

static void elcr_release(struct lodge_io_device *dev)
{
	pic_put(container_of(dev, struct lodge_pic, elcr_dev));
}

static const struct lodge_io_ops pic_ops = { pic_port_read, pic_port_write, pic_release };
static const struct lodge_io_ops elcr_ops = { elcr_port_read, elcr_port_write, elcr_release };

void lodge_pic_get_state(struct lodge_pic *pic, u32 index, struct kvm_pic_state *state)
{
	const struct lodge_pic_chip *chip = &pic->chips[index];
	unsigned long flags;

	raw_spin_lock_irqsave(&pic->lock, flags);
	*state = (struct kvm_pic_state) {
		.last_irr = chip->last_irr, .irr = chip->irr, .imr = chip->imr, .isr = chip->isr,
		.priority_add = chip->priority_add, .irq_base = chip->irq_base,
		.read_reg_select = chip->read_reg_select, .poll = chip->poll,
		.special_mask = chip->special_mask, .init_state = chip->init_state,
		.auto_eoi = chip->auto_eoi, .rotate_on_auto_eoi = chip->rotate_on_auto_eoi,
		.special_fully_nested_mode = chip->special_fully_nested_mode, .init4 = chip->init4,
		.elcr = chip->elcr, .elcr_mask = chip->elcr_mask,
	};
	raw_spin_unlock_irqrestore(&pic->lock, flags);
}

void lodge_pic_set_state(struct lodge_pic *pic, u32 index, const struct kvm_pic_state *state)
{
	struct lodge_pic_chip *chip = &pic->chips[index];
	unsigned long flags;

	raw_spin_lock_irqsave(&pic->lock, flags);
	*chip = (struct lodge_pic_chip) {
		.last_irr = state->last_irr, .irr = state->irr, .imr = state->imr, .isr = state->isr,
		.priority_add = state->priority_add, .irq_base = state->irq_base,
		.read_reg_select = state->read_reg_select, .poll = state->poll,
		.special_mask = state->special_mask, .init_state = state->init_state,
		.auto_eoi = state->auto_eoi, .rotate_on_auto_eoi = state->rotate_on_auto_eoi,
		.special_fully_nested_mode = state->special_fully_nested_mode, .init4 = state->init4,
		.elcr = state->elcr, .elcr_mask = state->elcr_mask,
	};
	pic_unlock(pic, flags);
}

static int pic_register(struct lodge_pic *pic)
{
	struct lodge_vm *vm = pic->vm;
	int ret;

	lockdep_assert_held(&vm->slots_lock);
	ret = lodge_io_bus_register(vm, LODGE_BUS_PIO, 0x20, 2, &pic->dev);
	if (ret)
		return ret;
	refcount_inc(&pic->users);
	ret = lodge_io_bus_register(vm, LODGE_BUS_PIO, 0xa0, 2, &pic->dev);
	if (ret)
		goto unregister;
	ret = lodge_io_bus_register(vm, LODGE_BUS_PIO, 0x4d0, 2, &pic->elcr_dev);
	if (ret)
		goto unregister;
	refcount_inc(&pic->users);
	return 0;

unregister:
	lodge_io_bus_unregister(vm, LODGE_BUS_PIO, &pic->dev);
	return ret;
}

int lodge_pic_create(struct lodge_vm *vm)
{
	struct lodge_pic *pic = kzalloc(sizeof(*pic), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!pic)
		return -ENOMEM;
	refcount_set(&pic->users, 1);
	raw_spin_lock_init(&pic->lock);
	pic->vm = vm;
	pic->chips[0].elcr_mask = ELCR_MASTER;
	pic->chips[1].elcr_mask = ELCR_SLAVE;
	pic_chip_reset(&pic->chips[0]);
	pic_chip_reset(&pic->chips[1]);
	pic->dev.ops = &pic_ops;
	pic->elcr_dev.ops = &elcr_ops;
	mutex_lock(&vm->slots_lock);
	ret = pic_register(pic);
	mutex_unlock(&vm->slots_lock);
	if (ret)
		pic_put(pic);
	else
		vm->irqchip->pic = pic;
	return ret;
}

void lodge_pic_unregister(struct lodge_vm *vm)
{
	struct lodge_pic *pic = vm->irqchip->pic;

	lockdep_assert_held(&vm->slots_lock);
	lodge_io_bus_unregister(vm, LODGE_BUS_PIO, &pic->dev);
	lodge_io_bus_unregister(vm, LODGE_BUS_PIO, &pic->elcr_dev);
}

/* The devices keep the chip until the bus has released them. */
void lodge_pic_destroy(struct lodge_vm *vm)
{
	pic_put(vm->irqchip->pic);
	vm->irqchip->pic = NULL;
}
