/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM_RUN. */
#ifndef LODGE_RUN_H
#define LODGE_RUN_H

#include "lodge.h"

/**
 * lodge_vcpu_run() - KVM_RUN
 * @vcpu: whose mutex the caller holds
 * Return: 0 with vcpu->run filled; -EINTR (exit_reason KVM_EXIT_INTR), -EAGAIN (left UNINITIALIZED), -EIO (the VM
 *	is dead), -EFAULT and others when guest memory cannot be had.
 */
int lodge_vcpu_run(struct lodge_vcpu *vcpu);

#endif
