// SPDX-License-Identifier: GPL-2.0-only
/*
 * lodge's own ioctls: LODGE_QUERY and LODGE_VM_SET_NAME, their growing structs
 * and everything they refuse.
 */
#include <lodge.h>

#include "vm.h"

static void query_answers(void)
{
	struct lodge_query q = { .size = sizeof(q), .pad = 0 };
	struct vm *vm;

	require_lodge();
	vm = vm_create_bare();
	CHECK_EQ(xioctl(vm->sys, LODGE_QUERY, &q), 0);
	CHECK_EQ(q.size, sizeof(q));
	CHECK_EQ(q.abi_version, LODGE_ABI_VERSION);
	CHECK_EQ(q.features & ~LODGE_FEATURE_ALL, 0);
	CHECK(q.features & LODGE_FEATURE_VM_NAME);
	memset(&q, 0, sizeof(q));
	q.size = sizeof(q);
	CHECK_EQ(xioctl(vm->fd, LODGE_QUERY, &q), 0);
	CHECK_EQ(q.abi_version, LODGE_ABI_VERSION);
	vm_free(vm);
}

static void query_refusals(void)
{
	struct {
		struct lodge_query q;
		u8 tail[64];
	} big;
	struct lodge_query q = { .size = 0 };
	int sys;

	require_lodge();
	sys = device_open();
	CHECK_ERR(xioctl(sys, LODGE_QUERY, &q), EINVAL);
	q.size = 4;
	CHECK_ERR(xioctl(sys, LODGE_QUERY, &q), EINVAL);
	q.size = sizeof(q);
	q.flags = 1;
	CHECK_ERR(xioctl(sys, LODGE_QUERY, &q), EINVAL);
	CHECK_ERR(xioctl(sys, LODGE_QUERY, (void *)8), EFAULT);
	/* A caller from the future: zeroes beyond are fine, else E2BIG. */
	memset(&big, 0, sizeof(big));
	big.q.size = sizeof(big);
	CHECK_EQ(xioctl(sys, LODGE_QUERY, &big), 0);
	CHECK_EQ(big.q.abi_version, LODGE_ABI_VERSION);
	memset(&big, 0, sizeof(big));
	big.q.size = sizeof(big);
	big.tail[63] = 1;
	CHECK_ERR(xioctl(sys, LODGE_QUERY, &big), E2BIG);
	CHECK_EQ(big.q.abi_version, 0);
}

static long name_set(struct vm *vm, const char *text, size_t len)
{
	struct lodge_vm_name n = { .size = sizeof(n) };

	memcpy(n.name, text, len);
	return xioctl(vm->fd, LODGE_VM_SET_NAME, &n);
}

static void names(void)
{
	char longest[LODGE_NAME_MAX];
	struct vm *vm;

	require_lodge();
	vm = vm_create_bare();
	CHECK_EQ(name_set(vm, "a", 2), 0);
	CHECK_EQ(name_set(vm, "web server 1", 13), 0);
	memset(longest, 'x', sizeof(longest));
	/* No NUL at all, then one at the last place. */
	CHECK_ERR(name_set(vm, longest, sizeof(longest)), EINVAL);
	longest[LODGE_NAME_MAX - 1] = '\0';
	CHECK_EQ(name_set(vm, longest, sizeof(longest)), 0);
	CHECK_ERR(name_set(vm, "", 1), EINVAL);
	CHECK_ERR(name_set(vm, "a\nb", 4), EINVAL);
	CHECK_ERR(name_set(vm, "a\x7f", 3), EINVAL);
	CHECK_ERR(name_set(vm, "\xc3\xa4", 3), EINVAL);
	vm_free(vm);
}

static void name_refusals(void)
{
	struct lodge_vm_name n = { .size = sizeof(n), .name = "a" };
	struct vm *vm;

	require_lodge();
	vm = vm_create_bare();
	n.flags = 4;
	CHECK_ERR(xioctl(vm->fd, LODGE_VM_SET_NAME, &n), EINVAL);
	n.flags = 0;
	n.size = 8;
	CHECK_ERR(xioctl(vm->fd, LODGE_VM_SET_NAME, &n), EINVAL);
	CHECK_ERR(xioctl(vm->fd, LODGE_VM_SET_NAME, (void *)8), EFAULT);
	vm_free(vm);
}

static void unknown_in_our_range(void)
{
	struct vm *vm;
	struct vcpu *vcpu;

	require_lodge();
	vm = vm_create_bare();
	vcpu = vcpu_add_bare(vm, 0);
	CHECK_ERR(xioctl(vm->sys, _IO(LODGE_IOC_TYPE, 0xf0), 0), ENOTTY);
	CHECK_ERR(xioctl(vm->fd, _IO(LODGE_IOC_TYPE, 0xf0), 0), ENOTTY);
	CHECK_ERR(xioctl(vcpu->fd, _IO(LODGE_IOC_TYPE, 0xf0), 0), ENOTTY);
	vm_free(vm);
}

static const struct test tests[] = {
	TEST(query_answers),
	TEST(query_refusals),
	TEST(names),
	TEST(name_refusals),
	TEST(unknown_in_our_range),
};

KTAP_MAIN(tests)
