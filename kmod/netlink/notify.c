// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of a VM's state, told to the multicast group "vm" and to the tracer.
 * state_lock makes the change and its message one step, so that listeners hear
 * the changes of a VM in the order in which they happened. lodge_vm_list_lock is
 * taken inside it, for the VM's name, and let go before anything is sent.
 */
#include "netlink_internal.h"

#include <linux/mutex.h>

#include "lodge_netlink.h"
#include "../stats.h"
#include "../trace.h"

static DEFINE_MUTEX(state_lock);

static int state_send(struct lodge_vm *vm, enum lodge_vm_state state)
{
	struct sk_buff *skb;
	void *header;
	int ret;

	skb = genlmsg_new(lodge_nl_vm_size(), GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	header = genlmsg_put(skb, 0, 0, &lodge_nl_family, 0, LODGE_CMD_VM_NOTIFY);
	mutex_lock(&lodge_vm_list_lock);
	ret = header ? lodge_nl_vm_put(skb, vm, state) : -EMSGSIZE;
	mutex_unlock(&lodge_vm_list_lock);
	if (ret) {
		nlmsg_free(skb);
		return ret;
	}
	genlmsg_end(skb, header);
	/* A listener whose buffer is full has been marked by netlink: it reads ENOBUFS next. */
	genlmsg_multicast(&lodge_nl_family, skb, 0, LODGE_NL_GROUP_VM, GFP_KERNEL);
	return 0;
}

void lodge_notify_state(struct lodge_vm *vm, enum lodge_vm_state state, const char *reason)
{
	/*
	 * Nearly every call changes nothing. Creation is told although the field of a new VM
	 * reads so already.
	 */
	if (READ_ONCE(vm->state) == state && state != LODGE_VM_CREATED)
		return;

	mutex_lock(&state_lock);
	if (vm->state == state && state != LODGE_VM_CREATED)
		goto unlock;
	if (state == LODGE_VM_CRASHED)
		WRITE_ONCE(vm->reason, reason);
	/* Pairs with lodge_nl_vm_state(): who sees the crash sees its reason. */
	smp_store_release(&vm->state, state);
	trace_lodge_vm_state(vm->id, state);
	if (genl_has_listeners(&lodge_nl_family, &init_net, LODGE_NL_GROUP_VM) &&
	    state_send(vm, state))
		genl_set_err(&lodge_nl_family, &init_net, 0, LODGE_NL_GROUP_VM, -ENOBUFS);
unlock:
	mutex_unlock(&state_lock);
}
