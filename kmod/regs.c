// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control registers: which values a guest may write (APM 2, 3.1 and 5; SDM 3, 2.5), what else follows from a
 * write, and KVM's register structs. What the hardware is given is the backend's. The caller owns the vCPU.
 */
#include "regs.h"

#include <linux/bitmap.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "backend.h"
#include "cpuid.h"
#include "event.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"

#define CR0_DEFINED	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | \
			 X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
#define CR3_PCID_NOFLUSH	BIT_ULL(63)
#define CR3_PCID_BITS		GENMASK_ULL(11, 0)
#define PDPTE_RESERVED		(GENMASK_ULL(2, 1) | GENMASK_ULL(8, 5))	/* APM 2, 5.2.4 on PAE's third level */

bool lodge_address_canonical(const struct lodge_vcpu *vcpu, u64 address)
{
	unsigned int shift = vcpu->cr4 & X86_CR4_LA57 ? 7 : 16;

	return ((s64)(address << shift) >> shift) == (s64)address;
}

bool lodge_vcpu_in_long_segment(struct lodge_vcpu *vcpu)
{
	struct kvm_segment cs;

	lodge_op(get_segment)(vcpu, LODGE_CS, &cs);
	return cs.l;
}

static bool cr0_valid(u64 cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD))
		return false;
	return !(cr0 & X86_CR0_PG) || (cr0 & X86_CR0_PE);
}

/* Paging going on or off takes EFER.LMA with it. */
static void cr0_apply(struct lodge_vcpu *vcpu, u64 cr0)
{
	u64 efer = vcpu->efer & ~(u64)EFER_LMA;

	if ((efer & EFER_LME) && (cr0 & X86_CR0_PG))
		efer |= EFER_LMA;
	if ((vcpu->cr0 ^ cr0) & (X86_CR0_PG | X86_CR0_WP))
		lodge_vcpu_request_self(vcpu, LODGE_REQ_TLB_FLUSH);
	vcpu->cr0 = cr0 | X86_CR0_ET;
	if (efer != vcpu->efer) {
		vcpu->efer = efer;
		lodge_op(set_efer)(vcpu, efer);
	}
	lodge_op(set_cr0)(vcpu, vcpu->cr0);
}

int lodge_cr0_write(struct lodge_vcpu *vcpu, u64 cr0)
{
	if (!cr0_valid(cr0))
		return -EINVAL;
	cr0 &= CR0_DEFINED;
	if ((cr0 & X86_CR0_PG) && !(vcpu->cr0 & X86_CR0_PG) && (vcpu->efer & EFER_LME)) {
		struct kvm_segment cs;

		if (!(vcpu->cr4 & X86_CR4_PAE))
			return -EINVAL;
		lodge_op(get_segment)(vcpu, LODGE_CS, &cs);
		if (cs.l)
			return -EINVAL;
	}
	if (!(cr0 & X86_CR0_PG) && (vcpu->cr0 & X86_CR0_PG)) {
		if (vcpu->cr4 & X86_CR4_PCIDE)
			return -EINVAL;
		if ((vcpu->efer & EFER_LMA) && lodge_vcpu_in_long_code(vcpu))
			return -EINVAL;
	}
	cr0_apply(vcpu, cr0);
	return 0;
}

static bool cr3_valid(struct lodge_vcpu *vcpu, u64 cr3)
{
	if (!(vcpu->efer & EFER_LMA))
		return true;
	return !(cr3 >> lodge_guest_maxphyaddr(vcpu));
}

int lodge_cr3_write(struct lodge_vcpu *vcpu, u64 cr3)
{
	if (vcpu->cr4 & X86_CR4_PCIDE)
		cr3 &= ~CR3_PCID_NOFLUSH;
	if (!cr3_valid(vcpu, cr3))
		return -EINVAL;
	vcpu->cr3 = cr3;
	lodge_op(set_cr3)(vcpu, cr3);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_TLB_FLUSH);
	return 0;
}

static bool cr4_valid(struct lodge_vcpu *vcpu, u64 cr4)
{
	return !(cr4 & lodge_guest_cr4_reserved(vcpu));
}

static void cr4_apply(struct lodge_vcpu *vcpu, u64 cr4)
{
	u64 paging = X86_CR4_PGE | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE |
		     X86_CR4_PCIDE | X86_CR4_LA57;

	if ((vcpu->cr4 ^ cr4) & paging)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_TLB_FLUSH);
	vcpu->cr4 = cr4;
	lodge_op(set_cr4)(vcpu, cr4);
}

int lodge_cr4_write(struct lodge_vcpu *vcpu, u64 cr4)
{
	u64 changed = vcpu->cr4 ^ cr4;

	if (!cr4_valid(vcpu, cr4))
		return -EINVAL;
	if (vcpu->efer & EFER_LMA) {
		if (!(cr4 & X86_CR4_PAE) || (changed & X86_CR4_LA57))
			return -EINVAL;
	}
	if ((changed & cr4 & X86_CR4_PCIDE) && (!(vcpu->efer & EFER_LMA) || (vcpu->cr3 & CR3_PCID_BITS)))
		return -EINVAL;
	cr4_apply(vcpu, cr4);
	return 0;
}

int lodge_cr8_write(struct lodge_vcpu *vcpu, u64 cr8)
{
	if (cr8 & ~0xfULL)
		return -EINVAL;
	vcpu->cr8 = cr8;
	if (vcpu->lapic)
		lodge_lapic_cr8_set(vcpu, cr8);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	return 0;
}

static void efer_apply(struct lodge_vcpu *vcpu, u64 efer)
{
	if ((vcpu->efer ^ efer) & EFER_NX)
		lodge_vcpu_request_self(vcpu, LODGE_REQ_TLB_FLUSH);
	vcpu->efer = efer;
	lodge_op(set_efer)(vcpu, efer);
}

int lodge_efer_write(struct lodge_vcpu *vcpu, u64 efer, bool host)
{
	/* User space may give bits before it tells the guest of them; LMA is the CPU's own for either. */
	if (efer & (host ? lodge_host_efer_reserved() : lodge_guest_efer_reserved(vcpu)))
		return -EINVAL;
	if (!host && (vcpu->cr0 & X86_CR0_PG) && ((vcpu->efer ^ efer) & EFER_LME))
		return -EINVAL;
	efer_apply(vcpu, (efer & ~(u64)EFER_LMA) | (vcpu->efer & EFER_LMA));
	return 0;
}

void lodge_regs_get(struct lodge_vcpu *vcpu, struct kvm_regs *regs)
{
	const u64 *gprs = vcpu->gprs;

	*regs = (struct kvm_regs) {
		.rax = gprs[LODGE_RAX], .rbx = gprs[LODGE_RBX], .rcx = gprs[LODGE_RCX], .rdx = gprs[LODGE_RDX],
		.rsi = gprs[LODGE_RSI], .rdi = gprs[LODGE_RDI], .rsp = gprs[LODGE_RSP], .rbp = gprs[LODGE_RBP],
		.r8 = gprs[LODGE_R8], .r9 = gprs[LODGE_R9], .r10 = gprs[LODGE_R10], .r11 = gprs[LODGE_R11],
		.r12 = gprs[LODGE_R12], .r13 = gprs[LODGE_R13], .r14 = gprs[LODGE_R14], .r15 = gprs[LODGE_R15],
		.rip = vcpu->rip, .rflags = vcpu->rflags,
	};
}

void lodge_regs_set(struct lodge_vcpu *vcpu, const struct kvm_regs *regs)
{
	const u64 gprs[LODGE_NR_GPRS] = {
		regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp, regs->rsi, regs->rdi,
		regs->r8, regs->r9, regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
	};

	memcpy(vcpu->gprs, gprs, sizeof(gprs));
	vcpu->rip = regs->rip;
	vcpu->rflags = regs->rflags | X86_EFLAGS_FIXED;
	vcpu->events.exception_pending = false;
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
}

static void sregs_get_common(struct lodge_vcpu *vcpu, struct kvm_sregs *sregs)
{
	lodge_op(get_segment)(vcpu, LODGE_ES, &sregs->es);
	lodge_op(get_segment)(vcpu, LODGE_CS, &sregs->cs);
	lodge_op(get_segment)(vcpu, LODGE_SS, &sregs->ss);
	lodge_op(get_segment)(vcpu, LODGE_DS, &sregs->ds);
	lodge_op(get_segment)(vcpu, LODGE_FS, &sregs->fs);
	lodge_op(get_segment)(vcpu, LODGE_GS, &sregs->gs);
	lodge_op(get_segment)(vcpu, LODGE_TR, &sregs->tr);
	lodge_op(get_segment)(vcpu, LODGE_LDTR, &sregs->ldt);
	lodge_op(get_gdt)(vcpu, &sregs->gdt);
	lodge_op(get_idt)(vcpu, &sregs->idt);
	sregs->cr0 = vcpu->cr0;
	sregs->cr2 = vcpu->cr2;
	sregs->cr3 = vcpu->cr3;
	sregs->cr4 = vcpu->cr4;
	sregs->cr8 = lodge_cr8_read(vcpu);
	sregs->efer = vcpu->efer;
	sregs->apic_base = vcpu->apic_base;
}

void lodge_sregs_get(struct lodge_vcpu *vcpu, struct kvm_sregs *sregs)
{
	memset(sregs, 0, sizeof(*sregs));
	sregs_get_common(vcpu, sregs);
	if (vcpu->events.interrupt_injected)
		set_bit(vcpu->events.interrupt_vector, (unsigned long *)sregs->interrupt_bitmap);
}

static bool sregs_valid(struct lodge_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	bool long_paging = (sregs->efer & EFER_LME) && (sregs->cr0 & X86_CR0_PG);

	if (long_paging) {
		if (!(sregs->cr4 & X86_CR4_PAE) || !(sregs->efer & EFER_LMA))
			return false;
		if (sregs->cr3 >> lodge_guest_maxphyaddr(vcpu))
			return false;
	} else if ((sregs->efer & EFER_LMA) || sregs->cs.l) {
		return false;
	}
	return cr4_valid(vcpu, sregs->cr4) && cr0_valid(sregs->cr0) &&
	       !(sregs->efer & lodge_host_efer_reserved());
}

static int sregs_set_common(struct lodge_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	if (!sregs_valid(vcpu, sregs) || lodge_lapic_base_set(vcpu, sregs->apic_base, true))
		return -EINVAL;

	lodge_op(set_idt)(vcpu, &sregs->idt);
	lodge_op(set_gdt)(vcpu, &sregs->gdt);
	vcpu->cr2 = sregs->cr2;
	vcpu->cr3 = sregs->cr3;
	lodge_op(set_cr3)(vcpu, sregs->cr3);
	lodge_cr8_write(vcpu, sregs->cr8 & 0xf);
	efer_apply(vcpu, sregs->efer);
	vcpu->cr0 = (sregs->cr0 & CR0_DEFINED) | X86_CR0_ET;
	lodge_op(set_cr0)(vcpu, vcpu->cr0);
	cr4_apply(vcpu, sregs->cr4);

	lodge_op(set_segment)(vcpu, LODGE_CS, &sregs->cs);
	lodge_op(set_segment)(vcpu, LODGE_DS, &sregs->ds);
	lodge_op(set_segment)(vcpu, LODGE_ES, &sregs->es);
	lodge_op(set_segment)(vcpu, LODGE_FS, &sregs->fs);
	lodge_op(set_segment)(vcpu, LODGE_GS, &sregs->gs);
	lodge_op(set_segment)(vcpu, LODGE_SS, &sregs->ss);
	lodge_op(set_segment)(vcpu, LODGE_TR, &sregs->tr);
	lodge_op(set_segment)(vcpu, LODGE_LDTR, &sregs->ldt);
	lodge_vcpu_request_self(vcpu, LODGE_REQ_TLB_FLUSH);

	/* Older user space starts the boot CPU at the reset vector without setting its MP state. */
	if (vcpu->id == vcpu->vm->boot_vcpu_id && vcpu->rip == 0xfff0 && sregs->cs.selector == 0xf000 &&
	    sregs->cs.base == 0xffff0000 && !(vcpu->cr0 & X86_CR0_PE))
		vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	return 0;
}

int lodge_sregs_set(struct lodge_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	unsigned int vector;
	int ret = sregs_set_common(vcpu, sregs);

	if (ret)
		return ret;
	vector = find_first_bit((const unsigned long *)sregs->interrupt_bitmap, KVM_NR_INTERRUPTS);
	if (vector < KVM_NR_INTERRUPTS)
		lodge_requeue_interrupt(vcpu, vector);
	return 0;
}

/* In PAE paging the four top entries are registers of the CPU; AMD's reads them from memory at each walk. */
static bool pdptrs_used(const struct lodge_vcpu *vcpu)
{
	return (vcpu->cr0 & X86_CR0_PG) && (vcpu->cr4 & X86_CR4_PAE) && !(vcpu->efer & EFER_LMA);
}

void lodge_sregs2_get(struct lodge_vcpu *vcpu, struct kvm_sregs2 *out)
{
	struct kvm_sregs sregs = {};

	sregs_get_common(vcpu, &sregs);
	memset(out, 0, sizeof(*out));
	memcpy(out, &sregs, offsetof(struct kvm_sregs, interrupt_bitmap));
	if (pdptrs_used(vcpu) &&
	    !lodge_guest_read(vcpu->vm, vcpu->cr3 & GENMASK(31, 5), out->pdptrs, sizeof(out->pdptrs)))
		out->flags |= KVM_SREGS2_FLAGS_PDPTRS_VALID;
}

int lodge_sregs2_set(struct lodge_vcpu *vcpu, const struct kvm_sregs2 *in)
{
	struct kvm_sregs sregs = {};

	if (in->flags & ~(u64)KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if (in->flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) {
		bool pae = (in->cr0 & X86_CR0_PG) && (in->cr4 & X86_CR4_PAE) && !(in->efer & EFER_LMA);
		int i;

		if (!pae)
			return -EINVAL;
		for (i = 0; i < 4; i++)
			if ((in->pdptrs[i] & 1) && (in->pdptrs[i] & PDPTE_RESERVED))
				return -EINVAL;
	}
	memcpy(&sregs, in, offsetof(struct kvm_sregs, interrupt_bitmap));
	return sregs_set_common(vcpu, &sregs);
}
