// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSRs that common code keeps: one row per range of indices says how it is read, how written, whether it
 * migrates. What is not here the backend may know. The MSRs with a life of their own (TSC, LAPIC, kvm-clock)
 * are rows that call their owners; MTRRs are in mtrr.c. A guest's access comes with interrupts off.
 * Locking: vcpu->mutex; the lists are made at load and constant.
 */
#include <linux/kvm_para.h>
#include <linux/slab.h>

#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/mtrr.h>

#include "backend.h"
#include "clock.h"
#include "cpuid.h"
#include "fpu.h"
#include "irqchip/irqchip.h"
#include "msr_internal.h"
#include "regs.h"

#define MSR_X2APIC_FIRST	0x800
#define MSR_X2APIC_LAST		0x8ff
#define MSR_KVM_FIRST		MSR_KVM_WALL_CLOCK_NEW
#define MSR_KVM_LAST		MSR_KVM_MIGRATION_CONTROL

#define HWCR_IGNORED		(BIT(3) | BIT(6) | BIT(8))	/* TLB cache, flush filter, IGNNE */
#define HWCR_MC_STATUS_WRITE	BIT(18)

#define MISC_ENABLE_INIT	(MSR_IA32_MISC_ENABLE_BTS_UNAVAIL | MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)
#define MISC_ENABLE_READ_ONLY	MISC_ENABLE_INIT
#define PAT_INIT		0x0007040600070406ULL	/* APM 2, 7.8.2 */
#define APIC_BASE_INIT		0xfee00000

#define MSR_ROW_LISTED		BIT(0)	/* KVM_GET_MSR_INDEX_LIST names it: it migrates */
#define MSR_ROW_SLEEPS		BIT(1)	/* a guest's write is done where it may sleep */

struct msr_row {
	u32 first, last;
	int (*get)(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host);	/* NULL: unreadable */
	int (*set)(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host);	/* NULL: unwritable */
	u32 flags;
};

static u64 msr_host_arch_capabilities __ro_after_init;
static u64 msr_host_ucode_rev __ro_after_init;
static u64 msr_host_osvw_length __ro_after_init, msr_host_osvw_status __ro_after_init;

/* MSRs that are there because every CPU has them, and do nothing. */
static int msr_zero_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = 0;
	return 0;
}

static int msr_ignored_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	return 0;
}

static int msr_zero_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	return value ? -EINVAL : 0;
}

/* Facts that old kernels look for: a bus clock, a multiplier. KVM's numbers. */
static int msr_constant_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	switch (msr) {
	case MSR_FSB_FREQ:
		*value = 3;
		return 0;
	case MSR_EBC_FREQUENCY_ID:
		*value = 1 << 24;
		return 0;
	case MSR_IA32_PERF_STATUS:
		*value = 4ULL << 40 | 1000;
		return 0;
	case MSR_K7_CLK_CTL:
		*value = 0x20000000;
		return 0;
	case MSR_IA32_BBL_CR_CTL3:
		*value = 0xbe702111;
		return 0;
	default:
		return -EINVAL;
	}
}

static int msr_tsc_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = lodge_tsc_read(vcpu);
	return 0;
}

static int msr_tsc_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	lodge_tsc_write(vcpu, value, host);
	return 0;
}

static int msr_tsc_adjust_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = vcpu->tsc_adjust;
	return 0;
}

static int msr_tsc_adjust_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	if (lodge_guest_has(vcpu, X86_FEATURE_TSC_ADJUST))
		lodge_tsc_adjust_write(vcpu, value, host);
	return 0;
}

static int msr_deadline_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = vcpu->lapic ? lodge_lapic_deadline_get(vcpu) : 0;
	return 0;
}

static int msr_deadline_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	if (vcpu->lapic)
		lodge_lapic_deadline_set(vcpu, value);
	return 0;
}

static int msr_x2apic_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	return vcpu->lapic ? lodge_x2apic_read(vcpu, msr, value) : -EINVAL;
}

static int msr_x2apic_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	return vcpu->lapic ? lodge_x2apic_write(vcpu, msr, value) : -EINVAL;
}

static int msr_apic_base_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = vcpu->apic_base;
	return 0;
}

static int msr_apic_base_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	return lodge_lapic_base_set(vcpu, value, host);
}

static int msr_efer_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = vcpu->efer;
	return 0;
}

static int msr_efer_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	return lodge_efer_write(vcpu, value, host);
}

static int msr_kvm_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	return lodge_pv_msr_get(vcpu, msr, value);
}

static int msr_kvm_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	return lodge_pv_msr_set(vcpu, msr, value, host);
}

static int msr_pat_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = vcpu->pat;
	return 0;
}

/* Each byte a memory type: UC, WC, WT, WP, WB or UC-. APM 2, 7.8.1. */
static int msr_pat_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	unsigned int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = value >> i;

		if (type > 7 || type == 2 || type == 3)
			return -EINVAL;
	}
	vcpu->pat = value;
	lodge_op(set_pat)(vcpu);
	return 0;
}

static int msr_misc_enable_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = vcpu->misc_enable;
	return 0;
}

static int msr_misc_enable_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	u64 changed = vcpu->misc_enable ^ value;

	if (likely(!(changed & (MISC_ENABLE_READ_ONLY | MSR_IA32_MISC_ENABLE_EMON | MSR_IA32_MISC_ENABLE_MWAIT)))) {
		vcpu->misc_enable = value;
		return 0;
	}
	if (!host) {
		if (changed & MISC_ENABLE_READ_ONLY)
			return -EINVAL;
		value ^= changed & MSR_IA32_MISC_ENABLE_EMON;	/* reads as it did */
	}
	if ((READ_ONCE(vcpu->vm->disabled_quirks) & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT) &&
	    (changed & MSR_IA32_MISC_ENABLE_MWAIT) && !lodge_guest_has(vcpu, X86_FEATURE_XMM3))
		return -EINVAL;
	vcpu->misc_enable = value;
	return 0;
}

static int msr_xss_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	if (!host && !lodge_guest_has(vcpu, X86_FEATURE_XSAVES))
		return -EINVAL;
	*value = vcpu->xss;
	return 0;
}

/* No supervisor state is offered: zero is the one value. */
static int msr_xss_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	if (value || (!host && !lodge_guest_has(vcpu, X86_FEATURE_XSAVES)))
		return -EINVAL;
	return 0;
}

/* Values that user space sets and the guest can at most read. */
static u64 *msr_plain_find(struct lodge_vcpu_msrs *msrs, u32 msr)
{
	switch (msr) {
	case MSR_IA32_POWER_CTL:
		return &msrs->power_ctl;
	case MSR_IA32_UCODE_REV:
		return &msrs->ucode_rev;
	case MSR_SMI_COUNT:
		return &msrs->smi_count;
	case MSR_IA32_ARCH_CAPABILITIES:
		return &msrs->arch_capabilities;
	case MSR_AMD64_OSVW_ID_LENGTH:
		return &msrs->osvw_length;
	case MSR_AMD64_OSVW_STATUS:
		return &msrs->osvw_status;
	case MSR_AMD64_DE_CFG:
		return &msrs->decfg;
	case MSR_K7_HWCR:
		return &msrs->hwcr;
	case MSR_PLATFORM_INFO:
		return &msrs->platform_info;
	case MSR_MISC_FEATURES_ENABLES:
		return &msrs->misc_features;
	default:
		return NULL;
	}
}

static int msr_plain_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	*value = *msr_plain_find(vcpu->msrs, msr);
	return 0;
}

static int msr_plain_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	*msr_plain_find(vcpu->msrs, msr) = value;
	return 0;
}

static int msr_plain_host_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	return host ? msr_plain_set(vcpu, msr, value, host) : -EINVAL;
}

/* The guest loads microcode: nothing happens, without complaint. */
static int msr_ucode_rev_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	return host ? msr_plain_set(vcpu, msr, value, host) : 0;
}

static int msr_arch_capabilities_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	if (!host && !lodge_guest_has(vcpu, X86_FEATURE_ARCH_CAPABILITIES))
		return -EINVAL;
	return msr_plain_get(vcpu, msr, value, host);
}

static int msr_osvw_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	if (!lodge_guest_has(vcpu, X86_FEATURE_OSVW))
		return -EINVAL;
	return msr_plain_get(vcpu, msr, value, host);
}

static int msr_osvw_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	if (!host || !lodge_guest_has(vcpu, X86_FEATURE_OSVW))
		return -EINVAL;
	return msr_plain_set(vcpu, msr, value, host);
}

static int msr_hwcr_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	value &= ~(u64)HWCR_IGNORED;
	if (value & ~(u64)HWCR_MC_STATUS_WRITE)
		return -EINVAL;
	return msr_plain_set(vcpu, msr, value, host);
}

#define PLATFORM_INFO_CPUID_FAULT	BIT_ULL(MSR_PLATFORM_INFO_CPUID_FAULT_BIT)
#define MISC_FEATURES_CPUID_FAULT	BIT_ULL(MSR_MISC_FEATURES_ENABLES_CPUID_FAULT_BIT)

/* CPUID faulting: SDM 4, 2.1. User space may hide its being there from the guest. */
static int msr_platform_info_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	if (!host && READ_ONCE(vcpu->vm->platform_info_hidden))
		return -EINVAL;
	return msr_plain_get(vcpu, msr, value, host);
}

static int msr_platform_info_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	if (!host || (!(value & PLATFORM_INFO_CPUID_FAULT) && vcpu->cpuid_exits_defer))
		return -EINVAL;
	return msr_plain_set(vcpu, msr, value, host);
}

static int msr_misc_features_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	u64 known = vcpu->msrs->platform_info & PLATFORM_INFO_CPUID_FAULT ? MISC_FEATURES_CPUID_FAULT : 0;

	if (value & ~known)
		return -EINVAL;
	vcpu->cpuid_exits_defer = value ? ~0ULL : 0;
	return msr_plain_set(vcpu, msr, value, host);
}

static u64 msr_decfg_supported(void)
{
	return boot_cpu_has(X86_FEATURE_LFENCE_RDTSC) ? MSR_AMD64_DE_CFG_LFENCE_SERIALIZE : 0;
}

static int msr_decfg_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	if ((value & ~msr_decfg_supported()) || (!host && value != vcpu->msrs->decfg))
		return -EINVAL;
	return msr_plain_set(vcpu, msr, value, host);
}

/* A barrier, not a value: it reads as nothing. */
static int msr_pred_cmd_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	u64 known = 0;

	if (host || lodge_guest_has(vcpu, X86_FEATURE_SPEC_CTRL) || lodge_guest_has(vcpu, X86_FEATURE_AMD_IBPB))
		known |= PRED_CMD_IBPB;
	if (host || lodge_guest_has(vcpu, X86_FEATURE_SBPB))
		known |= PRED_CMD_SBPB;
	if (!host && !known)
		return -EINVAL;
	if (!boot_cpu_has(X86_FEATURE_IBPB))
		known &= ~(u64)PRED_CMD_IBPB;
	if (!boot_cpu_has(X86_FEATURE_SBPB))
		known &= ~(u64)PRED_CMD_SBPB;
	if (!known || (value & ~known))
		return -EINVAL;
	if (value)
		wrmsrq(MSR_IA32_PRED_CMD, value);
	return 0;
}

/* Sorted by index. A performance monitor is not offered: its MSRs hold zero. */
static const struct msr_row msr_rows[] = {
	{ MSR_IA32_P5_MC_ADDR, MSR_IA32_P5_MC_TYPE, msr_zero_get, NULL },
	{ MSR_IA32_TSC, MSR_IA32_TSC, msr_tsc_get, msr_tsc_set, MSR_ROW_LISTED },
	{ MSR_KVM_WALL_CLOCK, MSR_KVM_WALL_CLOCK, msr_kvm_get, msr_kvm_set, MSR_ROW_LISTED | MSR_ROW_SLEEPS },
	{ MSR_KVM_SYSTEM_TIME, MSR_KVM_SYSTEM_TIME, msr_kvm_get, msr_kvm_set, MSR_ROW_LISTED | MSR_ROW_SLEEPS },
	{ MSR_IA32_PLATFORM_ID, MSR_IA32_PLATFORM_ID, msr_zero_get, NULL },
	{ MSR_IA32_APICBASE, MSR_IA32_APICBASE, msr_apic_base_get, msr_apic_base_set, MSR_ROW_SLEEPS },
	{ MSR_IA32_EBL_CR_POWERON, MSR_IA32_EBL_CR_POWERON, msr_zero_get, NULL },
	{ MSR_EBC_FREQUENCY_ID, MSR_EBC_FREQUENCY_ID, msr_constant_get, NULL },
	{ MSR_SMI_COUNT, MSR_SMI_COUNT, msr_plain_get, msr_plain_host_set, MSR_ROW_LISTED },
	{ MSR_IA32_TSC_ADJUST, MSR_IA32_TSC_ADJUST, msr_tsc_adjust_get, msr_tsc_adjust_set, MSR_ROW_LISTED },
	{ MSR_IA32_PRED_CMD, MSR_IA32_PRED_CMD, NULL, msr_pred_cmd_set },
	{ MSR_IA32_UCODE_WRITE, MSR_IA32_UCODE_WRITE, NULL, msr_ignored_set },
	{ MSR_IA32_UCODE_REV, MSR_IA32_UCODE_REV, msr_plain_get, msr_ucode_rev_set, MSR_ROW_LISTED },
	{ MSR_P6_PERFCTR0, MSR_P6_PERFCTR1, msr_zero_get, msr_ignored_set },
	{ MSR_FSB_FREQ, MSR_FSB_FREQ, msr_constant_get, NULL },
	{ MSR_PLATFORM_INFO, MSR_PLATFORM_INFO, msr_platform_info_get, msr_platform_info_set, MSR_ROW_LISTED },
	{ MSR_MTRRcap, MSR_MTRRcap, lodge_mtrr_cap_get, NULL },
	{ MSR_IA32_ARCH_CAPABILITIES, MSR_IA32_ARCH_CAPABILITIES, msr_arch_capabilities_get, msr_plain_host_set,
	  MSR_ROW_LISTED },
	{ MSR_IA32_BBL_CR_CTL3, MSR_IA32_BBL_CR_CTL3, msr_constant_get, msr_ignored_set },
	{ MSR_MISC_FEATURES_ENABLES, MSR_MISC_FEATURES_ENABLES, msr_plain_get, msr_misc_features_set,
	  MSR_ROW_LISTED },
	{ MSR_IA32_MCG_CAP, MSR_IA32_MCG_CAP, lodge_mcg_get, NULL },
	{ MSR_IA32_MCG_STATUS, MSR_IA32_MCG_STATUS, lodge_mcg_get, lodge_mcg_set, MSR_ROW_LISTED },
	{ MSR_IA32_MCG_CTL, MSR_IA32_MCG_CTL, lodge_mcg_get, lodge_mcg_set, MSR_ROW_LISTED },
	{ MSR_P6_EVNTSEL0, MSR_P6_EVNTSEL1, msr_zero_get, msr_ignored_set },
	{ MSR_IA32_PERF_STATUS, MSR_IA32_PERF_STATUS, msr_constant_get, NULL },
	{ MSR_IA32_PERF_CTL, MSR_IA32_PERF_CTL, msr_zero_get, NULL },
	{ MSR_IA32_MISC_ENABLE, MSR_IA32_MISC_ENABLE, msr_misc_enable_get, msr_misc_enable_set, MSR_ROW_LISTED },
	{ MSR_IA32_LASTBRANCHFROMIP, MSR_IA32_LASTINTTOIP, msr_zero_get, NULL },
	{ MSR_IA32_POWER_CTL, MSR_IA32_POWER_CTL, msr_plain_get, msr_plain_set, MSR_ROW_LISTED },
	{ MTRRphysBase_MSR(0), MTRRphysMask_MSR(MSR_NR_MTRR_VARIABLE - 1), lodge_mtrr_get, lodge_mtrr_set },
	{ MSR_MTRRfix64K_00000, MSR_MTRRfix4K_F8000, lodge_mtrr_get, lodge_mtrr_set },
	{ MSR_IA32_CR_PAT, MSR_IA32_CR_PAT, msr_pat_get, msr_pat_set, MSR_ROW_LISTED },
	{ MSR_MTRRdefType, MSR_MTRRdefType, lodge_mtrr_get, lodge_mtrr_set },
	{ MSR_IA32_PERF_CAPABILITIES, MSR_IA32_PERF_CAPABILITIES, msr_zero_get, msr_zero_set, MSR_ROW_LISTED },
	{ MSR_IA32_MC0_CTL, MSR_IA32_MCx_CTL(LODGE_MAX_MCE_BANKS) - 1, lodge_mce_bank_get, lodge_mce_bank_set },
	{ MSR_RAPL_POWER_UNIT, MSR_RAPL_POWER_UNIT, msr_zero_get, NULL },
	{ MSR_PKG_ENERGY_STATUS, MSR_PKG_ENERGY_STATUS, msr_zero_get, NULL },
	{ MSR_DRAM_ENERGY_STATUS, MSR_DRAM_ENERGY_STATUS, msr_zero_get, NULL },
	{ MSR_PP0_ENERGY_STATUS, MSR_PP0_ENERGY_STATUS, msr_zero_get, NULL },
	{ MSR_PP1_ENERGY_STATUS, MSR_PP1_ENERGY_STATUS, msr_zero_get, NULL },
	{ MSR_IA32_TSC_DEADLINE, MSR_IA32_TSC_DEADLINE, msr_deadline_get, msr_deadline_set, MSR_ROW_LISTED },
	{ MSR_X2APIC_FIRST, MSR_X2APIC_LAST, msr_x2apic_get, msr_x2apic_set },
	{ MSR_IA32_XSS, MSR_IA32_XSS, msr_xss_get, msr_xss_set },
	{ MSR_KVM_FIRST, MSR_KVM_LAST, msr_kvm_get, msr_kvm_set, MSR_ROW_SLEEPS },
	{ MSR_EFER, MSR_EFER, msr_efer_get, msr_efer_set },
	{ MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3, msr_zero_get, msr_ignored_set },
	{ MSR_AMD64_SYSCFG, MSR_AMD64_SYSCFG, msr_zero_get, NULL },
	{ MSR_K7_HWCR, MSR_K7_HWCR, msr_plain_get, msr_hwcr_set, MSR_ROW_LISTED },
	{ MSR_K7_CLK_CTL, MSR_K7_CLK_CTL, msr_constant_get, msr_ignored_set },
	{ MSR_AMD64_NB_CFG, MSR_AMD64_NB_CFG, msr_zero_get, msr_ignored_set },
	{ MSR_AMD64_PATCH_LOADER, MSR_AMD64_PATCH_LOADER, NULL, msr_ignored_set },
	{ MSR_K8_INT_PENDING_MSG, MSR_K8_INT_PENDING_MSG, msr_zero_get, NULL },
	{ MSR_FAM10H_MMIO_CONF_BASE, MSR_FAM10H_MMIO_CONF_BASE, msr_zero_get, msr_zero_set },
	{ MSR_K8_TSEG_ADDR, MSR_K8_TSEG_MASK, msr_zero_get, NULL },
	{ MSR_VM_HSAVE_PA, MSR_VM_HSAVE_PA, msr_zero_get, msr_ignored_set },
	{ MSR_AMD64_OSVW_ID_LENGTH, MSR_AMD64_OSVW_STATUS, msr_osvw_get, msr_osvw_set },
	{ MSR_AMD64_DC_CFG, MSR_AMD64_TW_CFG, msr_zero_get, msr_ignored_set },
	{ MSR_AMD64_DE_CFG, MSR_AMD64_DE_CFG, msr_plain_get, msr_decfg_set },
	{ MSR_AMD64_BU_CFG2, MSR_AMD64_BU_CFG2, msr_zero_get, msr_ignored_set },
	{ MSR_F15H_EX_CFG, MSR_F15H_EX_CFG, msr_zero_get, msr_ignored_set },
};

/*
 * Which row an index of these low bits had last: a guest comes back to the few MSRs that it uses. Any value is right,
 * so that CPUs may race.
 */
static u8 msr_hints[64];
static_assert(ARRAY_SIZE(msr_rows) <= U8_MAX);

static const struct msr_row *msr_search(u32 msr)
{
	unsigned int low = 0, high = ARRAY_SIZE(msr_rows);

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (msr > msr_rows[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == ARRAY_SIZE(msr_rows) || msr < msr_rows[low].first)
		return NULL;
	WRITE_ONCE(msr_hints[msr % ARRAY_SIZE(msr_hints)], low);
	return &msr_rows[low];
}

/* NULL: not known without a search. */
static __always_inline const struct msr_row *msr_hinted(u32 msr)
{
	const struct msr_row *row = &msr_rows[READ_ONCE(msr_hints[msr % ARRAY_SIZE(msr_hints)])];

	return likely(msr - row->first <= row->last - row->first) ? row : NULL;
}

static __always_inline int msr_row_get(const struct msr_row *row, struct lodge_vcpu *vcpu, u32 msr, u64 *value,
				       bool host)
{
	return row->get ? row->get(vcpu, msr, value, host) : -ENOENT;
}

static noinline int msr_get_searched(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	const struct msr_row *row = msr_search(msr);

	return row ? msr_row_get(row, vcpu, msr, value, host) : lodge_op(get_msr)(vcpu, msr, value);
}

int lodge_msr_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host)
{
	const struct msr_row *row;

	if (msr - MSR_X2APIC_FIRST <= MSR_X2APIC_LAST - MSR_X2APIC_FIRST)
		return msr_x2apic_get(vcpu, msr, value, host);
	row = msr_hinted(msr);
	return row ? msr_row_get(row, vcpu, msr, value, host) : msr_get_searched(vcpu, msr, value, host);
}

static __always_inline int msr_row_set(const struct msr_row *row, struct lodge_vcpu *vcpu, u32 msr, u64 value,
				       bool host, bool can_sleep)
{
	if (!row->set)
		return -ENOENT;
	if (!can_sleep && (row->flags & MSR_ROW_SLEEPS))
		return -EAGAIN;
	return row->set(vcpu, msr, value, host);
}

static noinline int msr_set_searched(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host, bool can_sleep)
{
	const struct msr_row *row = msr_search(msr);

	return row ? msr_row_set(row, vcpu, msr, value, host, can_sleep) :
		     lodge_op(set_msr)(vcpu, msr, value, host);
}

int lodge_msr_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host)
{
	const struct msr_row *row;

	/* What a running guest writes all the time: its timer, its EOIs and IPIs. */
	if (msr == MSR_IA32_TSC_DEADLINE)
		return msr_deadline_set(vcpu, msr, value, host);
	if (msr - MSR_X2APIC_FIRST <= MSR_X2APIC_LAST - MSR_X2APIC_FIRST)
		return msr_x2apic_set(vcpu, msr, value, host);
	row = msr_hinted(msr);
	return row ? msr_row_set(row, vcpu, msr, value, host, host) : msr_set_searched(vcpu, msr, value, host, host);
}

int lodge_msr_set_sleeping(struct lodge_vcpu *vcpu, u32 msr, u64 value)
{
	return msr_set_searched(vcpu, msr, value, false, true);
}

/* KVM's own MSRs, listed when their feature is offered; the clock's two pairs always. */
static const struct {
	u32 msr;
	u32 feature;
} msr_kvm_listed[] = {
	{ MSR_KVM_WALL_CLOCK_NEW, KVM_FEATURE_CLOCKSOURCE2 },
	{ MSR_KVM_SYSTEM_TIME_NEW, KVM_FEATURE_CLOCKSOURCE2 },
	{ MSR_KVM_ASYNC_PF_EN, KVM_FEATURE_ASYNC_PF },
	{ MSR_KVM_ASYNC_PF_INT, KVM_FEATURE_ASYNC_PF_INT },
	{ MSR_KVM_ASYNC_PF_ACK, KVM_FEATURE_ASYNC_PF_INT },
	{ MSR_KVM_STEAL_TIME, KVM_FEATURE_STEAL_TIME },
	{ MSR_KVM_PV_EOI_EN, KVM_FEATURE_PV_EOI },
	{ MSR_KVM_POLL_CONTROL, KVM_FEATURE_POLL_CONTROL },
};

u32 lodge_msr_index_list(u32 *indices, u32 max)
{
	unsigned int i;
	const u32 *p;
	u32 n = 0;

	for (p = lodge_backend->msr_list; *p; p++, n++)
		if (n < max)
			indices[n] = *p;
	for (i = 0; i < ARRAY_SIZE(msr_rows); i++) {
		if (!(msr_rows[i].flags & MSR_ROW_LISTED))
			continue;
		if (n < max)
			indices[n] = msr_rows[i].first;
		n++;
	}
	for (i = 0; i < ARRAY_SIZE(msr_kvm_listed); i++) {
		if (!(lodge_pv_features() & BIT(msr_kvm_listed[i].feature)))
			continue;
		if (n < max)
			indices[n] = msr_kvm_listed[i].msr;
		n++;
	}
	return n;
}

static const u32 msr_features[] = {
	MSR_AMD64_DE_CFG, MSR_IA32_UCODE_REV, MSR_IA32_ARCH_CAPABILITIES, MSR_IA32_PERF_CAPABILITIES,
};

u32 lodge_msr_feature_list(u32 *indices, u32 max)
{
	memcpy(indices, msr_features, min_t(size_t, max, ARRAY_SIZE(msr_features)) * sizeof(u32));
	return ARRAY_SIZE(msr_features);
}

int lodge_msr_feature_get(u32 msr, u64 *value)
{
	switch (msr) {
	case MSR_AMD64_DE_CFG:
		*value = msr_decfg_supported();
		return 0;
	case MSR_IA32_UCODE_REV:
		*value = msr_host_ucode_rev;
		return 0;
	case MSR_IA32_ARCH_CAPABILITIES:
		*value = msr_host_arch_capabilities;
		return 0;
	case MSR_IA32_PERF_CAPABILITIES:
		*value = 0;
		return 0;
	default:
		return -EINVAL;
	}
}

/* What the guest need not fear on this CPU: told by the CPU itself, or known to the kernel. SDM 4, 2.1. */
static __init u64 msr_arch_capabilities(void)
{
	static const struct {
		u64 capability;
		unsigned int bug;
	} immune[] = {
		{ ARCH_CAP_RDCL_NO, X86_BUG_CPU_MELTDOWN },
		{ ARCH_CAP_SKIP_VMENTRY_L1DFLUSH, X86_BUG_L1TF },
		{ ARCH_CAP_SSB_NO, X86_BUG_SPEC_STORE_BYPASS },
		{ ARCH_CAP_MDS_NO, X86_BUG_MDS },
		{ ARCH_CAP_PSCHANGE_MC_NO, X86_BUG_ITLB_MULTIHIT },
		{ ARCH_CAP_GDS_NO, X86_BUG_GDS },
		{ ARCH_CAP_RFDS_NO, X86_BUG_RFDS },
		{ ARCH_CAP_ITS_NO, X86_BUG_ITS },
	};
	const u64 passed = ARCH_CAP_RDCL_NO | ARCH_CAP_IBRS_ALL | ARCH_CAP_RSBA | ARCH_CAP_SKIP_VMENTRY_L1DFLUSH |
			   ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO | ARCH_CAP_TAA_NO | ARCH_CAP_SBDR_SSDP_NO |
			   ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO | ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA |
			   ARCH_CAP_BHI_NO | ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO | ARCH_CAP_RFDS_NO |
			   ARCH_CAP_RFDS_CLEAR | ARCH_CAP_ITS_NO;
	u64 value = 0;
	unsigned int i;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrq(MSR_IA32_ARCH_CAPABILITIES, value);
	value &= passed;
	for (i = 0; i < ARRAY_SIZE(immune); i++)
		if (!boot_cpu_has_bug(immune[i].bug))
			value |= immune[i].capability;
	if (!boot_cpu_has(X86_FEATURE_RTM))
		value &= ~ARCH_CAP_TAA_NO;	/* TSX is not there to abort */
	else if (!boot_cpu_has_bug(X86_BUG_TAA))
		value |= ARCH_CAP_TAA_NO;
	return value;
}

int __init lodge_msr_init(void)
{
	unsigned int i;

	for (i = 1; i < ARRAY_SIZE(msr_rows); i++)
		if (WARN_ON(msr_rows[i].first <= msr_rows[i - 1].last))
			return -EINVAL;

	msr_host_arch_capabilities = msr_arch_capabilities();
	if (rdmsrq_safe(MSR_IA32_UCODE_REV, &msr_host_ucode_rev))
		msr_host_ucode_rev = 0;
	/* The errata that concern HLT and I/O (400, 415) never reach a guest: both exit. */
	if (boot_cpu_has(X86_FEATURE_OSVW) &&
	    (rdmsrq_safe(MSR_AMD64_OSVW_ID_LENGTH, &msr_host_osvw_length) ||
	     rdmsrq_safe(MSR_AMD64_OSVW_STATUS, &msr_host_osvw_status)))
		msr_host_osvw_length = msr_host_osvw_status = 0;
	msr_host_osvw_length = max(msr_host_osvw_length, 3ULL);
	msr_host_osvw_status &= ~(u64)(BIT(1) | BIT(2));
	return 0;
}

int lodge_msr_create(struct lodge_vcpu *vcpu)
{
	struct lodge_vcpu_msrs *msrs = kzalloc(sizeof(*msrs), GFP_KERNEL_ACCOUNT);

	if (!msrs)
		return -ENOMEM;
	msrs->arch_capabilities = msr_host_arch_capabilities;
	msrs->ucode_rev = msr_host_ucode_rev;
	msrs->osvw_length = msr_host_osvw_length;
	msrs->osvw_status = msr_host_osvw_status;
	msrs->platform_info = PLATFORM_INFO_CPUID_FAULT;
	vcpu->msrs = msrs;
	lodge_mce_init(vcpu);
	return 0;
}

void lodge_msr_destroy(struct lodge_vcpu *vcpu)
{
	kfree(vcpu->msrs);
	vcpu->msrs = NULL;
}

/* INIT leaves the CPU's MSRs alone, APM 2, 14.1.3, but ends what the guest had agreed on with the hypervisor. */
void lodge_msr_reset(struct lodge_vcpu *vcpu, bool init)
{
	lodge_pv_reset(vcpu);
	if (init)
		return;
	lodge_tsc_write(vcpu, 0, true);
	vcpu->misc_enable = MISC_ENABLE_INIT;
	vcpu->msrs->misc_features = 0;
	vcpu->cpuid_exits_defer = 0;
	vcpu->pat = PAT_INIT;
	lodge_op(set_pat)(vcpu);
	if (!vcpu->lapic)
		vcpu->apic_base = APIC_BASE_INIT | MSR_IA32_APICBASE_ENABLE |
				  (vcpu->id == vcpu->vm->boot_vcpu_id ? MSR_IA32_APICBASE_BSP : 0);
}
