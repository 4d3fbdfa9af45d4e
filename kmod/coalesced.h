/* SPDX-License-Identifier: GPL-2.0-only */
/* Coalesced MMIO and PIO: writes without side effects collect in a ring that user space drains on its next exit. */
#ifndef LODGE_COALESCED_H
#define LODGE_COALESCED_H

#include "lodge.h"

/**
 * lodge_coalesced_register() - KVM_REGISTER_COALESCED_MMIO: collect writes to a zone
 * Return: 0, -EINVAL (neither MMIO nor PIO), -ENOMEM, -ENOSPC. Context: may sleep; takes slots_lock.
 */
int lodge_coalesced_register(struct lodge_vm *vm, const struct kvm_coalesced_mmio_zone *zone);

/**
 * lodge_coalesced_unregister() - KVM_UNREGISTER_COALESCED_MMIO: drop each zone that contains the given range
 * Return: 0, also when there was none; -EINVAL. Context: may sleep; takes slots_lock.
 */
int lodge_coalesced_unregister(struct lodge_vm *vm, const struct kvm_coalesced_mmio_zone *zone);

#endif
