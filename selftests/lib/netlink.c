// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests and answers of the family "lodge". Every length is checked here too:
 * a message of the module that is not well formed fails the case.
 * Locking: none.
 */
#include "netlink.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NL_BUFFER	32768

int nl_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

	CHECK_GE(fd, 0);
	return fd;
}

static size_t aligned(size_t len)
{
	return NLA_ALIGN(len);
}

static void attrs_parse(const void *data, size_t len, const struct nlattr **attrs, size_t nr)
{
	const struct nlattr *attr = data;

	memset(attrs, 0, nr * sizeof(*attrs));
	while (len >= NLA_HDRLEN) {
		u16 type = attr->nla_type & NLA_TYPE_MASK;

		if (attr->nla_len < NLA_HDRLEN || attr->nla_len > len)
			FAIL("attribute %u is %u long of %zu left", type, attr->nla_len, len);
		if (type < nr)
			attrs[type] = attr;
		if (aligned(attr->nla_len) >= len)
			return;
		len -= aligned(attr->nla_len);
		attr = (const void *)((const char *)attr + aligned(attr->nla_len));
	}
	CHECK_EQ(len, 0);
}

static const void *attr_data(const struct nlattr *attr, size_t len)
{
	CHECK_EQ(attr->nla_len, NLA_HDRLEN + len);
	return (const char *)attr + NLA_HDRLEN;
}

static u32 attr_u32(const struct nlattr *attr)
{
	u32 value = 0;

	if (attr)
		memcpy(&value, attr_data(attr, sizeof(value)), sizeof(value));
	return value;
}

static u64 attr_u64(const struct nlattr *attr)
{
	u64 value = 0;

	if (attr)
		memcpy(&value, attr_data(attr, sizeof(value)), sizeof(value));
	return value;
}

static void attr_text(const struct nlattr *attr, char *text, size_t size)
{
	size_t len;

	if (!attr)
		return;
	len = attr->nla_len - NLA_HDRLEN;
	CHECK_GE(len, 1);
	CHECK_LE(len, size);
	memcpy(text, (const char *)attr + NLA_HDRLEN, len);
	CHECK_EQ(text[len - 1], 0);
}

void nl_request_begin(struct nl *nl, struct nl_request *request, u8 cmd, u16 flags)
{
	struct genlmsghdr genl = { .cmd = cmd, .version = LODGE_FAMILY_VERSION };

	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	request->header.nlmsg_type = nl->family;
	request->header.nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(request->bytes + NLMSG_HDRLEN, &genl, sizeof(genl));
}

void nl_put(struct nl_request *request, u16 type, const void *data, size_t len)
{
	struct nlattr attr = { .nla_type = type, .nla_len = NLA_HDRLEN + len };
	u8 *end = request->bytes + request->header.nlmsg_len;

	CHECK_LE(request->header.nlmsg_len + NLA_HDRLEN + aligned(len), sizeof(*request));
	memcpy(end, &attr, sizeof(attr));
	memcpy(end + NLA_HDRLEN, data, len);
	request->header.nlmsg_len += NLA_HDRLEN + aligned(len);
}

void nl_put_u64(struct nl_request *request, u16 type, u64 value)
{
	nl_put(request, type, &value, sizeof(value));
}

void nl_send(struct nl *nl, struct nl_request *request)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	request->header.nlmsg_seq = ++nl->seq;
	nl->interrupted = false;
	CHECK_EQ(sendto(nl->fd, request, request->header.nlmsg_len, 0,
			(struct sockaddr *)&kernel, sizeof(kernel)),
		 request->header.nlmsg_len);
}

static void answer_pass(const struct nlmsghdr *header,
			void (*fn)(const struct nl_answer *answer, void *context), void *context)
{
	const struct genlmsghdr *genl = NLMSG_DATA(header);
	struct nl_answer answer;

	CHECK_GE(header->nlmsg_len, NLMSG_HDRLEN + GENL_HDRLEN);
	answer.cmd = genl->cmd;
	attrs_parse((const char *)genl + GENL_HDRLEN,
		    header->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN, answer.attrs, NL_ATTRS);
	if (fn)
		fn(&answer, context);
}

long nl_receive(struct nl *nl, void (*fn)(const struct nl_answer *answer, void *context),
		void *context)
{
	static u8 bytes[NL_BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *header = (const void *)bytes;
	ssize_t got = recv(nl->fd, bytes, nl->buffer, 0);
	size_t len;

	if (got < 0)
		return -errno;
	for (len = (size_t)got; NLMSG_OK(header, len); header = NLMSG_NEXT(header, len)) {
		if (header->nlmsg_flags & NLM_F_DUMP_INTR)
			nl->interrupted = true;
		switch (header->nlmsg_type) {
		case NLMSG_ERROR:
		case NLMSG_DONE:
			CHECK_GE(header->nlmsg_len, NLMSG_HDRLEN + sizeof(int));
			return *(const int *)NLMSG_DATA(header);
		default:
			answer_pass(header, fn, context);
		}
	}
	CHECK_EQ(len, 0);
	return 1;
}

long nl_exchange(struct nl *nl, struct nl_request *request,
		 void (*fn)(const struct nl_answer *answer, void *context), void *context)
{
	long ret;

	nl_send(nl, request);
	do
		ret = nl_receive(nl, fn, context);
	while (ret > 0);
	return ret;
}

struct family_answer {
	u16 family;
	u32 group;
};

static void family_read(const struct nl_answer *answer, void *context)
{
	const struct nlattr *groups = answer->attrs[CTRL_ATTR_MCAST_GROUPS];
	const struct nlattr *one[8], *parts[NL_ATTRS];
	struct family_answer *found = context;
	size_t i;

	CHECK(answer->attrs[CTRL_ATTR_FAMILY_ID]);
	memcpy(&found->family, attr_data(answer->attrs[CTRL_ATTR_FAMILY_ID], 2), 2);
	if (!groups)
		return;
	attrs_parse((const char *)groups + NLA_HDRLEN, groups->nla_len - NLA_HDRLEN, one, 8);
	for (i = 0; i < ARRAY_SIZE(one); i++) {
		if (!one[i])
			continue;
		attrs_parse((const char *)one[i] + NLA_HDRLEN, one[i]->nla_len - NLA_HDRLEN,
			    parts, NL_ATTRS);
		if (!strcmp((const char *)parts[CTRL_ATTR_MCAST_GRP_NAME] + NLA_HDRLEN,
			    LODGE_MCGRP_VM))
			found->group = attr_u32(parts[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

u16 nl_family(int fd, u32 *group)
{
	struct nl nl = { .fd = fd, .family = GENL_ID_CTRL, .buffer = NL_BUFFER };
	struct family_answer found = { 0 };
	struct nl_request request;
	long ret;

	nl_request_begin(&nl, &request, CTRL_CMD_GETFAMILY, NLM_F_ACK);
	nl_put(&request, CTRL_ATTR_FAMILY_NAME, LODGE_FAMILY_NAME, sizeof(LODGE_FAMILY_NAME));
	ret = nl_exchange(&nl, &request, family_read, &found);
	if (ret && ret != -ENOENT)
		FAIL("the family cannot be looked up: %s", errno_name(ret));
	if (group)
		*group = found.group;
	return ret ? 0 : found.family;
}

struct nl *nl_open(void)
{
	struct nl *nl = calloc(1, sizeof(*nl));

	CHECK(nl);
	nl->fd = nl_socket();
	nl->buffer = NL_BUFFER;
	nl->family = nl_family(nl->fd, &nl->group);
	if (!nl->family)
		ktap_skip("no netlink family \"lodge\"");
	CHECK_NE(nl->group, 0);
	return nl;
}

static u32 attrs_present(const struct nl_answer *answer)
{
	u32 has = 0;
	unsigned int i;

	for (i = 0; i < NL_ATTRS; i++)
		if (answer->attrs[i])
			has |= (u32)BIT(i);
	return has;
}

static void vm_read(const struct nl_answer *answer, struct nl_vm *vm)
{
	const struct nlattr *const *attrs = answer->attrs;

	*vm = (struct nl_vm) {
		.has = attrs_present(answer),
		.id = attr_u64(attrs[LODGE_A_VM_ID]),
		.memory = attr_u64(attrs[LODGE_A_VM_MEMORY]),
		.pid = attr_u32(attrs[LODGE_A_VM_PID]),
		.state = attr_u32(attrs[LODGE_A_VM_STATE]),
		.vcpus = attr_u32(attrs[LODGE_A_VM_VCPUS]),
		.irqchip_mode = attr_u32(attrs[LODGE_A_VM_IRQCHIP_MODE]),
	};
	attr_text(attrs[LODGE_A_VM_NAME], vm->name, sizeof(vm->name));
	attr_text(attrs[LODGE_A_VM_REASON], vm->reason, sizeof(vm->reason));
}

void nl_vm_add(const struct nl_answer *answer, void *context)
{
	struct nl_vms *vms = context;

	CHECK_EQ(answer->cmd, LODGE_CMD_VM_GET);
	CHECK_LE(vms->nr, NL_LIST - 1);
	vm_read(answer, &vms->list[vms->nr++]);
}

void nl_vcpu_add(const struct nl_answer *answer, void *context)
{
	const struct nlattr *const *attrs = answer->attrs;
	struct nl_vcpus *vcpus = context;

	CHECK_EQ(answer->cmd, LODGE_CMD_VCPU_GET);
	CHECK_LE(vcpus->nr, NL_LIST - 1);
	vcpus->list[vcpus->nr++] = (struct nl_vcpu) {
		.has = attrs_present(answer),
		.vm_id = attr_u64(attrs[LODGE_A_VCPU_VM_ID]),
		.exits = attr_u64(attrs[LODGE_A_VCPU_EXITS]),
		.index = attr_u32(attrs[LODGE_A_VCPU_INDEX]),
		.apic_id = attr_u32(attrs[LODGE_A_VCPU_APIC_ID]),
		.mp_state = attr_u32(attrs[LODGE_A_VCPU_MP_STATE]),
		.pid = attr_u32(attrs[LODGE_A_VCPU_PID]),
		.cpu = attr_u32(attrs[LODGE_A_VCPU_CPU]),
	};
}

long nl_vm_get(struct nl *nl, u64 id, struct nl_vm *vm)
{
	static struct nl_vms vms;
	struct nl_request request;
	long ret;

	vms.nr = 0;
	nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
	nl_put_u64(&request, LODGE_A_VM_ID, id);
	ret = nl_exchange(nl, &request, nl_vm_add, &vms);
	CHECK_EQ(vms.nr, ret ? 0 : 1);
	if (!ret)
		*vm = vms.list[0];
	return ret;
}

void nl_vms_get(struct nl *nl, struct nl_vms *vms)
{
	struct nl_request request;

	do {
		vms->nr = 0;
		nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_DUMP);
		CHECK_EQ(nl_exchange(nl, &request, nl_vm_add, vms), 0);
	} while (nl->interrupted);
}

long nl_vcpus_get(struct nl *nl, u64 vm_id, struct nl_vcpus *vcpus)
{
	struct nl_request request;

	vcpus->nr = 0;
	nl_request_begin(nl, &request, LODGE_CMD_VCPU_GET, NLM_F_DUMP);
	if (vm_id)
		nl_put_u64(&request, LODGE_A_VCPU_VM_ID, vm_id);
	return nl_exchange(nl, &request, nl_vcpu_add, vcpus);
}

struct nl_vm nl_own_vm(struct nl *nl)
{
	static struct nl_vms vms;
	struct nl_vm found = { 0 };
	size_t i;

	nl_vms_get(nl, &vms);
	for (i = 0; i < vms.nr; i++) {
		if (vms.list[i].pid != (u32)getpid())
			continue;
		if (found.id)
			FAIL("VMs %llu and %llu are both of this process",
			     (unsigned long long)found.id, (unsigned long long)vms.list[i].id);
		found = vms.list[i];
	}
	if (!found.id)
		FAIL("no VM of this process among %zu", vms.nr);
	return found;
}

long nl_subscribe(struct nl *nl, u32 group)
{
	if (setsockopt(nl->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return -errno;
	return 0;
}

struct event {
	bool heard;
	struct nl_vm vm;
};

static void event_read(const struct nl_answer *answer, void *context)
{
	struct event *event = context;

	CHECK_EQ(answer->cmd, LODGE_CMD_VM_NOTIFY);
	vm_read(answer, &event->vm);
	event->heard = event->vm.pid == (u32)getpid();
}

bool nl_event(struct nl *nl, struct nl_vm *vm, int ms)
{
	struct pollfd ready = { .fd = nl->fd, .events = POLLIN };
	struct event event = { .heard = false };

	/* Each notification is a datagram of its own. */
	while (!event.heard) {
		if (poll(&ready, 1, ms) != 1)
			return false;
		CHECK_EQ(nl_receive(nl, event_read, &event), 1);
	}
	*vm = event.vm;
	return true;
}

struct nl_vm nl_event_expect(struct nl *nl, enum lodge_state state, const char *file, int line)
{
	struct nl_vm vm;

	if (!nl_event(nl, &vm, (int)ktap_scale(5) * 1000))
		ktap_fail(file, line, "no event came, state %d was expected", state);
	if (vm.state != state)
		ktap_fail(file, line, "the event tells state %u, expected %d", vm.state, state);
	return vm;
}
