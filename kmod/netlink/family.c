// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family "lodge": its registration and nothing else. Ops and
 * policies come from generated/, answers from vm.c and vcpu.c, events from notify.c.
 * No lock of its own: parallel_ops, so each op takes what it reads under.
 */
#include "netlink_internal.h"

#include <linux/module.h>

#include "lodge_netlink.h"
#include "../stats.h"

/* netnsok stays false: VMs belong to the machine, so only its first network namespace sees them. */
struct genl_family lodge_nl_family __ro_after_init = {
	.name = LODGE_FAMILY_NAME,
	.version = LODGE_FAMILY_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = lodge_nl_ops,
	.n_ops = ARRAY_SIZE(lodge_nl_ops),
	.mcgrps = lodge_nl_groups,
	.n_mcgrps = ARRAY_SIZE(lodge_nl_groups),
};

int __init lodge_netlink_init(void)
{
	return genl_register_family(&lodge_nl_family);
}

void lodge_netlink_exit(void)
{
	genl_unregister_family(&lodge_nl_family);
}
