/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest-state area of a VMCS as plain values, and the rules that an entry holds it to. Pure: the unit test runs it
 * on states of its own.
 */
#ifndef LODGE_VMX_GUEST_STATE_H
#define LODGE_VMX_GUEST_STATE_H

#include <linux/bits.h>
#include <linux/types.h>

#include "vmcs.h"

struct vmx_state_segment {
	u16 selector;
	u32 limit, attributes;
	u64 base;
};

struct vmx_guest_state {
	u64 cr0, cr3, cr4, dr7, efer, pat;
	u64 rip, rflags, pending_debug, debugctl, link;
	u64 sysenter_esp, sysenter_eip;
	u32 activity, shadow, entry_controls, event;
	struct vmx_state_segment segments[VMX_NR_SEGMENTS];
	u64 gdt_base, idt_base;
	u32 gdt_limit, idt_limit;
	u64 pdptes[4];
	/* The CPU's: what CR0 and CR4 must and may have in VMX operation, unrestricted guests' freedom apart. */
	u64 cr0_must, cr0_may, cr4_must, cr4_may;
	u8 physical_bits, linear_bits;
};

/* The first rule that the state breaks, in words; NULL when it breaks none that is known. SDM 3, 27.3.1. */
const char *vmx_guest_state_fault(const struct vmx_guest_state *state);

#endif
