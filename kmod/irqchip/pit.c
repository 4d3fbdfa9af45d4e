// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 8254 interval timer: ports 0x40-0x43 and, on request, the speaker's 0x61. Channel 0 raises GSI 0 from an
 * hrtimer, channel 2 is what guests calibrate by; counters are computed from the time of their load. Everything
 * under pit->lock, which is dropped before the GSI is driven. Intel 8254 data sheet.
 */
#include "irqchip_internal.h"

#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/timex.h>

#define PIT_CHANNELS		3
#define PIT_PORT		0x40
#define PIT_PORTS		4
#define PIT_CONTROL		3
#define PIT_SPEAKER_PORT	0x61
#define PIT_GSI			0
#define PIT_IRQ_SOURCE		(LODGE_IRQ_SOURCE_USER + 2)
#define PIT_MODE_UNSET		0xff
/* The shortest period that a guest may make the host's timer follow. */
#define PIT_MIN_PERIOD		(200 * NSEC_PER_USEC)

/* rw_mode, read_state, write_state, count_latched: the byte that comes next. */
#define PIT_LOW			1
#define PIT_HIGH		2
#define PIT_WORD_LOW		3
#define PIT_WORD_HIGH		4

#define SPEAKER_GATE		BIT(0)
#define SPEAKER_DATA		BIT(1)
#define SPEAKER_REFRESH		BIT(4)
#define SPEAKER_OUT		BIT(5)
#define SPEAKER_REFRESH_SHIFT	14	/* of nanoseconds: near the 15 us of a PC's memory refresh */

#define PIT_STATE_FLAGS		(KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON)

struct lodge_pit {
	raw_spinlock_t lock;
	struct kvm_pit_channel_state channels[PIT_CHANNELS];
	u32 flags;		/* KVM_PIT_FLAGS_* */
	bool dead;		/* the timer must not start again */
	bool armed;		/* an expiry is wanted */
	u64 period;		/* ns, or 0 for one shot */
	bool reinject;
	u32 pending;		/* ticks that the guest has not acknowledged; with @reinject */
	struct hrtimer timer;
	struct lodge_vm *vm;
	struct lodge_irq_ack ack;
	refcount_t users;	/* the irqchip and the bus */
	struct lodge_io_device dev;
};

static void pit_put(struct lodge_pit *pit)
{
	if (refcount_dec_and_test(&pit->users))
		kfree(pit);
}

/*
 * A tick that finds the last one still pending in a chip is absorbed there; @pending brings it back after the
 * acknowledge. What the guest has masked it will not miss.
 */
static void pit_pulse(struct lodge_pit *pit)
{
	unsigned long flags;
	int status;

	status = lodge_irq_set(pit->vm, PIT_IRQ_SOURCE, PIT_GSI, 1);
	lodge_irq_set(pit->vm, PIT_IRQ_SOURCE, PIT_GSI, 0);
	lodge_lapic_lint0_watchdog(pit->vm);
	if (status >= 0)
		return;
	raw_spin_lock_irqsave(&pit->lock, flags);
	pit->pending = 0;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
}

static void pit_acked(struct lodge_irq_ack *ack)
{
	struct lodge_pit *pit = container_of(ack, struct lodge_pit, ack);
	unsigned long flags;
	bool again;

	raw_spin_lock_irqsave(&pit->lock, flags);
	if (pit->pending)
		pit->pending--;
	again = pit->pending;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	if (again)
		pit_pulse(pit);
}

static enum hrtimer_restart pit_expired(struct hrtimer *timer)
{
	struct lodge_pit *pit = container_of(timer, struct lodge_pit, timer);
	enum hrtimer_restart restart = HRTIMER_NORESTART;
	unsigned long flags;
	u64 ticks = 1;

	raw_spin_lock_irqsave(&pit->lock, flags);
	/* Stopped, or started anew, while this expiry waited for the lock. */
	if (!pit->armed || hrtimer_is_queued(timer)) {
		raw_spin_unlock_irqrestore(&pit->lock, flags);
		return HRTIMER_NORESTART;
	}
	if (pit->period) {
		ticks = hrtimer_forward(timer, ktime_get(), ns_to_ktime(pit->period));
		restart = HRTIMER_RESTART;
	} else {
		pit->armed = false;
	}
	if (pit->reinject)
		pit->pending = min_t(u64, pit->pending + ticks, U32_MAX);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	pit_pulse(pit);
	return restart;
}

/*
 * Start or stop channel 0's timer as its mode and count say. A callback that runs right now is not waited for:
 * it needs the lock and then sees what was changed.
 */
static void pit_timer_update(struct lodge_pit *pit)
{
	const struct kvm_pit_channel_state *channel = &pit->channels[0];
	u64 interval = mul_u64_u32_div(channel->count, NSEC_PER_SEC, PIT_TICK_RATE);
	bool periodic = channel->mode == 2 || channel->mode == 3;

	lockdep_assert_held(&pit->lock);
	pit->pending = 0;
	/* Mode 5 counts from a rise of the gate, which channel 0 has wired to 1. */
	pit->armed = channel->mode <= 4 && !pit->dead && !(pit->flags & KVM_PIT_FLAGS_HPET_LEGACY);
	if (!pit->armed) {
		hrtimer_try_to_cancel(&pit->timer);
		return;
	}
	pit->period = periodic ? max_t(u64, interval, PIT_MIN_PERIOD) : 0;
	hrtimer_start(&pit->timer, ns_to_ktime(channel->count_load_time + interval), HRTIMER_MODE_ABS_HARD);
}

static u32 pit_modulus(const struct kvm_pit_channel_state *channel)
{
	return channel->bcd ? 10000 : 0x10000;
}

static u32 pit_from_bcd(u32 val)
{
	return (val >> 12 & 0xf) * 1000 + (val >> 8 & 0xf) * 100 + (val >> 4 & 0xf) * 10 + (val & 0xf);
}

static u16 pit_to_bcd(u32 val)
{
	return val / 1000 % 10 << 12 | val / 100 % 10 << 8 | val / 10 % 10 << 4 | val % 10;
}

/* Clocks since the load or the last rise of the gate. */
static u64 pit_elapsed(const struct kvm_pit_channel_state *channel)
{
	s64 ns = ktime_get_ns() - channel->count_load_time;

	return mul_u64_u32_div(max_t(s64, ns, 0), PIT_TICK_RATE, NSEC_PER_SEC);
}

static u16 pit_count(const struct kvm_pit_channel_state *channel)
{
	u64 elapsed = pit_elapsed(channel);
	u32 modulus = pit_modulus(channel), count = channel->count, rest;

	switch (channel->mode) {
	case 2:
		div_u64_rem(elapsed, count, &rest);
		count -= rest;
		break;
	case 3:		/* twice a period from the count down, by two */
		div_u64_rem(2 * elapsed, count, &rest);
		count -= rest;
		break;
	default:	/* goes on below 0 */
		div_u64_rem(elapsed, modulus, &rest);
		count = (count + modulus - rest) % modulus;
		break;
	}
	return channel->bcd ? pit_to_bcd(count) : count;
}

static bool pit_out(const struct kvm_pit_channel_state *channel)
{
	u64 elapsed = pit_elapsed(channel);
	u32 rest;

	switch (channel->mode) {
	case 2:		/* low for the last clock of each period */
		div_u64_rem(elapsed, channel->count, &rest);
		return rest != channel->count - 1;
	case 3:		/* high for the first half */
		div_u64_rem(elapsed, channel->count, &rest);
		return rest < (channel->count + 1) / 2;
	case 4:		/* low for one clock at the end */
	case 5:
		return elapsed != channel->count;
	default:	/* high from the end on */
		return elapsed >= channel->count;
	}
}

/* @count: in clocks; 0 is the largest. */
static void pit_load(struct lodge_pit *pit, unsigned int index, u32 count)
{
	struct kvm_pit_channel_state *channel = &pit->channels[index];

	channel->count = count ?: pit_modulus(channel);
	channel->count_load_time = ktime_get_ns();
	if (index == 0)
		pit_timer_update(pit);
}

static void pit_load_written(struct lodge_pit *pit, unsigned int index, u32 val)
{
	pit_load(pit, index, pit->channels[index].bcd ? pit_from_bcd(val) : val);
}

static void pit_latch_count(struct kvm_pit_channel_state *channel)
{
	if (channel->count_latched)
		return;
	channel->latched_count = pit_count(channel);
	channel->count_latched = channel->rw_mode;
}

static void pit_latch_status(struct kvm_pit_channel_state *channel)
{
	if (channel->status_latched)
		return;
	channel->status = pit_out(channel) << 7 | (channel->rw_mode & 3) << 4 | (channel->mode & 7) << 1 |
			  (channel->bcd & 1);
	channel->status_latched = 1;
}

static void pit_write_read_back(struct lodge_pit *pit, u8 val)
{
	unsigned int i;

	for (i = 0; i < PIT_CHANNELS; i++) {
		if (!(val & BIT(i + 1)))
			continue;
		/* Both bits are active low. */
		if (!(val & BIT(5)))
			pit_latch_count(&pit->channels[i]);
		if (!(val & BIT(4)))
			pit_latch_status(&pit->channels[i]);
	}
}

static void pit_write_control(struct lodge_pit *pit, u8 val)
{
	unsigned int index = val >> 6;
	struct kvm_pit_channel_state *channel;
	u8 access = (val >> 4) & 3;

	if (index == 3) {
		pit_write_read_back(pit, val);
		return;
	}
	channel = &pit->channels[index];
	if (!access) {
		pit_latch_count(channel);
		return;
	}
	channel->rw_mode = channel->read_state = channel->write_state = access;
	channel->mode = (val >> 1) & 7;
	/* 6 and 7 are 2 and 3 again. */
	if (channel->mode > 5)
		channel->mode -= 4;
	channel->bcd = val & 1;
}

static void pit_write_count(struct lodge_pit *pit, unsigned int index, u8 val)
{
	struct kvm_pit_channel_state *channel = &pit->channels[index];

	switch (channel->write_state) {
	case PIT_HIGH:
		pit_load_written(pit, index, val << 8);
		break;
	case PIT_WORD_LOW:
		channel->write_latch = val;
		channel->write_state = PIT_WORD_HIGH;
		break;
	case PIT_WORD_HIGH:
		channel->write_state = PIT_WORD_LOW;
		pit_load_written(pit, index, channel->write_latch | val << 8);
		break;
	default:
		pit_load_written(pit, index, val);
		break;
	}
}

static u8 pit_read_latched(struct kvm_pit_channel_state *channel)
{
	u8 state = channel->count_latched;

	channel->count_latched = state == PIT_WORD_LOW ? PIT_HIGH : 0;
	return state == PIT_HIGH ? channel->latched_count >> 8 : channel->latched_count & 0xff;
}

static u8 pit_read_count(struct kvm_pit_channel_state *channel)
{
	u16 count;

	if (channel->status_latched) {
		channel->status_latched = 0;
		return channel->status;
	}
	if (channel->count_latched)
		return pit_read_latched(channel);
	count = pit_count(channel);
	switch (channel->read_state) {
	case PIT_HIGH:
		return count >> 8;
	case PIT_WORD_LOW:
		channel->read_state = PIT_WORD_HIGH;
		return count & 0xff;
	case PIT_WORD_HIGH:
		channel->read_state = PIT_WORD_LOW;
		return count >> 8;
	default:
		return count & 0xff;
	}
}

static void pit_write_speaker(struct lodge_pit *pit, u8 val)
{
	struct kvm_pit_channel_state *channel = &pit->channels[2];
	u8 gate = val & SPEAKER_GATE;

	if (val & SPEAKER_DATA)
		pit->flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	else
		pit->flags &= ~KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	/* A rise of the gate starts these modes again. */
	if (gate && !channel->gate && channel->mode != 0 && channel->mode != 4)
		channel->count_load_time = ktime_get_ns();
	channel->gate = gate;
}

static u8 pit_read_speaker(const struct lodge_pit *pit)
{
	const struct kvm_pit_channel_state *channel = &pit->channels[2];
	u8 val = channel->gate ? SPEAKER_GATE : 0;

	if (pit->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON)
		val |= SPEAKER_DATA;
	if (pit_out(channel))
		val |= SPEAKER_OUT;
	/* Some firmware times by the toggling of this bit. */
	if (ktime_get_ns() >> SPEAKER_REFRESH_SHIFT & 1)
		val |= SPEAKER_REFRESH;
	return val;
}

static int pit_port_read(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len, void *val)
{
	struct lodge_pit *pit = container_of(dev, struct lodge_pit, dev);
	unsigned long flags;
	u8 data = 0;

	raw_spin_lock_irqsave(&pit->lock, flags);
	if (addr == PIT_SPEAKER_PORT)
		data = pit_read_speaker(pit);
	else if (addr - PIT_PORT < PIT_CHANNELS)
		data = pit_read_count(&pit->channels[addr - PIT_PORT]);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	memset(val, 0, len);
	*(u8 *)val = data;
	return 0;
}

static int pit_port_write(struct lodge_vcpu *vcpu, struct lodge_io_device *dev, u64 addr, unsigned int len,
			  const void *val)
{
	struct lodge_pit *pit = container_of(dev, struct lodge_pit, dev);
	u8 data = *(const u8 *)val;
	unsigned long flags;

	raw_spin_lock_irqsave(&pit->lock, flags);
	if (addr == PIT_SPEAKER_PORT)
		pit_write_speaker(pit, data);
	else if (addr - PIT_PORT == PIT_CONTROL)
		pit_write_control(pit, data);
	else
		pit_write_count(pit, addr - PIT_PORT, data);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static void pit_release(struct lodge_io_device *dev)
{
	pit_put(container_of(dev, struct lodge_pit, dev));
}

static const struct lodge_io_ops pit_ops = { pit_port_read, pit_port_write, pit_release };

static struct lodge_pit *pit_of(struct lodge_vm *vm)
{
	lockdep_assert_held(&vm->lock);
	return vm->irqchip ? vm->irqchip->pit : NULL;
}

int lodge_pit_get(struct lodge_vm *vm, struct kvm_pit_state2 *state)
{
	struct lodge_pit *pit = pit_of(vm);
	unsigned long flags;

	if (!pit)
		return -ENXIO;
	memset(state, 0, sizeof(*state));
	raw_spin_lock_irqsave(&pit->lock, flags);
	memcpy(state->channels, pit->channels, sizeof(state->channels));
	state->flags = pit->flags;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

/* The counters start again: the time of a load means nothing outside the machine where it was taken. */
int lodge_pit_set(struct lodge_vm *vm, const struct kvm_pit_state2 *state)
{
	struct lodge_pit *pit = pit_of(vm);
	unsigned long flags;
	unsigned int i;

	if (!pit)
		return -ENXIO;
	raw_spin_lock_irqsave(&pit->lock, flags);
	memcpy(pit->channels, state->channels, sizeof(pit->channels));
	pit->flags = state->flags & PIT_STATE_FLAGS;
	for (i = 0; i < PIT_CHANNELS; i++)
		pit_load(pit, i, pit->channels[i].count & 0xffff);
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

int lodge_pit_reinject(struct lodge_vm *vm, const struct kvm_reinject_control *control)
{
	struct lodge_pit *pit = pit_of(vm);
	unsigned long flags;

	if (!pit)
		return -ENXIO;
	raw_spin_lock_irqsave(&pit->lock, flags);
	pit->reinject = control->pit_reinject;
	pit->pending = 0;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	return 0;
}

static struct lodge_pit *pit_alloc(struct lodge_vm *vm)
{
	struct lodge_pit *pit = kzalloc(sizeof(*pit), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!pit)
		return NULL;
	raw_spin_lock_init(&pit->lock);
	refcount_set(&pit->users, 1);
	hrtimer_setup(&pit->timer, pit_expired, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	pit->vm = vm;
	pit->reinject = true;
	pit->dev.ops = &pit_ops;
	pit->ack.gsi = PIT_GSI;
	pit->ack.acked = pit_acked;
	for (i = 0; i < PIT_CHANNELS; i++) {
		pit->channels[i].mode = PIT_MODE_UNSET;
		/* Only channel 2's gate is wired to a port. */
		pit->channels[i].gate = i != 2;
		pit->channels[i].count = pit_modulus(&pit->channels[i]);
		pit->channels[i].count_load_time = ktime_get_ns();
	}
	return pit;
}

/* No tick any more, though the ports may still be written. Acknowledges may still come. */
static void pit_stop(struct lodge_pit *pit)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&pit->lock, flags);
	pit->dead = true;
	pit->armed = false;
	raw_spin_unlock_irqrestore(&pit->lock, flags);
	hrtimer_cancel(&pit->timer);
}

static int pit_register(struct lodge_pit *pit, bool speaker)
{
	struct lodge_vm *vm = pit->vm;
	int ret;

	mutex_lock(&vm->slots_lock);
	ret = lodge_io_bus_register(vm, LODGE_BUS_PIO, PIT_PORT, PIT_PORTS, &pit->dev);
	if (ret)
		goto unlock;
	refcount_inc(&pit->users);
	if (speaker) {
		ret = lodge_io_bus_register(vm, LODGE_BUS_PIO, PIT_SPEAKER_PORT, 1, &pit->dev);
		if (ret)
			lodge_io_bus_unregister(vm, LODGE_BUS_PIO, &pit->dev);
	}
unlock:
	mutex_unlock(&vm->slots_lock);
	return ret;
}

int lodge_pit_create(struct lodge_vm *vm, const struct kvm_pit_config *config)
{
	struct lodge_pit *pit;
	int ret;

	if (pit_of(vm))
		return -EEXIST;
	if (vm->irqchip_mode != LODGE_IRQCHIP_KERNEL)
		return -ENOENT;
	pit = pit_alloc(vm);
	if (!pit)
		return -ENOMEM;
	lodge_irq_ack_register(vm, &pit->ack);
	ret = pit_register(pit, config->flags & KVM_PIT_SPEAKER_DUMMY);
	if (ret) {
		pit_stop(pit);
		lodge_irq_ack_unregister(vm, &pit->ack);
		pit_put(pit);
		return ret;
	}
	vm->irqchip->pit = pit;
	return 0;
}

/* The list that it is on ends with it: no vCPU and no irqfd is left that could acknowledge. */
void lodge_pit_destroy(struct lodge_vm *vm)
{
	struct lodge_pit *pit = vm->irqchip->pit;

	vm->irqchip->pit = NULL;
	pit_stop(pit);
	pit_put(pit);
}
