/* SPDX-License-Identifier: GPL-2.0-only */
/* What CPUID says to a guest: the supported table, the vCPU's own, and questions about it. */
#ifndef LODGE_CPUID_H
#define LODGE_CPUID_H

#include "lodge.h"

#define LODGE_MAX_CPUID_ENTRIES	256

/**
 * struct lodge_cpuid_word - a register of CPUID that is one word of the kernel's feature flags
 * @function, @index, @reg: where CPUID has it; @reg is CPUID_EAX to CPUID_EDX
 * @word: the kernel's number
 * @offered: features that a guest gets if the host has them
 * @software: features that a guest gets on any host
 */
struct lodge_cpuid_word {
	u32 function;
	u8 index;
	u8 reg;
	u8 word;
	u32 offered;
	u32 software;
};

#define LODGE_NR_CPUID_WORDS	11
extern const struct lodge_cpuid_word lodge_cpuid_words[LODGE_NR_CPUID_WORDS];

/* Module load: what this host can give, for lodge_cpuid_host_word(). The backend is chosen, the FPU known. */
void lodge_cpuid_init(void);

/**
 * lodge_cpuid_host_word() - the features of a word that a guest may be given here
 * @word: the kernel's number, one of those in lodge_cpuid_words
 */
u32 lodge_cpuid_host_word(unsigned int word);

/* Whether this host, kernel and backend can give a feature, an X86_FEATURE_* number, to a guest. */
static inline bool lodge_cpuid_host_has(unsigned int x86_feature)
{
	return lodge_cpuid_host_word(x86_feature >> 5) & BIT(x86_feature & 31);
}

/**
 * lodge_cpuid_supported() - fill KVM_GET_SUPPORTED_CPUID's table
 * @entries: room for @max
 * Return: number of entries, or -E2BIG.
 */
int lodge_cpuid_supported(struct kvm_cpuid_entry2 *entries, u32 max);

/*
 * KVM_SET_CPUID2: copies. 0; -E2BIG; -ENOMEM; -EINVAL: a linear address width that no CPU has, or another
 * table after the first KVM_RUN. May sleep. Tells the backend through cpuid_changed().
 */
int lodge_cpuid_set(struct lodge_vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, u32 nent);
/* KVM_GET_CPUID2, with the bits that follow the vCPU's state as they are now: number of entries or -E2BIG. */
int lodge_cpuid_get(struct lodge_vcpu *vcpu, struct kvm_cpuid_entry2 *entries, u32 max);
void lodge_cpuid_destroy(struct lodge_vcpu *vcpu);

/* The guest executes CPUID: reads RAX and RCX of vcpu->gprs, writes the four. Hot; interrupts off. */
void lodge_cpuid_answer(struct lodge_vcpu *vcpu);

/*
 * Whether the guest was given a feature: an X86_FEATURE_* number of the words that CPUID reports directly.
 * A guest can be given what the host does not have: whoever touches hardware asks the host too.
 */
bool lodge_guest_has(const struct lodge_vcpu *vcpu, unsigned int x86_feature);

u32 lodge_cpuid_signature(const struct lodge_vcpu *vcpu);	/* family, model, stepping: EDX after reset */
u8 lodge_guest_maxphyaddr(const struct lodge_vcpu *vcpu);
/* Bits that this guest must not set; before KVM_SET_CPUID2 those that no guest can have here. */
u64 lodge_guest_cr4_reserved(const struct lodge_vcpu *vcpu);
u64 lodge_guest_efer_reserved(const struct lodge_vcpu *vcpu);
u64 lodge_host_efer_reserved(void);				/* bits that not even user space may set */
/* 0x40000001.EAX, wherever the table put the signature. */
u32 lodge_guest_pv_features(const struct lodge_vcpu *vcpu);
/* Whether the guest may use a KVM_FEATURE_*: any, unless KVM_CAP_ENFORCE_PV_FEATURE_CPUID holds it to its CPUID. */
bool lodge_guest_pv_has(const struct lodge_vcpu *vcpu, unsigned int feature);

#endif
