/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ioctl tables: one row a command. The walker copies in, takes the row's lock, calls, copies out.
 */
#ifndef LODGE_IOCTL_H
#define LODGE_IOCTL_H

#include <linux/fs.h>

#include "lodge.h"

#define LODGE_MAX_MSRS		256	/* KVM_GET_MSRS, KVM_SET_MSRS: entries a call may have, plus one */
#define LODGE_IOCTL_MAX_ARG	4096	/* the largest fixed argument: struct kvm_xsave */

/* What a handler gets. */
struct lodge_ioctl_call {
	unsigned int cmd;
	unsigned long value;	/* the argument itself, for rows without a struct */
	void __user *user;	/* the same as an address, for what follows a struct's fixed part */
	void *arg;		/* the struct, copied in; _IOC_READ rows copy it back after success */
};

#define LODGE_IOCTL_VALUE	BIT(0)	/* the argument is a number or an unused word: copy nothing */
#define LODGE_IOCTL_NO_ARG	BIT(1)	/* it must be 0, else -EINVAL */
#define LODGE_IOCTL_LOCK	BIT(2)	/* VM rows: hold vm->lock. vCPU rows always hold vcpu->mutex */
#define LODGE_IOCTL_KEEP	BIT(4)	/* the handler copies out itself */
#define LODGE_IOCTL_IN		BIT(5)	/* copy in, although the number says that it is only read */

struct lodge_vm_ioctl {
	unsigned int cmd;
	unsigned int flags;
	long (*handler)(struct lodge_vm *vm, struct lodge_ioctl_call *call);
};

struct lodge_vcpu_ioctl {
	unsigned int cmd;
	unsigned int flags;
	long (*handler)(struct lodge_vcpu *vcpu, struct lodge_ioctl_call *call);
};

struct lodge_dev_ioctl {
	unsigned int cmd;
	unsigned int flags;
	long (*handler)(struct lodge_ioctl_call *call);
};

/**
 * lodge_ioctl_begin() - copy a row's argument in
 * @call: cmd and value are set; user and arg are filled
 * @flags: the row's
 * Return: 0; -EFAULT, -ENOMEM, -EINVAL.
 */
int lodge_ioctl_begin(struct lodge_ioctl_call *call, unsigned int flags);

/**
 * lodge_ioctl_end() - copy it back after success and free it
 * @ret: the handler's result
 * Return: @ret, or -EFAULT.
 */
long lodge_ioctl_end(struct lodge_ioctl_call *call, unsigned int flags, long ret);

/* dev.c: rows that the device and the VM fd share. */
long lodge_query(struct lodge_ioctl_call *call);
/* Copies a lodge struct of any size that the caller knows: 0, -EINVAL, -E2BIG, -EFAULT. */
int lodge_copy_struct(void *dst, size_t size, size_t min_size, const void __user *user);

#endif
