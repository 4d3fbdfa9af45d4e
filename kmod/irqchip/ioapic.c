// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOAPIC: 24 pins, a window of two registers at 0xfec00000, version 0x11. A pin's line is the OR of its
 * sources; ioapic->irr is the lines' state. Everything under ioapic->lock, also the delivery to the LAPICs;
 * acknowledges are told without it. Which GSI a pin belongs to is routing.c's. Intel 82093AA, section 3.
 */
#include "irqchip_internal.h"

#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/slab.h>

#define IOREGSEL		0x00
#define IOWIN			0x10

#define IOAPIC_REG_ID		0x00
#define IOAPIC_REG_VERSION	0x01
#define IOAPIC_REG_ARBITRATION	0x02
#define IOAPIC_REG_REDIRECTION	0x10

#define IOAPIC_VERSION		0x11
#define IOAPIC_READ_ONLY	(IOAPIC_REMOTE_IRR | IOAPIC_DELIVERY_STATUS)
#define IOAPIC_DEFINED		(GENMASK_ULL(63, 56) | GENMASK_ULL(16, 0))

/* A guest that ends a level interrupt this often while the line stays up has no driver for it: slow down. */
#define EOI_STORM_LIMIT		10000
#define EOI_STORM_DELAY		(HZ / 100)

/* A vCPU that was reset never ends the RTC's interrupt: wait this long for it. */
#define RTC_EOI_TIMEOUT		HZ

static u8 ioapic_vector(u64 entry)
{
	return entry & 0xff;
}

/* > 0: taken by LAPICs; < 0: masked, or still waits for the EOI of the last one, or nobody's. */
static int ioapic_deliver(struct lodge_ioapic *ioapic, u32 pin)
{
	u64 entry = ioapic->redirtbl[pin];
	struct lodge_irq_message message = {
		.dest = entry >> 56,
		.vector = ioapic_vector(entry),
		.mode = (entry >> 8) & 7,
		.logical = entry & IOAPIC_LOGICAL,
		.level = entry & IOAPIC_LEVEL,
		.assert = true,
	};
	int ret;

	lockdep_assert_held(&ioapic->lock);
	if ((entry & IOAPIC_MASKED) || (message.level && (entry & IOAPIC_REMOTE_IRR)))
		return -1;
	ret = lodge_irq_deliver(ioapic->vm, NULL, &message);
	if (!message.level)
		ioapic->irr_delivered |= BIT(pin);
	else if (ret > 0)
		WRITE_ONCE(ioapic->redirtbl[pin], entry | IOAPIC_REMOTE_IRR);
	if (pin == RTC_PIN) {
		ioapic->rtc_pending = max(ret, 0);
		ioapic->rtc_deadline = jiffies + RTC_EOI_TIMEOUT;
	}
	return ret;
}

/* The line of a level pin is up and its interrupt is not under way: deliver. */
static void ioapic_redeliver(struct lodge_ioapic *ioapic, u32 pin)
{
	u64 entry = ioapic->redirtbl[pin];

	if ((ioapic->irr & BIT(pin)) && (entry & IOAPIC_LEVEL) && !(entry & (IOAPIC_MASKED | IOAPIC_REMOTE_IRR)))
		ioapic_deliver(ioapic, pin);
}

/*
 * User space makes up for RTC ticks that coalesced, so it wants to know until the guest has ended the last one,
 * not only while it is pending in a LAPIC.
 */
static bool ioapic_rtc_coalesced(const struct lodge_ioapic *ioapic)
{
	return ioapic->rtc_pending && time_before(jiffies, ioapic->rtc_deadline);
}

static int ioapic_raise(struct lodge_ioapic *ioapic, u32 pin)
{
	bool edge = !(ioapic->redirtbl[pin] & IOAPIC_LEVEL), up = ioapic->irr & BIT(pin);

	if (pin == RTC_PIN && edge && ioapic_rtc_coalesced(ioapic))
		return 0;
	ioapic->irr |= BIT(pin);
	if (edge) {
		ioapic->irr_delivered &= ~BIT(pin);
		if (up)
			return 0;
	}
	return ioapic_deliver(ioapic, pin);
}

int lodge_ioapic_set(struct lodge_ioapic *ioapic, u32 pin, u32 source, int level)
{
	unsigned long flags;
	int ret = 1;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	__assign_bit(source, &ioapic->sources[pin], level);
	if (ioapic->sources[pin])
		ret = ioapic_raise(ioapic, pin);
	else
		ioapic->irr &= ~BIT(pin);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	return ret;
}

static void ioapic_eoi_work(struct work_struct *work)
{
	struct lodge_ioapic *ioapic = container_of(to_delayed_work(work), struct lodge_ioapic, eoi_work);
	unsigned long flags;
	u32 pin;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic_redeliver(ioapic, pin);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

static void ioapic_eoi_level(struct lodge_ioapic *ioapic, u32 pin)
{
	u64 entry = ioapic->redirtbl[pin] & ~IOAPIC_REMOTE_IRR;

	WRITE_ONCE(ioapic->redirtbl[pin], entry);
	if ((entry & IOAPIC_MASKED) || !(ioapic->irr & BIT(pin))) {
		ioapic->eoi_count[pin] = 0;
	} else if (++ioapic->eoi_count[pin] >= EOI_STORM_LIMIT) {
		ioapic->eoi_count[pin] = 0;
		schedule_delayed_work(&ioapic->eoi_work, EOI_STORM_DELAY);
	} else {
		ioapic_redeliver(ioapic, pin);
	}
}

static void ioapic_eoi_pin(struct lodge_ioapic *ioapic, u32 pin, u8 vector, bool level)
{
	unsigned long flags;
	u64 entry;

	/* Before remote IRR is cleared, so that a listener can lower the line first. */
	lodge_irq_acked(ioapic->vm, KVM_IRQCHIP_IOAPIC, pin);

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	entry = ioapic->redirtbl[pin];
	if (pin == RTC_PIN && ioapic->rtc_pending)
		ioapic->rtc_pending--;
	if (level && ioapic_vector(entry) == vector && (entry & IOAPIC_LEVEL))
		ioapic_eoi_level(ioapic, pin);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

void lodge_ioapic_eoi(struct lodge_vcpu *vcpu, u8 vector, bool level)
{
	struct lodge_ioapic *ioapic = vcpu->vm->irqchip->ioapic;
	u32 pin;

	/* Most vectors are not the IOAPIC's: timers, IPIs, MSIs. */
	if (!ioapic || !test_bit(vector, ioapic->vectors))
		return;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		if (ioapic_vector(READ_ONCE(ioapic->redirtbl[pin])) == vector)
			ioapic_eoi_pin(ioapic, pin, vector, level);
}

/* Edge pins too: the RTC's and the listeners' acknowledges hang on their EOIs. */
static void ioapic_note_vectors(struct lodge_ioapic *ioapic)
{
	DECLARE_BITMAP(vectors, 256);
	u32 pin, word;

	bitmap_zero(vectors, 256);
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		__set_bit(ioapic_vector(ioapic->redirtbl[pin]), vectors);
	for (word = 0; word < BITS_TO_LONGS(256); word++)
		WRITE_ONCE(ioapic->vectors[word], vectors[word]);
}

static void ioapic_write_entry(struct lodge_ioapic *ioapic, u32 pin, bool high, u32 val)
{
	u64 old = ioapic->redirtbl[pin], entry;

	if (high)
		entry = (u32)old | (u64)val << 32;
	else
		entry = (old & GENMASK_ULL(63, 32)) | val;
	entry = (entry & IOAPIC_DEFINED & ~IOAPIC_READ_ONLY) | (old & IOAPIC_READ_ONLY);
	/* Guests change to edge and back to get rid of an interrupt that was never ended. */
	if (!(entry & IOAPIC_LEVEL))
		entry &= ~IOAPIC_REMOTE_IRR;
	WRITE_ONCE(ioapic->redirtbl[pin], entry);
	if (ioapic_vector(entry) != ioapic_vector(old))
		ioapic_note_vectors(ioapic);
	if (pin == RTC_PIN)
		ioapic->rtc_pending = 0;
	ioapic_redeliver(ioapic, pin);
}

static void ioapic_write_window(struct lodge_ioapic *ioapic, u32 val)
{
	u32 reg = ioapic->ioregsel, pin;

	if (reg == IOAPIC_REG_ID)
		ioapic->id = (val >> 24) & 0xf;
	if (reg < IOAPIC_REG_REDIRECTION)
		return;
	pin = (reg - IOAPIC_REG_REDIRECTION) >> 1;
	if (pin < IOAPIC_PINS)
		ioapic_write_entry(ioapic, pin, reg & 1, val);
}

static u32 ioapic_read_window(const struct lodge_ioapic *ioapic)
{
	u32 reg = ioapic->ioregsel, pin;

	switch (reg) {
	case IOAPIC_REG_ID:
	case IOAPIC_REG_ARBITRATION:
		return (ioapic->id & 0xf) << 24;
	case IOAPIC_REG_VERSION:
		return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION;
	}
	if (reg < IOAPIC_REG_REDIRECTION)
		return 0;
	pin = (reg - IOAPIC_REG_REDIRECTION) >> 1;
	if (pin >= IOAPIC_PINS)
		return ~0U;
	return reg & 1 ? ioapic->redirtbl[pin] >> 32 : (u32)ioapic->redirtbl[pin];
}

static int ioapic_mmio_read(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len,
			    void *val)
{
	struct lodge_ioapic *ioapic = container_of(dev, struct lodge_ioapic, dev);
	unsigned long flags;
	u64 data = 0;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	switch (addr - IOAPIC_BASE) {
	case IOREGSEL:
		data = ioapic->ioregsel;
		break;
	case IOWIN:
		data = ioapic_read_window(ioapic);
		break;
	}
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	memset(val, 0, len);
	memcpy(val, &data, min_t(unsigned int, len, sizeof(data)));
	return 0;
}

static int ioapic_mmio_write(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len,
			     const void *val)
{
	struct lodge_ioapic *ioapic = container_of(dev, struct lodge_ioapic, dev);
	unsigned long flags;
	u32 data = 0;

	if (!is_power_of_2(len) || len > 8)
		return 0;
	memcpy(&data, val, min_t(unsigned int, len, sizeof(data)));
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	switch (addr - IOAPIC_BASE) {
	case IOREGSEL:
		ioapic->ioregsel = data & 0xff;
		break;
	case IOWIN:
		ioapic_write_window(ioapic, data);
		break;
	}
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
	return 0;
}

static void ioapic_put(struct lodge_ioapic *ioapic)
{
	if (refcount_dec_and_test(&ioapic->users))
		kfree(ioapic);
}

static void ioapic_release(struct lodge_io_device *dev)
{
	ioapic_put(container_of(dev, struct lodge_ioapic, dev));
}

static const struct lodge_io_ops ioapic_ops = { ioapic_mmio_read, ioapic_mmio_write, ioapic_release };

void lodge_ioapic_get_state(struct lodge_ioapic *ioapic, struct kvm_ioapic_state *state)
{
	unsigned long flags;
	u32 pin;

	memset(state, 0, sizeof(*state));
	state->base_address = IOAPIC_BASE;
	raw_spin_lock_irqsave(&ioapic->lock, flags);
	state->ioregsel = ioapic->ioregsel;
	state->id = ioapic->id;
	/* What a LAPIC has taken is not raised again where the state is restored. */
	state->irr = ioapic->irr & ~ioapic->irr_delivered;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		state->redirtbl[pin].bits = ioapic->redirtbl[pin];
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

void lodge_ioapic_set_state(struct lodge_ioapic *ioapic, const struct kvm_ioapic_state *state)
{
	unsigned long flags, raised = state->irr;
	u32 pin;

	raw_spin_lock_irqsave(&ioapic->lock, flags);
	ioapic->ioregsel = state->ioregsel & 0xff;
	ioapic->id = state->id & 0xf;
	ioapic->irr = 0;
	ioapic->irr_delivered = 0;
	ioapic->rtc_pending = 0;
	memset(ioapic->eoi_count, 0, sizeof(ioapic->eoi_count));
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		WRITE_ONCE(ioapic->redirtbl[pin], state->redirtbl[pin].bits);
	ioapic_note_vectors(ioapic);
	for_each_set_bit(pin, &raised, IOAPIC_PINS)
		ioapic_raise(ioapic, pin);
	raw_spin_unlock_irqrestore(&ioapic->lock, flags);
}

int lodge_ioapic_create(struct lodge_vm *vm)
{
	struct lodge_ioapic *ioapic = kzalloc(sizeof(*ioapic), GFP_KERNEL_ACCOUNT);
	u32 pin;
	int ret;

	if (!ioapic)
		return -ENOMEM;
	refcount_set(&ioapic->users, 1);
	raw_spin_lock_init(&ioapic->lock);
	INIT_DELAYED_WORK(&ioapic->eoi_work, ioapic_eoi_work);
	ioapic->vm = vm;
	ioapic->dev.ops = &ioapic_ops;
	for (pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic->redirtbl[pin] = IOAPIC_MASKED;
	ioapic_note_vectors(ioapic);
	mutex_lock(&vm->slots_lock);
	ret = lodge_io_bus_register(vm, LODGE_BUS_MMIO, IOAPIC_BASE, IOAPIC_SIZE, &ioapic->dev);
	mutex_unlock(&vm->slots_lock);
	if (ret) {
		ioapic_put(ioapic);
		return ret;
	}
	refcount_inc(&ioapic->users);
	vm->irqchip->ioapic = ioapic;
	return 0;
}

void lodge_ioapic_unregister(struct lodge_vm *vm)
{
	lockdep_assert_held(&vm->slots_lock);
	lodge_io_bus_unregister(vm, LODGE_BUS_MMIO, &vm->irqchip->ioapic->dev);
}

void lodge_ioapic_destroy(struct lodge_vm *vm)
{
	struct lodge_ioapic *ioapic = vm->irqchip->ioapic;

	/* No vCPU is left that could schedule it again. */
	cancel_delayed_work_sync(&ioapic->eoi_work);
	ioapic_put(ioapic);
	vm->irqchip->ioapic = NULL;
}
