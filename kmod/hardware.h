/* SPDX-License-Identifier: GPL-2.0-only */
/* Who holds the CPU's virtualization feature, and when it is given back. */
#ifndef LODGE_HARDWARE_H
#define LODGE_HARDWARE_H

int lodge_hardware_init(void);		/* module load: hotplug, suspend and reboot hooks; 0 or -errno */
void lodge_hardware_exit(void);

/**
 * lodge_hardware_get() - a VM needs the feature: switch it on on every CPU with the first
 * Return: 0, or -EBUSY when another hypervisor holds it on some CPU.
 * Context: may sleep.
 */
int lodge_hardware_get(void);
void lodge_hardware_put(void);

/* A guest found the feature gone: whoever asks for it next has it switched on again. Any context. */
void lodge_hardware_lost(void);
bool lodge_hardware_is_lost(void);	/* and nobody has asked since */

#endif
