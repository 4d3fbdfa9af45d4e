/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the values of the netlink spec's enums are spelled.
 * Made by uapi/ynl-gen.py from uapi/lodge-netlink.yaml: change it there.
 */
#ifndef LODGE_GENERATED_NETLINK_NAMES_H
#define LODGE_GENERATED_NETLINK_NAMES_H

#include "../../uapi/lodge_netlink.h"

static const char *const lodge_state_names[] = {
	[LODGE_STATE_CREATED] = "created",
	[LODGE_STATE_RUNNING] = "running",
	[LODGE_STATE_HALTED] = "halted",
	[LODGE_STATE_CRASHED] = "crashed",
	[LODGE_STATE_DESTROYED] = "destroyed",
};

static const char *const lodge_irqchip_place_names[] = {
	[LODGE_IRQCHIP_PLACE_USER] = "user",
	[LODGE_IRQCHIP_PLACE_KERNEL] = "kernel",
	[LODGE_IRQCHIP_PLACE_SPLIT] = "split",
};

#endif
