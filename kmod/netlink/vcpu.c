// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPUs over netlink: vcpu-get, a dump of all VMs' vCPUs or of one VM's.
 * Held by lodge_vm_list_lock, as in vm.c: a VM's vCPUs are never removed before
 * the VM itself is unlinked. Their fields are single words that a running vCPU
 * changes meanwhile; each is told as it was at some moment of the dump.
 */
#include "netlink_internal.h"

#include <linux/kernel.h>

#include "lodge_netlink.h"

/* Where a dump goes on: at that vCPU of the first VM whose id is not below this one. */
struct vcpu_dump {
	u64 vm_id;
	u64 only_vm_id;		/* or 0: all VMs */
	u32 index;
};

static struct vcpu_dump *vcpu_dump_of(struct netlink_callback *cb)
{
	BUILD_BUG_ON(sizeof(struct vcpu_dump) > sizeof(cb->ctx));
	return (struct vcpu_dump *)cb->ctx;
}

static int vcpu_put(struct sk_buff *skb, struct lodge_vcpu *vcpu)
{
	pid_t tid = READ_ONCE(vcpu->tid);
	int cpu = READ_ONCE(vcpu->cpu);

	if (nla_put_u64_64bit(skb, LODGE_A_VCPU_VM_ID, vcpu->vm->id, LODGE_A_VCPU_PAD) ||
	    nla_put_u32(skb, LODGE_A_VCPU_INDEX, vcpu->index) ||
	    nla_put_u32(skb, LODGE_A_VCPU_APIC_ID, vcpu->id) ||
	    nla_put_u32(skb, LODGE_A_VCPU_MP_STATE, READ_ONCE(vcpu->mp_state)) ||
	    (tid && nla_put_u32(skb, LODGE_A_VCPU_PID, tid)) ||
	    nla_put_u64_64bit(skb, LODGE_A_VCPU_EXITS, READ_ONCE(vcpu->nr_exits),
			      LODGE_A_VCPU_PAD) ||
	    (cpu >= 0 && nla_put_u32(skb, LODGE_A_VCPU_CPU, cpu)))
		return -EMSGSIZE;
	return 0;
}

static int vcpu_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			 struct lodge_vcpu *vcpu)
{
	void *header;
	int ret;

	header = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			     &lodge_nl_family, NLM_F_MULTI, LODGE_CMD_VCPU_GET);
	if (!header)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, header);
	ret = vcpu_put(skb, vcpu);
	if (ret) {
		genlmsg_cancel(skb, header);
		return ret;
	}
	genlmsg_end(skb, header);
	return 0;
}

static int vcpu_dump_vm(struct sk_buff *skb, struct netlink_callback *cb, struct lodge_vm *vm)
{
	struct vcpu_dump *dump = vcpu_dump_of(cb);
	struct lodge_vcpu *vcpu;
	int ret;

	if (dump->vm_id != vm->id) {
		dump->vm_id = vm->id;
		dump->index = 0;
	}
	for (; dump->index < READ_ONCE(vm->nr_vcpus); dump->index++) {
		vcpu = xa_load(&vm->vcpus, dump->index);
		ret = vcpu ? vcpu_dump_one(skb, cb, vcpu) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

int lodge_nl_vcpu_get_start(struct netlink_callback *cb)
{
	struct nlattr *filter = nlmsg_find_attr(cb->nlh, GENL_HDRLEN, LODGE_A_VCPU_VM_ID);
	struct vcpu_dump *dump = vcpu_dump_of(cb);
	bool found;

	if (!filter)
		return 0;
	dump->only_vm_id = nla_get_u64(filter);

	mutex_lock(&lodge_vm_list_lock);
	found = lodge_nl_vm_find(dump->only_vm_id);
	mutex_unlock(&lodge_vm_list_lock);
	if (!found) {
		NL_SET_ERR_MSG_ATTR(cb->extack, filter, "no VM has this id");
		return -ENOENT;
	}
	return 0;
}

int lodge_nl_vcpu_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vcpu_dump *dump = vcpu_dump_of(cb);
	struct lodge_vm *vm;
	int ret = 0;

	mutex_lock(&lodge_vm_list_lock);
	cb->seq = lodge_nl_generation();
	list_for_each_entry(vm, &lodge_vm_list, link) {
		if (vm->id < dump->vm_id || (dump->only_vm_id && vm->id != dump->only_vm_id))
			continue;
		ret = vcpu_dump_vm(skb, cb, vm);
		if (ret)
			break;
	}
	mutex_unlock(&lodge_vm_list_lock);
	return skb->len ?: ret;
}
