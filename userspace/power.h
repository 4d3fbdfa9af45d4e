/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ports by which a guest ends: ACPI power management, reset register,
 * keyboard controller's reset pulse.
 */
#ifndef LODGE_POWER_H
#define LODGE_POWER_H

#include <pthread.h>
#include <stdint.h>

#include "bus.h"

struct lodge_vm;

/* Offsets from LAYOUT_PORT_POWER. */
#define LODGE_POWER_PM1_EVENT	0	/* status, then enable: two bytes each */
#define LODGE_POWER_PM1_CONTROL	4	/* two bytes */
#define LODGE_POWER_RESET	6	/* one byte */
#define LODGE_POWER_RESET_VALUE	1
#define LODGE_POWER_S5		5	/* SLP_TYP of \_S5 in dsdt.asl */

/**
 * struct lodge_power - the registers
 * @pm: ACPI ports (immutable)
 * @i8042: the keyboard controller's command port (immutable)
 * @vm: the VM to end (immutable)
 * @lock: guards @enable and @control
 * @enable: PM1 enable
 * @control: PM1 control
 */
struct lodge_power {
	struct lodge_range pm;
	struct lodge_range i8042;
	struct lodge_vm *vm;
	pthread_mutex_t lock;
	uint16_t enable;
	uint16_t control;
};

/**
 * lodge_power_create() - plug the ports into the VM's bus
 * @power: zeroed
 * @vm: VM
 */
void lodge_power_create(struct lodge_power *power, struct lodge_vm *vm);

#endif
