// SPDX-License-Identifier: GPL-2.0-only
/* Module load and unload, in order. Every VM holds a reference on the module through its fds. */
#include <linux/module.h>

#include "backend.h"
#include "clock.h"
#include "cpuid.h"
#include "dev.h"
#include "eventfd.h"
#include "fpu.h"
#include "hardware.h"
#include "io_bus.h"
#include "mmu/mmu.h"
#include "msr.h"
#include "selftest/run.h"
#include "stats.h"
#include "vm.h"

static int __init lodge_init(void)
{
	int ret = lodge_selftest_run();

	if (ret)
		return ret;
	ret = lodge_backend_choose();
	if (ret)
		return ret;
	ret = lodge_fpu_init();
	if (ret)
		goto release_backend;
	lodge_cpuid_init();
	ret = lodge_msr_init();
	if (ret)
		goto exit_fpu;
	ret = lodge_mmu_init();
	if (ret)
		goto exit_fpu;
	ret = lodge_io_bus_init();
	if (ret)
		goto exit_mmu;
	ret = lodge_eventfd_init();
	if (ret)
		goto exit_io_bus;
	ret = lodge_clock_init();
	if (ret)
		goto exit_eventfd;
	ret = lodge_hardware_init();
	if (ret)
		goto exit_clock;
	ret = lodge_vm_init();
	if (ret)
		goto exit_hardware;
	ret = lodge_netlink_init();
	if (ret)
		goto exit_vm;
	ret = lodge_dev_init();
	if (ret)
		goto exit_netlink;
	pr_info("ready, with %s\n", lodge_backend->name);
	return 0;

exit_netlink:
	lodge_netlink_exit();
exit_vm:
	lodge_vm_exit();
exit_hardware:
	lodge_hardware_exit();
exit_clock:
	lodge_clock_exit();
exit_eventfd:
	lodge_eventfd_exit();
exit_io_bus:
	lodge_io_bus_exit();
exit_mmu:
	lodge_mmu_exit();
exit_fpu:
	lodge_fpu_exit();
release_backend:
	lodge_backend_release();
	return ret;
}

static void __exit lodge_exit(void)
{
	lodge_dev_exit();
	lodge_netlink_exit();
	lodge_vm_exit();
	lodge_hardware_exit();
	lodge_clock_exit();
	lodge_eventfd_exit();
	lodge_io_bus_exit();
	lodge_mmu_exit();
	lodge_fpu_exit();
	lodge_backend_release();
}

module_init(lodge_init);
module_exit(lodge_exit);
MODULE_DESCRIPTION("lodge, a hypervisor behind KVM's ABI");
MODULE_LICENSE("GPL");
