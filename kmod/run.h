/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM_RUN. */
#ifndef LODGE_RUN_H
#define LODGE_RUN_H

#include "lodge.h"

/**
 * lodge_vcpu_run() - KVM_RUN, the one command that is called for each exit to user space: it goes past the table
 * @vcpu: the vCPU; takes its mutex
 * @value: the command's argument, which must be 0
 * Return: 0 with vcpu->run filled; -EINVAL; -EINTR (exit_reason KVM_EXIT_INTR), -EAGAIN (left UNINITIALIZED), -EIO
 *	(the VM is dead), -EFAULT and others when guest memory cannot be had.
 */
long lodge_vcpu_run(struct lodge_vcpu *vcpu, unsigned long value);

#endif
