/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A crash starts another kernel on CPUs that must not be in virtualization mode then. Where the kernel takes a callback
 * for it there is one slot, KVM's by custom: lodge takes it only while no KVM is loaded. Where the kernel owns the
 * feature it leaves by itself.
 */
#ifndef LODGE_COMPAT_EMERGENCY_H
#define LODGE_COMPAT_EMERGENCY_H

#include <linux/types.h>

/* @callback runs on every CPU, in NMI context on most, when nothing else runs any more. Whether it was taken. */
bool lodge_compat_emergency_register(void (*callback)(void));
void lodge_compat_emergency_unregister(void (*callback)(void));	/* waits for a grace period */

#endif
