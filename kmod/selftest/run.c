// SPDX-License-Identifier: GPL-2.0-only
/* Runs the unit tests of the pure parts at load, in builds made with LODGE_SELFTEST=1. */
#include "run.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>

#include "selftest.h"

static int (*const selftests[])(void) = {
#define UNIT(name) lodge_selftest_##name,
	LODGE_SELFTEST_UNITS(UNIT)
#undef UNIT
	lodge_selftest_svm_mitigations,
	lodge_selftest_vmx_mitigations,
};

int lodge_selftest_run(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(selftests); i++)
		if (selftests[i]())
			return -EINVAL;
	pr_info("%zu unit tests passed\n", ARRAY_SIZE(selftests));
	return 0;
}
