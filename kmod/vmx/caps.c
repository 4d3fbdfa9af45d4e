// SPDX-License-Identifier: GPL-2.0-only
/*
 * What this CPU's VT-x offers, asked once at load: each control that lodge needs or would use against the MSRs that
 * say which may be set and which must be (SDM 3, appendix A). What is missing is said in words. No locking.
 */
#include "vmx.h"

#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include "../compat/vmxon.h"
#include "../tsc_rate.h"

#define VMX_CPUID_ECX		BIT(5)		/* CPUID.1: kept by the CPU when the kernel has dropped its flag */

#define VMX_BASIC_TRUE_MSRS	BIT_ULL(55)	/* the MSRs that tell which default-1 controls may be 0 */
#define VMX_BASIC_ANY_ERROR	BIT_ULL(56)

struct vmx_caps vmx_caps;

/* A set of controls: what an entry cannot do without, and what is taken where it is offered. */
struct vmx_controls {
	const char *name;
	u32 msr, true_msr;	/* @true_msr 0: there is none */
	u32 needed, wanted;
	u32 *result;
};

/* The names of the needed controls, for whoever reads why the module was refused. SDM 3, 25.6 to 25.8. */
static const struct {
	u32 msr, bit;
	const char *name;
} vmx_control_names[] = {
	{ MSR_IA32_VMX_PINBASED_CTLS, VMX_PIN_INTERRUPT, "external-interrupt exiting" },
	{ MSR_IA32_VMX_PINBASED_CTLS, VMX_PIN_NMI, "NMI exiting" },
	{ MSR_IA32_VMX_PINBASED_CTLS, VMX_PIN_VIRTUAL_NMIS, "virtual NMIs" },
	{ MSR_IA32_VMX_PROCBASED_CTLS, VMX_PROC_TPR_SHADOW, "the TPR shadow" },
	{ MSR_IA32_VMX_PROCBASED_CTLS, VMX_PROC_MSR_BITMAP, "MSR bitmaps" },
	{ MSR_IA32_VMX_PROCBASED_CTLS, VMX_PROC_SECONDARY, "EPT" },
	{ MSR_IA32_VMX_PROCBASED_CTLS2, VMX_PROC2_EPT, "EPT" },
	{ MSR_IA32_VMX_PROCBASED_CTLS2, VMX_PROC2_UNRESTRICTED, "unrestricted guest" },
	{ MSR_IA32_VMX_EXIT_CTLS, VMX_EXIT_LOAD_EFER, "loading EFER at exits" },
	{ MSR_IA32_VMX_EXIT_CTLS, VMX_EXIT_LOAD_PAT, "loading PAT at exits" },
	{ MSR_IA32_VMX_ENTRY_CTLS, VMX_ENTRY_LOAD_EFER, "loading EFER at entries" },
	{ MSR_IA32_VMX_ENTRY_CTLS, VMX_ENTRY_LOAD_PAT, "loading PAT at entries" },
};

static int vmx_refuse_control(const struct vmx_controls *controls, u32 missing)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(vmx_control_names); i++) {
		if (vmx_control_names[i].msr == controls->msr && (vmx_control_names[i].bit & missing)) {
			pr_info("this CPU's VT-x has no %s, which lodge needs\n", vmx_control_names[i].name);
			return -ENODEV;
		}
	}
	pr_info("this CPU's VT-x lacks %s controls %#x, which lodge needs\n", controls->name, missing);
	return -ENODEV;
}

/* Low half: what must be 1; high half: what may be. SDM 3, appendix A.2 to A.5. */
static int vmx_negotiate(const struct vmx_controls *controls, bool true_msrs)
{
	u64 caps = 0;
	u32 value;

	if (rdmsrq_safe(true_msrs && controls->true_msr ? controls->true_msr : controls->msr, &caps))
		caps = 0;
	value = ((controls->needed | controls->wanted) & (caps >> 32)) | (u32)caps;
	if (controls->needed & ~value)
		return vmx_refuse_control(controls, controls->needed & ~value);
	*controls->result = value;
	return 0;
}

static int vmx_negotiate_all(bool true_msrs)
{
	const struct vmx_controls sets[] = {
		{
			.name = "pin-based", .result = &vmx_caps.pin,
			.msr = MSR_IA32_VMX_PINBASED_CTLS, .true_msr = MSR_IA32_VMX_TRUE_PINBASED_CTLS,
			.needed = VMX_PIN_INTERRUPT | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMIS,
		}, {
			.name = "processor-based", .result = &vmx_caps.proc,
			.msr = MSR_IA32_VMX_PROCBASED_CTLS, .true_msr = MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
			.needed = VMX_PROC_TSC_OFFSET | VMX_PROC_HLT | VMX_PROC_MWAIT | VMX_PROC_RDPMC |
				  VMX_PROC_TPR_SHADOW | VMX_PROC_MOV_DR | VMX_PROC_PORTS | VMX_PROC_MSR_BITMAP |
				  VMX_PROC_MONITOR | VMX_PROC_SECONDARY | VMX_PROC_RDTSC |
				  VMX_PROC_INTERRUPT_WINDOW | VMX_PROC_NMI_WINDOW | VMX_PROC_CR8_LOAD,
		}, {
			.name = "secondary", .result = &vmx_caps.proc2,
			.msr = MSR_IA32_VMX_PROCBASED_CTLS2,
			.needed = VMX_PROC2_EPT | VMX_PROC2_UNRESTRICTED,
			.wanted = VMX_PROC2_RDTSCP | VMX_PROC2_VPID | VMX_PROC2_WBINVD | VMX_PROC2_INVPCID |
				  VMX_PROC2_XSAVES | VMX_PROC2_PAUSE_LOOP | VMX_PROC2_TSC_SCALING |
				  VMX_PROC2_PML,
		}, {
			.name = "exit", .result = &vmx_caps.exit,
			.msr = MSR_IA32_VMX_EXIT_CTLS, .true_msr = MSR_IA32_VMX_TRUE_EXIT_CTLS,
			.needed = VMX_EXIT_SAVE_DEBUG | VMX_EXIT_HOST_64 | VMX_EXIT_LOAD_PAT | VMX_EXIT_LOAD_EFER,
		}, {
			.name = "entry", .result = &vmx_caps.entry,
			.msr = MSR_IA32_VMX_ENTRY_CTLS, .true_msr = MSR_IA32_VMX_TRUE_ENTRY_CTLS,
			.needed = VMX_ENTRY_LOAD_DEBUG | VMX_ENTRY_LONG_MODE | VMX_ENTRY_LOAD_PAT |
				  VMX_ENTRY_LOAD_EFER,
		},
	};
	unsigned int i;
	int ret = 0;

	for (i = 0; i < ARRAY_SIZE(sets) && !ret; i++)
		ret = vmx_negotiate(&sets[i], true_msrs);
	return ret;
}

static int vmx_check_ept(void)
{
	const u64 needed = VMX_CAP_EPT_4_LEVELS | VMX_CAP_EPT_WRITE_BACK | VMX_CAP_EPT_2M | VMX_CAP_INVEPT;

	if (rdmsrq_safe(MSR_IA32_VMX_EPT_VPID_CAP, &vmx_caps.ept))
		vmx_caps.ept = 0;
	if ((vmx_caps.ept & needed) != needed || !(vmx_caps.ept & (VMX_CAP_INVEPT_CONTEXT | VMX_CAP_INVEPT_ALL))) {
		pr_info("this CPU's EPT lacks what lodge needs: capabilities %#llx\n", vmx_caps.ept);
		return -ENODEV;
	}
	return 0;
}

/* The TSC multiplier: 16 bits and 48 behind the point, SDM 3, 25.6.5. */
static const struct lodge_tsc_format vmx_tsc_format = {
	.fraction_bits = 48,
	.max_ratio = U64_MAX,
	.scales = true,
};

/* The controls that differ between vCPUs or from moment to moment start as off. */
static void vmx_caps_finish(void)
{
	vmx_caps.proc &= ~(u32)(VMX_PROC_INTERRUPT_WINDOW | VMX_PROC_NMI_WINDOW | VMX_PROC_CR8_LOAD |
				VMX_PROC_RDTSC);
	vmx_caps.entry &= ~(u32)VMX_ENTRY_LONG_MODE;
	vmx_caps.proc2_offered = vmx_caps.proc2;
	vmx_caps.proc2 &= ~(u32)(VMX_PROC2_RDTSCP | VMX_PROC2_INVPCID | VMX_PROC2_XSAVES | VMX_PROC2_TSC_SCALING |
				 VMX_PROC2_PML);
	lodge_tsc_format = vmx_caps.proc2_offered & VMX_PROC2_TSC_SCALING ? vmx_tsc_format : lodge_tsc_software;
	/* VPIDs without a way to flush them are of no use. */
	if (!(vmx_caps.ept & VMX_CAP_INVVPID) || !(vmx_caps.ept & VMX_CAP_INVVPID_ALL))
		vmx_caps.proc2 &= ~(u32)VMX_PROC2_VPID;
}

int vmx_check(void)
{
	u64 basic;
	int ret;

	if (!(cpuid_ecx(1) & VMX_CPUID_ECX))
		return -ENXIO;
	/* The kernel reads the firmware's lock at boot and drops the flag when VMX may not be switched on. */
	if (!boot_cpu_has(X86_FEATURE_VMX)) {
		pr_info("VT-x is disabled by the firmware: enable VT-x (VMX) in the firmware's setup\n");
		return -ENODEV;
	}
#ifdef X86_FEATURE_FRED
	if (cpu_feature_enabled(X86_FEATURE_FRED)) {
		pr_info("this host takes its events by FRED, which lodge cannot hand NMIs to yet: boot with fred=off\n");
		return -ENODEV;
	}
#endif
	if (rdmsrq_safe(MSR_IA32_VMX_BASIC, &basic)) {
		pr_info("this CPU shows VT-x but not its capabilities\n");
		return -ENODEV;
	}
	vmx_caps.revision = basic & GENMASK(30, 0);
	vmx_caps.error_codes_checked = !(basic & VMX_BASIC_ANY_ERROR);
	ret = vmx_negotiate_all(basic & VMX_BASIC_TRUE_MSRS);
	if (ret)
		return ret;
	if (vmx_caps.proc & (VMX_PROC_CR3_LOAD | VMX_PROC_CR3_STORE)) {
		pr_info("this CPU's VT-x cannot leave CR3 to the guest, which lodge needs\n");
		return -ENODEV;
	}
	ret = vmx_check_ept();
	if (ret)
		return ret;
	vmx_caps_finish();
	return lodge_compat_vmxon_check();
}
