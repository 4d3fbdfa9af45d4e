/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family "lodge" by hand: requests that may be as wrong as
 * a test likes, answers taken apart, events. No netlink library, since a test
 * must be able to send what a library would not.
 * Locking: none; a struct nl belongs to one thread.
 */
#ifndef LODGE_SELFTEST_NETLINK_H
#define LODGE_SELFTEST_NETLINK_H

#include <linux/genetlink.h>
#include <linux/netlink.h>

#include "ktap.h"
#include "lodge_netlink.h"

#define NL_ATTRS	32	/* more than any set has */

/**
 * struct nl - a socket
 * @fd: of the socket
 * @family: number of the family
 * @group: number of the multicast group "vm"
 * @seq: of the last request
 * @interrupted: an answer since the last request bore NLM_F_DUMP_INTR
 * @buffer: size to receive with, which bounds a dump's pieces; tests may lower it
 */
struct nl {
	int fd;
	u16 family;
	u32 group;
	u32 seq;
	bool interrupted;
	size_t buffer;
};

/* A request under construction. */
struct nl_request {
	union {
		struct nlmsghdr header;
		u8 bytes[1024];
	};
};

/* One message of an answer. */
struct nl_answer {
	u8 cmd;
	const struct nlattr *attrs[NL_ATTRS];
};

/* A VM as told; absent attributes are zero, and their bit in @has is too. */
struct nl_vm {
	u32 has;		/* BIT(LODGE_A_VM_*) */
	u64 id, memory;
	u32 pid, state, vcpus, irqchip_mode;
	char name[64], reason[64];
};

struct nl_vcpu {
	u32 has;		/* BIT(LODGE_A_VCPU_*) */
	u64 vm_id, exits;
	u32 index, apic_id, mp_state, pid, cpu;
};

#define NL_LIST	512

struct nl_vms {
	size_t nr;
	struct nl_vm list[NL_LIST];
};

struct nl_vcpus {
	size_t nr;
	struct nl_vcpu list[NL_LIST];
};

/** nl_open - connect, or skip the case when the family is not there */
struct nl *nl_open(void);
/** nl_socket - a bare generic netlink socket; fails the case */
int nl_socket(void);
/** nl_family - number of the family, 0 if there is none; @group may be NULL */
u16 nl_family(int fd, u32 *group);

/** nl_request_begin - start a request with the right family and version */
void nl_request_begin(struct nl *nl, struct nl_request *request, u8 cmd, u16 flags);
void nl_put(struct nl_request *request, u16 type, const void *data, size_t len);
void nl_put_u64(struct nl_request *request, u16 type, u64 value);
void nl_send(struct nl *nl, struct nl_request *request);

/**
 * nl_receive - one read of answers
 * @fn: called for each message that is neither an end nor an error
 *
 * Return: 1 to go on, 0 at the end of the answer, or -errno as answered.
 */
long nl_receive(struct nl *nl, void (*fn)(const struct nl_answer *answer, void *context),
		void *context);
/** nl_exchange - send and receive to the end; 0 or -errno */
long nl_exchange(struct nl *nl, struct nl_request *request,
		 void (*fn)(const struct nl_answer *answer, void *context), void *context);

/** nl_vm_add, nl_vcpu_add - for @fn: append to a struct nl_vms, nl_vcpus */
void nl_vm_add(const struct nl_answer *answer, void *vms);
void nl_vcpu_add(const struct nl_answer *answer, void *vcpus);

/** nl_vm_get - one VM by id; 0 or -errno */
long nl_vm_get(struct nl *nl, u64 id, struct nl_vm *vm);
/** nl_vms_get - all VMs; fails the case on an error */
void nl_vms_get(struct nl *nl, struct nl_vms *vms);
/** nl_vcpus_get - the vCPUs of @vm_id, or of all VMs when it is 0; 0 or -errno */
long nl_vcpus_get(struct nl *nl, u64 vm_id, struct nl_vcpus *vcpus);
/** nl_own_vm - the only VM that this process made; fails the case */
struct nl_vm nl_own_vm(struct nl *nl);

/** nl_subscribe - join a multicast group; 0 or -errno */
long nl_subscribe(struct nl *nl, u32 group);
/** nl_event - the next event of a VM that this process made; false: none within @ms */
bool nl_event(struct nl *nl, struct nl_vm *vm, int ms);
/** nl_event_expect - the next event must tell this state */
struct nl_vm nl_event_expect(struct nl *nl, enum lodge_state state, const char *file, int line);
#define NL_EXPECT(nl, state)	nl_event_expect(nl, state, __FILE__, __LINE__)

#endif
