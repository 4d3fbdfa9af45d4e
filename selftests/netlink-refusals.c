// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the netlink family refuses, one thing wrong at a time, and with which
 * errno. The same request without the fault is answered.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>

#include "netlink.h"
#include "vm.h"

#define NOBODY	65534

static long request_send(struct nl *nl, struct nl_request *request)
{
	return nl_exchange(nl, request, NULL, NULL);
}

static void id_is_required(void)
{
	struct nl *nl = nl_open();
	struct nl_request request;

	nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
	CHECK_ERR(request_send(nl, &request), EINVAL);
}

static void id_must_be_there(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	u64 id = nl_own_vm(nl).id;
	static struct nl_vcpus vcpus;
	struct nl_vm told;

	CHECK_EQ(nl_vm_get(nl, id, &told), 0);
	CHECK_ERR(nl_vm_get(nl, id + 1000, &told), ENOENT);
	CHECK_ERR(nl_vm_get(nl, ~0ull, &told), ENOENT);
	CHECK_ERR(nl_vm_get(nl, 0, &told), ERANGE);
	CHECK_EQ(nl_vcpus_get(nl, id, &vcpus), 0);
	CHECK_ERR(nl_vcpus_get(nl, id + 1000, &vcpus), ENOENT);
	vm_free(vm);
	CHECK_ERR(nl_vcpus_get(nl, id, &vcpus), ENOENT);
}

static void id_has_eight_bytes(void)
{
	static const size_t sizes[] = { 0, 1, 4, 7, 9, 16 };
	static const u8 ones[16] = { 1 };
	struct nl *nl = nl_open();
	struct nl_request request;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
		nl_put(&request, LODGE_A_VM_ID, ones, sizes[i]);
		CHECK_ERR(request_send(nl, &request), EINVAL);
		nl_request_begin(nl, &request, LODGE_CMD_VCPU_GET, NLM_F_DUMP);
		nl_put(&request, LODGE_A_VCPU_VM_ID, ones, sizes[i]);
		CHECK_ERR(request_send(nl, &request), EINVAL);
	}
}

static void other_attributes_are_refused(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	u64 id = nl_own_vm(nl).id;
	struct nl_request request;
	u16 type;

	for (type = LODGE_A_VM_ID + 1; type < LODGE_A_VM_MAX + 8; type++) {
		nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
		nl_put_u64(&request, LODGE_A_VM_ID, id);
		nl_put_u64(&request, type, 1);
		CHECK_ERR(request_send(nl, &request), EINVAL);
	}
	for (type = LODGE_A_VCPU_VM_ID + 1; type < LODGE_A_VCPU_MAX + 8; type++) {
		nl_request_begin(nl, &request, LODGE_CMD_VCPU_GET, NLM_F_DUMP);
		nl_put_u64(&request, type, 1);
		CHECK_ERR(request_send(nl, &request), EINVAL);
	}
	nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
	nl_put_u64(&request, LODGE_A_VM_ID | NLA_F_NESTED, id);
	CHECK_ERR(request_send(nl, &request), EINVAL);
	vm_free(vm);
}

static void dump_of_vms_takes_no_attribute(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	struct nl_request request;

	nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_DUMP);
	nl_put_u64(&request, LODGE_A_VM_ID, nl_own_vm(nl).id);
	CHECK_ERR(request_send(nl, &request), EINVAL);
	vm_free(vm);
}

static void trailing_bytes_are_refused(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	struct nl_request request;

	nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
	nl_put_u64(&request, LODGE_A_VM_ID, nl_own_vm(nl).id);
	request.header.nlmsg_len += 3;
	CHECK_ERR(request_send(nl, &request), EINVAL);
	vm_free(vm);
}

static void reserved_header_bytes_are_refused(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	struct genlmsghdr genl = { .cmd = LODGE_CMD_VM_GET, .version = 1, .reserved = 1 };
	struct nl_request request;

	nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
	nl_put_u64(&request, LODGE_A_VM_ID, nl_own_vm(nl).id);
	memcpy(request.bytes + NLMSG_HDRLEN, &genl, sizeof(genl));
	CHECK_ERR(request_send(nl, &request), EINVAL);
	vm_free(vm);
}

static void unknown_operations(void)
{
	static const struct {
		u8 cmd;
		u16 flags;
	} unknown[] = {
		{ 0, NLM_F_ACK }, { 0, NLM_F_DUMP },
		{ LODGE_CMD_VM_NOTIFY, NLM_F_ACK }, { LODGE_CMD_VM_NOTIFY, NLM_F_DUMP },
		{ LODGE_CMD_VCPU_GET, NLM_F_ACK },	/* a dump alone */
		{ LODGE_CMD_MAX + 1, NLM_F_ACK }, { LODGE_CMD_MAX + 1, NLM_F_DUMP },
		{ 255, NLM_F_ACK },
	};
	struct nl *nl = nl_open();
	struct nl_request request;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unknown); i++) {
		nl_request_begin(nl, &request, unknown[i].cmd, unknown[i].flags);
		CHECK_ERR(request_send(nl, &request), EOPNOTSUPP);
	}
}

static void capability_is_needed(void)
{
	struct nl *nl = nl_open();
	struct nl_request request;

	if (geteuid())
		ktap_skip("not run as root");
	CHECK_EQ(setresuid(NOBODY, NOBODY, NOBODY), 0);
	nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
	nl_put_u64(&request, LODGE_A_VM_ID, 1);
	CHECK_ERR(request_send(nl, &request), EPERM);
	nl_request_begin(nl, &request, LODGE_CMD_VM_GET, NLM_F_DUMP);
	CHECK_ERR(request_send(nl, &request), EPERM);
	nl_request_begin(nl, &request, LODGE_CMD_VCPU_GET, NLM_F_DUMP);
	CHECK_ERR(request_send(nl, &request), EPERM);
	CHECK_ERR(nl_subscribe(nl, nl->group), EPERM);
	/* The family itself may be looked up by all. */
	CHECK_EQ(nl_family(nl->fd, NULL), nl->family);
}

static void other_network_namespace_sees_nothing(void)
{
	struct nl *nl = nl_open();
	struct vm *vm = vm_create_bare();
	struct nl_request request;
	struct nl other = *nl;
	u64 id = nl_own_vm(nl).id;
	struct nl_vm told;

	if (unshare(CLONE_NEWNET))
		ktap_skip("no new network namespace: %s", errno_name(errno));
	other.fd = nl_socket();
	CHECK_EQ(nl_family(other.fd, NULL), 0);
	nl_request_begin(&other, &request, LODGE_CMD_VM_GET, NLM_F_ACK);
	nl_put_u64(&request, LODGE_A_VM_ID, id);
	CHECK_ERR(request_send(&other, &request), ENOENT);
	/* A group may be joined where the family is not, but nothing is told there. */
	nl_subscribe(&other, nl->group);
	vm_free(vm);
	CHECK(!nl_event(&other, &told, 200));
	CHECK_ERR(nl_vm_get(nl, id, &told), ENOENT);
}

static const struct test tests[] = {
	TEST(id_is_required),
	TEST(id_must_be_there),
	TEST(id_has_eight_bytes),
	TEST(other_attributes_are_refused),
	TEST(dump_of_vms_takes_no_attribute),
	TEST(trailing_bytes_are_refused),
	TEST(reserved_header_bytes_are_refused),
	TEST(unknown_operations),
	TEST(capability_is_needed),
	TEST(other_network_namespace_sees_nothing),
};

KTAP_MAIN(tests)
