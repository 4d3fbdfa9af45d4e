// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side of an entry: what VM exits load, and the MSRs and segments that no exit restores and that are
 * put back when the section ends. SDM 3, 28.5. Everything with interrupts off on the CPU concerned.
 */
#include "vmx.h"

#include <linux/thread_info.h>
#include <asm/cpufeature.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

#include "../cpuid.h"

void vmx_host_read_msrs(struct vmx_host_msrs *host)
{
	u64 pebs;

	rdmsrq(MSR_STAR, host->star);
	rdmsrq(MSR_LSTAR, host->lstar);
	rdmsrq(MSR_SYSCALL_MASK, host->syscall_mask);
	host->tsc_aux = 0;
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		rdmsrq(MSR_TSC_AUX, host->tsc_aux);
	host->has_pebs = boot_cpu_has(X86_FEATURE_PEBS) && !rdmsrq_safe(MSR_IA32_PEBS_ENABLE, &pebs);
	host->pebs = 0;
}

/* Of MSRs that every CPU with VT-x has, once a section: without the kernel's indirection for paravirtual hosts. */
static __always_inline u64 host_rdmsr(u32 msr)
{
	u32 low, high;

	asm volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (msr));
	return low | (u64)high << 32;
}

static __always_inline void host_wrmsr(u32 msr, u64 value)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32)) : "memory");
}

/* The same on every CPU and in every task. */
void vmx_host_init(void)
{
	struct desc_ptr idt;
	u64 value;

	store_idt(&idt);
	vmcs_write(VMCS_HOST_IDT_BASE, idt.address);
	vmcs_write(VMCS_HOST_CR0, read_cr0());
	vmcs_write(VMCS_HOST_CS, __KERNEL_CS);
	vmcs_write(VMCS_HOST_SS, __KERNEL_DS);
	vmcs_write(VMCS_HOST_DS, 0);
	vmcs_write(VMCS_HOST_ES, 0);
	vmcs_write(VMCS_HOST_FS, 0);
	vmcs_write(VMCS_HOST_GS, 0);
	vmcs_write(VMCS_HOST_TR, GDT_ENTRY_TSS * 8);
	vmcs_write(VMCS_HOST_RIP, (unsigned long)vmx_exited);
	rdmsrq(MSR_IA32_SYSENTER_CS, value);
	vmcs_write(VMCS_HOST_SYSENTER_CS, value);
	rdmsrq(MSR_IA32_SYSENTER_EIP, value);
	vmcs_write(VMCS_HOST_SYSENTER_EIP, value);
	rdmsrq(MSR_EFER, value);
	vmcs_write(VMCS_HOST_EFER, value);
	rdmsrq(MSR_IA32_CR_PAT, value);
	vmcs_write(VMCS_HOST_PAT, value);
}

/* The task register's base as the GDT has it: the descriptor of a TSS takes two entries. SDM 3, 8.2.3. */
static u64 host_tss_base(unsigned long gdt)
{
	const struct ldttss_desc *tss = (void *)(gdt + GDT_ENTRY_TSS * 8);

	return tss->base0 | (u64)tss->base1 << 16 | (u64)tss->base2 << 24 | (u64)tss->base3 << 32;
}

static noinline void host_write_cpu(struct vmx_vcpu *vmx)
{
	unsigned long gdt = this_cpu_ptr(&vmx_cpu)->gdt.address;
	u64 value;

	vmcs_write(VMCS_HOST_GDT_BASE, gdt);
	vmcs_write(VMCS_HOST_TR_BASE, host_tss_base(gdt));
	rdmsrq(MSR_GS_BASE, value);
	vmcs_write(VMCS_HOST_GS_BASE, value);
	rdmsrq(MSR_IA32_SYSENTER_ESP, value);
	vmcs_write(VMCS_HOST_SYSENTER_ESP, value);
	vmx->host_cpu = smp_processor_id();
}

static u64 host_fs_base(void)
{
	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		return rdfsbase();
	return host_rdmsr(MSR_FS_BASE);
}

/* One after the other: each in its own register for a moment only. */
static __always_inline void host_write_task(struct vmx_vcpu *vmx)
{
	u64 value = __read_cr3();

	if (vmx->host_cr3 != value) {
		vmx->host_cr3 = value;
		vmcs_write(VMCS_HOST_CR3, value);
	}
	value = __read_cr4();
	if (vmx->host_cr4 != value) {
		vmx->host_cr4 = value;
		vmcs_write(VMCS_HOST_CR4, value);
	}
	value = host_fs_base();
	if (vmx->host_fs_base != value) {
		vmx->host_fs_base = value;
		vmcs_write(VMCS_HOST_FS_BASE, value);
	}
}

static bool guest_has_tsc_aux(struct lodge_vcpu *vcpu)
{
	return lodge_guest_has(vcpu, X86_FEATURE_RDTSCP) || lodge_guest_has(vcpu, X86_FEATURE_RDPID);
}

/* SYSCALL's MSRs matter to a guest only when it can execute SYSCALL. Its writes to them exit. */
void vmx_host_switch_syscall(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *cpu = this_cpu_ptr(&vmx_cpu);

	if (!(vmx->vcpu.efer & EFER_SCE) && !cpu->loaded_syscall)
		return;
	if (cpu->loaded_syscall || vmx->star != cpu->host.star)
		wrmsrq(MSR_STAR, vmx->star);
	if (cpu->loaded_syscall || vmx->lstar != cpu->host.lstar)
		wrmsrq(MSR_LSTAR, vmx->lstar);
	if (cpu->loaded_syscall || vmx->syscall_mask != cpu->host.syscall_mask)
		wrmsrq(MSR_SYSCALL_MASK, vmx->syscall_mask);
	cpu->loaded_syscall = true;
}

static void host_restore_syscall(struct vmx_vcpu *vmx, struct vmx_cpu *cpu)
{
	if (!cpu->loaded_syscall)
		return;
	cpu->loaded_syscall = false;
	if (vmx->star != cpu->host.star)
		wrmsrq(MSR_STAR, cpu->host.star);
	if (vmx->lstar != cpu->host.lstar)
		wrmsrq(MSR_LSTAR, cpu->host.lstar);
	if (vmx->syscall_mask != cpu->host.syscall_mask)
		wrmsrq(MSR_SYSCALL_MASK, cpu->host.syscall_mask);
}

/* The host's event records must not be written through the guest's page tables. SDM 3, 20.6.2.4. */
static void host_stop_pebs(struct vmx_host_msrs *host)
{
	if (!host->has_pebs)
		return;
	host->pebs = host_rdmsr(MSR_IA32_PEBS_ENABLE);
	if (unlikely(host->pebs))
		host_wrmsr(MSR_IA32_PEBS_ENABLE, 0);
}

void vmx_host_enter(struct vmx_vcpu *vmx, struct vmx_cpu *cpu)
{
	struct vmx_host_msrs *host = &cpu->host;

	if (unlikely(vmx->host_cpu != smp_processor_id()))
		host_write_cpu(vmx);
	host_write_task(vmx);
	savesegment(ds, host->ds);
	savesegment(es, host->es);
	savesegment(fs, host->fs);
	savesegment(gs, host->gs);
	lodge_host_breakpoints_save(&cpu->breakpoints);
	host->debugctl = host_rdmsr(MSR_IA32_DEBUGCTLMSR);
	host_stop_pebs(host);

	host->kernel_gs_base = host_rdmsr(MSR_KERNEL_GS_BASE);
	if (host->kernel_gs_base != vmx->kernel_gs_base)
		host_wrmsr(MSR_KERNEL_GS_BASE, vmx->kernel_gs_base);
	if (vmx->vcpu.efer & EFER_SCE)
		vmx_host_switch_syscall(vmx);
	if (vmx->tsc_aux != host->tsc_aux && guest_has_tsc_aux(&vmx->vcpu)) {
		wrmsrq(MSR_TSC_AUX, vmx->tsc_aux);
		cpu->loaded_tsc_aux = true;
	}
}

/* Segments of a 32-bit task. An exit left them null, the bases of FS and GS apart. */
static void host_restore_segments(struct vmx_vcpu *vmx, const struct vmx_host_msrs *host)
{
	if (likely(!(host->ds | host->es | host->fs | host->gs)))
		return;
	loadsegment(ds, host->ds);
	loadsegment(es, host->es);
	if (host->fs) {
		loadsegment(fs, host->fs);
		wrmsrq(MSR_FS_BASE, vmx->host_fs_base);
	}
	if (host->gs)
		load_gs_index(host->gs);
}

void vmx_host_leave(struct vmx_vcpu *vmx, struct vmx_cpu *cpu)
{
	struct vmx_host_msrs *host = &cpu->host;

	vmx->kernel_gs_base = host_rdmsr(MSR_KERNEL_GS_BASE);
	/* Before the base: loading a selector writes it. */
	host_restore_segments(vmx, host);
	if (host->kernel_gs_base != vmx->kernel_gs_base || unlikely(host->gs))
		host_wrmsr(MSR_KERNEL_GS_BASE, host->kernel_gs_base);
	host_restore_syscall(vmx, cpu);
	if (cpu->loaded_tsc_aux) {
		wrmsrq(MSR_TSC_AUX, host->tsc_aux);
		cpu->loaded_tsc_aux = false;
	}
	if (unlikely(host->debugctl))
		wrmsrq(MSR_IA32_DEBUGCTLMSR, host->debugctl);
	if (unlikely(host->pebs))
		wrmsrq(MSR_IA32_PEBS_ENABLE, host->pebs);
	lodge_host_breakpoints_restore(&cpu->breakpoints);
	/* An exit leaves limits of 64 KiB and a TSS without I/O bitmap: SDM 3, 28.5.2 and 28.5.3. */
	native_load_gdt(&cpu->gdt);
	/*
	 * Threads with a bitmap have the limit put right on their way to user space, where this is looked at.
	 * invalidate_tss_limit() does it for them at once, by a function that newer kernels keep for KVM.
	 */
	this_cpu_write(__tss_limit_invalid, true);
}
