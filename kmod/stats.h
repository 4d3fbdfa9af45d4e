/* SPDX-License-Identifier: GPL-2.0-only */
/* Events of a VM's life for netlink, seen from common code. */
#ifndef LODGE_STATS_H
#define LODGE_STATS_H

#include "lodge.h"

int lodge_netlink_init(void);		/* module load: the generic netlink family */
void lodge_netlink_exit(void);

/**
 * lodge_notify_state() - a VM's state changed: tell whoever listens
 * @vm: the VM
 * @state: the new state; a state that the VM is in already is not told again
 * @reason: for LODGE_VM_CRASHED, a word; else NULL
 * Context: may sleep.
 */
void lodge_notify_state(struct lodge_vm *vm, enum lodge_vm_state state, const char *reason);

#endif
