// SPDX-License-Identifier: GPL-2.0-only
/*
 * What went wrong, in words, when an entry fails or the CPU finds an entry of the nested tables malformed. Called in the
 * section with interrupts off, and rarely.
 */
#include "vmx.h"

#include <linux/printk.h>

#include "../mmu/entry.h"

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

void vmx_report_failed_entry(struct vmx_vcpu *vmx)
{
	pr_err_ratelimited("vCPU %u: VM entry failed, reason %#x, qualification %#llx\n", vmx->vcpu.id, vmx->reason,
			   vmcs_read(VMCS_QUALIFICATION));
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
