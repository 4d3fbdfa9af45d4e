// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs over netlink: how one is written into a message, vm-get by id and as a
 * dump. Changes of state are in notify.c.
 * A VM is held by lodge_vm_list_lock, under which it is unlinked before it is
 * freed, and under which its name is written. Nothing is taken inside it: a VMM
 * that sleeps with a lock of its own VM held must not hold up the list of all VMs.
 */
#include "netlink_internal.h"

#include <linux/kernel.h>

#include "lodge_netlink.h"
#include "../mmu/mmu.h"
#include "../stats.h"

/* What the module counts in is what the ABI shows. */
static_assert((int)LODGE_VM_CREATED == LODGE_STATE_CREATED);
static_assert((int)LODGE_VM_RUNNING == LODGE_STATE_RUNNING);
static_assert((int)LODGE_VM_HALTED == LODGE_STATE_HALTED);
static_assert((int)LODGE_VM_CRASHED == LODGE_STATE_CRASHED);
static_assert((int)LODGE_VM_DESTROYED == LODGE_STATE_DESTROYED);
static_assert((int)LODGE_IRQCHIP_NONE == LODGE_IRQCHIP_PLACE_USER);
static_assert((int)LODGE_IRQCHIP_KERNEL == LODGE_IRQCHIP_PLACE_KERNEL);
static_assert((int)LODGE_IRQCHIP_SPLIT == LODGE_IRQCHIP_PLACE_SPLIT);

/* Where a dump goes on. VMs are listed by ascending id: a place that no removal moves. */
struct vm_dump {
	u64 last_id;
};

size_t lodge_nl_vm_size(void)
{
	return nla_total_size_64bit(sizeof(u64)) +	/* id */
	       nla_total_size(sizeof(u32)) +		/* pid */
	       nla_total_size(LODGE_NAME_LEN) +		/* name */
	       nla_total_size(sizeof(u32)) +		/* state */
	       nla_total_size(LODGE_NAME_LEN) +		/* reason */
	       nla_total_size(sizeof(u32)) +		/* vcpus */
	       nla_total_size_64bit(sizeof(u64)) +	/* memory */
	       nla_total_size(sizeof(u32));		/* irqchip-mode */
}

static u64 vm_memory(struct lodge_vm *vm)
{
	return lodge_mmu_nr_pages(vm) << PAGE_SHIFT;
}

static int vm_name_put(struct sk_buff *skb, const struct lodge_vm *vm)
{
	return vm->name[0] ? nla_put_string(skb, LODGE_A_VM_NAME, vm->name) : 0;
}

static int vm_reason_put(struct sk_buff *skb, const struct lodge_vm *vm, enum lodge_vm_state state)
{
	const char *reason = READ_ONCE(vm->reason);

	if (state != LODGE_VM_CRASHED || !reason)
		return 0;
	return nla_put_string(skb, LODGE_A_VM_REASON, reason);
}

int lodge_nl_vm_put(struct sk_buff *skb, struct lodge_vm *vm, enum lodge_vm_state state)
{
	lockdep_assert_held(&lodge_vm_list_lock);
	if (nla_put_u64_64bit(skb, LODGE_A_VM_ID, vm->id, LODGE_A_VM_PAD) ||
	    nla_put_u32(skb, LODGE_A_VM_PID, vm->pid) ||
	    vm_name_put(skb, vm) ||
	    nla_put_u32(skb, LODGE_A_VM_STATE, state) ||
	    vm_reason_put(skb, vm, state) ||
	    nla_put_u32(skb, LODGE_A_VM_VCPUS, READ_ONCE(vm->nr_vcpus)) ||
	    nla_put_u64_64bit(skb, LODGE_A_VM_MEMORY, vm_memory(vm), LODGE_A_VM_PAD) ||
	    nla_put_u32(skb, LODGE_A_VM_IRQCHIP_MODE, READ_ONCE(vm->irqchip_mode)))
		return -EMSGSIZE;
	return 0;
}

struct lodge_vm *lodge_nl_vm_find(u64 id)
{
	struct lodge_vm *vm;

	lockdep_assert_held(&lodge_vm_list_lock);
	list_for_each_entry(vm, &lodge_vm_list, link)
		if (vm->id == id)
			return vm;
	return NULL;
}

int lodge_nl_vm_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct lodge_vm *vm;
	struct sk_buff *reply;
	void *header;
	int ret;

	if (GENL_REQ_ATTR_CHECK(info, LODGE_A_VM_ID))
		return -EINVAL;

	reply = genlmsg_new(lodge_nl_vm_size(), GFP_KERNEL);
	if (!reply)
		return -ENOMEM;
	header = genlmsg_put_reply(reply, info, &lodge_nl_family, 0, LODGE_CMD_VM_GET);
	if (!header) {
		ret = -EMSGSIZE;
		goto free_reply;
	}

	mutex_lock(&lodge_vm_list_lock);
	vm = lodge_nl_vm_find(nla_get_u64(info->attrs[LODGE_A_VM_ID]));
	ret = vm ? lodge_nl_vm_put(reply, vm, lodge_nl_vm_state(vm)) : -ENOENT;
	mutex_unlock(&lodge_vm_list_lock);
	if (ret) {
		if (ret == -ENOENT)
			NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[LODGE_A_VM_ID],
					    "no VM has this id");
		goto free_reply;
	}
	genlmsg_end(reply, header);
	return genlmsg_reply(reply, info);

free_reply:
	nlmsg_free(reply);
	return ret;
}

/* do and dump share a policy on kernels before 6.2; what only do takes is refused here. */
int lodge_nl_vm_get_start(struct netlink_callback *cb)
{
	if (nlmsg_attrlen(cb->nlh, GENL_HDRLEN)) {
		NL_SET_ERR_MSG(cb->extack, "a dump of VMs takes no attribute");
		return -EINVAL;
	}
	return 0;
}

static int vm_dump_one(struct sk_buff *skb, struct netlink_callback *cb, struct lodge_vm *vm)
{
	void *header;
	int ret;

	header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			     &lodge_nl_family, NLM_F_MULTI, LODGE_CMD_VM_GET);
	if (!header)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, header);
	ret = lodge_nl_vm_put(skb, vm, lodge_nl_vm_state(vm));
	if (ret) {
		genlmsg_cancel(skb, header);
		return ret;
	}
	genlmsg_end(skb, header);
	return 0;
}

int lodge_nl_vm_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vm_dump *dump = (struct vm_dump *)cb->ctx;
	struct lodge_vm *vm;
	int ret = 0;

	BUILD_BUG_ON(sizeof(*dump) > sizeof(cb->ctx));

	mutex_lock(&lodge_vm_list_lock);
	cb->seq = lodge_nl_generation();
	list_for_each_entry(vm, &lodge_vm_list, link) {
		if (vm->id <= dump->last_id)
			continue;
		ret = vm_dump_one(skb, cb, vm);
		if (ret)
			break;
		dump->last_id = vm->id;
	}
	mutex_unlock(&lodge_vm_list_lock);
	/* What is there is sent and the dump called again; a VM that fits nowhere is an error. */
	return skb->len ?: ret;
}
