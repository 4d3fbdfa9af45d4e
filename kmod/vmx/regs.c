// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments, descriptor tables and control registers between the VMCS and KVM's structs. Values were checked
 * by the common regs.c. The caller owns the vCPU, which is not in the guest.
 */
#include "vmx.h"

#include <linux/kvm.h>
#include <linux/string.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

#include "../backend.h"

#define TSS_BUSY_32		11	/* a busy TSS of 32 bits, or of 64 in long mode */
#define TSS_BUSY_16		3

#define PDPTE_PRESENT		BIT_ULL(0)
#define PDPTE_RESERVED		(GENMASK_ULL(2, 1) | GENMASK_ULL(8, 5))	/* SDM 3, table 4-8 */

static unsigned int vmx_segment_index(enum lodge_segment seg)
{
	switch (seg) {
	case LODGE_ES:		return 2 * VMX_SEG_ES;
	case LODGE_CS:		return 2 * VMX_SEG_CS;
	case LODGE_SS:		return 2 * VMX_SEG_SS;
	case LODGE_DS:		return 2 * VMX_SEG_DS;
	case LODGE_FS:		return 2 * VMX_SEG_FS;
	case LODGE_GS:		return 2 * VMX_SEG_GS;
	case LODGE_TR:		return 2 * VMX_SEG_TR;
	default:		return 2 * VMX_SEG_LDTR;
	}
}

void vmx_get_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg, struct kvm_segment *out)
{
	unsigned int i = vmx_segment_index(seg);
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);
	u32 attributes = vmcs_read(VMCS_GUEST_ATTRIBUTES + i);

	*out = (struct kvm_segment) {
		.base = vmcs_read(VMCS_GUEST_BASE + i),
		.limit = vmcs_read(VMCS_GUEST_LIMIT + i),
		.selector = vmcs_read(VMCS_GUEST_SELECTOR + i),
	};
	vmx_release(vmx, flags);
	out->unusable = !!(attributes & VMX_ATTR_UNUSABLE);
	out->type = attributes & VMX_ATTR_TYPE;
	out->s = !!(attributes & VMX_ATTR_S);
	out->dpl = (attributes >> VMX_ATTR_DPL_SHIFT) & 3;
	/* An unusable segment keeps the other bits of what was loaded last; to user space it is not present. */
	out->present = !out->unusable;
	out->avl = !!(attributes & VMX_ATTR_AVL);
	out->l = !!(attributes & VMX_ATTR_L);
	out->db = !!(attributes & VMX_ATTR_DB);
	out->g = !!(attributes & VMX_ATTR_G);
}

/* What an entry insists on: SDM 3, 27.3.1.2. Elsewhere the CPU would have made it so when the segment was loaded. */
static u32 vmx_attributes(enum lodge_segment seg, const struct kvm_segment *in)
{
	u32 attributes = in->type & VMX_ATTR_TYPE;

	attributes |= in->s ? VMX_ATTR_S : 0;
	attributes |= (in->dpl & 3) << VMX_ATTR_DPL_SHIFT;
	attributes |= in->present ? VMX_ATTR_P : 0;
	attributes |= in->avl ? VMX_ATTR_AVL : 0;
	attributes |= in->l ? VMX_ATTR_L : 0;
	attributes |= in->db ? VMX_ATTR_DB : 0;
	attributes |= in->g ? VMX_ATTR_G : 0;
	if (seg == LODGE_TR) {
		/* There is always a task register, and its TSS is busy. */
		attributes &= ~(u32)(VMX_ATTR_TYPE | VMX_ATTR_S);
		attributes |= (in->type & 8 || !in->present ? TSS_BUSY_32 : TSS_BUSY_16) | VMX_ATTR_P;
		return attributes;
	}
	if (in->unusable || !in->present)
		return (attributes & ~(u32)VMX_ATTR_P) | VMX_ATTR_UNUSABLE;
	if (seg != LODGE_LDTR)
		attributes |= VMX_ATTR_ACCESSED;
	return attributes;
}

void vmx_set_segment(struct lodge_vcpu *vcpu, enum lodge_segment seg, const struct kvm_segment *in)
{
	unsigned int i = vmx_segment_index(seg);
	u32 attributes = vmx_attributes(seg, in);
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags;

	/* The granularity follows from the limit: an entry accepts no other. */
	attributes &= ~(u32)VMX_ATTR_G;
	if (in->limit & GENMASK(31, 20) || (in->g && (in->limit & 0xfff) == 0xfff))
		attributes |= VMX_ATTR_G;
	if (seg == LODGE_TR && (vcpu->efer & EFER_LMA))
		attributes |= TSS_BUSY_32;

	flags = vmx_hold(vmx);
	vmcs_write(VMCS_GUEST_SELECTOR + i, in->selector);
	vmcs_write(VMCS_GUEST_BASE + i, in->base);
	vmcs_write(VMCS_GUEST_LIMIT + i, in->limit);
	vmcs_write(VMCS_GUEST_ATTRIBUTES + i, attributes);
	vmx_release(vmx, flags);
}

static noinline u64 vmx_read_field_outside(struct vmx_vcpu *vmx, unsigned long field)
{
	unsigned long flags = vmx_hold(vmx);
	u64 value = vmcs_read(field);

	vmx_release(vmx, flags);
	return value;
}

static u64 vmx_read_field(struct lodge_vcpu *vcpu, unsigned long field)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	return likely(vmx->in_section) ? vmcs_read(field) : vmx_read_field_outside(vmx, field);
}

u64 vmx_get_segment_base(struct lodge_vcpu *vcpu, enum lodge_segment seg)
{
	return vmx_read_field(vcpu, VMCS_GUEST_BASE + vmx_segment_index(seg));
}

/* The CPL is SS.DPL in every mode, kept in an unusable SS too: SDM 3, 25.4.1. */
u8 vmx_get_cpl(struct lodge_vcpu *vcpu)
{
	return (vmx_read_field(vcpu, VMCS_GUEST_ATTRIBUTES + 2 * VMX_SEG_SS) >> VMX_ATTR_DPL_SHIFT) & 3;
}

/* RSP and CR3 are read back at the section's end otherwise. */
void vmx_get_code(struct lodge_vcpu *vcpu, struct lodge_code *out)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 attributes = vmcs_read(VMCS_GUEST_ATTRIBUTES + 2 * VMX_SEG_CS);

	out->cpl = (vmcs_read(VMCS_GUEST_ATTRIBUTES + 2 * VMX_SEG_SS) >> VMX_ATTR_DPL_SHIFT) & 3;
	if ((vcpu->efer & EFER_LMA) && (attributes & VMX_ATTR_L)) {
		out->base = 0;
		out->width = 8;
	} else {
		out->base = vmcs_read(VMCS_GUEST_BASE + 2 * VMX_SEG_CS);
		out->width = attributes & VMX_ATTR_DB ? 4 : 2;
	}
	vcpu->cr3 = vmcs_read(VMCS_GUEST_CR3);
	vmx->rsp = vmcs_read(VMCS_GUEST_RSP);
	vcpu->gprs[LODGE_RSP] = vmx->rsp;
}

static void vmx_get_table(struct lodge_vcpu *vcpu, unsigned long base, unsigned long limit, struct kvm_dtable *out)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	*out = (struct kvm_dtable) { .base = vmcs_read(base), .limit = vmcs_read(limit) };
	vmx_release(vmx, flags);
}

static void vmx_set_table(struct lodge_vcpu *vcpu, unsigned long base, unsigned long limit, const struct kvm_dtable *in)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	vmcs_write(base, in->base);
	vmcs_write(limit, in->limit);
	vmx_release(vmx, flags);
}

void vmx_get_gdt(struct lodge_vcpu *vcpu, struct kvm_dtable *out)
{
	vmx_get_table(vcpu, VMCS_GUEST_GDT_BASE, VMCS_GUEST_GDT_LIMIT, out);
}

void vmx_set_gdt(struct lodge_vcpu *vcpu, const struct kvm_dtable *in)
{
	vmx_set_table(vcpu, VMCS_GUEST_GDT_BASE, VMCS_GUEST_GDT_LIMIT, in);
}

void vmx_get_idt(struct lodge_vcpu *vcpu, struct kvm_dtable *out)
{
	vmx_get_table(vcpu, VMCS_GUEST_IDT_BASE, VMCS_GUEST_IDT_LIMIT, out);
}

void vmx_set_idt(struct lodge_vcpu *vcpu, const struct kvm_dtable *in)
{
	vmx_set_table(vcpu, VMCS_GUEST_IDT_BASE, VMCS_GUEST_IDT_LIMIT, in);
}

/*
 * In PAE paging the four top entries are registers. The CPU loads them at the guest's own MOV CR3; what lodge writes to
 * the control registers for it is followed here: SDM 3, 4.4.1 and 27.3.2.4. An entry that would be refused counts as
 * not present.
 */
static void vmx_load_pdptes(struct vmx_vcpu *vmx)
{
	struct lodge_vcpu *vcpu = &vmx->vcpu;
	unsigned long flags;
	u64 pdptes[4];
	int i;

	if (!(vcpu->cr0 & X86_CR0_PG) || !(vcpu->cr4 & X86_CR4_PAE) || (vcpu->efer & EFER_LMA))
		return;
	if (lodge_guest_read(vcpu->vm, vcpu->cr3 & GENMASK(31, 5), pdptes, sizeof(pdptes)))
		memset(pdptes, 0, sizeof(pdptes));
	flags = vmx_hold(vmx);
	for (i = 0; i < 4; i++) {
		if (!(pdptes[i] & PDPTE_PRESENT) || (pdptes[i] & PDPTE_RESERVED))
			pdptes[i] = 0;
		vmcs_write(VMCS_GUEST_PDPTE(i), pdptes[i]);
	}
	vmx_release(vmx, flags);
}

/*
 * CR0.TS is the guest's own, the other bits exit when they change. CD and NW are kept from the hardware, where they
 * would slow the host's own caches; VMX operation insists on NE.
 */
void vmx_set_cr0(struct lodge_vcpu *vcpu, u64 cr0)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	vmcs_write(VMCS_GUEST_CR0, (cr0 | X86_CR0_ET | X86_CR0_NE) & ~(u64)(X86_CR0_CD | X86_CR0_NW));
	vmcs_write(VMCS_CR0_SHADOW, cr0);
	vmx_release(vmx, flags);
	vmx_load_pdptes(vmx);
}

void vmx_set_cr3(struct lodge_vcpu *vcpu, u64 cr3)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	vmcs_write(VMCS_GUEST_CR3, cr3);
	vmx_release(vmx, flags);
	vmx_load_pdptes(vmx);
}

/* Machine checks are the host's: without MCE in the hardware's CR4 one would shut the machine down. */
void vmx_set_cr4(struct lodge_vcpu *vcpu, u64 cr4)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	vmcs_write(VMCS_GUEST_CR4, cr4 | X86_CR4_VMXE | (__read_cr4() & X86_CR4_MCE));
	vmcs_write(VMCS_CR4_SHADOW, cr4);
	vmx_release(vmx, flags);
	vmx_load_pdptes(vmx);
}

void vmx_set_efer(struct lodge_vcpu *vcpu, u64 efer)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);
	u32 entry = vmx_caps.entry, tr;

	vmcs_write(VMCS_GUEST_EFER, efer);
	if (efer & EFER_LMA) {
		entry |= VMX_ENTRY_LONG_MODE;
		/* A 16-bit TSS does not become one of 64 bits by itself: long mode knows no other. */
		tr = vmcs_read(VMCS_GUEST_ATTRIBUTES + 2 * VMX_SEG_TR);
		if ((tr & VMX_ATTR_TYPE) != TSS_BUSY_32)
			vmcs_write(VMCS_GUEST_ATTRIBUTES + 2 * VMX_SEG_TR, tr | TSS_BUSY_32);
	}
	vmcs_write(VMCS_ENTRY_CONTROLS, entry);
	if (vmx->in_section)
		vmx_host_switch_syscall(vmx);
	vmx_release(vmx, flags);
}

/* Also called while the CPU resumes, before VMX is on again: outside of a section it is left to the next one. */
void vmx_set_tsc_offset(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	if (vmx->in_section)
		vmx_write_tsc_offset(vmx);
}

void vmx_set_pat(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	vmcs_write(VMCS_GUEST_PAT, vcpu->pat);
	vmx_release(vmx, flags);
}
