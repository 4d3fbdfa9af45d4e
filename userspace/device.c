// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device node: opening it, making a VM from it, and turning each errno on
 * the way into a sentence with its cure. No state.
 */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "host.h"
#include "tool.h"

static const struct capability {
	int number;
	const char *name;
} capabilities[] = {
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING" },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
	{ KVM_CAP_PIT2, "KVM_CAP_PIT2" },
	{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, "KVM_CAP_IOEVENTFD_ANY_LENGTH" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
};

const char *lodge_device_path(const char *option)
{
	const char *environment = getenv("LODGE_DEVICE");

	if (option)
		return option;
	return environment && *environment ? environment : "/dev/lodge";
}

static void __attribute__((noreturn)) device_fail_absent(const char *path)
{
	if (!lodge_host_has_feature())
		lodge_fail(STATUS_NO_DEVICE,
			   "there is no %s and the CPU shows no %s: switch virtualization on in the firmware, "
			   "or in the hypervisor that this machine runs on",
			   path, lodge_host_feature_name());
	if (!strcmp(path, "/dev/lodge"))
		lodge_fail(STATUS_NO_DEVICE,
			   "there is no %s because the module is not loaded: modprobe lodge", path);
	lodge_fail(STATUS_NO_DEVICE, "there is no device %s: check --device and LODGE_DEVICE", path);
}

static void __attribute__((noreturn)) device_fail_permission(const char *path)
{
	lodge_fail(STATUS_PERMISSION,
		   "no permission on %s: join its group (as root: usermod -a -G kvm %s, then log in again)",
		   path, getenv("USER") ?: "NAME");
}

int lodge_device_open(const char *path)
{
	int device = open(path, O_RDWR | O_CLOEXEC);
	struct stat stat;
	int version;

	if (device < 0) {
		switch (errno) {
		case ENOENT:
		case ENXIO:
		case ENODEV:
			device_fail_absent(path);
		case EACCES:
		case EPERM:
			device_fail_permission(path);
		default:
			lodge_fail(STATUS_NO_DEVICE, "cannot open %s: %s", path, strerror(errno));
		}
	}
	if (fstat(device, &stat) || !S_ISCHR(stat.st_mode))
		lodge_fail(STATUS_NO_DEVICE,
			   "%s is not a character device: check --device and LODGE_DEVICE", path);
	version = ioctl(device, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		lodge_fail(STATUS_NO_DEVICE,
			   "%s does not speak version %d of KVM's ABI: check --device and LODGE_DEVICE",
			   path, KVM_API_VERSION);
	return device;
}

static void __attribute__((noreturn)) device_fail_busy(const char *path)
{
	const char *holder = lodge_host_holder();

	if (!holder || !strcmp(path, "/dev/kvm"))
		lodge_fail(STATUS_BUSY,
			   "%s cannot have %s, which another hypervisor holds: stop that one first",
			   path, lodge_host_feature_name());
	lodge_fail(STATUS_BUSY,
		   "%s cannot have %s, which %s holds: stop its VMs, then modprobe -r %s", path,
		   lodge_host_feature_name(), holder, holder);
}

int lodge_device_create_vm(int device, const char *path)
{
	int vm;

	do {
		vm = ioctl(device, KVM_CREATE_VM, 0);
	} while (vm < 0 && errno == EINTR);
	if (vm >= 0)
		return vm;

	switch (errno) {
	case EBUSY:
		device_fail_busy(path);
	case ENODEV:
	case ENXIO:
	case EOPNOTSUPP:
		lodge_fail(STATUS_NO_DEVICE,
			   "%s finds no usable %s on this CPU: `lodge check` says what is missing",
			   path, lodge_host_feature_name());
	case ENOMEM:
		lodge_fail(STATUS_MEMORY, "the host has no memory left for a VM: free some");
	case EACCES:
	case EPERM:
		device_fail_permission(path);
	default:
		lodge_fail(STATUS_FAILED, "%s does not make a VM: %s", path, strerror(errno));
	}
}

void lodge_device_require(int device, const char *path)
{
	for (unsigned int i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
		if (ioctl(device, KVM_CHECK_EXTENSION, capabilities[i].number) <= 0)
			lodge_fail(STATUS_UNSUPPORTED,
				   "%s lacks %s, which `lodge run` needs: load a newer module",
				   path, capabilities[i].name);
}
