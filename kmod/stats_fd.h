/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM_GET_STATS_FD: statistics as a file. */
#ifndef LODGE_STATS_FD_H
#define LODGE_STATS_FD_H

#include "lodge.h"

/* A new descriptor, or -errno. May sleep. */
int lodge_vm_stats_fd(struct lodge_vm *vm);
int lodge_vcpu_stats_fd(struct lodge_vcpu *vcpu);

#endif
