/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vCPUs: their threads, their state at start, their exits.
 */
#ifndef LODGE_VCPU_H
#define LODGE_VCPU_H

#include <linux/kvm.h>
#include <pthread.h>

struct lodge_vm;

/**
 * struct lodge_entry - the state in which a loaded kernel wants to be entered
 * @regs: general registers
 * @sregs: what differs from the reset state: segments, tables, control registers
 */
struct lodge_entry {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
};

/**
 * struct lodge_vcpu - one vCPU
 * @vm: its VM
 * @id: number and APIC id
 * @fd: its descriptor
 * @run: the area shared with the module
 * @thread: its thread
 *
 * All immutable once the thread runs; *@run belongs to the thread.
 */
struct lodge_vcpu {
	struct lodge_vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
};

/**
 * lodge_vcpus_create() - make the VM's vCPUs with their reset state
 * @vm: VM with memory and chips
 */
void lodge_vcpus_create(struct lodge_vm *vm);

/**
 * lodge_vcpus_start() - let them run, the first from @entry, the rest on SIPI
 * @vm: VM
 * @entry: where the kernel begins
 */
void lodge_vcpus_start(struct lodge_vm *vm, const struct lodge_entry *entry);

/**
 * lodge_vcpus_join() - wait for all vCPU threads of an ended VM
 * @vm: VM
 */
void lodge_vcpus_join(struct lodge_vm *vm);

/**
 * lodge_vcpu_kick() - get a vCPU's thread out of the guest or out of a sleep
 * @vcpu: running vCPU
 */
void lodge_vcpu_kick(struct lodge_vcpu *vcpu);

/**
 * lodge_vcpu_dump() - print a vCPU's registers on stderr
 * @vcpu: the caller's own vCPU
 */
void lodge_vcpu_dump(const struct lodge_vcpu *vcpu);

/**
 * lodge_cpuid_set() - give a vCPU the CPUID table that it may see
 * @vcpu: vCPU that has not run
 */
void lodge_cpuid_set(struct lodge_vcpu *vcpu);

#endif
