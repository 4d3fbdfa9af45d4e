/* SPDX-License-Identifier: GPL-2.0-only */
/* Steal time: what a vCPU learns of its waiting for a CPU. The vCPU's own thread, where it may sleep. */
#ifndef LODGE_STEAL_H
#define LODGE_STEAL_H

#include "lodge.h"

bool lodge_steal_time_offered(void);			/* the host's scheduler counts it */
int lodge_steal_time_set(struct lodge_vcpu *vcpu, u64 value);	/* MSR_KVM_STEAL_TIME: 0 or -EINVAL */
void lodge_steal_time_update(struct lodge_vcpu *vcpu);	/* LODGE_REQ_STEAL: it is about to run */
void lodge_steal_time_stop(struct lodge_vcpu *vcpu);	/* it is on, and its thread must give up its CPU */

static inline bool lodge_steal_time_is_on(const struct lodge_vcpu *vcpu)
{
	return vcpu->run_wants & LODGE_RUN_STEAL;
}

#endif
