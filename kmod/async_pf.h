/* SPDX-License-Identifier: GPL-2.0-only */
/* Asynchronous page faults: accepted, never raised. The vCPU's owner; may sleep. */
#ifndef LODGE_ASYNC_PF_H
#define LODGE_ASYNC_PF_H

#include "lodge.h"

int lodge_async_pf_enable(struct lodge_vcpu *vcpu, u64 value);		/* MSR_KVM_ASYNC_PF_EN: 0 or -EINVAL */
int lodge_async_pf_set_vector(struct lodge_vcpu *vcpu, u64 value);	/* MSR_KVM_ASYNC_PF_INT: 0 or -EINVAL */
void lodge_async_pf_acked(struct lodge_vcpu *vcpu);			/* MSR_KVM_ASYNC_PF_ACK */
void lodge_async_pf_wake_all(struct lodge_vcpu *vcpu);			/* LODGE_REQ_ASYNC_PF */

#endif
