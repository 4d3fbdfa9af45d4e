// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU's VMCS: whose it is at the moment, how it is made, and the register state after power-up or INIT.
 *
 * A CPU may keep parts of a VMCS to itself until VMCLEAR: SDM 3, 25.11.1. vmcs_cpu says which one, and the
 * VMCS is in that CPU's list, so that whoever switches VMX off there can clear it. Both change on that CPU alone, with
 * interrupts off. It is the CPU that the vCPU last ran on (vcpu->cpu) or none. The caller holds vcpu->mutex.
 */
#include "vmx.h"

#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <asm/io.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../backend.h"
#include "../clock.h"
#include "../compat/vmxon.h"
#include "../cpuid.h"

/* Attributes after INIT: SDM 3, table 10-1. */
#define VMX_RESET_CODE		0x9b
#define VMX_RESET_DATA		0x93
#define VMX_RESET_LDT		0x82
#define VMX_RESET_TSS		0x8b

/* PAUSE-loop exiting: a spin of so many cycles with no longer gap between two PAUSEs ends the guest's run. */
#define VMX_PAUSE_GAP		128
#define VMX_PAUSE_WINDOW	4096

void vmx_write_refused(unsigned long field, u64 value)
{
	WARN_ONCE(1, "lodge: VMWRITE of %#llx to field %#lx refused, error %llu\n", value, field,
		  vmcs_read(VMCS_INSN_ERROR));
}

static void vmx_clear(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpu);

	if (vmx->vmcs_cpu != smp_processor_id())
		return;
	vmx_vmclear(vmx->vmcs_pa);
	if (cpu->current_vmcs == vmx)
		cpu->current_vmcs = NULL;
	list_del(&vmx->link);
	vmx->launched = false;
	WRITE_ONCE(vmx->vmcs_cpu, -1);
}

static void vmx_clear_call(void *vmx)
{
	vmx_clear(vmx);
}

/* Wherever it is; interrupts on. A CPU that went offline has cleared it. */
static void vmx_clear_remote(struct vmx_vcpu *vmx)
{
	int cpu = READ_ONCE(vmx->vmcs_cpu);

	if (cpu >= 0)
		smp_call_function_single(cpu, vmx_clear_call, vmx, true);
}

void vmx_clear_all(struct vmx_cpu *cpu)
{
	struct vmx_vcpu *vmx, *next;

	list_for_each_entry_safe(vmx, next, &cpu->vmcss, link)
		vmx_clear(vmx);
}

void vmx_load_vmcs(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpu);

	if (lodge_compat_vmx_is_shared() && !cpu->current_vmcs)
		cpu->other_vmcs = vmx_vmptrst();
	vmx_vmptrld(vmx->vmcs_pa);
	cpu->current_vmcs = vmx;
	if (vmx->vmcs_cpu < 0) {
		list_add(&vmx->link, &cpu->vmcss);
		WRITE_ONCE(vmx->vmcs_cpu, smp_processor_id());
	}
}

unsigned long vmx_hold(struct vmx_vcpu *vmx)
{
	unsigned long flags;

	if (vmx->in_section)
		return 0;
	for (;;) {
		local_irq_save(flags);
		if (vmx->vmcs_cpu < 0 || vmx->vmcs_cpu == smp_processor_id())
			break;
		local_irq_restore(flags);
		vmx_clear_remote(vmx);
	}
	vmx_make_current(vmx);
	return flags;
}

/* It stays in this CPU only if the vCPU will run here next. */
void vmx_release(struct vmx_vcpu *vmx, unsigned long flags)
{
	if (vmx->in_section)
		return;
	if (vmx->vcpu.cpu != vmx->vmcs_cpu)
		vmx_clear(vmx);
	vmx_yield_current(this_cpu_ptr(&vmx_cpu));
	local_irq_restore(flags);
}

/* Preemption off, interrupts on: from here on the vCPU runs on this CPU. */
void vmx_vcpu_leave_cpu(struct lodge_vcpu *vcpu)
{
	vmx_clear_remote(to_vmx(vcpu));
}

struct lodge_vcpu *vmx_vcpu_alloc(void)
{
	struct vmx_vcpu *vmx = kzalloc(sizeof(*vmx), GFP_KERNEL_ACCOUNT);

	if (!vmx)
		return NULL;
	vmx->vmcs_cpu = -1;
	vmx->host_cpu = -1;
	raw_spin_lock_init(&vmx->pml_lock);
	return &vmx->vcpu;
}

void vmx_set_proc(struct vmx_vcpu *vmx, u32 proc)
{
	if (vmx->proc == proc)
		return;
	vmx->proc = proc;
	vmcs_write(VMCS_PROC_CONTROLS, proc);
}

/* What user space lets the guest do by itself: KVM_CAP_X86_DISABLE_EXITS. */
static void vmx_disable_exits(struct vmx_vcpu *vmx)
{
	u32 disabled = vmx->vcpu.vm->disabled_exits;

	if (disabled & KVM_X86_DISABLE_EXITS_HLT)
		vmx->proc &= ~VMX_PROC_HLT;
	if (disabled & KVM_X86_DISABLE_EXITS_MWAIT)
		vmx->proc &= ~(u32)(VMX_PROC_MWAIT | VMX_PROC_MONITOR);
	if (disabled & KVM_X86_DISABLE_EXITS_PAUSE)
		vmx->proc2 &= ~VMX_PROC2_PAUSE_LOOP;
}

static void vmx_write_controls(struct vmx_vcpu *vmx)
{
	vmx->proc = vmx_caps.proc;
	vmx->proc2 = vmx_caps.proc2;
	vmx_disable_exits(vmx);
	if (!lodge_vm_has_lapics(vmx->vcpu.vm))
		vmx->proc |= VMX_PROC_CR8_LOAD;		/* user space's LAPIC hears of a lowered TPR */

	vmcs_write(VMCS_PIN_CONTROLS, vmx_caps.pin);
	vmcs_write(VMCS_PROC_CONTROLS, vmx->proc);
	vmcs_write(VMCS_PROC2_CONTROLS, vmx->proc2);
	vmcs_write(VMCS_EXIT_CONTROLS, vmx_caps.exit);
	vmcs_write(VMCS_ENTRY_CONTROLS, vmx_caps.entry);
	vmcs_write(VMCS_EXCEPTIONS, vmx_exceptions(&vmx->vcpu));
	vmcs_write(VMCS_CR3_TARGETS, 0);
	vmcs_write(VMCS_EXIT_MSR_STORES, 0);
	vmcs_write(VMCS_EXIT_MSR_LOADS, 0);
	vmcs_write(VMCS_ENTRY_MSR_LOADS, 0);
	vmcs_write(VMCS_ENTRY_EVENT, 0);
	vmcs_write(VMCS_TPR_THRESHOLD, 0);
	vmcs_write(VMCS_MSR_BITMAP, vmx_msr_bitmap_pa);
	vmcs_write(VMCS_VIRTUAL_APIC, virt_to_phys(vmx->apic_page));
	vmcs_write(VMCS_EPT_POINTER, vmx->eptp);
	if (vmx->proc2 & VMX_PROC2_VPID)
		vmcs_write(VMCS_VPID, vmx->vcpu.index + 1);
	if (vmx_caps.proc2_offered & VMX_PROC2_XSAVES)
		vmcs_write(VMCS_XSS_EXITING, 0);
	if (vmx->proc2 & VMX_PROC2_PAUSE_LOOP) {
		vmcs_write(VMCS_PAUSE_GAP, VMX_PAUSE_GAP);
		vmcs_write(VMCS_PAUSE_WINDOW, VMX_PAUSE_WINDOW);
	}
	vmcs_write(VMCS_LINK_POINTER, ~0ULL);
	vmcs_write(VMCS_GUEST_DEBUGCTL, 0);
	vmcs_write(VMCS_CR0_MASK, ~(u64)X86_CR0_TS);
	vmcs_write(VMCS_CR4_MASK, ~0ULL);
}

int vmx_vcpu_init(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags;

	vmx->vmcs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vmx->apic_page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs || !vmx->apic_page)
		return -ENOMEM;
	*(u32 *)vmx->vmcs = vmx_caps.revision;
	vmx->vmcs_pa = virt_to_phys(vmx->vmcs);
	vmx->eptp = lodge_mmu_root(vcpu->vm) | VMX_EPTP_WRITE_BACK |
		    (lodge_nested.levels - 1) << VMX_EPTP_LEVELS_SHIFT;
	if (lodge_nested.has_ad)
		vmx->eptp |= VMX_EPTP_ACCESSED_DIRTY;

	/* VMCLEAR makes a VMCS of a page: SDM 3, 25.11.3. */
	local_irq_save(flags);
	vmx_vmclear(vmx->vmcs_pa);
	local_irq_restore(flags);

	flags = vmx_hold(vmx);
	vmx_write_controls(vmx);
	vmx_host_init();
	vmx_release(vmx, flags);
	return 0;
}

void vmx_vcpu_free(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);

	vmx_clear_remote(vmx);
	vmx_pml_free(vmx);
	free_page((unsigned long)vmx->apic_page);
	free_page((unsigned long)vmx->vmcs);
	kfree(vmx);
}

static void vmx_reset_segment(enum vmx_segment seg, u16 selector, u64 base, u32 attributes)
{
	vmcs_write(VMCS_GUEST_SELECTOR + 2 * seg, selector);
	vmcs_write(VMCS_GUEST_BASE + 2 * seg, base);
	vmcs_write(VMCS_GUEST_LIMIT + 2 * seg, 0xffff);
	vmcs_write(VMCS_GUEST_ATTRIBUTES + 2 * seg, attributes);
}

static void vmx_reset_segments(void)
{
	enum vmx_segment seg;

	for (seg = VMX_SEG_ES; seg < VMX_NR_SEGMENTS; seg++)
		vmx_reset_segment(seg, 0, 0, VMX_RESET_DATA);
	vmx_reset_segment(VMX_SEG_CS, 0xf000, 0xffff0000, VMX_RESET_CODE);
	vmx_reset_segment(VMX_SEG_LDTR, 0, 0, VMX_RESET_LDT);
	vmx_reset_segment(VMX_SEG_TR, 0, 0, VMX_RESET_TSS);
	vmcs_write(VMCS_GUEST_GDT_BASE, 0);
	vmcs_write(VMCS_GUEST_GDT_LIMIT, 0xffff);
	vmcs_write(VMCS_GUEST_IDT_BASE, 0);
	vmcs_write(VMCS_GUEST_IDT_LIMIT, 0xffff);
}

void vmx_vcpu_reset(struct lodge_vcpu *vcpu, bool init)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	vmx_reset_segments();
	vmcs_write(VMCS_GUEST_ACTIVITY, 0);
	vmcs_write(VMCS_GUEST_SHADOW, 0);
	vmcs_write(VMCS_GUEST_PENDING_DEBUG, 0);
	vmcs_write(VMCS_ENTRY_EVENT, 0);
	vmx->shadow = 0;
	vcpu->shadow = false;
	vmx->interrupt_held = false;
	vmx_clear_windows(vmx, VMX_PROC_INTERRUPT_WINDOW | VMX_PROC_NMI_WINDOW);
	vcpu->events.nmi.masked = false;
	if (!init) {
		vmcs_write(VMCS_GUEST_SYSENTER_CS, 0);
		vmcs_write(VMCS_GUEST_SYSENTER_ESP, 0);
		vmcs_write(VMCS_GUEST_SYSENTER_EIP, 0);
		vmx->star = vmx->lstar = vmx->cstar = vmx->syscall_mask = 0;
		vmx->kernel_gs_base = vmx->tsc_aux = 0;
	}
	vmx_release(vmx, flags);
}

/* A guest that was not told of an instruction takes #UD, although the CPU could. */
void vmx_cpuid_changed(struct lodge_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	u32 proc2 = vmx->proc2 & ~(u32)(VMX_PROC2_RDTSCP | VMX_PROC2_INVPCID | VMX_PROC2_XSAVES);
	unsigned long flags;

	if (lodge_guest_has(vcpu, X86_FEATURE_RDTSCP) || lodge_guest_has(vcpu, X86_FEATURE_RDPID))
		proc2 |= VMX_PROC2_RDTSCP;
	if (lodge_guest_has(vcpu, X86_FEATURE_INVPCID))
		proc2 |= VMX_PROC2_INVPCID;
	if (lodge_guest_has(vcpu, X86_FEATURE_XSAVES))
		proc2 |= VMX_PROC2_XSAVES;
	proc2 &= vmx_caps.proc2_offered;

	flags = vmx_hold(vmx);
	vmx->proc2 = proc2;
	vmcs_write(VMCS_PROC2_CONTROLS, proc2);
	vmx_release(vmx, flags);
}

void vmx_set_tsc_ratio(struct lodge_vcpu *vcpu)
{
	bool scaled = lodge_tsc_is_scaled(vcpu);
	struct vmx_vcpu *vmx = to_vmx(vcpu);
	unsigned long flags = vmx_hold(vmx);

	if (lodge_tsc_format.scales) {
		vmx->proc2 = scaled ? vmx->proc2 | VMX_PROC2_TSC_SCALING : vmx->proc2 & ~VMX_PROC2_TSC_SCALING;
		vmcs_write(VMCS_TSC_MULTIPLIER, vcpu->tsc_ratio);
		vmcs_write(VMCS_PROC2_CONTROLS, vmx->proc2);
	} else {
		vmx_set_proc(vmx, scaled ? vmx->proc | VMX_PROC_RDTSC : vmx->proc & ~VMX_PROC_RDTSC);
	}
	vmx_release(vmx, flags);
}
