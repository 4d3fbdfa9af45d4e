/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of netlink/ share: the family, and the one function that
 * writes a VM into a message, for answers and notifications alike.
 */
#ifndef LODGE_NETLINK_INTERNAL_H
#define LODGE_NETLINK_INTERNAL_H

#include <net/genetlink.h>

#include "../lodge.h"
#include "../vm.h"
#include "generated/policy.h"

extern struct genl_family lodge_nl_family;	/* family.c; read-only once registered */

/**
 * lodge_nl_vm_size() - room that lodge_nl_vm_put() needs, message headers apart
 */
size_t lodge_nl_vm_size(void);

/**
 * lodge_nl_vm_put() - write the attributes of a VM into a message
 * @skb: the message, its generic netlink header written
 * @vm: the VM
 * @state: the state to tell, which may be older or newer than vm->state
 * Return: 0, or -EMSGSIZE with some attributes written: cancel the message.
 * Context: lodge_vm_list_lock is held.
 */
int lodge_nl_vm_put(struct sk_buff *skb, struct lodge_vm *vm, enum lodge_vm_state state);

/**
 * lodge_nl_vm_state() - the state to tell when nothing has just changed
 */
static inline enum lodge_vm_state lodge_nl_vm_state(const struct lodge_vm *vm)
{
	/* Pairs with the release in lodge_notify_state(). */
	return smp_load_acquire(&vm->state);
}

/**
 * lodge_nl_vm_find() - find a VM by its id
 * Return: the VM, or NULL.
 * Context: lodge_vm_list_lock is held, and holds the VM.
 */
struct lodge_vm *lodge_nl_vm_find(u64 id);

/**
 * lodge_nl_generation() - the list's generation as cb->seq wants it, never 0
 * Context: lodge_vm_list_lock is held.
 *
 * 0 means to netlink that a dump does not check; the bit lost costs nothing.
 */
static inline unsigned int lodge_nl_generation(void)
{
	lockdep_assert_held(&lodge_vm_list_lock);
	return lodge_vm_list_generation | BIT(31);
}

#endif
