// SPDX-License-Identifier: GPL-2.0-only
/* AMD-V as a backend: the table that the rest of lodge calls. */
#include "svm.h"

#include "../backend.h"

/* The CPU logs no writes: lodge_nested.logs_writes stays false, and nobody asks. */
static int svm_log_writes(struct lodge_vcpu *vcpu, bool on)
{
	return 0;
}

static void svm_drain_log(struct lodge_vcpu *vcpu)
{
}

const struct lodge_backend lodge_svm_backend = {
	.name = "svm",
	.check = svm_check,
	.setup = svm_setup,
	.teardown = svm_teardown,
	.cpuid_adjust = svm_cpuid_adjust,
	.msr_list = svm_msr_list,
	.msr_passthrough = svm_msr_passthrough,
	.hypercall_insn = { 0x0f, 0x01, 0xd9 },	/* VMMCALL */
	.mcg_cap_reserved = ~0x1ffULL,		/* APM 2, 9.3.1.1 */
	.ops = {
#define LODGE_OP(ret, name, args) .name = svm_##name,
#include "../backend-ops.h"
	},
};
