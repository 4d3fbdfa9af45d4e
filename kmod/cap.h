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

#endif
