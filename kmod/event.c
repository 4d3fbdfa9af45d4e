// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions, NMIs and interrupts on their way to the guest, vendor-free: priorities, double and triple
 * faults, re-delivery, KVM_INTERRUPT and its window. The encoding for the hardware is the backend's; which
 * interrupt waits is the irqchip's. All of it belongs to the vCPU's own thread (vcpu->mutex), but for NMIs
 * asked for from outside, which arrive in the atomic vcpu->nmi_queued.
 */
#include "event.h"

#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "backend.h"
#include "irqchip/irqchip.h"
#include "regs.h"
#include "trace.h"

#define NMI_PENDING_MAX	2	/* one in service, one latched: APM 2, 8.2.3 */

/* Classes of APM 2, table 8-3: two of which collide. */
enum exception_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE };

static enum exception_class exception_class(u8 vector)
{
	switch (vector) {
	case X86_TRAP_DF:
		return CLASS_DOUBLE;
	case X86_TRAP_PF:
		return CLASS_PAGE_FAULT;
	case X86_TRAP_DE:
	case X86_TRAP_TS:
	case X86_TRAP_NP:
	case X86_TRAP_SS:
	case X86_TRAP_GP:
		return CLASS_CONTRIBUTORY;
	default:
		return CLASS_BENIGN;
	}
}

static bool exceptions_make_double(enum exception_class first, enum exception_class second)
{
	return (first == CLASS_CONTRIBUTORY && second == CLASS_CONTRIBUTORY) ||
	       (first == CLASS_PAGE_FAULT && second != CLASS_BENIGN);
}

void lodge_queue_exception(struct lodge_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	struct lodge_events *events = &vcpu->events;

	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	if (events->exception_pending || events->exception_injected) {
		enum exception_class first = exception_class(events->exception.vector);

		if (first == CLASS_DOUBLE) {
			events->exception_pending = false;
			events->exception_injected = false;
			vcpu->triple_fault = true;
			return;
		}
		if (exceptions_make_double(first, exception_class(vector))) {
			vector = X86_TRAP_DF;
			has_error = true;
			error = 0;
		}
	}
	/* Real mode pushes no error codes: APM 2, 8.2. */
	if (!(vcpu->cr0 & X86_CR0_PE))
		has_error = false;
	events->exception_pending = true;
	events->exception_injected = false;
	events->exception.vector = vector;
	events->exception.has_error = has_error;
	events->exception.error = has_error ? error : 0;
	events->exception.has_payload = false;
}

void lodge_queue_page_fault(struct lodge_vcpu *vcpu, u32 error, u64 cr2)
{
	vcpu->cr2 = cr2;
	lodge_queue_exception(vcpu, X86_TRAP_PF, true, error);
}

/* DR6 as the CPU leaves it: B0-B3 replaced, BS, BD and BT gathered, RTM as written. APM 2, 13.1.1.3. */
void lodge_queue_debug(struct lodge_vcpu *vcpu, u64 dr6)
{
	vcpu->dr6 = (vcpu->dr6 & ~LODGE_DR6_TRAPS) | LODGE_DR6_ONES | dr6;
	lodge_op(set_debugregs)(vcpu);
	lodge_queue_exception(vcpu, X86_TRAP_DB, false, 0);
}

void lodge_requeue_exception(struct lodge_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	struct lodge_events *events = &vcpu->events;

	if (events->exception_pending)
		return;		/* the new one came out of delivering this one and has absorbed it */
	events->exception_injected = true;
	events->exception.vector = vector;
	events->exception.has_error = has_error;
	events->exception.error = error;
	events->exception.has_payload = false;
}

void lodge_requeue_interrupt(struct lodge_vcpu *vcpu, u8 vector)
{
	vcpu->events.interrupt_injected = true;
	vcpu->events.interrupt_vector = vector;
}

void lodge_requeue_nmi(struct lodge_vcpu *vcpu)
{
	vcpu->events.nmi_injected = true;
}

void lodge_events_delivered(struct lodge_vcpu *vcpu)
{
	vcpu->events.exception_injected = false;
	vcpu->events.interrupt_injected = false;
	vcpu->events.nmi_injected = false;
}

void lodge_vcpu_nmi(struct lodge_vcpu *vcpu)
{
	atomic_inc(&vcpu->nmi_queued);
	lodge_vcpu_request(vcpu, LODGE_REQ_NMI);
}

void lodge_collect_nmis(struct lodge_vcpu *vcpu)
{
	unsigned int max = vcpu->events.nmi.masked || vcpu->events.nmi_injected ? 1 : NMI_PENDING_MAX;
	unsigned int queued = atomic_xchg(&vcpu->nmi_queued, 0);

	vcpu->events.nmi.pending = min(vcpu->events.nmi.pending + queued, max);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
}

/* A fault's frame carries RF, so that its handler's IRET does not meet the same breakpoint: APM 2, 3.1.6. */
static void exception_set_resume_flag(struct lodge_vcpu *vcpu)
{
	switch (vcpu->events.exception.vector) {
	case X86_TRAP_DB:
	case X86_TRAP_BP:
	case X86_TRAP_OF:
	case X86_TRAP_DF:
	case X86_TRAP_MC:
		break;
	default:
		vcpu->rflags |= X86_EFLAGS_RF;
	}
}

/*
 * What an exception that user space gave back brings beside its error code: the address of a #PF, the causes of
 * a #DB. DR6's bits that read as ones are told inverted. Lodge's own exceptions have put it in place already.
 */
static void exception_deliver_payload(struct lodge_vcpu *vcpu)
{
	u64 payload = vcpu->events.exception.payload;

	vcpu->events.exception.has_payload = false;
	if (vcpu->events.exception.vector == X86_TRAP_PF) {
		vcpu->cr2 = payload;
	} else if (vcpu->events.exception.vector == X86_TRAP_DB) {
		vcpu->dr6 = ((vcpu->dr6 & ~LODGE_DR6_TRAPS) | LODGE_DR6_ONES | payload) ^ (payload & LODGE_DR6_ONES);
		lodge_op(set_debugregs)(vcpu);
	}
}

/* The handler of #DB may use the debug registers: APM 2, 13.1.1.4. */
static void exception_drop_guard(struct lodge_vcpu *vcpu)
{
	if (vcpu->events.exception.vector != X86_TRAP_DB || !(vcpu->dr7 & LODGE_DR7_GD))
		return;
	vcpu->dr7 &= ~LODGE_DR7_GD;
	lodge_op(set_debugregs)(vcpu);
}

/* A debugger that steps through guest code does not want to end up in an interrupt's handler. */
static bool events_blocked(const struct lodge_vcpu *vcpu)
{
	return unlikely(vcpu->guest_debug & KVM_GUESTDBG_BLOCKIRQ);
}

static bool events_inject_one(struct lodge_vcpu *vcpu)
{
	struct lodge_events *events = &vcpu->events;

	if (events->exception_pending) {
		if (unlikely(events->exception.has_payload))
			exception_deliver_payload(vcpu);
		events->exception_pending = false;
		events->exception_injected = true;
		exception_set_resume_flag(vcpu);
		exception_drop_guard(vcpu);
	}
	if (events->exception_injected) {
		lodge_op(inject_exception)(vcpu);
		trace_lodge_inject(LODGE_INJECT_EXCEPTION, events->exception.vector, events->exception.error);
		return true;
	}
	if (!events->nmi_injected && !events->interrupt_injected &&
	    events->nmi.pending && lodge_op(nmi_allowed)(vcpu) && !events_blocked(vcpu)) {
		events->nmi.pending--;
		events->nmi_injected = true;
	}
	if (events->nmi_injected) {
		lodge_op(inject_nmi)(vcpu);
		trace_lodge_inject(LODGE_INJECT_NMI, X86_TRAP_NMI, 0);
		return true;
	}
	if (!events->interrupt_injected && vcpu->lapic && lodge_irq_pending(vcpu) &&
	    lodge_op(interrupt_allowed)(vcpu) && !events_blocked(vcpu)) {
		int vector = lodge_irq_ack(vcpu);

		if (vector >= 0) {
			events->interrupt_injected = true;
			events->interrupt_vector = vector;
		}
	}
	if (events->interrupt_injected) {
		lodge_op(inject_interrupt)(vcpu);
		trace_lodge_inject(LODGE_INJECT_INTERRUPT, events->interrupt_vector, 0);
		return true;
	}
	return false;
}

/* Without an irqchip user space's interrupt goes to the CPU itself; with a split one it comes in at LINT0. */
static bool events_accept_user_interrupt(struct lodge_vcpu *vcpu)
{
	return !vcpu->lapic || (lodge_lapic_accepts_extint(vcpu) && !lodge_lapic_has_user_extint(vcpu));
}

/*
 * An exit for user space's window only where it can open once the guest takes interrupts: while LINT0 is masked the
 * exit would come again at once, and the guest would never execute the write that unmasks it.
 */
static bool events_user_window_wanted(struct lodge_vcpu *vcpu)
{
	return vcpu->run->request_interrupt_window && vcpu->vm->irqchip_mode != LODGE_IRQCHIP_KERNEL &&
	       events_accept_user_interrupt(vcpu);
}

/* CR8 as the guest shall find it, and whether lowering it would free an interrupt. */
static void events_update_tpr(struct lodge_vcpu *vcpu)
{
	if (vcpu->lapic) {
		int irr = lodge_lapic_highest_irr(vcpu);

		vcpu->cr8 = lodge_lapic_cr8_get(vcpu);
		vcpu->tpr_blocks = irr >= 0 && (irr >> 4) <= vcpu->cr8;
	}
	lodge_op(update_tpr)(vcpu);
}

void lodge_events_prepare(struct lodge_vcpu *vcpu)
{
	if (vcpu->lapic)
		lodge_lapic_sync_timers(vcpu);
	vcpu->events_injected = events_inject_one(vcpu);
	if (vcpu->events.nmi.pending && !events_blocked(vcpu))
		lodge_op(request_nmi_window)(vcpu);
	if (((vcpu->lapic && lodge_irq_pending(vcpu)) || events_user_window_wanted(vcpu)) && !events_blocked(vcpu))
		lodge_op(request_interrupt_window)(vcpu);
	events_update_tpr(vcpu);
}

bool lodge_has_wake_event(struct lodge_vcpu *vcpu)
{
	if (vcpu->events.exception_pending || vcpu->events.interrupt_injected || vcpu->triple_fault)
		return true;
	if (lodge_vcpu_test_request(vcpu, LODGE_REQ_NMI) ||
	    (vcpu->events.nmi.pending && lodge_op(nmi_allowed)(vcpu)))
		return true;
	if (!vcpu->lapic)
		return false;
	if (lodge_lapic_has_events(vcpu) || READ_ONCE(vcpu->pv_unhalted))
		return true;
	lodge_lapic_sync_timers(vcpu);
	return (vcpu->rflags & X86_EFLAGS_IF) && lodge_irq_pending(vcpu);
}

static bool events_take_user_interrupt(struct lodge_vcpu *vcpu)
{
	if (!lodge_op(interrupt_allowed)(vcpu) || vcpu->events.interrupt_injected || vcpu->events.nmi_injected ||
	    vcpu->events.exception_pending || vcpu->events.exception_injected)
		return false;
	return events_accept_user_interrupt(vcpu);
}

bool lodge_ready_for_user_interrupt(struct lodge_vcpu *vcpu)
{
	return events_take_user_interrupt(vcpu);
}

bool lodge_user_window_open(struct lodge_vcpu *vcpu)
{
	return events_user_window_wanted(vcpu) && events_take_user_interrupt(vcpu);
}

int lodge_user_interrupt(struct lodge_vcpu *vcpu, u32 vector)
{
	if (vector > 255)
		return -EINVAL;
	if (!vcpu->lapic) {
		lodge_requeue_interrupt(vcpu, vector);
		lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
		return 0;
	}
	if (vcpu->vm->irqchip_mode == LODGE_IRQCHIP_KERNEL)
		return -ENXIO;
	return lodge_lapic_set_user_extint(vcpu, vector);
}

/*
 * INT3 and INTO raise their exceptions when they execute: RIP stands there, nothing is to be told. A client that
 * does not know of pending exceptions hears of them as injected.
 */
static void events_get_exception(struct lodge_vcpu *vcpu, struct kvm_vcpu_events *out)
{
	const struct lodge_events *events = &vcpu->events;
	bool payload = READ_ONCE(vcpu->vm->exception_payload);

	if (events->exception.vector != X86_TRAP_BP && events->exception.vector != X86_TRAP_OF) {
		out->exception.injected = events->exception_injected || (events->exception_pending && !payload);
		out->exception.pending = events->exception_pending && payload;
	}
	out->exception.nr = events->exception.vector;
	out->exception.has_error_code = events->exception.has_error;
	out->exception.error_code = events->exception.error;
	if (!payload)
		return;
	out->exception_has_payload = events->exception.has_payload;
	out->exception_payload = events->exception.payload;
	out->flags |= KVM_VCPUEVENT_VALID_PAYLOAD;
}

void lodge_vcpu_events_get(struct lodge_vcpu *vcpu, struct kvm_vcpu_events *out)
{
	struct lodge_events *events = &vcpu->events;

	if (lodge_vcpu_take_request(vcpu, LODGE_REQ_NMI))
		lodge_collect_nmis(vcpu);
	memset(out, 0, sizeof(*out));
	out->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM;
	events_get_exception(vcpu, out);
	out->interrupt.injected = events->interrupt_injected;
	out->interrupt.nr = events->interrupt_vector;
	out->interrupt.shadow = lodge_op(get_interrupt_shadow)(vcpu);
	out->nmi.injected = events->nmi_injected;
	out->nmi.pending = events->nmi.pending;
	out->nmi.masked = events->nmi.masked;
	if (READ_ONCE(vcpu->vm->triple_fault_event)) {
		out->triple_fault.pending = vcpu->triple_fault;
		out->flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	}
}

static bool events_valid(struct lodge_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	u32 known = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR |
		    KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM;
	bool raised = in->exception.injected;

	if (READ_ONCE(vcpu->vm->exception_payload))
		known |= KVM_VCPUEVENT_VALID_PAYLOAD;
	if (READ_ONCE(vcpu->vm->triple_fault_event))
		known |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	if (in->flags & ~known)
		return false;
	if ((in->flags & KVM_VCPUEVENT_VALID_PAYLOAD) && in->exception.pending)
		raised = true;
	if (raised && (in->exception.nr > 31 || in->exception.nr == X86_TRAP_NMI))
		return false;
	/* There is no SMM. */
	return !(in->flags & KVM_VCPUEVENT_VALID_SMM) || !(in->smi.smm || in->smi.pending);
}

int lodge_vcpu_events_set(struct lodge_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	struct lodge_events *events = &vcpu->events;
	bool pending;

	if (!events_valid(vcpu, in))
		return -EINVAL;
	pending = (in->flags & KVM_VCPUEVENT_VALID_PAYLOAD) && in->exception.pending;
	events->exception_pending = pending;
	events->exception_injected = in->exception.injected && !pending;
	events->exception.vector = in->exception.nr;
	events->exception.has_error = in->exception.has_error_code;
	events->exception.error = in->exception.error_code;
	events->exception.has_payload = pending && in->exception_has_payload;
	events->exception.payload = in->exception_payload;
	events->interrupt_injected = in->interrupt.injected;
	events->interrupt_vector = in->interrupt.nr;
	if (in->flags & KVM_VCPUEVENT_VALID_SHADOW)
		lodge_op(set_interrupt_shadow)(vcpu, in->interrupt.shadow);
	events->nmi_injected = in->nmi.injected;
	if (in->flags & KVM_VCPUEVENT_VALID_NMI_PENDING) {
		atomic_set(&vcpu->nmi_queued, 0);
		events->nmi.pending = min_t(unsigned int, in->nmi.pending, NMI_PENDING_MAX);
	}
	lodge_op(set_nmi_mask)(vcpu, in->nmi.masked);
	if ((in->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR) && vcpu->lapic)
		lodge_lapic_set_sipi_vector(vcpu, in->sipi_vector);
	if (in->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
		vcpu->triple_fault = in->triple_fault.pending;
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	return 0;
}
