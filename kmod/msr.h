/* SPDX-License-Identifier: GPL-2.0-only */
/* MSRs: one table, one row an index range: read, write, whether it migrates. */
#ifndef LODGE_MSR_H
#define LODGE_MSR_H

#include "lodge.h"

int lodge_msr_init(void);		/* module load: the lists for user space */

/**
 * lodge_msr_get() - read a guest MSR
 * @host: asked by user space, which sees more
 * Return: 0; -ENOENT: there is no such MSR to read, -EINVAL: not for this guest. It takes #GP.
 * Context: host reads may sleep; guest reads are called with interrupts off.
 */
int lodge_msr_get(struct lodge_vcpu *vcpu, u32 msr, u64 *value, bool host);

/**
 * lodge_msr_set() - write a guest MSR
 * Return: 0; -ENOENT or -EINVAL, as above; -EAGAIN (guest writes only): must be called again where it may sleep.
 */
int lodge_msr_set(struct lodge_vcpu *vcpu, u32 msr, u64 value, bool host);
int lodge_msr_set_sleeping(struct lodge_vcpu *vcpu, u32 msr, u64 value);	/* the second try of a guest's write */

/* KVM_GET_MSR_INDEX_LIST and KVM_GET_MSR_FEATURE_INDEX_LIST: copy the indices; number of them. */
u32 lodge_msr_index_list(u32 *indices, u32 max);
u32 lodge_msr_feature_list(u32 *indices, u32 max);
int lodge_msr_feature_get(u32 msr, u64 *value);		/* KVM_GET_MSRS on the system fd */

int lodge_msr_create(struct lodge_vcpu *vcpu);		/* vcpu->msrs */
void lodge_msr_destroy(struct lodge_vcpu *vcpu);
void lodge_msr_reset(struct lodge_vcpu *vcpu, bool init);

#endif
