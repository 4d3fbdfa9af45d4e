/* SPDX-License-Identifier: GPL-2.0-only */
/* What msr.c and the files of its rows share: the MSRs that are kept as plain values, and the row functions. */
#ifndef LODGE_MSR_INTERNAL_H
#define LODGE_MSR_INTERNAL_H

#include "mce.h"
#include "msr.h"

#define MSR_NR_MTRR_FIXED	11
#define MSR_NR_MTRR_VARIABLE	8

/* All (v). */
struct lodge_vcpu_msrs {
	u64 mtrr_default;
	u64 mtrr_fixed[MSR_NR_MTRR_FIXED];
	u64 mtrr_variable[2 * MSR_NR_MTRR_VARIABLE];	/* base, mask, base, mask, ... */
	u64 mcg_cap, mcg_status, mcg_ctl;
	u64 mc_banks[4 * LODGE_MAX_MCE_BANKS];		/* CTL, STATUS, ADDR, MISC of each */
	u64 arch_capabilities;
	u64 decfg;
	u64 hwcr;
	u64 osvw_length, osvw_status;
	u64 platform_info, misc_features;
	u64 power_ctl;
	u64 smi_count;
	u64 ucode_rev;
};

/* Each as lodge_msr_get() or lodge_msr_set(), for the MSRs of its row. */
int lodge_mtrr_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host);
int lodge_mtrr_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host);
int lodge_mtrr_cap_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host);
int lodge_mcg_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host);
int lodge_mcg_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host);
int lodge_mce_bank_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host);
int lodge_mce_bank_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host);

#endif
