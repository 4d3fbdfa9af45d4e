/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Numbers of the generic netlink family "lodge".
 * Made by uapi/ynl-gen.py from uapi/lodge-netlink.yaml: change it there.
 */
#ifndef _UAPI_LODGE_NETLINK_H
#define _UAPI_LODGE_NETLINK_H

#define LODGE_FAMILY_NAME	"lodge"
#define LODGE_FAMILY_VERSION	1

/**
 * enum lodge_state - What a VM is doing.
 * @LODGE_STATE_CREATED: made, no vCPU has run yet
 * @LODGE_STATE_RUNNING: a vCPU was entered, and the VM is neither halted nor crashed
 * @LODGE_STATE_HALTED: every vCPU is in HLT with interrupts off, nothing but an NMI or INIT wakes it
 * @LODGE_STATE_CRASHED: it ended by a fault of the guest or of the host; the reason says which
 * @LODGE_STATE_DESTROYED: its last file descriptor is gone; seen in notifications alone
 */
enum lodge_state {
	LODGE_STATE_CREATED,
	LODGE_STATE_RUNNING,
	LODGE_STATE_HALTED,
	LODGE_STATE_CRASHED,
	LODGE_STATE_DESTROYED,
};

/**
 * enum lodge_irqchip_place - Where the VM's interrupt controllers live.
 * @LODGE_IRQCHIP_PLACE_USER: all in the VMM
 * @LODGE_IRQCHIP_PLACE_KERNEL: LAPICs, IOAPIC and PIC in the kernel
 * @LODGE_IRQCHIP_PLACE_SPLIT: LAPICs in the kernel, IOAPIC and PIC in the VMM
 */
enum lodge_irqchip_place {
	LODGE_IRQCHIP_PLACE_USER,
	LODGE_IRQCHIP_PLACE_KERNEL,
	LODGE_IRQCHIP_PLACE_SPLIT,
};

enum {
	LODGE_A_VM_ID = 1,	/* u64: never used twice while the module is loaded */
	LODGE_A_VM_PAD,	/* alignment */
	LODGE_A_VM_PID,	/* u32: process that made the VM, as the initial PID namespace sees it */
	LODGE_A_VM_NAME,	/* string: given by LODGE_VM_SET_NAME; absent while there is none */
	LODGE_A_VM_STATE,	/* u32: what the VM is doing */
	LODGE_A_VM_REASON,	/* string: why it crashed, in a few words; absent in other states */
	LODGE_A_VM_VCPUS,	/* u32: number of vCPUs made */
	LODGE_A_VM_MEMORY,	/* u64: bytes of all memory slots together */
	LODGE_A_VM_IRQCHIP_MODE,	/* u32: where the interrupt controllers live */

	__LODGE_A_VM_MAX,
	LODGE_A_VM_MAX = (__LODGE_A_VM_MAX - 1)
};

enum {
	LODGE_A_VCPU_VM_ID = 1,	/* u64: the VM it belongs to */
	LODGE_A_VCPU_PAD,	/* alignment */
	LODGE_A_VCPU_INDEX,	/* u32: order of creation within the VM, from 0 */
	LODGE_A_VCPU_APIC_ID,	/* u32: the id that KVM_CREATE_VCPU was given, its initial APIC ID */
	LODGE_A_VCPU_MP_STATE,	/* u32: KVM_MP_STATE_* of linux/kvm.h */
	LODGE_A_VCPU_PID,	/* u32: thread last in KVM_RUN, initial PID namespace; absent before the first */
	LODGE_A_VCPU_EXITS,	/* u64: VM exits since it was made */
	LODGE_A_VCPU_CPU,	/* u32: host CPU it last ran on; absent before the first run */

	__LODGE_A_VCPU_MAX,
	LODGE_A_VCPU_MAX = (__LODGE_A_VCPU_MAX - 1)
};

enum {
	LODGE_CMD_VM_GET = 1,
	LODGE_CMD_VM_NOTIFY,
	LODGE_CMD_VCPU_GET,

	__LODGE_CMD_MAX,
	LODGE_CMD_MAX = (__LODGE_CMD_MAX - 1)
};

#define LODGE_MCGRP_VM	"vm"

#endif
