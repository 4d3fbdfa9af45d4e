// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink with libnl: the messages of the family "lodge" to structs.
 * What is done with them is in list.c and events.c. One thread.
 */
#include "netlink.h"

#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../uapi/lodge_netlink.h"
#include "host.h"
#include "tool.h"

/* Room for some thousand events of a host that starts all its VMs at once. */
#define EVENT_BUFFER_BYTES	(1 << 20)

/* A list that changed while it was read is read again so often. */
#define LIST_TRIES		16

/**
 * struct lodge_netlink - a connection
 * @socket: libnl's
 * @family: number that the kernel gave the family
 * @infos: what the last receive brought
 * @next: of @infos, not yet handed out by lodge_netlink_hear()
 */
struct lodge_netlink {
	struct nl_sock *socket;
	int family;
	struct lodge_vm_infos infos;
	size_t next;
};

static struct nla_policy vm_policy[LODGE_A_VM_MAX + 1] = {
	[LODGE_A_VM_ID] = { .type = NLA_U64 },
	[LODGE_A_VM_PID] = { .type = NLA_U32 },
	[LODGE_A_VM_NAME] = { .type = NLA_STRING },
	[LODGE_A_VM_STATE] = { .type = NLA_U32 },
	[LODGE_A_VM_REASON] = { .type = NLA_STRING },
	[LODGE_A_VM_VCPUS] = { .type = NLA_U32 },
	[LODGE_A_VM_MEMORY] = { .type = NLA_U64 },
};

static void memory_fail(void)
{
	lodge_fail(STATUS_MEMORY, "there is no memory for the list of VMs");
}

static int vm_parse(struct nl_msg *message, struct lodge_vm_info *vm)
{
	struct nlattr *attrs[LODGE_A_VM_MAX + 1];
	int ret;

	ret = genlmsg_parse(nlmsg_hdr(message), 0, attrs, LODGE_A_VM_MAX, vm_policy);
	if (ret < 0)
		return ret;
	if (!attrs[LODGE_A_VM_ID] || !attrs[LODGE_A_VM_STATE])
		return -NLE_MISSING_ATTR;
	*vm = (struct lodge_vm_info){
		.id = nla_get_u64(attrs[LODGE_A_VM_ID]),
		.state = nla_get_u32(attrs[LODGE_A_VM_STATE]),
	};
	if (attrs[LODGE_A_VM_PID])
		vm->pid = nla_get_u32(attrs[LODGE_A_VM_PID]);
	if (attrs[LODGE_A_VM_VCPUS])
		vm->vcpus = nla_get_u32(attrs[LODGE_A_VM_VCPUS]);
	if (attrs[LODGE_A_VM_MEMORY])
		vm->memory = nla_get_u64(attrs[LODGE_A_VM_MEMORY]);
	if (attrs[LODGE_A_VM_NAME])
		nla_strlcpy(vm->name, attrs[LODGE_A_VM_NAME], sizeof(vm->name));
	if (attrs[LODGE_A_VM_REASON])
		nla_strlcpy(vm->reason, attrs[LODGE_A_VM_REASON], sizeof(vm->reason));
	return 0;
}

static int vm_received(struct nl_msg *message, void *context)
{
	struct lodge_netlink *netlink = context;
	struct lodge_vm_infos *infos = &netlink->infos;
	const struct genlmsghdr *header = genlmsg_hdr(nlmsg_hdr(message));
	struct lodge_vm_info *vms;
	int ret;

	/* A newer module may tell of more than this tool knows. */
	if (header->cmd != LODGE_CMD_VM_GET && header->cmd != LODGE_CMD_VM_NOTIFY)
		return NL_SKIP;
	vms = realloc(infos->vms, (infos->nr + 1) * sizeof(*vms));
	if (!vms)
		memory_fail();
	infos->vms = vms;
	ret = vm_parse(message, &vms[infos->nr]);
	if (ret < 0)
		return ret;
	infos->nr++;
	return NL_OK;
}

static void infos_drop(struct lodge_netlink *netlink)
{
	free(netlink->infos.vms);
	netlink->infos = (struct lodge_vm_infos){ NULL, 0 };
	netlink->next = 0;
}

static void __attribute__((noreturn)) family_missing(int error)
{
	if (error != -NLE_OBJ_NOTFOUND)
		lodge_fail(STATUS_FAILED, "netlink does not answer: %s", nl_geterror(error));
	if (lodge_host_module("lodge").loaded)
		lodge_fail(STATUS_NO_DEVICE, "the module lodge shows its VMs in the host's first "
			   "network namespace only: run lodge there (nsenter -t 1 -n)");
	lodge_fail(STATUS_NO_DEVICE, "the module lodge is not loaded: modprobe lodge");
}

struct lodge_netlink *lodge_netlink_open(void)
{
	struct lodge_netlink *netlink = calloc(1, sizeof(*netlink));
	int ret;

	if (!netlink)
		memory_fail();
	netlink->socket = nl_socket_alloc();
	if (!netlink->socket)
		memory_fail();
	ret = genl_connect(netlink->socket);
	if (ret < 0)
		lodge_fail(STATUS_FAILED, "no netlink socket can be opened: %s", nl_geterror(ret));
	netlink->family = genl_ctrl_resolve(netlink->socket, LODGE_FAMILY_NAME);
	if (netlink->family < 0)
		family_missing(netlink->family);
	nl_socket_modify_cb(netlink->socket, NL_CB_VALID, NL_CB_CUSTOM, vm_received, netlink);
	return netlink;
}

void lodge_netlink_close(struct lodge_netlink *netlink)
{
	infos_drop(netlink);
	nl_socket_free(netlink->socket);
	free(netlink);
}

struct lodge_vm_infos lodge_netlink_vms(struct lodge_netlink *netlink)
{
	struct lodge_vm_infos infos;
	unsigned int tries = 0;
	int ret;

	do {
		infos_drop(netlink);
		ret = genl_send_simple(netlink->socket, netlink->family, LODGE_CMD_VM_GET,
				       LODGE_FAMILY_VERSION, NLM_F_DUMP);
		if (ret >= 0)
			ret = nl_recvmsgs_default(netlink->socket);
	} while (ret == -NLE_DUMP_INTR && ++tries < LIST_TRIES);
	if (ret == -NLE_PERM)
		lodge_fail(STATUS_PERMISSION,
			   "listing VMs needs CAP_NET_ADMIN: run it as root (sudo lodge list)");
	if (ret == -NLE_DUMP_INTR)
		lodge_warn("VMs come and go faster than they can be listed: some may be missing");
	else if (ret < 0)
		lodge_fail(STATUS_FAILED, "the VMs cannot be listed: %s", nl_geterror(ret));
	infos = netlink->infos;
	netlink->infos = (struct lodge_vm_infos){ NULL, 0 };
	return infos;
}

void lodge_netlink_subscribe(struct lodge_netlink *netlink)
{
	const int bytes = EVENT_BUFFER_BYTES;
	int group, ret;

	group = genl_ctrl_resolve_grp(netlink->socket, LODGE_FAMILY_NAME, LODGE_MCGRP_VM);
	if (group < 0)
		family_missing(group);
	/* Events carry no sequence number. */
	nl_socket_disable_seq_check(netlink->socket);
	/* Beyond rmem_max, which CAP_NET_ADMIN allows. A smaller buffer is no reason to give up. */
	setsockopt(nl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		   sizeof(bytes));
	ret = nl_socket_set_nonblocking(netlink->socket);
	if (ret >= 0)
		ret = nl_socket_add_membership(netlink->socket, group);
	if (ret == -NLE_PERM)
		lodge_fail(STATUS_PERMISSION, "listening to the events of VMs needs CAP_NET_ADMIN: "
			   "run it as root (sudo lodge events)");
	if (ret < 0)
		lodge_fail(STATUS_FAILED, "the events of VMs cannot be heard: %s",
			   nl_geterror(ret));
}

enum lodge_netlink_heard lodge_netlink_hear(struct lodge_netlink *netlink,
					    struct lodge_vm_info *vm, int milliseconds)
{
	struct pollfd ready = { .fd = nl_socket_get_fd(netlink->socket), .events = POLLIN };
	int ret;

	if (netlink->next == netlink->infos.nr) {
		infos_drop(netlink);
		ret = poll(&ready, 1, milliseconds);
		if (!ret || (ret < 0 && errno == EINTR))
			return HEARD_NOTHING;
		if (ret < 0)
			lodge_fail(STATUS_FAILED, "the events of VMs cannot be awaited: %s",
				   strerror(errno));
		ret = nl_recvmsgs_default(netlink->socket);
		if (ret == -NLE_NOMEM)
			return HEARD_LOSS;	/* ENOBUFS: the kernel dropped some */
		if (ret < 0 && ret != -NLE_AGAIN)
			lodge_fail(STATUS_FAILED, "the events of VMs cannot be heard: %s",
				   nl_geterror(ret));
		if (!netlink->infos.nr)
			return HEARD_NOTHING;
	}
	*vm = netlink->infos.vms[netlink->next++];
	return HEARD_EVENT;
}
