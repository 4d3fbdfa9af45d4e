/* SPDX-License-Identifier: GPL-2.0-only */
/* MSR bits. */
#ifndef UNIT_MSR_INDEX_H
#define UNIT_MSR_INDEX_H

#include <linux/bits.h>

#define MSR_IA32_APICBASE_BSP		BIT(8)
#define MSR_IA32_APICBASE_ENABLE	BIT(11)

#endif
