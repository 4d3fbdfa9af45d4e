// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules that a VM entry holds guest state to, for an unrestricted guest with EPT: SDM 3, 27.3.1, in its order. The
 * CPU says only that one was broken. Pure; no locks.
 */
#include "guest_state.h"

/* Bits of the architecture, so that the unit test needs none of the kernel's headers. */
#define CR0_PE		BIT_ULL(0)
#define CR0_PG		BIT_ULL(31)
#define CR4_PAE		BIT_ULL(5)
#define CR4_PCIDE	BIT_ULL(17)
#define EFER_LME_BIT	BIT_ULL(8)
#define EFER_LMA_BIT	BIT_ULL(10)
#define EFER_DEFINED	(BIT_ULL(0) | EFER_LME_BIT | EFER_LMA_BIT | BIT_ULL(11))
#define FLAGS_FIXED	BIT_ULL(1)
#define FLAGS_TF	BIT_ULL(8)
#define FLAGS_IF	BIT_ULL(9)
#define FLAGS_VM	BIT_ULL(17)
#define FLAGS_ZERO	(GENMASK_ULL(63, 22) | BIT_ULL(15) | BIT_ULL(5) | BIT_ULL(3))

#define TYPE_DATA_WRITE	3
#define TYPE_LDT	2
#define TYPE_TSS_16	3
#define TYPE_TSS	11

#define SELECTOR_TI	BIT(2)
#define VM86_ATTRIBUTES	0xf3

static bool canonical(const struct vmx_guest_state *s, u64 address)
{
	unsigned int shift = 64 - s->linear_bits;

	return (u64)((s64)(address << shift) >> shift) == address;
}

static bool long_mode(const struct vmx_guest_state *s)
{
	return s->entry_controls & VMX_ENTRY_LONG_MODE;
}

static bool usable(const struct vmx_state_segment *seg)
{
	return !(seg->attributes & VMX_ATTR_UNUSABLE);
}

static unsigned int type_of(const struct vmx_state_segment *seg)
{
	return seg->attributes & VMX_ATTR_TYPE;
}

static unsigned int dpl_of(const struct vmx_state_segment *seg)
{
	return (seg->attributes >> VMX_ATTR_DPL_SHIFT) & 3;
}

/* Each byte one of the six types. */
static bool pat_valid(u64 pat)
{
	unsigned int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = pat >> i;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static const char *control_registers_fault(const struct vmx_guest_state *s)
{
	const u64 freed = CR0_PE | CR0_PG;

	if ((s->cr0_must & ~freed & ~s->cr0) || (s->cr0 & ~s->cr0_may))
		return "CR0 has a bit that VMX operation does not allow, or lacks one that it demands";
	if ((s->cr0 & CR0_PG) && !(s->cr0 & CR0_PE))
		return "CR0.PG without CR0.PE";
	if ((s->cr4_must & ~s->cr4) || (s->cr4 & ~s->cr4_may))
		return "CR4 has a bit that VMX operation does not allow, or lacks one that it demands";
	if (long_mode(s) && (!(s->cr0 & CR0_PG) || !(s->cr4 & CR4_PAE)))
		return "long mode without CR0.PG and CR4.PAE";
	if (!long_mode(s) && (s->cr4 & CR4_PCIDE))
		return "CR4.PCIDE outside long mode";
	if (s->cr3 >> s->physical_bits)
		return "CR3 beyond the physical address width";
	if (s->dr7 >> 32)
		return "DR7 has a bit of its high half";
	if (!canonical(s, s->sysenter_esp) || !canonical(s, s->sysenter_eip))
		return "SYSENTER_ESP or SYSENTER_EIP not canonical";
	if (!pat_valid(s->pat))
		return "PAT names a memory type that there is not";
	if (s->efer & ~EFER_DEFINED)
		return "EFER has a reserved bit";
	if (!!(s->efer & EFER_LMA_BIT) != long_mode(s))
		return "EFER.LMA differs from the entry's mode";
	if ((s->cr0 & CR0_PG) && !!(s->efer & EFER_LME_BIT) != !!(s->efer & EFER_LMA_BIT))
		return "EFER.LME differs from EFER.LMA under paging";
	return NULL;
}

static const char *vm86_fault(const struct vmx_guest_state *s)
{
	int i;

	for (i = VMX_SEG_ES; i <= VMX_SEG_GS; i++) {
		const struct vmx_state_segment *seg = &s->segments[i];

		if (seg->base != (u64)seg->selector << 4)
			return "virtual-8086 mode: a segment's base is not its selector";
		if (seg->limit != 0xffff)
			return "virtual-8086 mode: a segment's limit is not 64 KiB";
		if (seg->attributes != VM86_ATTRIBUTES)
			return "virtual-8086 mode: a segment's attributes are not 0xf3";
	}
	return NULL;
}

/* The limit's low bits and its granularity must fit each other; some attributes are reserved. */
static const char *shape_fault(const struct vmx_state_segment *seg)
{
	if (!(seg->attributes & VMX_ATTR_P))
		return "a usable segment is not present";
	if ((seg->attributes & GENMASK(11, 8)) || (seg->attributes >> 17))
		return "a segment has reserved attributes";
	if ((seg->limit & 0xfff) != 0xfff && (seg->attributes & VMX_ATTR_G))
		return "a segment of pages has a limit inside a page";
	if ((seg->limit >> 20) && !(seg->attributes & VMX_ATTR_G))
		return "a segment of bytes is larger than 1 MiB";
	return NULL;
}

static const char *code_fault(const struct vmx_guest_state *s)
{
	const struct vmx_state_segment *cs = &s->segments[VMX_SEG_CS];
	unsigned int dpl = dpl_of(cs), ss_dpl = dpl_of(&s->segments[VMX_SEG_SS]);

	if (cs->base >> 32)
		return "CS has a base of more than 32 bits";
	if (!usable(cs))
		return "CS is unusable";
	if (!(cs->attributes & VMX_ATTR_S))
		return "CS is a system segment";
	switch (type_of(cs)) {
	case TYPE_DATA_WRITE:
		if (dpl)
			return "CS is a data segment with a DPL";
		break;
	case 9:
	case 11:
		if (dpl != ss_dpl)
			return "CS.DPL differs from SS.DPL";
		break;
	case 13:
	case 15:
		if (dpl > ss_dpl)
			return "CS conforms and CS.DPL is above SS.DPL";
		break;
	default:
		return "CS is neither accessed code nor writable data";
	}
	if (long_mode(s) && (cs->attributes & VMX_ATTR_L) && (cs->attributes & VMX_ATTR_DB))
		return "CS.L together with CS.D";
	return shape_fault(cs);
}

static const char *stack_fault(const struct vmx_guest_state *s)
{
	const struct vmx_state_segment *ss = &s->segments[VMX_SEG_SS];

	if (dpl_of(ss) && (!(s->cr0 & CR0_PE) || type_of(&s->segments[VMX_SEG_CS]) == TYPE_DATA_WRITE))
		return "SS.DPL is not 0 in real mode";
	if (!usable(ss))
		return NULL;
	if (ss->base >> 32)
		return "SS has a base of more than 32 bits";
	if (!(ss->attributes & VMX_ATTR_S) || (type_of(ss) != TYPE_DATA_WRITE && type_of(ss) != 7))
		return "SS is not accessed writable data";
	return shape_fault(ss);
}

static const char *data_fault(const struct vmx_guest_state *s, int i)
{
	const struct vmx_state_segment *seg = &s->segments[i];

	if (i >= VMX_SEG_FS && !canonical(s, seg->base))
		return "FS or GS has a base that is not canonical";
	if (!usable(seg))
		return NULL;
	if (i < VMX_SEG_FS && (seg->base >> 32))
		return "DS or ES has a base of more than 32 bits";
	if (!(seg->attributes & VMX_ATTR_S))
		return "a data segment register holds a system segment";
	if (!(type_of(seg) & 1))
		return "a data segment is not marked accessed";
	if ((type_of(seg) & 8) && !(type_of(seg) & 2))
		return "a data segment register holds code that cannot be read";
	return shape_fault(seg);
}

static const char *system_fault(const struct vmx_guest_state *s)
{
	const struct vmx_state_segment *tr = &s->segments[VMX_SEG_TR], *ldt = &s->segments[VMX_SEG_LDTR];
	const char *fault;

	if (tr->selector & SELECTOR_TI)
		return "TR's selector is of the LDT";
	if (!canonical(s, tr->base))
		return "TR has a base that is not canonical";
	if (!usable(tr))
		return "TR is unusable";
	if (tr->attributes & VMX_ATTR_S)
		return "TR is not a system segment";
	if (type_of(tr) != TYPE_TSS && (long_mode(s) || type_of(tr) != TYPE_TSS_16))
		return "TR is not a busy TSS of this mode";
	fault = shape_fault(tr);
	if (fault || !usable(ldt))
		return fault;
	if (ldt->selector & SELECTOR_TI)
		return "LDTR's selector is of the LDT";
	if (!canonical(s, ldt->base))
		return "LDTR has a base that is not canonical";
	if ((ldt->attributes & VMX_ATTR_S) || type_of(ldt) != TYPE_LDT)
		return "LDTR is not an LDT";
	return shape_fault(ldt);
}

static const char *segments_fault(const struct vmx_guest_state *s)
{
	const char *fault = NULL;
	int i;

	if (s->rflags & FLAGS_VM)
		return vm86_fault(s) ?: system_fault(s);
	fault = code_fault(s) ?: stack_fault(s);
	for (i = VMX_SEG_ES; i <= VMX_SEG_GS && !fault; i++)
		if (i != VMX_SEG_CS && i != VMX_SEG_SS)
			fault = data_fault(s, i);
	return fault ?: system_fault(s);
}

static const char *tables_fault(const struct vmx_guest_state *s)
{
	if (!canonical(s, s->gdt_base) || !canonical(s, s->idt_base))
		return "GDTR or IDTR has a base that is not canonical";
	if (s->gdt_limit >> 16 || s->idt_limit >> 16)
		return "GDTR or IDTR has a limit of more than 16 bits";
	return NULL;
}

static const char *flags_fault(const struct vmx_guest_state *s)
{
	bool long_code = long_mode(s) && (s->segments[VMX_SEG_CS].attributes & VMX_ATTR_L);

	if (!long_code && (s->rip >> 32))
		return "RIP of more than 32 bits outside 64-bit code";
	if (long_code && !canonical(s, s->rip))
		return "RIP not canonical";
	if ((s->rflags & FLAGS_ZERO) || !(s->rflags & FLAGS_FIXED))
		return "RFLAGS has a reserved bit";
	if ((s->rflags & FLAGS_VM) && (long_mode(s) || !(s->cr0 & CR0_PE)))
		return "RFLAGS.VM in long mode or real mode";
	if ((s->event & VMX_EVENT_VALID) && (s->event & VMX_EVENT_TYPE) == VMX_EVENT_INTERRUPT &&
	    !(s->rflags & FLAGS_IF))
		return "an interrupt is injected with RFLAGS.IF clear";
	return NULL;
}

static const char *shadow_fault(const struct vmx_guest_state *s)
{
	const u32 both = VMX_SHADOW_STI | VMX_SHADOW_MOV_SS;
	u32 type = s->event & VMX_EVENT_TYPE;
	bool event = s->event & VMX_EVENT_VALID;

	if (s->activity > 3)
		return "no such activity state";
	if (s->activity == 1 && dpl_of(&s->segments[VMX_SEG_SS]))
		return "halted at a CPL above 0";
	if (s->activity && (s->shadow & both))
		return "inactive in an interrupt shadow";
	if ((s->shadow & both) == both)
		return "both interrupt shadows at once";
	if ((s->shadow & VMX_SHADOW_STI) && !(s->rflags & FLAGS_IF))
		return "STI's shadow with RFLAGS.IF clear";
	if (event && type == VMX_EVENT_INTERRUPT && (s->shadow & both))
		return "an interrupt is injected in an interrupt shadow";
	if (event && type == VMX_EVENT_NMI && (s->shadow & (both | VMX_SHADOW_NMI)))
		return "an NMI is injected while NMIs are blocked";
	if (((s->shadow & both) || s->activity == 1) && !(s->debugctl & BIT(1)) &&
	    !!(s->pending_debug & VMX_PENDING_BS) != !!(s->rflags & FLAGS_TF))
		return "the pending single step does not match RFLAGS.TF";
	return NULL;
}

static const char *pdptes_fault(const struct vmx_guest_state *s)
{
	const u64 reserved = GENMASK_ULL(2, 1) | GENMASK_ULL(8, 5) | GENMASK_ULL(63, s->physical_bits);
	int i;

	if (!(s->cr0 & CR0_PG) || !(s->cr4 & CR4_PAE) || long_mode(s))
		return NULL;
	for (i = 0; i < 4; i++)
		if ((s->pdptes[i] & 1) && (s->pdptes[i] & reserved))
			return "a page-directory-pointer entry has a reserved bit";
	return NULL;
}

const char *vmx_guest_state_fault(const struct vmx_guest_state *s)
{
	if (s->link != ~0ULL)
		return "the link pointer is not all ones";
	return control_registers_fault(s) ?: segments_fault(s) ?: tables_fault(s) ?: flags_fault(s) ?:
	       shadow_fault(s) ?: pdptes_fault(s);
}
