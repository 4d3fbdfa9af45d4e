// SPDX-License-Identifier: GPL-2.0-only
/*
 * The LAPIC: which interrupts wait and in what order (IRR, ISR, TPR), messages on their way in, and the registers
 * as the guest reads and writes them. The timer is in lapic_timer.c; state for user space, APIC_BASE, INIT and SIPI
 * are in lapic_state.c. Who may touch what: lapic_internal.h. APM 2, chapter 16; SDM 3, chapter 11.
 */
#include "lapic_internal.h"

#include <linux/bitops.h>
#include <linux/rcupdate.h>
#include <asm/cpufeature.h>

#include "../cpuid.h"

static unsigned long *lapic_bits(const struct lodge_lapic *lapic, u32 base, u8 vector)
{
	return (unsigned long *)(lapic->regs + lapic_word(base, vector));
}

static bool lapic_test(const struct lodge_lapic *lapic, u32 base, u8 vector)
{
	return lapic_get(lapic, lapic_word(base, vector)) & BIT(vector & 31);
}

/* The highest vector in a 256-bit register, or -1. */
static int lapic_highest(const struct lodge_lapic *lapic, u32 base)
{
	int word;

	for (word = 7; word >= 0; word--) {
		u32 bits = lapic_get(lapic, base + word * 0x10);

		if (bits)
			return word * 32 + __fls(bits);
	}
	return -1;
}

/* Clear the hint first: a vector raised meanwhile sets it again, and it is set after the bit. */
static int lapic_highest_irr(struct lodge_lapic *lapic)
{
	int vector;

	if (!READ_ONCE(lapic->irr_pending))
		return -1;
	vector = lapic_highest(lapic, APIC_IRR);
	if (vector >= 0)
		return vector;
	WRITE_ONCE(lapic->irr_pending, false);
	smp_mb();	/* pairs with the order of bit and hint in lapic_raise() */
	vector = lapic_highest(lapic, APIC_IRR);
	if (vector >= 0)
		WRITE_ONCE(lapic->irr_pending, true);
	return vector;
}

/* Old kernels use the PIT's line, wired to LINT0 as an NMI, as a watchdog. The PIT asks only if somebody does. */
static void lapic_update_watchdog(struct lodge_lapic *lapic)
{
	u32 lvt0 = lapic_get(lapic, APIC_LVT0);
	bool uses = !(lvt0 & APIC_LVT_MASKED) && GET_APIC_DELIVERY_MODE(lvt0) == APIC_MODE_NMI;

	if (uses == lapic->lint0_nmi)
		return;
	lapic->lint0_nmi = uses;
	atomic_add(uses ? 1 : -1, &lapic->vcpu->vm->irqchip->nr_lint0_nmi);
}

void lapic_rescan(struct lodge_lapic *lapic)
{
	lapic->highest_isr = lapic_highest(lapic, APIC_ISR);
	WRITE_ONCE(lapic->irr_pending, true);
	lapic_update_enabled(lapic);
	lapic_update_watchdog(lapic);
}

void lapic_update_enabled(struct lodge_lapic *lapic)
{
	WRITE_ONCE(lapic->enabled, lapic_hw_enabled(lapic) &&
				   (lapic_get(lapic, APIC_SPIV) & APIC_SPIV_APIC_ENABLED));
}

u32 lapic_ppr(const struct lodge_lapic *lapic)
{
	u32 tpr = lapic_get(lapic, APIC_TASKPRI);
	u32 isr = lapic->highest_isr < 0 ? 0 : lapic->highest_isr;

	return (tpr & 0xf0) >= (isr & 0xf0) ? tpr & 0xff : isr & 0xf0;
}

static void lapic_raise(struct lodge_lapic *lapic, u8 vector, bool level)
{
	/* A vector hardly ever changes its mode: spare the locked operation. */
	if (lapic_test(lapic, APIC_TMR, vector) != level) {
		if (level)
			set_bit(vector & 31, lapic_bits(lapic, APIC_TMR, vector));
		else
			clear_bit(vector & 31, lapic_bits(lapic, APIC_TMR, vector));
	}
	set_bit(vector & 31, lapic_bits(lapic, APIC_IRR, vector));
	WRITE_ONCE(lapic->irr_pending, true);
	lodge_vcpu_request(lapic->vcpu, LODGE_REQ_EVENT);
}

/* One LAPIC takes a message: 1, or 0 when it ignores it. One that is pending already counts as taken, as with KVM. */
int lapic_accept(struct lodge_lapic *lapic, const struct lodge_irq_message *message)
{
	struct lodge_vcpu *vcpu = lapic->vcpu;

	switch (message->mode) {
	case IRQ_MODE_LOWEST:
		WRITE_ONCE(lapic->arbitration, lapic->arbitration + 1);
		fallthrough;
	case IRQ_MODE_FIXED:
		if (!READ_ONCE(lapic->enabled))
			return 0;
		if (message->level && !message->assert)
			return 0;
		lapic_raise(lapic, message->vector, message->level);
		return 1;
	case IRQ_MODE_NMI:
		lodge_vcpu_nmi(vcpu);
		return 1;
	case IRQ_MODE_INIT:
		if (message->level && !message->assert)
			return 0;	/* the deassertion that old software sends */
		WRITE_ONCE(lapic->events, BIT(LAPIC_EVENT_INIT));
		lodge_vcpu_request(vcpu, LODGE_REQ_APIC);
		return 1;
	case IRQ_MODE_STARTUP:
		WRITE_ONCE(lapic->sipi_vector, message->vector);
		smp_wmb();	/* the vector before the event */
		set_bit(LAPIC_EVENT_SIPI, &lapic->events);
		lodge_vcpu_request(vcpu, LODGE_REQ_APIC);
		return 1;
	default:
		return 0;	/* SMI, ExtINT by message, reserved */
	}
}

static bool lapic_matches_logical(const struct lodge_lapic *lapic, u32 dest, bool broadcast)
{
	u32 ldr = lapic_get(lapic, APIC_LDR);

	if (broadcast)
		return true;
	if (lapic_x2apic(lapic))
		return (ldr >> 16) == (dest >> 16) && (ldr & dest & 0xffff);
	ldr = GET_APIC_LOGICAL_ID(ldr);
	if (lapic_get(lapic, APIC_DFR) == APIC_DFR_FLAT)
		return ldr & dest;
	return (ldr >> 4) == (dest >> 4) && (ldr & dest & 0xf);
}

/*
 * An 8-bit broadcast from a device or an xAPIC reaches LAPICs in either mode, unless user space wants those in x2APIC
 * mode to be as exact as they are in hardware: KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK.
 */
static bool lapic_is_broadcast(const struct lodge_lapic *lapic, const struct lodge_vcpu *source, u32 dest)
{
	bool wide;

	if (likely(dest != 0xff && dest != 0xffffffff))
		return false;
	if (READ_ONCE(lapic->vcpu->vm->x2apic_broadcasts32))
		wide = lapic_x2apic(lapic);
	else
		wide = source && lapic_x2apic(source->lapic);
	return dest == (wide ? 0xffffffff : 0xff);
}

bool lodge_lapic_matches(struct lodge_vcpu *vcpu, struct lodge_vcpu *source, const struct lodge_irq_message *message)
{
	const struct lodge_lapic *lapic = vcpu->lapic;
	bool broadcast;

	if (!lapic || !lapic_hw_enabled(lapic))
		return false;
	switch (message->shorthand) {
	case 1:
		return vcpu == source;
	case 2:
		return true;
	case 3:
		return vcpu != source;
	}
	broadcast = lapic_is_broadcast(lapic, source, message->dest);
	if (message->logical)
		return lapic_matches_logical(lapic, message->dest, broadcast);
	return broadcast || lapic_id(lapic) == message->dest;
}

/* Of several LAPICs the one served longest ago. */
static struct lodge_vcpu *deliver_lowest(struct lodge_vm *vm, struct lodge_vcpu *source,
					 const struct lodge_irq_message *message)
{
	struct lodge_vcpu *vcpu, *best = NULL;
	unsigned long i;

	lodge_for_each_vcpu(i, vcpu, vm) {
		if (!lodge_lapic_matches(vcpu, source, message) || !READ_ONCE(vcpu->lapic->enabled))
			continue;
		if (!best || (s32)(READ_ONCE(vcpu->lapic->arbitration) - READ_ONCE(best->lapic->arbitration)) < 0)
			best = vcpu;
	}
	return best;
}

/* A vCPU by its APIC ID as created, without a search: irqchip->index_of_id is only a hint, so it is checked. */
static struct lodge_vcpu *vcpu_by_apic_id(struct lodge_vm *vm, u32 id)
{
	const struct lodge_apic_ids *ids = rcu_dereference(vm->irqchip->ids);
	u32 index = ids && id < ids->nr ? ids->index[id] : id;
	struct lodge_vcpu *vcpu;

	if (index >= READ_ONCE(vm->nr_vcpus))
		return NULL;
	vcpu = xa_load(&vm->vcpus, index);
	return vcpu && vcpu->id == id ? vcpu : NULL;
}

/* The usual case: a message that names its LAPICs by IDs that they were created with. Whether that was all of it. */
static bool deliver_by_id(struct lodge_vm *vm, struct lodge_vcpu *source, const struct lodge_irq_message *message,
			  int *ret)
{
	unsigned long members = message->dest & 0xffff;
	struct lodge_vcpu *vcpu;
	unsigned int bit;

	if (message->shorthand == 1) {
		*ret = lodge_lapic_matches(source, source, message) ? lapic_accept(source->lapic, message) : -1;
		return true;
	}
	if (message->shorthand || message->dest == 0xff || message->dest == 0xffffffff)
		return false;
	if (!message->logical) {
		vcpu = vcpu_by_apic_id(vm, message->dest);
		if (!vcpu || !lodge_lapic_matches(vcpu, source, message))
			return false;
		*ret = lapic_accept(vcpu->lapic, message);
		return true;
	}
	/* Logical x2APIC IDs follow from the IDs: SDM 3, 11.12.10.2. */
	if (!source || !lapic_x2apic(source->lapic))
		return false;
	for_each_set_bit(bit, &members, 16) {
		vcpu = vcpu_by_apic_id(vm, (message->dest >> 16) << 4 | bit);
		if (vcpu && lodge_lapic_matches(vcpu, source, message))
			*ret = lapic_accept(vcpu->lapic, message) + max(*ret, 0);
	}
	return true;
}

int lodge_irq_deliver(struct lodge_vm *vm, struct lodge_vcpu *source, const struct lodge_irq_message *message)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;
	int ret = -1;

	if (message->mode == IRQ_MODE_LOWEST || message->redirection_hint) {
		vcpu = deliver_lowest(vm, source, message);
		return vcpu ? lapic_accept(vcpu->lapic, message) : -1;
	}
	rcu_read_lock();
	if (!deliver_by_id(vm, source, message, &ret)) {
		lodge_for_each_vcpu(i, vcpu, vm)
			if (lodge_lapic_matches(vcpu, source, message))
				ret = lapic_accept(vcpu->lapic, message) + max(ret, 0);
	}
	rcu_read_unlock();
	return ret;
}

/* An LVT entry fires. */
void lapic_local_interrupt(struct lodge_lapic *lapic, u32 lvt)
{
	u32 entry = lapic_get(lapic, lvt);
	struct lodge_irq_message message = {
		.vector = entry,
		.mode = (entry >> 8) & 7,
		.level = entry & APIC_LVT_LEVEL_TRIGGER,
		.assert = true,
	};

	if (lapic_hw_enabled(lapic) && !(entry & APIC_LVT_MASKED))
		lapic_accept(lapic, &message);
}

void lodge_lapic_lint0_watchdog(struct lodge_vm *vm)
{
	struct lodge_vcpu *vcpu;
	unsigned long i;

	if (likely(!atomic_read(&vm->irqchip->nr_lint0_nmi)))
		return;
	lodge_for_each_vcpu(i, vcpu, vm)
		if (READ_ONCE(vcpu->lapic->lint0_nmi))
			lapic_local_interrupt(vcpu->lapic, APIC_LVT0);
}

bool lodge_lapic_accepts_extint(struct lodge_vcpu *vcpu)
{
	const struct lodge_lapic *lapic = vcpu->lapic;
	u32 lvt0 = lapic_get(lapic, APIC_LVT0);

	if (!lapic_hw_enabled(lapic))
		return true;
	return !(lvt0 & APIC_LVT_MASKED) && GET_APIC_DELIVERY_MODE(lvt0) == APIC_MODE_EXTINT;
}

static bool lapic_extint_pending(struct lodge_vcpu *vcpu)
{
	if (vcpu->vm->irqchip_mode == LODGE_IRQCHIP_SPLIT)
		return vcpu->lapic->user_extint >= 0 && lodge_lapic_accepts_extint(vcpu);
	return READ_ONCE(vcpu->vm->irqchip->pic->output) && lodge_lapic_accepts_extint(vcpu);
}

/* The vector that the LAPIC would deliver now, or -1. Software's disabling holds back nothing: SDM 3, 11.4.7.2. */
static int lapic_deliverable(struct lodge_lapic *lapic)
{
	int vector = lapic_highest_irr(lapic);

	if (vector < 0 || !lapic_hw_enabled(lapic) || (u32)(vector & 0xf0) <= (lapic_ppr(lapic) & 0xf0))
		return -1;
	return vector;
}

bool lodge_lapic_awaits_eoi(struct lodge_vcpu *vcpu, u8 vector)
{
	return lapic_test(vcpu->lapic, APIC_IRR, vector) || lapic_test(vcpu->lapic, APIC_ISR, vector);
}

bool lodge_irq_pending(struct lodge_vcpu *vcpu)
{
	return lapic_extint_pending(vcpu) || lapic_deliverable(vcpu->lapic) >= 0;
}

int lodge_irq_ack(struct lodge_vcpu *vcpu)
{
	struct lodge_lapic *lapic = vcpu->lapic;
	int vector;

	if (lapic_extint_pending(vcpu)) {
		if (vcpu->vm->irqchip_mode == LODGE_IRQCHIP_KERNEL)
			return lodge_pic_read_vector(vcpu->vm->irqchip->pic);
		vector = lapic->user_extint;
		lapic->user_extint = -1;
		return vector;
	}
	vector = lapic_deliverable(lapic);
	if (vector < 0)
		return -1;
	clear_bit(vector & 31, lapic_bits(lapic, APIC_IRR, vector));
	__set_bit(vector & 31, lapic_bits(lapic, APIC_ISR, vector));
	lapic->highest_isr = vector;
	return vector;
}

int lodge_lapic_highest_irr(struct lodge_vcpu *vcpu)
{
	return lapic_highest_irr(vcpu->lapic);
}

void lodge_lapic_cr8_set(struct lodge_vcpu *vcpu, u64 cr8)
{
	lapic_set(vcpu->lapic, APIC_TASKPRI, (cr8 & 0xf) << 4);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
}

static void lapic_eoi(struct lodge_lapic *lapic)
{
	struct lodge_vcpu *vcpu = lapic->vcpu;
	int vector = lapic->highest_isr;
	bool level;

	if (vector < 0)
		return;
	__clear_bit(vector & 31, lapic_bits(lapic, APIC_ISR, vector));
	lapic->highest_isr = lapic_highest(lapic, APIC_ISR);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);

	level = lapic_test(lapic, APIC_TMR, vector);
	if (lapic->uses_user_eois && test_bit(vector, lapic->user_eois)) {
		lapic->user_eoi = vector;
		lodge_vcpu_request_self(vcpu, LODGE_REQ_KICK);
	} else if (vcpu->vm->irqchip->ioapic &&
		   !(level && (lapic_get(lapic, APIC_SPIV) & APIC_SPIV_DIRECTED_EOI))) {
		lodge_ioapic_eoi(vcpu, vector, level);
	}
}

static void lapic_send_ipi(struct lodge_lapic *lapic, u32 low, u32 high)
{
	struct lodge_irq_message message = {
		.vector = low,
		.mode = (low >> 8) & 7,
		.logical = low & APIC_DEST_LOGICAL,
		.assert = low & APIC_INT_ASSERT,
		.level = low & APIC_INT_LEVELTRIG,
		.shorthand = (low >> 18) & 3,
		.dest = lapic_x2apic(lapic) ? high : high >> 24,
	};

	lodge_irq_deliver(lapic->vcpu->vm, lapic->vcpu, &message);
}

/* Registers that exist, apart from the 256-bit ones. */
static bool lapic_reg_known(const struct lodge_lapic *lapic, u32 reg)
{
	switch (reg) {
	case APIC_ID:
	case APIC_LVR:
	case APIC_TASKPRI:
	case APIC_PROCPRI:
	case APIC_LDR:
	case APIC_SPIV:
	case APIC_ISR ... APIC_ISR + 0x70:
	case APIC_TMR ... APIC_TMR + 0x70:
	case APIC_IRR ... APIC_IRR + 0x70:
	case APIC_ESR:
	case APIC_ICR:
	case APIC_LVTT:
	case APIC_LVTTHMR:
	case APIC_LVTPC:
	case APIC_LVT0:
	case APIC_LVT1:
	case APIC_LVTERR:
	case APIC_TMICT:
	case APIC_TMCCT:
	case APIC_TDCR:
		return true;
	case APIC_DFR:
	case APIC_ICR2:
	case APIC_ARBPRI:
		return !lapic_x2apic(lapic);
	default:
		return false;
	}
}

/* Directed EOI needs an IOAPIC with an EOI register: user space's may have one. SDM 3, 11.8.5. */
u32 lapic_version(const struct lodge_lapic *lapic)
{
	const struct lodge_vcpu *vcpu = lapic->vcpu;
	u32 version = APIC_VERSION_VALUE | APIC_LVT_LAST << 16;

	if (vcpu->vm->irqchip_mode == LODGE_IRQCHIP_SPLIT && lodge_guest_has(vcpu, X86_FEATURE_X2APIC))
		version |= APIC_LVR_DIRECTED_EOI;
	return version;
}

/* Which messages reach this LAPIC, and so which EOIs user space's IOAPIC waits for. */
void lapic_destination_changed(struct lodge_lapic *lapic)
{
	if (lapic->vcpu->vm->irqchip_mode == LODGE_IRQCHIP_SPLIT)
		lodge_vcpu_request_self(lapic->vcpu, LODGE_REQ_EOI_SCAN);
}

int lapic_reg_read(struct lodge_lapic *lapic, u32 reg, u32 *val)
{
	if (!lapic_reg_known(lapic, reg))
		return -EINVAL;
	switch (reg) {
	case APIC_ARBPRI:
		*val = 0;
		break;
	case APIC_LVR:
		*val = lapic_version(lapic);
		break;
	case APIC_PROCPRI:
		*val = lapic_ppr(lapic);
		break;
	case APIC_TMCCT:
		*val = lapic_timer_count(lapic);
		break;
	default:
		*val = lapic_get(lapic, reg);
		break;
	}
	return 0;
}

/* What may be written of each LVT entry; mask bits are stuck while the LAPIC is disabled by software. */
static u32 lapic_lvt_mask(const struct lodge_lapic *lapic, u32 reg)
{
	switch (reg) {
	case APIC_LVTT:
		return APIC_LVT_MASKED | APIC_VECTOR_MASK | APIC_LVT_TIMER_PERIODIC |
		       (lodge_guest_has(lapic->vcpu, X86_FEATURE_TSC_DEADLINE_TIMER) ?
			APIC_LVT_TIMER_TSCDEADLINE : 0);
	case APIC_LVT0:
	case APIC_LVT1:
		return APIC_LVT_MASKED | APIC_VECTOR_MASK | APIC_MODE_MASK | APIC_INPUT_POLARITY |
		       APIC_LVT_REMOTE_IRR | APIC_LVT_LEVEL_TRIGGER;
	case APIC_LVTERR:
		return APIC_LVT_MASKED | APIC_VECTOR_MASK;
	default:
		return APIC_LVT_MASKED | APIC_VECTOR_MASK | APIC_MODE_MASK;
	}
}

static void lapic_write_lvt(struct lodge_lapic *lapic, u32 reg, u32 val)
{
	u32 old = lapic_get(lapic, reg);

	if (!(lapic_get(lapic, APIC_SPIV) & APIC_SPIV_APIC_ENABLED))
		val |= APIC_LVT_MASKED;
	lapic_set(lapic, reg, val & lapic_lvt_mask(lapic, reg));
	if (reg == APIC_LVTT)
		lapic_timer_mode_changed(lapic, old);
	if (reg == APIC_LVT0) {
		lapic_update_watchdog(lapic);
		/* The PIC's request may have been waiting for LINT0. */
		lodge_vcpu_request_self(lapic->vcpu, LODGE_REQ_EVENT);
	}
}

static void lapic_write_spiv(struct lodge_lapic *lapic, u32 val)
{
	u32 reg;

	lapic_set(lapic, APIC_SPIV, val & (APIC_SPIV_APIC_ENABLED | APIC_VECTOR_MASK | APIC_SPIV_FOCUS_DISABLED |
					   (lapic_version(lapic) & APIC_LVR_DIRECTED_EOI ?
					    APIC_SPIV_DIRECTED_EOI : 0)));
	if (!(val & APIC_SPIV_APIC_ENABLED)) {
		for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
			lapic_set(lapic, reg, lapic_get(lapic, reg) | APIC_LVT_MASKED);
		atomic_set(&lapic->timer_pending, 0);
		lapic_update_watchdog(lapic);
	}
	lapic_update_enabled(lapic);
	lodge_vcpu_request_self(lapic->vcpu, LODGE_REQ_EVENT);
}

int lapic_reg_write(struct lodge_lapic *lapic, u32 reg, u32 val)
{
	bool x2apic = lapic_x2apic(lapic);

	switch (reg) {
	case APIC_ID:
		if (x2apic)
			return -EINVAL;
		lapic_set(lapic, APIC_ID, val & 0xff000000);
		lapic_destination_changed(lapic);
		break;
	case APIC_TASKPRI:
		lapic_set(lapic, APIC_TASKPRI, val & 0xff);
		lapic->vcpu->cr8 = (val >> 4) & 0xf;
		lodge_vcpu_request_self(lapic->vcpu, LODGE_REQ_EVENT);
		break;
	case APIC_EOI:
		lapic_eoi(lapic);
		break;
	case APIC_LDR:
		if (x2apic)
			return -EINVAL;
		lapic_set(lapic, APIC_LDR, val & APIC_LDR_MASK);
		lapic_destination_changed(lapic);
		break;
	case APIC_DFR:
		if (x2apic)
			return -EINVAL;
		lapic_set(lapic, APIC_DFR, val | 0x0fffffff);
		lapic_destination_changed(lapic);
		break;
	case APIC_SPIV:
		lapic_write_spiv(lapic, val);
		break;
	case APIC_ICR:
		/* Delivery is done when the write is: the busy bit is never seen. */
		lapic_set(lapic, APIC_ICR, val & ~APIC_ICR_BUSY);
		lapic_send_ipi(lapic, val, lapic_get(lapic, APIC_ICR2));
		break;
	case APIC_ICR2:
		if (x2apic)
			return -EINVAL;
		lapic_set(lapic, APIC_ICR2, val & 0xff000000);
		break;
	case APIC_LVTT:
	case APIC_LVTTHMR:
	case APIC_LVTPC:
	case APIC_LVT0:
	case APIC_LVT1:
	case APIC_LVTERR:
		lapic_write_lvt(lapic, reg, val);
		break;
	case APIC_TMICT:
		if (lapic_get(lapic, APIC_LVTT) & APIC_LVT_TIMER_TSCDEADLINE)
			break;
		lapic_set(lapic, APIC_TMICT, val);
		lapic_timer_start(lapic, val);
		break;
	case APIC_TDCR:
		lapic_set(lapic, APIC_TDCR, val & 0xb);
		lapic_timer_change_divisor(lapic);
		break;
	case APIC_ESR:
		if (x2apic && val)
			return -EINVAL;
		lapic_set(lapic, APIC_ESR, 0);
		break;
	case APIC_SELF_IPI:
		if (!x2apic || (val & ~APIC_VECTOR_MASK))
			return -EINVAL;
		lapic_send_ipi(lapic, APIC_DEST_SELF | (val & APIC_VECTOR_MASK), 0);
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

static bool lapic_in_xapic(const struct lodge_lapic *lapic)
{
	return lapic_hw_enabled(lapic) && !lapic_x2apic(lapic);
}

bool lodge_lapic_covers(struct lodge_vcpu *vcpu, gpa_t gpa)
{
	u64 base = vcpu->apic_base;

	if (!vcpu->lapic || (gpa & PAGE_MASK) != (base & PAGE_MASK))
		return false;
	/* A page that the LAPIC has left stays a hole unless user space said otherwise: KVM_CAP_DISABLE_QUIRKS. */
	return lapic_in_xapic(vcpu->lapic) ||
	       !(READ_ONCE(vcpu->vm->disabled_quirks) & KVM_X86_QUIRK_LAPIC_MMIO_HOLE);
}

/* Registers are 32 bits at multiples of 16; what does not fit one reads as zeros and is dropped. APM 2, 16.3.2. */
int lodge_lapic_mmio_read(struct lodge_vcpu *vcpu, gpa_t gpa, unsigned int len, void *val)
{
	u32 offset = gpa & ~PAGE_MASK, reg = 0;

	if (likely(len == 4 && !(offset & 0xf) && lapic_in_xapic(vcpu->lapic))) {
		lapic_reg_read(vcpu->lapic, offset, &reg);
		*(u32 *)val = reg;
		return 0;
	}
	if (!lapic_in_xapic(vcpu->lapic)) {
		memset(val, 0xff, len);
		return 0;
	}
	memset(val, 0, len);
	if ((offset & 0xf) + len > 4 || lapic_reg_read(vcpu->lapic, offset & ~0xf, &reg))
		return 0;
	memcpy(val, (u8 *)&reg + (offset & 3), len);
	return 0;
}

int lodge_lapic_mmio_write(struct lodge_vcpu *vcpu, gpa_t gpa, unsigned int len, const void *val)
{
	u32 offset = gpa & ~PAGE_MASK;

	if (len == 4 && !(offset & 0xf) && lapic_in_xapic(vcpu->lapic))
		lapic_reg_write(vcpu->lapic, offset, *(const u32 *)val);
	return 0;
}

int lodge_x2apic_read(struct lodge_vcpu *vcpu, u32 msr, u64 *value)
{
	struct lodge_lapic *lapic = vcpu->lapic;
	u32 reg = (msr - APIC_BASE_MSR) << 4, low;

	if (!lapic || !lapic_x2apic(lapic) || lapic_reg_read(lapic, reg, &low))
		return -EINVAL;
	*value = low;
	if (reg == APIC_ICR)
		*value |= (u64)lapic_get(lapic, APIC_ICR2) << 32;
	return 0;
}

int lodge_x2apic_write(struct lodge_vcpu *vcpu, u32 msr, u64 value)
{
	struct lodge_lapic *lapic = vcpu->lapic;
	u32 reg = (msr - APIC_BASE_MSR) << 4;

	if (!lapic || !lapic_x2apic(lapic))
		return -EINVAL;
	if (reg == APIC_ICR) {
		lapic_set(lapic, APIC_ICR2, value >> 32);
		return lapic_reg_write(lapic, APIC_ICR, value);
	}
	if (value >> 32 || (reg == APIC_EOI && value))
		return -EINVAL;
	return lapic_reg_write(lapic, reg, value);
}
