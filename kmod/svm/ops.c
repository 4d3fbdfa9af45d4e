// SPDX-License-Identifier: GPL-2.0-only
/* AMD-V as a backend: the table that the rest of lodge calls. */
#include "svm.h"

#include "../backend.h"

const struct lodge_backend lodge_svm_backend = {
	.name = "svm",
	.check = svm_check,
	.setup = svm_setup,
	.teardown = svm_teardown,
	.cpuid_adjust = svm_cpuid_adjust,
	.msr_list = svm_msr_list,
	.msr_passthrough = svm_msr_passthrough,
	.ops = {
#define LODGE_OP(ret, name, args) .name = svm_##name,
#include "../backend-ops.h"
	},
};
