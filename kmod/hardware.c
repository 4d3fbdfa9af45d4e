// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU's virtualization feature is on, on every online CPU, from the first VM to the last, and off
 * otherwise, through CPU hotplug, suspend and reboot. hardware_lock guards the count of VMs; the CPU-hotplug
 * lock is taken outside it.
 */
#include "hardware.h"

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "backend.h"
#include "compat/compat.h"
#include "compat/emergency.h"

/* How long the emergency callback outlives the last VM: taking it back waits for a grace period. */
#define EMERGENCY_KEEP	(2 * HZ)

static DEFINE_MUTEX(hardware_lock);
static unsigned int hardware_users;	/* under hardware_lock */
static bool hardware_has_emergency;	/* under hardware_lock */
static bool hardware_lost;		/* a guest found the feature gone; single word */
static enum cpuhp_state hardware_state;

static void hardware_enable_cpu(void *failures)
{
	if (lodge_op(cpu_enable)())
		atomic_inc(failures);
}

static void hardware_disable_cpu(void *unused)
{
	lodge_op(cpu_disable)();
}

static void hardware_emergency(void)
{
	lodge_op(cpu_emergency)();
}

/* Caller holds hardware_lock. */
static void hardware_drop_emergency(void)
{
	if (!hardware_has_emergency)
		return;
	hardware_has_emergency = false;
	lodge_compat_emergency_unregister(hardware_emergency);
}

static void hardware_forget_emergency(struct work_struct *work)
{
	mutex_lock(&hardware_lock);
	if (!hardware_users)
		hardware_drop_emergency();
	mutex_unlock(&hardware_lock);
}

/* The slot is KVM's by custom, and a second owner gets a warning: whoever brings KVM in finds it free. */
static int hardware_module(struct notifier_block *nb, unsigned long state, void *data)
{
	const struct module *module = data;

	if (state != MODULE_STATE_COMING || strncmp(module->name, "kvm", 3))
		return NOTIFY_DONE;
	mutex_lock(&hardware_lock);
	hardware_drop_emergency();
	mutex_unlock(&hardware_lock);
	return NOTIFY_OK;
}

static struct notifier_block hardware_module_block = {
	.notifier_call = hardware_module,
};

static DECLARE_DELAYED_WORK(hardware_emergency_work, hardware_forget_emergency);

static int hardware_enable_all(void)
{
	atomic_t failures = ATOMIC_INIT(0);

	on_each_cpu(hardware_enable_cpu, &failures, true);
	if (!atomic_read(&failures))
		return 0;
	on_each_cpu(hardware_disable_cpu, NULL, true);
	return -EBUSY;
}

static void hardware_restore_cpu(void *failures)
{
	if (!lodge_op(cpu_is_enabled)() && lodge_op(cpu_enable)())
		atomic_inc(failures);
}

/*
 * Somebody switched the feature off while we had it. VMs that were not in the guest then never notice once it is back;
 * where it cannot be had the next VM is refused, and those that are there keep the CPUs that are left.
 */
static int hardware_restore_all(void)
{
	atomic_t failures = ATOMIC_INIT(0);

	WRITE_ONCE(hardware_lost, false);
	on_each_cpu(hardware_restore_cpu, &failures, true);
	if (!atomic_read(&failures))
		return 0;
	WRITE_ONCE(hardware_lost, true);
	return -EBUSY;
}

void lodge_hardware_lost(void)
{
	WRITE_ONCE(hardware_lost, true);
}

bool lodge_hardware_is_lost(void)
{
	return READ_ONCE(hardware_lost);
}

int lodge_hardware_get(void)
{
	int ret = 0;

	cpus_read_lock();
	mutex_lock(&hardware_lock);
	if (!hardware_users) {
		ret = hardware_enable_all();
		WRITE_ONCE(hardware_lost, false);
		if (!ret && !hardware_has_emergency)
			hardware_has_emergency = lodge_compat_emergency_register(hardware_emergency);
	} else if (READ_ONCE(hardware_lost)) {
		ret = hardware_restore_all();
	}
	if (!ret)
		hardware_users++;
	mutex_unlock(&hardware_lock);
	cpus_read_unlock();
	if (ret)
		pr_info_ratelimited("another hypervisor holds this CPU's virtualization feature; `lodge check` tells which\n");
	return ret;
}

void lodge_hardware_put(void)
{
	cpus_read_lock();
	mutex_lock(&hardware_lock);
	if (!--hardware_users) {
		on_each_cpu(hardware_disable_cpu, NULL, true);
		schedule_delayed_work(&hardware_emergency_work, EMERGENCY_KEEP);
	}
	mutex_unlock(&hardware_lock);
	cpus_read_unlock();
}

/* On the CPU that comes or goes, in a thread bound to it: no user task runs there yet, or any more. */
static int hardware_cpu_online(unsigned int cpu)
{
	unsigned long flags;
	int ret = 0;

	mutex_lock(&hardware_lock);
	if (hardware_users) {
		local_irq_save(flags);
		ret = lodge_op(cpu_enable)();
		local_irq_restore(flags);
	}
	mutex_unlock(&hardware_lock);
	return ret;
}

static int hardware_cpu_offline(unsigned int cpu)
{
	unsigned long flags;

	mutex_lock(&hardware_lock);
	local_irq_save(flags);
	lodge_op(cpu_disable)();
	local_irq_restore(flags);
	mutex_unlock(&hardware_lock);
	return 0;
}

/* Suspend has taken every other CPU off and stopped all tasks: nobody holds hardware_lock. */
static int hardware_suspend(void)
{
	if (hardware_users)
		lodge_op(cpu_disable)();
	return 0;
}

static void hardware_resume(void)
{
	if (hardware_users && lodge_op(cpu_enable)())
		pr_warn("the virtualization feature was not ours to take back after suspend\n");
}

LODGE_COMPAT_SYSCORE(hardware_syscore, hardware_suspend, hardware_resume);

/* The next kernel, or the firmware, finds the feature off. A guest that still runs ends with its VM killed. */
static int hardware_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	on_each_cpu(hardware_disable_cpu, NULL, true);
	return NOTIFY_OK;
}

static struct notifier_block hardware_reboot_block = {
	.notifier_call = hardware_reboot,
};

int lodge_hardware_init(void)
{
	int ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "virt/lodge:online",
					    hardware_cpu_online, hardware_cpu_offline);

	if (ret < 0)
		return ret;
	hardware_state = ret;
	ret = register_reboot_notifier(&hardware_reboot_block);
	if (ret) {
		cpuhp_remove_state_nocalls(hardware_state);
		return ret;
	}
	ret = register_module_notifier(&hardware_module_block);
	if (ret) {
		unregister_reboot_notifier(&hardware_reboot_block);
		cpuhp_remove_state_nocalls(hardware_state);
		return ret;
	}
	lodge_compat_register_syscore(&hardware_syscore);
	return 0;
}

void lodge_hardware_exit(void)
{
	unregister_module_notifier(&hardware_module_block);
	cancel_delayed_work_sync(&hardware_emergency_work);
	hardware_forget_emergency(NULL);
	lodge_compat_unregister_syscore(&hardware_syscore);
	unregister_reboot_notifier(&hardware_reboot_block);
	cpuhp_remove_state_nocalls(hardware_state);
}
