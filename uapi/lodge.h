/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What /dev/lodge has beside the ioctls of <linux/kvm.h>. Every struct begins with its size and flags, grows only
 * at its end, and unknown flags or non-zero reserved fields are refused (-EINVAL, trailing bytes -E2BIG).
 */
#ifndef _UAPI_LODGE_H
#define _UAPI_LODGE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define LODGE_IOC_TYPE		0xB7

#define LODGE_ABI_VERSION	1

#define LODGE_FEATURE_VM_NAME	(1ULL << 0)	/* LODGE_VM_SET_NAME */
#define LODGE_FEATURE_NETLINK	(1ULL << 1)	/* the generic netlink family "lodge" */
#define LODGE_FEATURE_ALL	(LODGE_FEATURE_VM_NAME | LODGE_FEATURE_NETLINK)

/**
 * struct lodge_query - answer of LODGE_QUERY, on the device or a VM fd
 * @size: in: bytes of this struct that the caller knows
 * @flags: must be 0
 * @abi_version: out: LODGE_ABI_VERSION of the module
 * @pad: zero
 * @features: out: LODGE_FEATURE_* bits
 */
struct lodge_query {
	__u32 size;
	__u32 flags;
	__u32 abi_version;
	__u32 pad;
	__aligned_u64 features;
};

#define LODGE_NAME_MAX	64	/* with the closing NUL */

/**
 * struct lodge_vm_name - argument of LODGE_VM_SET_NAME, on a VM fd
 * @size: bytes of this struct that the caller knows
 * @flags: must be 0
 * @name: printable ASCII, NUL-terminated, at least one character
 */
struct lodge_vm_name {
	__u32 size;
	__u32 flags;
	char name[LODGE_NAME_MAX];
};

#define LODGE_QUERY		_IOWR(LODGE_IOC_TYPE, 0x00, struct lodge_query)
#define LODGE_VM_SET_NAME	_IOW(LODGE_IOC_TYPE, 0x01, struct lodge_vm_name)

#endif
