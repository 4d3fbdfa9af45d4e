/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tool's side of the generic netlink family "lodge": connect, list, listen.
 * Nothing is printed here but the sentence of an error, which ends the tool.
 */
#ifndef LODGE_TOOL_NETLINK_H
#define LODGE_TOOL_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include "print.h"

/**
 * struct lodge_vm_info - a VM as the module tells of it
 * @id: number that no other VM gets
 * @pid: process that made it
 * @vcpus: vCPUs made
 * @state: LODGE_STATE_*, or a newer one
 * @memory: bytes of its memory slots
 * @name: empty when it has none
 * @reason: why it crashed, else empty
 */
struct lodge_vm_info {
	uint64_t id;
	uint32_t pid;
	uint32_t vcpus;
	uint32_t state;
	uint64_t memory;
	char name[64];
	char reason[64];
};

/** struct lodge_vm_infos - an array of @nr; the caller frees @vms */
struct lodge_vm_infos {
	struct lodge_vm_info *vms;
	size_t nr;
};

struct lodge_netlink;

/**
 * lodge_netlink_open() - connect to the family
 *
 * Return: the connection; the tool ends when there is no family.
 */
struct lodge_netlink *lodge_netlink_open(void);
void lodge_netlink_close(struct lodge_netlink *netlink);

/**
 * lodge_netlink_vms() - every VM there is, in the order of their ids
 *
 * A list that changed while it was read is read again, and told of on stderr
 * when that never ends. The tool ends when the list may not be read.
 */
struct lodge_vm_infos lodge_netlink_vms(struct lodge_netlink *netlink);

/**
 * lodge_netlink_subscribe() - hear of changes from now on
 * @netlink: the connection, which is good for nothing else from here
 */
void lodge_netlink_subscribe(struct lodge_netlink *netlink);

/** enum lodge_netlink_heard - what lodge_netlink_hear() came to */
enum lodge_netlink_heard {
	HEARD_EVENT,	/* *vm is filled */
	HEARD_NOTHING,	/* time is up, or a signal or a foreign message came */
	HEARD_LOSS,	/* events came faster than they were read: some are missing */
};

/**
 * lodge_netlink_hear() - the next change
 * @netlink: a connection that subscribed
 * @vm: filled with the VM as it was after the change
 * @milliseconds: to wait at most; -1 is for ever
 */
enum lodge_netlink_heard lodge_netlink_hear(struct lodge_netlink *netlink,
					    struct lodge_vm_info *vm, int milliseconds);

/* list.c */

#define LODGE_VM_COLUMNS 7

/** lodge_vm_columns - the columns of a row that tells of a VM */
extern const struct lodge_column lodge_vm_columns[LODGE_VM_COLUMNS];

/** lodge_vm_values_print() - those columns, into a row that was begun */
void lodge_vm_values_print(struct lodge_print *print, const struct lodge_vm_info *vm);

#endif
