// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's life: creation in the order that the ABI asks for, its name, its
 * end. vm->lock guards the end; everything else is set before vCPUs run.
 * Interrupt routes are in irq.c, vCPUs in vcpu.c.
 */
#include "vm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "device.h"
#include "layout.h"
#include "uapi/lodge.h"
#include "vcpu.h"

static void vm_slot_add(struct lodge_vm *vm, uint32_t slot, uint64_t gpa, uint64_t offset,
			uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)vm->memory.base + offset,
	};

	if (!size)
		return;
	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region))
		lodge_fail(errno == ENOMEM ? STATUS_MEMORY : STATUS_FAILED,
			   "%s does not take %llu MiB of guest memory: %s", vm->path,
			   (unsigned long long)(size >> 20), strerror(errno));
}

static void vm_ioctl(struct lodge_vm *vm, unsigned long command, void *argument,
		     const char *name)
{
	if (ioctl(vm->fd, command, argument))
		lodge_fail(STATUS_FAILED, "%s fails %s: %s", vm->path, name, strerror(errno));
}

static void vm_cpus_check(struct lodge_vm *vm)
{
	int limit = ioctl(vm->device, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);

	if (limit <= 0)
		limit = ioctl(vm->device, KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS);
	if (limit <= 0)
		limit = 4;	/* the ABI's answer when neither capability is there */
	if (vm->cpus > (unsigned int)limit)
		lodge_fail(STATUS_UNSUPPORTED, "%s gives a VM at most %d vCPUs, not %u: lower --cpus",
			   vm->path, limit, vm->cpus);
}

void lodge_vm_create(struct lodge_vm *vm, const char *path, uint64_t memory, unsigned int cpus)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	uint64_t identity_map = LAYOUT_IDENTITY_MAP;

	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->changed, NULL);
	vm->path = path;
	vm->cpus = cpus;
	vm->device = lodge_device_open(path);
	lodge_device_require(vm->device, path);
	vm_cpus_check(vm);
	lodge_memory_create(&vm->memory, memory);
	vm->fd = lodge_device_create_vm(vm->device, path);

	if (ioctl(vm->device, KVM_CHECK_EXTENSION, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0)
		vm_ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map,
			 "KVM_SET_IDENTITY_MAP_ADDR");
	vm_ioctl(vm, KVM_SET_TSS_ADDR, (void *)(uintptr_t)LAYOUT_TSS, "KVM_SET_TSS_ADDR");
	vm_ioctl(vm, KVM_CREATE_IRQCHIP, NULL, "KVM_CREATE_IRQCHIP");
	vm_ioctl(vm, KVM_CREATE_PIT2, &pit, "KVM_CREATE_PIT2");
	vm_slot_add(vm, 0, 0, 0, vm->memory.low);
	vm_slot_add(vm, 1, LAYOUT_RAM_RESUME, vm->memory.low, memory - vm->memory.low);
	lodge_irq_create(&vm->irq, vm->fd);
}

void lodge_vm_name(struct lodge_vm *vm, const char *name)
{
	struct lodge_query query = { .size = sizeof(query) };
	struct lodge_vm_name argument = { .size = sizeof(argument) };

	if (ioctl(vm->device, LODGE_QUERY, &query) || !(query.features & LODGE_FEATURE_VM_NAME))
		return;
	snprintf(argument.name, sizeof(argument.name), "%s", name);
	vm_ioctl(vm, LODGE_VM_SET_NAME, &argument, "LODGE_VM_SET_NAME");
}

bool lodge_vm_end(struct lodge_vm *vm, enum lodge_status status, const char *format, ...)
{
	va_list arguments;
	bool first;

	pthread_mutex_lock(&vm->lock);
	first = !vm->ended;
	if (first) {
		vm->status = status;
		if (format) {
			va_start(arguments, format);
			vsnprintf(vm->reason, sizeof(vm->reason), format, arguments);
			va_end(arguments);
		}
		vm->ended = true;
		pthread_cond_broadcast(&vm->changed);
		if (vm->running)
			for (unsigned int i = 0; i < vm->cpus; i++)
				lodge_vcpu_kick(&vm->vcpus[i]);
	}
	pthread_mutex_unlock(&vm->lock);
	return first;
}

void lodge_vm_wait(struct lodge_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	while (!vm->ended)
		pthread_cond_wait(&vm->changed, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
}

const char *lodge_vm_end_word(enum lodge_status status)
{
	switch (status) {
	case STATUS_OK:
		return "clean";
	case STATUS_REBOOT:
		return "reboot";
	case STATUS_TRIPLE_FAULT:
		return "triple-fault";
	case STATUS_EMULATION:
		return "emulation";
	case STATUS_ENTRY:
		return "entry";
	case STATUS_UNBACKED:
		return "unbacked";
	default:
		return status >= STATUS_SIGNAL ? "stopped" : "crash";
	}
}
