// SPDX-License-Identifier: GPL-2.0-only
/* VT-x as a backend: the table that the rest of lodge calls. */
#include "vmx.h"

#include "../backend.h"

const struct lodge_backend lodge_vmx_backend = {
	.name = "vmx",
	.check = vmx_check,
	.setup = vmx_setup,
	.teardown = vmx_teardown,
	.cpuid_adjust = vmx_cpuid_adjust,
	.msr_list = vmx_msr_list,
	.msr_passthrough = vmx_msr_passthrough,
	.hypercall_insn = { 0x0f, 0x01, 0xc1 },	/* VMCALL */
	.ops = {
#define LODGE_OP(ret, name, args) .name = vmx_##name,
#include "../backend-ops.h"
	},
};
