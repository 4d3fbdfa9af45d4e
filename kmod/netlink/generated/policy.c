// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies, op table and groups of the family "lodge".
 * Made by uapi/ynl-gen.py from uapi/lodge-netlink.yaml: change it there.
 */
#include "policy.h"

#include <uapi/linux/genetlink.h>

#include "lodge_netlink.h"

static const struct nla_policy vm_get_policy[LODGE_A_VM_ID + 1] = {
	[LODGE_A_VM_ID] = NLA_POLICY_MIN(NLA_U64, 1),
};

static const struct nla_policy vcpu_get_policy[LODGE_A_VCPU_VM_ID + 1] = {
	[LODGE_A_VCPU_VM_ID] = NLA_POLICY_MIN(NLA_U64, 1),
};

const struct genl_ops lodge_nl_ops[2] = {
	{
		.cmd = LODGE_CMD_VM_GET,
		.doit = lodge_nl_vm_get_doit,
		.start = lodge_nl_vm_get_start,
		.dumpit = lodge_nl_vm_get_dumpit,
		.policy = vm_get_policy,
		.maxattr = LODGE_A_VM_ID,
		.flags = GENL_ADMIN_PERM,
	},
	{
		.cmd = LODGE_CMD_VCPU_GET,
		.start = lodge_nl_vcpu_get_start,
		.dumpit = lodge_nl_vcpu_get_dumpit,
		.policy = vcpu_get_policy,
		.maxattr = LODGE_A_VCPU_VM_ID,
		.flags = GENL_ADMIN_PERM,
	},
};

const struct genl_multicast_group lodge_nl_groups[1] = {
	[LODGE_NL_GROUP_VM] = { .name = LODGE_MCGRP_VM, .flags = GENL_MCAST_CAP_NET_ADMIN },
};
