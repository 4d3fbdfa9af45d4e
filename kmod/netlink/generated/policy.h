/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Policies, op table and groups of the family "lodge"; the functions they call.
 * Made by uapi/ynl-gen.py from uapi/lodge-netlink.yaml: change it there.
 */
#ifndef LODGE_NETLINK_GENERATED_POLICY_H
#define LODGE_NETLINK_GENERATED_POLICY_H

#include <net/genetlink.h>

/* Positions in lodge_nl_groups[]. */
enum {
	LODGE_NL_GROUP_VM,
	LODGE_NL_NR_GROUPS
};

extern const struct genl_ops lodge_nl_ops[2];
extern const struct genl_multicast_group lodge_nl_groups[1];

int lodge_nl_vm_get_doit(struct sk_buff *skb, struct genl_info *info);
int lodge_nl_vm_get_start(struct netlink_callback *cb);
int lodge_nl_vm_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);
int lodge_nl_vcpu_get_start(struct netlink_callback *cb);
int lodge_nl_vcpu_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);

#endif
