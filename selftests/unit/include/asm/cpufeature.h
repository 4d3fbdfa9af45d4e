/* SPDX-License-Identifier: GPL-2.0-only */
/* Feature numbers: word times 32 plus bit of CPUID. */
#ifndef UNIT_CPUFEATURE_H
#define UNIT_CPUFEATURE_H

#define X86_FEATURE_X2APIC		(4 * 32 + 21)
#define X86_FEATURE_TSC_DEADLINE_TIMER	(4 * 32 + 24)

#endif
