/* SPDX-License-Identifier: GPL-2.0-only */
/* What lodge claims to support. */
#ifndef LODGE_CAP_H
#define LODGE_CAP_H

#include "lodge.h"

/**
 * lodge_cap_check() - KVM_CHECK_EXTENSION
 * @vm: the VM asked, or NULL on the system fd
 * @cap: KVM_CAP_*
 * Return: what KVM returns for it; 0 for what lodge does not do, and for unknown numbers.
 */
int lodge_cap_check(struct lodge_vm *vm, u32 cap);

/**
 * lodge_cap_enable() - KVM_ENABLE_CAP for a VM, of those capabilities that no other part owns
 * @cap: its flags are 0
 * Return: 0; -EINVAL: unknown, or its arguments are.
 * Context: vm->lock is held.
 */
int lodge_cap_enable(struct lodge_vm *vm, const struct kvm_enable_cap *cap);

#endif
