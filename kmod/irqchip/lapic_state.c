// SPDX-License-Identifier: GPL-2.0-only
/*
 * A LAPIC's life and what user space and other CPUs do to it as a whole: creation, reset, KVM_GET_LAPIC and
 * KVM_SET_LAPIC, APIC_BASE and its modes, INIT and SIPI, EOIs that user space's IOAPIC hears. The vCPU's thread
 * alone, unless said otherwise.
 */
#include "lapic_internal.h"

#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>

#include "../backend.h"
#include "../cpuid.h"

#define APIC_BASE_RESERVED	0x2ffULL	/* bits 0-7 and 9 */

/*
 * Note where the next vCPU goes in vm->vcpus if that is not the place of its number. Who looks there checks what
 * he finds, so that a creation that fails later needs no undoing.
 */
static int lapic_note_id(struct lodge_vm *vm, u32 id)
{
	struct lodge_apic_ids *old, *ids;
	u32 i, nr;

	lockdep_assert_held(&vm->lock);
	ids = old = rcu_dereference_protected(vm->irqchip->ids, lockdep_is_held(&vm->lock));
	if (id >= (old ? old->nr : 0)) {
		if (id == vm->nr_vcpus)
			return 0;
		nr = roundup_pow_of_two(id + 1);
		ids = kvzalloc(struct_size(ids, index, nr), GFP_KERNEL_ACCOUNT);
		if (!ids)
			return -ENOMEM;
		ids->nr = nr;
		for (i = 0; i < nr; i++)
			ids->index[i] = old && i < old->nr ? old->index[i] : i;
	}
	WRITE_ONCE(ids->index[id], vm->nr_vcpus);
	if (ids != old) {
		rcu_assign_pointer(vm->irqchip->ids, ids);
		kvfree_rcu(old, rcu);
	}
	return 0;
}

int lodge_lapic_create(struct lodge_vcpu *vcpu)
{
	struct lodge_lapic *lapic;
	int ret = lapic_note_id(vcpu->vm, vcpu->id);

	if (ret)
		return ret;
	lapic = kzalloc(sizeof(*lapic), GFP_KERNEL_ACCOUNT);
	if (!lapic)
		return -ENOMEM;
	lapic->regs = (u8 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!lapic->regs) {
		kfree(lapic);
		return -ENOMEM;
	}
	lapic->vcpu = vcpu;
	lapic_timer_init(lapic);
	vcpu->lapic = lapic;
	vcpu->tpr = (const u32 *)(lapic->regs + APIC_TASKPRI);
	return 0;
}

void lodge_lapic_destroy(struct lodge_vcpu *vcpu)
{
	struct lodge_lapic *lapic = vcpu->lapic;

	if (!lapic)
		return;
	hrtimer_cancel(&lapic->timer);
	free_page((unsigned long)lapic->regs);
	kfree(lapic);
	vcpu->lapic = NULL;
	vcpu->tpr = NULL;
}

static u32 x2apic_ldr(u32 id)
{
	return ((id >> 4) << 16) | BIT(id & 0xf);
}

static void lapic_set_id(struct lodge_lapic *lapic)
{
	u32 id = lapic->vcpu->id;

	if (lapic_x2apic(lapic)) {
		lapic_set(lapic, APIC_ID, id);
		lapic_set(lapic, APIC_LDR, x2apic_ldr(id));
	} else {
		lapic_set(lapic, APIC_ID, id << 24);
	}
	lapic_destination_changed(lapic);
}

void lodge_lapic_reset(struct lodge_vcpu *vcpu, bool init)
{
	struct lodge_lapic *lapic = vcpu->lapic;
	u32 reg, id = lapic_get(lapic, APIC_ID);

	lapic_timer_stop(lapic);
	if (!init)
		vcpu->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
				  (vcpu->id == vcpu->vm->boot_vcpu_id ? MSR_IA32_APICBASE_BSP : 0);
	memset(lapic->regs, 0, PAGE_SIZE);
	lapic_set(lapic, APIC_LVR, lapic_version(lapic));
	for (reg = APIC_LVTT; reg <= APIC_LVTERR; reg += 0x10)
		lapic_set(lapic, reg, APIC_LVT_MASKED);
	lapic_set(lapic, APIC_DFR, 0xffffffff);
	lapic_set(lapic, APIC_SPIV, 0xff);
	/* Firmware finds the PIC wired to the boot processor's LINT0: KVM_X86_QUIRK_LINT0_REENABLED. */
	if (vcpu->id == vcpu->vm->boot_vcpu_id &&
	    !(READ_ONCE(vcpu->vm->disabled_quirks) & KVM_X86_QUIRK_LINT0_REENABLED))
		lapic_set(lapic, APIC_LVT0, SET_APIC_DELIVERY_MODE(0, APIC_MODE_EXTINT));
	lapic_set_id(lapic);
	/* INIT leaves the ID as software set it: SDM 3, 11.4.7.3. */
	if (init)
		lapic_set(lapic, APIC_ID, id);
	lapic->deadline = 0;
	lapic->timer_ns = 0;
	lapic->user_extint = -1;
	lapic->user_eoi = -1;
	lapic_timer_set_divisor(lapic);
	lapic_rescan(lapic);
}

void lodge_lapic_get_state(struct lodge_vcpu *vcpu, struct kvm_lapic_state *state)
{
	struct lodge_lapic *lapic = vcpu->lapic;
	u32 *id = (u32 *)(state->regs + APIC_ID);

	lodge_lapic_sync_timers(vcpu);
	lapic_set(lapic, APIC_LVR, lapic_version(lapic));
	lapic_set(lapic, APIC_TMCCT, lapic_timer_count(lapic));
	lapic_set(lapic, APIC_PROCPRI, lapic_ppr(lapic));
	memcpy(state->regs, lapic->regs, sizeof(state->regs));
	/* User space knows the 8-bit place of the ID only, unless it said otherwise: KVM_CAP_X2APIC_API. */
	if (lapic_x2apic(lapic) && !READ_ONCE(vcpu->vm->x2apic_ids32))
		*id <<= 24;
}

int lodge_lapic_set_state(struct lodge_vcpu *vcpu, const struct kvm_lapic_state *state)
{
	struct lodge_lapic *lapic = vcpu->lapic;

	if (lapic_x2apic(lapic) && READ_ONCE(vcpu->vm->x2apic_ids32) &&
	    *(const u32 *)(state->regs + APIC_ID) != vcpu->id)
		return -EINVAL;
	lapic_timer_stop(lapic);
	memcpy(lapic->regs, state->regs, sizeof(state->regs));
	/* In x2APIC mode the IDs are not software's to choose. */
	if (lapic_x2apic(lapic))
		lapic_set_id(lapic);
	lapic_destination_changed(lapic);
	lapic_timer_set_divisor(lapic);
	vcpu->cr8 = lodge_lapic_cr8_get(vcpu);
	lapic_rescan(lapic);
	lapic_timer_start(lapic, lapic_get(lapic, APIC_TMCCT));
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	return 0;
}

enum apic_mode { APIC_OFF, APIC_XAPIC, APIC_INVALID, APIC_X2APIC };

static enum apic_mode apic_mode_of(u64 base)
{
	if (!(base & XAPIC_ENABLE))
		return base & X2APIC_ENABLE ? APIC_INVALID : APIC_OFF;
	return base & X2APIC_ENABLE ? APIC_X2APIC : APIC_XAPIC;
}

/* SDM 3, 11.12.5: x2APIC is left only by way of off, and entered only from xAPIC. User space may do all. */
static bool apic_base_valid(struct lodge_vcpu *vcpu, u64 value, bool host)
{
	u64 reserved = ~(BIT_ULL(lodge_guest_maxphyaddr(vcpu)) - 1) | APIC_BASE_RESERVED;
	enum apic_mode old = apic_mode_of(vcpu->apic_base), new = apic_mode_of(value);

	if (!lodge_guest_has(vcpu, X86_FEATURE_X2APIC))
		reserved |= X2APIC_ENABLE;
	if ((value & reserved) || new == APIC_INVALID)
		return false;
	if (host)
		return true;
	return !(old == APIC_X2APIC && new == APIC_XAPIC) && !(old == APIC_OFF && new == APIC_X2APIC);
}

int lodge_lapic_base_set(struct lodge_vcpu *vcpu, u64 value, bool host)
{
	struct lodge_lapic *lapic = vcpu->lapic;
	u64 changed = vcpu->apic_base ^ value;

	if (!apic_base_valid(vcpu, value, host))
		return -EINVAL;
	vcpu->apic_base = value;
	if (!lapic)
		return 0;
	if (changed & XAPIC_ENABLE) {
		if (!(value & XAPIC_ENABLE))
			lapic_timer_stop(lapic);
		else if (!(value & X2APIC_ENABLE))
			lapic_set_id(lapic);
	}
	if (changed & value & X2APIC_ENABLE)
		lapic_set_id(lapic);
	lapic_update_enabled(lapic);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	return 0;
}

bool lodge_lapic_has_events(struct lodge_vcpu *vcpu)
{
	return READ_ONCE(vcpu->lapic->events);
}

/* SIPI: real mode at vector << 12. */
static void lapic_start_at(struct lodge_vcpu *vcpu, u8 vector)
{
	struct kvm_segment cs;

	lodge_op(get_segment)(vcpu, LODGE_CS, &cs);
	cs.selector = vector << 8;
	cs.base = vector << 12;
	lodge_op(set_segment)(vcpu, LODGE_CS, &cs);
	vcpu->rip = 0;
	vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
}

void lodge_lapic_accept_events(struct lodge_vcpu *vcpu)
{
	struct lodge_lapic *lapic = vcpu->lapic;

	if (!lapic)
		return;
	if (test_and_clear_bit(LAPIC_EVENT_INIT, &lapic->events)) {
		lodge_vcpu_reset(vcpu, true);
		vcpu->mp_state = vcpu->apic_base & MSR_IA32_APICBASE_BSP ? KVM_MP_STATE_RUNNABLE :
									    KVM_MP_STATE_INIT_RECEIVED;
	}
	if (test_and_clear_bit(LAPIC_EVENT_SIPI, &lapic->events)) {
		smp_rmb();	/* pairs with smp_wmb() in lapic_accept() */
		/* A processor that does not wait for it ignores it. */
		if (vcpu->mp_state == KVM_MP_STATE_INIT_RECEIVED)
			lapic_start_at(vcpu, READ_ONCE(lapic->sipi_vector));
	}
}

void lodge_lapic_set_sipi_vector(struct lodge_vcpu *vcpu, u8 vector)
{
	WRITE_ONCE(vcpu->lapic->sipi_vector, vector);
}

void lodge_lapic_queue_sipi(struct lodge_vcpu *vcpu)
{
	set_bit(LAPIC_EVENT_SIPI, &vcpu->lapic->events);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_APIC);
}

int lodge_lapic_set_user_extint(struct lodge_vcpu *vcpu, u8 vector)
{
	if (vcpu->lapic->user_extint >= 0)
		return -EEXIST;
	vcpu->lapic->user_extint = vector;
	lodge_vcpu_request(vcpu, LODGE_REQ_EVENT);
	return 0;
}

bool lodge_lapic_has_user_extint(struct lodge_vcpu *vcpu)
{
	return vcpu->lapic->user_extint >= 0;
}

int lodge_lapic_take_user_eoi(struct lodge_vcpu *vcpu)
{
	int vector = vcpu->lapic->user_eoi;

	vcpu->lapic->user_eoi = -1;
	return vector;
}

void lodge_irqchip_scan_eoi(struct lodge_vcpu *vcpu)
{
	struct lodge_lapic *lapic = vcpu->lapic;

	if (!lapic || vcpu->vm->irqchip_mode != LODGE_IRQCHIP_SPLIT)
		return;
	lodge_routing_user_eois(vcpu, lapic->user_eois);
	lapic->uses_user_eois = !bitmap_empty(lapic->user_eois, 256);
}
