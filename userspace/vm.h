/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual machine as the tool sees it: the VM's file descriptor, its memory,
 * its buses, its vCPUs and its end.
 */
#ifndef LODGE_VM_H
#define LODGE_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "irq.h"
#include "memory.h"
#include "tool.h"

struct lodge_vcpu;

/**
 * struct lodge_vm - one VM
 * @device: the device's descriptor (i)
 * @path: the device's path, for messages (i)
 * @fd: the VM's descriptor (i)
 * @memory: guest RAM (i)
 * @ports: port devices (i)
 * @mmio: MMIO devices outside RAM (i)
 * @irq: interrupt routes, with a lock of their own
 * @vcpus: array of @cpus (i)
 * @cpus: how many (i)
 * @lock: guards @status, @reason and @running
 * @changed: signalled when @ended becomes true
 * @ended: the VM is over; never goes back (a)
 * @status: how it ended (l)
 * @reason: the same in words, empty for a clean end (l)
 * @running: vCPU threads may be kicked (l)
 *
 * (i) immutable once vCPUs run, (a) atomic, (l) under @lock.
 */
struct lodge_vm {
	int device;
	const char *path;
	int fd;
	struct lodge_memory memory;
	struct lodge_bus ports;
	struct lodge_bus mmio;
	struct lodge_irq irq;
	struct lodge_vcpu *vcpus;
	unsigned int cpus;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_bool ended;
	enum lodge_status status;
	char reason[256];
	bool running;
};

/**
 * lodge_vm_create() - make a VM with memory, interrupt chips and timer, no vCPU
 * @vm: zeroed, filled in
 * @path: device node
 * @memory: bytes of guest RAM
 * @cpus: number of vCPUs that will follow
 *
 * Ends the tool with a sentence when the host or the device cannot.
 */
void lodge_vm_create(struct lodge_vm *vm, const char *path, uint64_t memory, unsigned int cpus);

/**
 * lodge_vm_name() - tell the module the VM's name
 * @vm: VM
 * @name: what `lodge list` will show
 *
 * A device that does not know lodge's own ioctls gets no name.
 */
void lodge_vm_name(struct lodge_vm *vm, const char *name);

/**
 * lodge_vm_end() - end the VM; the first caller's reason stays
 * @vm: VM
 * @status: kind of end
 * @format: reason, one sentence without newline; NULL for an end as it should be
 *
 * Any thread, any number of times. Returns at once; vCPU threads leave soon.
 *
 * Return: whether this call was the first.
 */
bool lodge_vm_end(struct lodge_vm *vm, enum lodge_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * lodge_vm_wait() - sleep until the VM is over
 * @vm: VM
 */
void lodge_vm_wait(struct lodge_vm *vm);

/**
 * lodge_vm_end_word() - the kind of a VM's end as one word
 * @status: from the VM
 *
 * Return: "clean", "reboot", "triple-fault", ...
 */
const char *lodge_vm_end_word(enum lodge_status status);

#endif
