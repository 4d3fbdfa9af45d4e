// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments, descriptor tables and control registers between the VMCB and KVM's structs. Values were checked
 * by the common regs.c. The caller owns the vCPU, which is not in the guest.
 */
#include "svm.h"

#include <linux/kvm.h>
#include <asm/debugreg.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../backend.h"

static struct svm_segment *svm_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg)
{
	struct vmcb_save *save = &to_svm(vcpu)->vmcb->save;

	switch (seg) {
	case LODGE_ES:		return &save->es;
	case LODGE_CS:		return &save->cs;
	case LODGE_SS:		return &save->ss;
	case LODGE_DS:		return &save->ds;
	case LODGE_FS:		return &save->fs;
	case LODGE_GS:		return &save->gs;
	case LODGE_TR:		return &save->tr;
	default:		return &save->ldtr;
	}
}

void svm_get_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg, struct kvm_segment *out)
{
	const struct svm_segment *s = svm_segment(vcpu, seg);

	*out = (struct kvm_segment) {
		.base = s->base,
		.limit = s->limit,
		.selector = s->selector,
		.type = s->attrib & SVM_SEG_TYPE,
		.present = !!(s->attrib & SVM_SEG_P),
		.dpl = (s->attrib >> SVM_SEG_DPL_SHIFT) & 3,
		.db = !!(s->attrib & SVM_SEG_DB),
		.s = !!(s->attrib & SVM_SEG_S),
		.l = !!(s->attrib & SVM_SEG_L),
		.avl = !!(s->attrib & SVM_SEG_AVL),
		/* APM 2, 15.5.1: the CPU may not keep G; it follows from the limit. */
		.g = s->limit > 0xfffff,
	};

	switch (seg) {
	case LODGE_TR:
		out->type |= 2;		/* always a busy TSS */
		break;
	case LODGE_DS:
	case LODGE_ES:
	case LODGE_FS:
	case LODGE_GS:
		/* Loading it sets "accessed", which not every CPU writes back. */
		if (out->present)
			out->type |= 1;
		break;
	case LODGE_SS:
		/* D/B of a null SS in 64-bit mode is whatever the CPU left; DPL is the CPL. */
		if (!out->present)
			out->db = 0;
		out->dpl = to_svm(vcpu)->vmcb->save.cpl;
		break;
	default:
		break;
	}
	out->unusable = !out->present;
}

void svm_set_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg, const struct kvm_segment *in)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct svm_segment *s = svm_segment(vcpu, seg);
	bool present = in->present && !in->unusable;

	s->base = in->base;
	s->limit = in->limit;
	s->selector = in->selector;
	s->attrib = (in->type & SVM_SEG_TYPE) | (in->dpl & 3) << SVM_SEG_DPL_SHIFT;
	s->attrib |= in->s ? SVM_SEG_S : 0;
	s->attrib |= present ? SVM_SEG_P : 0;
	s->attrib |= in->avl ? SVM_SEG_AVL : 0;
	s->attrib |= in->l ? SVM_SEG_L : 0;
	s->attrib |= in->db ? SVM_SEG_DB : 0;
	s->attrib |= in->g ? SVM_SEG_G : 0;
	/* The CPL is a field of its own: APM 2, 15.5.1. Outside virtual-8086 and real mode it is SS.DPL. */
	if (seg == LODGE_SS)
		svm->vmcb->save.cpl = in->dpl & 3;
	svm_dirty(svm, SVM_CLEAN_SEG);
}

u64 svm_get_segment_base(struct lodge_vcpu *vcpu, enum lodge_segment seg)
{
	return svm_segment(vcpu, seg)->base;
}

u8 svm_get_cpl(struct lodge_vcpu *vcpu)
{
	return to_svm(vcpu)->vmcb->save.cpl;
}

void svm_get_code(struct lodge_vcpu *vcpu, struct lodge_code *out)
{
	const struct vmcb_save *save = &to_svm(vcpu)->vmcb->save;

	out->cpl = save->cpl;
	if ((vcpu->efer & EFER_LMA) && (save->cs.attrib & SVM_SEG_L)) {
		out->base = 0;
		out->width = 8;
	} else {
		out->base = save->cs.base;
		out->width = save->cs.attrib & SVM_SEG_DB ? 4 : 2;
	}
}

void svm_get_gdt(struct lodge_vcpu *vcpu, struct kvm_dtable *out)
{
	const struct svm_segment *gdtr = &to_svm(vcpu)->vmcb->save.gdtr;

	*out = (struct kvm_dtable) { .base = gdtr->base, .limit = gdtr->limit };
}

void svm_set_gdt(struct lodge_vcpu *vcpu, const struct kvm_dtable *in)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->save.gdtr.base = in->base;
	svm->vmcb->save.gdtr.limit = in->limit;
	svm_dirty(svm, SVM_CLEAN_DT);
}

void svm_get_idt(struct lodge_vcpu *vcpu, struct kvm_dtable *out)
{
	const struct svm_segment *idtr = &to_svm(vcpu)->vmcb->save.idtr;

	*out = (struct kvm_dtable) { .base = idtr->base, .limit = idtr->limit };
}

void svm_set_idt(struct lodge_vcpu *vcpu, const struct kvm_dtable *in)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->save.idtr.base = in->base;
	svm->vmcb->save.idtr.limit = in->limit;
	svm_dirty(svm, SVM_CLEAN_DT);
}

/*
 * The guest's CD and NW are kept from the hardware, where they would slow the host's own caches; reading CR0
 * is then intercepted, since the guest must find what it wrote. KVM_CAP_DISABLE_QUIRKS gives them to it.
 */
void svm_set_cr0(struct lodge_vcpu *vcpu, u64 cr0)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;
	u64 hardware = cr0 | X86_CR0_ET;

	if (!(READ_ONCE(vcpu->vm->disabled_quirks) & KVM_X86_QUIRK_CD_NW_CLEARED))
		hardware &= ~(u64)(X86_CR0_CD | X86_CR0_NW);
	svm->vmcb->save.cr0 = hardware;
	if (hardware == cr0) {
		control->cr_read &= ~BIT(0);
		control->cr_write &= ~BIT(0);
	} else {
		control->cr_read |= BIT(0);
		control->cr_write |= BIT(0);
	}
	svm_dirty(svm, SVM_CLEAN_CR | SVM_CLEAN_INTERCEPTS);
}

void svm_set_cr3(struct lodge_vcpu *vcpu, u64 cr3)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->save.cr3 = cr3;
	svm_dirty(svm, SVM_CLEAN_CR);
}

/* Machine checks are the host's: without MCE in the hardware's CR4 one would shut the machine down. */
void svm_set_cr4(struct lodge_vcpu *vcpu, u64 cr4)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;
	u64 hardware = cr4 | (__read_cr4() & X86_CR4_MCE);

	svm->vmcb->save.cr4 = hardware;
	if (hardware == cr4)
		control->cr_read &= ~BIT(4);
	else
		control->cr_read |= BIT(4);
	svm_dirty(svm, SVM_CLEAN_CR | SVM_CLEAN_INTERCEPTS);
}

void svm_set_efer(struct lodge_vcpu *vcpu, u64 efer)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->save.efer = efer | EFER_SVME;	/* VMRUN refuses it clear: APM 2, 15.5.1 */
	svm_dirty(svm, SVM_CLEAN_CR);
}

void svm_set_debugregs(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;

	svm->watching = svm_is_watching(svm);
	svm->vmcb->save.dr6 = vcpu->dr6;
	svm->vmcb->save.dr7 = vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ? vcpu->debug_dr7 : vcpu->dr7;
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP)
		control->exceptions |= BIT(X86_TRAP_BP);
	else
		control->exceptions &= ~BIT(X86_TRAP_BP);
	svm_dirty(svm, SVM_CLEAN_DR | SVM_CLEAN_INTERCEPTS);
}

void svm_set_tsc_offset(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->control.tsc_offset = vcpu->tsc_offset;
	svm_dirty(svm, SVM_CLEAN_INTERCEPTS);
}

void svm_set_pat(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);

	svm->vmcb->save.g_pat = vcpu->pat;
	svm_dirty(svm, SVM_CLEAN_NPT);
}
