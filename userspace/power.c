// SPDX-License-Identifier: GPL-2.0-only
/*
 * Power management ports (ACPI specification, 4.8.3): PM1 event and control
 * blocks, reset register; and the keyboard controller's pulse of the reset
 * line, which Linux tries when ACPI is off. No event is ever raised, so PM1
 * status reads as zero. power->lock guards the two registers that hold state.
 */
#include "power.h"

#include <stddef.h>

#include "layout.h"
#include "vm.h"

#define PM1_CONTROL_SCI_EN	0x0001
#define PM1_CONTROL_SLP_TYP(v)	((v) >> 10 & 7)
#define PM1_CONTROL_SLP_EN	0x2000

#define I8042_PULSE_RESET	0xfe

/* Byte by byte, since the registers are two bytes and may be accessed singly. */
static uint8_t power_read(const struct lodge_power *power, uint64_t offset)
{
	switch (offset) {
	case LODGE_POWER_PM1_EVENT + 2:
		return (uint8_t)power->enable;
	case LODGE_POWER_PM1_EVENT + 3:
		return power->enable >> 8;
	case LODGE_POWER_PM1_CONTROL:
		return (uint8_t)power->control | PM1_CONTROL_SCI_EN;
	case LODGE_POWER_PM1_CONTROL + 1:
		return power->control >> 8;
	default:
		return 0;
	}
}

static void power_write(struct lodge_power *power, uint64_t offset, uint8_t value)
{
	switch (offset) {
	case LODGE_POWER_PM1_EVENT + 2:
		power->enable = (power->enable & 0xff00) | value;
		break;
	case LODGE_POWER_PM1_EVENT + 3:
		power->enable = (uint16_t)((power->enable & 0xff) | value << 8);
		break;
	case LODGE_POWER_PM1_CONTROL:
		power->control = (power->control & 0xff00) | value;
		break;
	case LODGE_POWER_PM1_CONTROL + 1:
		power->control = (uint16_t)((power->control & 0xff) | value << 8);
		break;
	case LODGE_POWER_RESET:
		if (value == LODGE_POWER_RESET_VALUE)
			lodge_vm_end(power->vm, STATUS_REBOOT, NULL);
		break;
	}
}

static void power_sleep(struct lodge_power *power)
{
	if (!(power->control & PM1_CONTROL_SLP_EN))
		return;
	/* SLP_EN reads as zero, and S5 is the only state in the tables. */
	power->control &= (uint16_t)~PM1_CONTROL_SLP_EN;
	if (PM1_CONTROL_SLP_TYP(power->control) == LODGE_POWER_S5)
		lodge_vm_end(power->vm, STATUS_OK, NULL);
}

static void power_access(struct lodge_range *range, struct lodge_access *access)
{
	struct lodge_power *power = (struct lodge_power *)range;

	pthread_mutex_lock(&power->lock);
	for (unsigned int i = 0; i < access->length; i++) {
		if (access->write)
			power_write(power, access->offset + i, access->data[i]);
		else
			access->data[i] = power_read(power, access->offset + i);
	}
	if (access->write)
		power_sleep(power);
	pthread_mutex_unlock(&power->lock);
}

/* Reads show an idle controller: both buffers empty. */
static void i8042_access(struct lodge_range *range, struct lodge_access *access)
{
	struct lodge_power *power =
		(struct lodge_power *)((char *)range - offsetof(struct lodge_power, i8042));

	if (!access->write)
		lodge_access_answer(access, 0);
	else if (access->data[0] == I8042_PULSE_RESET)
		lodge_vm_end(power->vm, STATUS_REBOOT, NULL);
}

void lodge_power_create(struct lodge_power *power, struct lodge_vm *vm)
{
	pthread_mutex_init(&power->lock, NULL);
	power->vm = vm;
	power->pm.base = LAYOUT_PORT_POWER;
	power->pm.size = LAYOUT_PORT_POWER_SIZE;
	power->pm.access = power_access;
	power->i8042.base = LAYOUT_PORT_I8042;
	power->i8042.size = 1;
	power->i8042.access = i8042_access;
	lodge_bus_add(&vm->ports, &power->pm);
	lodge_bus_add(&vm->ports, &power->i8042);
}
