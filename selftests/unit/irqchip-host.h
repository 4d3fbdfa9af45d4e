/* SPDX-License-Identifier: GPL-2.0-only */
/* The rest of lodge, as far as the interrupt controllers see it, under a unit's control. */
#ifndef UNIT_IRQCHIP_HOST_H
#define UNIT_IRQCHIP_HOST_H

#include "lodge.h"

extern bool unit_guest_x2apic, unit_guest_deadline;	/* what CPUID tells the guest */
extern u32 unit_tsc_khz;				/* the guest's TSC runs so fast, and started with the clock */
extern unsigned int unit_vcpu_resets;			/* INITs that lodge_vcpu_reset() was called for */

#endif
