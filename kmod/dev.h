/* SPDX-License-Identifier: GPL-2.0-only */
/* The device node. */
#ifndef LODGE_DEV_H
#define LODGE_DEV_H

int lodge_dev_init(void);	/* 0 or -errno; with kvm_node=1 also the node "kvm", -EBUSY when KVM has it */
void lodge_dev_exit(void);

#endif
