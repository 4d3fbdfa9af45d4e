// SPDX-License-Identifier: GPL-2.0-only
/*
 * What went wrong, in words, when an entry fails or the CPU finds an entry of the nested tables malformed. Called in
 * the section with interrupts off, and rarely.
 */
#include "vmx.h"

#include <linux/printk.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

#include "../mmu/entry.h"
#include "guest_state.h"

/* SDM 3, 31.4. */
static const char *vmx_insn_error_name(u32 error)
{
	switch (error) {
	case 4:		return "VMLAUNCH of a VMCS that is not clear";
	case 5:		return "VMRESUME of a VMCS that was not launched";
	case 7:		return "invalid control fields";
	case 8:		return "invalid host-state fields";
	case 12:	return "a VMCS field that this CPU does not have";
	case 26:	return "events blocked by MOV SS";
	default:	return "see SDM 3, 31.4";
	}
}

u32 vmx_report_refused_entry(struct vmx_vcpu *vmx)
{
	u32 error = vmcs_read(VMCS_INSN_ERROR);

	pr_err_ratelimited("vCPU %u: VM entry refused, error %u: %s\n", vmx->vcpu.id, error,
			   vmx_insn_error_name(error));
	return error;
}

static void vmx_read_segments(struct vmx_guest_state *state)
{
	unsigned int i;

	for (i = 0; i < VMX_NR_SEGMENTS; i++) {
		state->segments[i] = (struct vmx_state_segment) {
			.selector = vmcs_read(VMCS_GUEST_SELECTOR + 2 * i),
			.limit = vmcs_read(VMCS_GUEST_LIMIT + 2 * i),
			.attributes = vmcs_read(VMCS_GUEST_ATTRIBUTES + 2 * i),
			.base = vmcs_read(VMCS_GUEST_BASE + 2 * i),
		};
	}
}

static void vmx_read_guest_state(struct vmx_guest_state *state)
{
	int i;

	*state = (struct vmx_guest_state) {
		.cr0 = vmcs_read(VMCS_GUEST_CR0), .cr3 = vmcs_read(VMCS_GUEST_CR3), .cr4 = vmcs_read(VMCS_GUEST_CR4),
		.dr7 = vmcs_read(VMCS_GUEST_DR7), .efer = vmcs_read(VMCS_GUEST_EFER), .pat = vmcs_read(VMCS_GUEST_PAT),
		.rip = vmcs_read(VMCS_GUEST_RIP), .rflags = vmcs_read(VMCS_GUEST_RFLAGS),
		.pending_debug = vmcs_read(VMCS_GUEST_PENDING_DEBUG), .debugctl = vmcs_read(VMCS_GUEST_DEBUGCTL),
		.link = vmcs_read(VMCS_LINK_POINTER),
		.sysenter_esp = vmcs_read(VMCS_GUEST_SYSENTER_ESP),
		.sysenter_eip = vmcs_read(VMCS_GUEST_SYSENTER_EIP),
		.activity = vmcs_read(VMCS_GUEST_ACTIVITY), .shadow = vmcs_read(VMCS_GUEST_SHADOW),
		.entry_controls = vmcs_read(VMCS_ENTRY_CONTROLS), .event = vmcs_read(VMCS_ENTRY_EVENT),
		.gdt_base = vmcs_read(VMCS_GUEST_GDT_BASE), .gdt_limit = vmcs_read(VMCS_GUEST_GDT_LIMIT),
		.idt_base = vmcs_read(VMCS_GUEST_IDT_BASE), .idt_limit = vmcs_read(VMCS_GUEST_IDT_LIMIT),
		.physical_bits = boot_cpu_data.x86_phys_bits,
		.linear_bits = vmcs_read(VMCS_GUEST_CR4) & X86_CR4_LA57 ? 57 : 48,
	};
	for (i = 0; i < 4; i++)
		state->pdptes[i] = vmcs_read(VMCS_GUEST_PDPTE(i));
	vmx_read_segments(state);
	rdmsrq(MSR_IA32_VMX_CR0_FIXED0, state->cr0_must);
	rdmsrq(MSR_IA32_VMX_CR0_FIXED1, state->cr0_may);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED0, state->cr4_must);
	rdmsrq(MSR_IA32_VMX_CR4_FIXED1, state->cr4_may);
}

/* Entry failures by themselves are told to user space: a line for whoever wonders why. */
void vmx_report_failed_entry(struct vmx_vcpu *vmx)
{
	struct vmx_guest_state state;
	const char *fault;

	vmx_read_guest_state(&state);
	fault = vmx_guest_state_fault(&state);
	pr_err_ratelimited("vCPU %u: VM entry failed, reason %#x, qualification %#llx: %s\n", vmx->vcpu.id,
			   vmx->reason, vmcs_read(VMCS_QUALIFICATION), fault ?: "no rule known to lodge is broken");
}

void vmx_report_misconfig(struct vmx_vcpu *vmx, gpa_t gpa)
{
	u64 entries[5] = {}, *table = phys_to_virt(lodge_mmu_root(vmx->vcpu.vm));
	int level;

	for (level = lodge_nested.levels; level > 0; level--) {
		entries[level - 1] = READ_ONCE(table[entry_index(gpa >> PAGE_SHIFT, level)]);
		if (!entry_is_present(entries[level - 1]) || entry_is_leaf(entries[level - 1], level))
			break;
		table = entry_table(entries[level - 1]);
	}
	pr_err_ratelimited("vCPU %u: malformed EPT entry for GPA %#llx, levels 4 to 1: %#llx %#llx %#llx %#llx\n",
			   vmx->vcpu.id, gpa, entries[3], entries[2], entries[1], entries[0]);
}
