// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit test of the 8254: how counts are written, latched and read, the modes' outputs, channel 2's gate, and the
 * ticks of channel 0 with and without reinjection. What depends on exact times runs where the test owns the clock, in
 * user space. Intel 8254 data sheet.
 */
#include "irqchip_machine.h"

#include <linux/errno.h>
#include <linux/ktime.h>
#include <linux/timex.h>

#ifdef __LODGE_UNIT__
#include "kernel.h"
#endif

#define CONTROL		0x43
#define SPEAKER		0x61

#define SELECT(channel, access, mode)	((channel) << 6 | (access) << 4 | (mode) << 1)
#define LOW		1
#define HIGH		2
#define WORD		3
#define BCD		1
#define READ_BACK	0xc0
#define NO_STATUS	0x10
#define NO_COUNT	0x20

#define PIC_BASE	0x30
#define PIC_COMMAND	0x20
#define PIC_DATA	0x21

static void pit_make(struct irq_machine *m, u32 flags)
{
	struct kvm_pit_config config = { .flags = flags };

	mutex_lock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, lodge_pit_create(m->vm, &config), 0);
	mutex_unlock(&m->vm->lock);
}

static void program(struct irq_machine *m, unsigned int channel, u8 control, u16 count)
{
	irq_port_out(m, CONTROL, control);
	if ((control >> 4 & 3) & LOW)
		irq_port_out(m, 0x40 + channel, count & 0xff);
	if ((control >> 4 & 3) & HIGH)
		irq_port_out(m, 0x40 + channel, count >> 8);
}

static struct kvm_pit_state2 pit_state(struct irq_machine *m)
{
	struct kvm_pit_state2 state;

	mutex_lock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, lodge_pit_get(m->vm, &state), 0);
	mutex_unlock(&m->vm->lock);
	return state;
}

static void creation(struct irq_machine *m)
{
	struct kvm_pit_config config = {};
	struct kvm_reinject_control control = {};
	struct kvm_pit_state2 state = {};

	mutex_lock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, lodge_pit_get(m->vm, &state), -ENXIO);
	IRQ_EXPECT_EQ(m, lodge_pit_set(m->vm, &state), -ENXIO);
	IRQ_EXPECT_EQ(m, lodge_pit_reinject(m->vm, &control), -ENXIO);
	mutex_unlock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, irq_port_in(m, 0x40), -1);
	pit_make(m, 0);
	mutex_lock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, lodge_pit_create(m->vm, &config), -EEXIST);
	mutex_unlock(&m->vm->lock);
	/* The speaker's port stays user space's. */
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER), -1);
	IRQ_EXPECT(m, irq_port_in(m, 0x40) >= 0);
	IRQ_EXPECT(m, irq_port_in(m, CONTROL) >= 0);
}

static void creation_split(struct irq_machine *m)
{
	struct kvm_pit_config config = {};

	mutex_lock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, lodge_pit_create(m->vm, &config), -ENOENT);
	mutex_unlock(&m->vm->lock);
}

/* One byte, the other, or both make a count; 0 is the largest. */
static void loads(struct irq_machine *m)
{
	pit_make(m, 0);
	program(m, 1, SELECT(1, LOW, 2), 0x34);
	IRQ_EXPECT_EQ(m, pit_state(m).channels[1].count, 0x34);
	program(m, 1, SELECT(1, HIGH, 2), 0x1200);
	IRQ_EXPECT_EQ(m, pit_state(m).channels[1].count, 0x1200);
	program(m, 1, SELECT(1, WORD, 2), 0x5678);
	IRQ_EXPECT_EQ(m, pit_state(m).channels[1].count, 0x5678);
	program(m, 1, SELECT(1, WORD, 2), 0);
	IRQ_EXPECT_EQ(m, pit_state(m).channels[1].count, 0x10000);
	program(m, 1, SELECT(1, WORD, 2) | BCD, 0x1234);
	IRQ_EXPECT_EQ(m, pit_state(m).channels[1].count, 1234);
	program(m, 1, SELECT(1, WORD, 2) | BCD, 0);
	IRQ_EXPECT_EQ(m, pit_state(m).channels[1].count, 10000);
	/* Half a word changes nothing yet. */
	program(m, 1, SELECT(1, WORD, 2), 0x4321);
	irq_port_out(m, 0x41, 0xff);
	IRQ_EXPECT_EQ(m, pit_state(m).channels[1].count, 0x4321);
	/* Modes 6 and 7 are 2 and 3. */
	irq_port_out(m, CONTROL, SELECT(1, WORD, 7));
	IRQ_EXPECT_EQ(m, pit_state(m).channels[1].mode, 3);
}

static void state_kept(struct irq_machine *m)
{
	struct kvm_pit_state2 saved, again;

	pit_make(m, KVM_PIT_SPEAKER_DUMMY);
	program(m, 0, SELECT(0, WORD, 3), 0xfff0);
	program(m, 2, SELECT(2, WORD, 0), 0x8000);
	irq_port_out(m, SPEAKER, 3);
	saved = pit_state(m);
	IRQ_EXPECT_EQ(m, saved.flags, KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	IRQ_EXPECT_EQ(m, saved.channels[0].gate, 1);
	IRQ_EXPECT_EQ(m, saved.channels[2].gate, 1);
	irq_port_out(m, SPEAKER, 0);
	program(m, 0, SELECT(0, LOW, 0), 1);
	saved.channels[1].count = 0;
	saved.channels[1].mode = 0x5a;
	mutex_lock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, lodge_pit_set(m->vm, &saved), 0);
	mutex_unlock(&m->vm->lock);
	again = pit_state(m);
	IRQ_EXPECT_EQ(m, again.channels[0].count, 0xfff0);
	IRQ_EXPECT_EQ(m, again.channels[0].mode, 3);
	IRQ_EXPECT_EQ(m, again.channels[2].count, 0x8000);
	IRQ_EXPECT_EQ(m, again.channels[2].gate, 1);
	IRQ_EXPECT_EQ(m, again.flags, KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	/* Nonsense from user space divides by nothing. */
	IRQ_EXPECT_EQ(m, again.channels[1].count, 0x10000);
	IRQ_EXPECT(m, irq_port_in(m, 0x41) >= 0);
}

#ifdef __LODGE_UNIT__

/* Time for @clocks of the PIT, rounded up: a test may pass a few hundred times before that makes one clock more. */
static void clocks_pass(u64 clocks)
{
	unit_clock_advance(DIV_ROUND_UP(clocks * NSEC_PER_SEC, PIT_TICK_RATE));
}

static u16 count_word(struct irq_machine *m, unsigned int channel)
{
	u8 low = irq_port_in(m, 0x40 + channel);

	return low | irq_port_in(m, 0x40 + channel) << 8;
}

static u8 status_of(struct irq_machine *m, unsigned int channel)
{
	irq_port_out(m, CONTROL, READ_BACK | NO_COUNT | 2 << channel);
	return irq_port_in(m, 0x40 + channel);
}

static bool out_of(struct irq_machine *m, unsigned int channel)
{
	return status_of(m, channel) & 0x80;
}

static void counting(struct irq_machine *m)
{
	pit_make(m, 0);
	program(m, 1, SELECT(1, WORD, 0), 1000);
	clocks_pass(300);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 700);
	/* Past the end it goes on below 0. */
	clocks_pass(701);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 0xffff);
	program(m, 1, SELECT(1, WORD, 0) | BCD, 0x0100);
	clocks_pass(1);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 0x0099);
	clocks_pass(100);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 0x9999);
	/* Mode 2 starts over, mode 3 counts by two, twice. */
	program(m, 1, SELECT(1, WORD, 2), 1000);
	clocks_pass(1300);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 700);
	program(m, 1, SELECT(1, WORD, 3), 1000);
	clocks_pass(100);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 800);
	clocks_pass(500);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 800);
	program(m, 1, SELECT(1, HIGH, 2), 0x8000);
	clocks_pass(0x100);
	IRQ_EXPECT_EQ(m, irq_port_in(m, 0x41), 0x7f);
}

static void latches(struct irq_machine *m)
{
	pit_make(m, 0);
	program(m, 1, SELECT(1, WORD, 2), 10000);
	clocks_pass(1000);
	irq_port_out(m, CONTROL, SELECT(1, 0, 0));
	clocks_pass(500);
	/* A second latch before the first is read is ignored. */
	irq_port_out(m, CONTROL, SELECT(1, 0, 0));
	IRQ_EXPECT_EQ(m, count_word(m, 1), 9000);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 8500);
	/* Read-back latches several, status first. */
	program(m, 2, SELECT(2, LOW, 0), 200);
	clocks_pass(100);
	irq_port_out(m, CONTROL, READ_BACK | 2 << 1 | 2 << 2);
	clocks_pass(50);
	IRQ_EXPECT_EQ(m, irq_port_in(m, 0x41) & 0x3f, WORD << 4 | 2 << 1);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 8400);
	IRQ_EXPECT_EQ(m, irq_port_in(m, 0x42), LOW << 4);
	IRQ_EXPECT_EQ(m, irq_port_in(m, 0x42), 100);
	IRQ_EXPECT_EQ(m, irq_port_in(m, 0x42), 50);
	irq_port_out(m, CONTROL, READ_BACK | NO_STATUS | 2 << 1);
	IRQ_EXPECT_EQ(m, count_word(m, 1), 8350);
	/* The port of the control word reads as nothing. */
	IRQ_EXPECT_EQ(m, irq_port_in(m, CONTROL), 0);
}

static void outputs(struct irq_machine *m)
{
	pit_make(m, 0);
	program(m, 1, SELECT(1, WORD, 0), 100);
	IRQ_EXPECT(m, !out_of(m, 1));
	clocks_pass(99);
	IRQ_EXPECT(m, !out_of(m, 1));
	clocks_pass(1);
	IRQ_EXPECT(m, out_of(m, 1));
	clocks_pass(1000);
	IRQ_EXPECT(m, out_of(m, 1));
	/* One clock low in each period. */
	program(m, 1, SELECT(1, WORD, 2), 100);
	clocks_pass(98);
	IRQ_EXPECT(m, out_of(m, 1));
	clocks_pass(1);
	IRQ_EXPECT(m, !out_of(m, 1));
	clocks_pass(1);
	IRQ_EXPECT(m, out_of(m, 1));
	/* A square wave whose high half is the longer one. */
	program(m, 1, SELECT(1, WORD, 3), 101);
	clocks_pass(50);
	IRQ_EXPECT(m, out_of(m, 1));
	clocks_pass(1);
	IRQ_EXPECT(m, !out_of(m, 1));
	clocks_pass(50);
	IRQ_EXPECT(m, out_of(m, 1));
	/* A strobe of one clock. */
	program(m, 1, SELECT(1, WORD, 4), 100);
	IRQ_EXPECT(m, out_of(m, 1));
	clocks_pass(100);
	IRQ_EXPECT(m, !out_of(m, 1));
	clocks_pass(1);
	IRQ_EXPECT(m, out_of(m, 1));
}

/* How Linux measures the TSC: mode 0 on channel 2, until port 0x61 shows OUT. */
static void speaker(struct irq_machine *m)
{
	u8 before;

	pit_make(m, KVM_PIT_SPEAKER_DUMMY);
	irq_port_out(m, SPEAKER, 1);
	program(m, 2, SELECT(2, WORD, 0), 5000);
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER) & 0x23, 0x01);
	clocks_pass(4999);
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER) & 0x20, 0);
	clocks_pass(1);
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER) & 0x20, 0x20);
	program(m, 2, SELECT(2, WORD, 0), 5000);
	clocks_pass(3000);
	irq_port_out(m, SPEAKER, 0);
	irq_port_out(m, SPEAKER, 1);
	clocks_pass(2000);
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER) & 0x20, 0x20);
	irq_port_out(m, SPEAKER, 2);
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER) & 0x03, 0x02);
	/* A rise of the gate starts mode 1 again, and not mode 0. */
	program(m, 2, SELECT(2, WORD, 1), 100);
	clocks_pass(60);
	irq_port_out(m, SPEAKER, 3);
	clocks_pass(60);
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER) & 0x20, 0);
	clocks_pass(40);
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER) & 0x20, 0x20);
	before = irq_port_in(m, SPEAKER) & 0x10;
	unit_clock_advance(1 << 14);
	IRQ_EXPECT_EQ(m, irq_port_in(m, SPEAKER) & 0x10, before ^ 0x10);
}

/* Only the PIC's pin 0 is open. */
static void pic_on(struct irq_machine *m)
{
	irq_port_out(m, PIC_COMMAND, 0x11);
	irq_port_out(m, PIC_DATA, PIC_BASE);
	irq_port_out(m, PIC_DATA, 0x04);
	irq_port_out(m, PIC_DATA, 0x01);
	irq_port_out(m, PIC_DATA, 0xfe);
}

static bool tick_taken(struct irq_machine *m)
{
	if (irq_take(m->vcpus[0]) != PIC_BASE)
		return false;
	irq_port_out(m, PIC_COMMAND, 0x20);
	return true;
}

static unsigned int ticks_taken(struct irq_machine *m)
{
	unsigned int n = 0;

	while (tick_taken(m))
		n++;
	return n;
}

static void reinject(struct irq_machine *m, u8 on)
{
	struct kvm_reinject_control control = { .pit_reinject = on };

	mutex_lock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, lodge_pit_reinject(m->vm, &control), 0);
	mutex_unlock(&m->vm->lock);
}

static void ticks(struct irq_machine *m)
{
	unsigned int i;

	pit_make(m, 0);
	pic_on(m);
	program(m, 0, SELECT(0, WORD, 2), 1000);
	clocks_pass(999);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 0);
	for (i = 0; i < 50; i++) {
		clocks_pass(1000);
		IRQ_EXPECT_EQ(m, ticks_taken(m), 1);
	}
	/* The guest is late: what it missed comes as fast as it can take it. */
	clocks_pass(7000);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 7);
	reinject(m, 0);
	clocks_pass(7000);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 1);
	reinject(m, 1);
	clocks_pass(3000);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 3);
	/* What comes while all is masked is not missed. */
	irq_port_out(m, PIC_DATA, 0xff);
	clocks_pass(5000);
	irq_port_out(m, PIC_DATA, 0xfe);
	IRQ_EXPECT(m, ticks_taken(m) <= 1);
	clocks_pass(1000);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 1);
}

static void late_handler(struct irq_machine *m)
{
	unsigned int i, n = 0;

	pit_make(m, 0);
	pic_on(m);
	program(m, 0, SELECT(0, WORD, 3), 2000);
	/* Each handler runs for one and a half ticks, fifty times, then the guest catches up. */
	for (i = 0; i < 50; i++) {
		clocks_pass(0);
		if (irq_take(m->vcpus[0]) == PIC_BASE) {
			clocks_pass(3000);
			irq_port_out(m, PIC_COMMAND, 0x20);
			n++;
		} else {
			clocks_pass(2000);
		}
	}
	n += ticks_taken(m);
	/* 1 wait and 49 handlers. */
	IRQ_EXPECT_EQ(m, n, (2000 + 49 * 3000) / 2000);
}

static void one_shot(struct irq_machine *m)
{
	static const u8 modes[] = { 0, 4 };
	unsigned int i;

	pit_make(m, 0);
	pic_on(m);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		program(m, 0, SELECT(0, WORD, modes[i]), 1000);
		clocks_pass(999);
		IRQ_EXPECT_EQ(m, ticks_taken(m), 0);
		clocks_pass(1);
		IRQ_EXPECT_EQ(m, ticks_taken(m), 1);
		clocks_pass(0x20000);
		IRQ_EXPECT_EQ(m, ticks_taken(m), 0);
	}
	/* A new count starts anew, before the old one ended. */
	program(m, 0, SELECT(0, WORD, 0), 1000);
	clocks_pass(900);
	program(m, 0, SELECT(0, WORD, 0), 1000);
	clocks_pass(900);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 0);
	/* Mode 5 waits for a gate that never rises. */
	program(m, 0, SELECT(0, WORD, 5), 1000);
	clocks_pass(5000);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 0);
}

static void fast_period(struct irq_machine *m)
{
	pit_make(m, 0);
	pic_on(m);
	program(m, 0, SELECT(0, WORD, 2), 1);
	unit_clock_advance(NSEC_PER_MSEC);
	/* Not more than one in 200 us, whatever the guest asks for. */
	IRQ_EXPECT(m, ticks_taken(m) <= 6);
}

static void hpet_legacy(struct irq_machine *m)
{
	struct kvm_pit_state2 state;

	pit_make(m, 0);
	pic_on(m);
	program(m, 0, SELECT(0, WORD, 2), 1000);
	clocks_pass(1000);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 1);
	state = pit_state(m);
	state.flags = KVM_PIT_FLAGS_HPET_LEGACY;
	mutex_lock(&m->vm->lock);
	IRQ_EXPECT_EQ(m, lodge_pit_set(m->vm, &state), 0);
	clocks_pass(5000);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 0);
	state.flags = 0;
	IRQ_EXPECT_EQ(m, lodge_pit_set(m->vm, &state), 0);
	mutex_unlock(&m->vm->lock);
	clocks_pass(1000);
	IRQ_EXPECT_EQ(m, ticks_taken(m), 1);
}

/* LINT0 as an NMI, the watchdog of old. */
static void watchdog(struct irq_machine *m)
{
	struct lodge_vcpu *vcpu = m->vcpus[1];

	pit_make(m, 0);
	program(m, 0, SELECT(0, WORD, 2), 1000);
	clocks_pass(1000);
	IRQ_EXPECT_EQ(m, atomic_read(&vcpu->nmi_queued), 0);
	irq_lapic_out(vcpu, APIC_SPIV, APIC_SPIV_APIC_ENABLED | 0xff);
	irq_lapic_out(vcpu, APIC_LVT0, SET_APIC_DELIVERY_MODE(0, APIC_MODE_NMI));
	clocks_pass(2000);
	IRQ_EXPECT_EQ(m, atomic_read(&vcpu->nmi_queued), 2);
	irq_lapic_out(vcpu, APIC_SPIV, 0xff);
	clocks_pass(1000);
	IRQ_EXPECT_EQ(m, atomic_read(&vcpu->nmi_queued), 2);
}

#endif

int lodge_selftest_pit(void)
{
	static const struct irq_case cases[] = {
		IRQ_CASE(creation), IRQ_CASE_SPLIT(creation_split), IRQ_CASE(loads), IRQ_CASE(state_kept),
#ifdef __LODGE_UNIT__
		IRQ_CASE(counting), IRQ_CASE(latches), IRQ_CASE(outputs), IRQ_CASE(speaker), IRQ_CASE(ticks),
		IRQ_CASE(late_handler), IRQ_CASE(one_shot), IRQ_CASE(fast_period), IRQ_CASE(hpet_legacy),
		IRQ_CASE(watchdog),
#endif
	};

	return irq_cases_run(cases, ARRAY_SIZE(cases));
}
