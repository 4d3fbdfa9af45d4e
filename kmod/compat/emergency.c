// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's slot for what must happen on each CPU before a crash kernel starts. May sleep. */
#include "emergency.h"

#include <linux/module.h>
#include <asm/reboot.h>

#ifdef LODGE_HAVE_EMERGENCY_CALLBACK

/* Any symbol of KVM's main module that it has always exported. */
static bool emergency_kvm_is_loaded(void)
{
	if (!__symbol_get("kvm_get_running_vcpu"))
		return false;
	__symbol_put("kvm_get_running_vcpu");
	return true;
}

bool lodge_compat_emergency_register(void (*callback)(void))
{
	if (emergency_kvm_is_loaded())
		return false;
	cpu_emergency_register_virt_callback(callback);
	return true;
}

void lodge_compat_emergency_unregister(void (*callback)(void))
{
	cpu_emergency_unregister_virt_callback(callback);
}

#else

bool lodge_compat_emergency_register(void (*callback)(void))
{
	return false;
}

void lodge_compat_emergency_unregister(void (*callback)(void))
{
}

#endif
