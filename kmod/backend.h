/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The seam between common code and the two vendors. Chosen once at load; every op is a static call.
 */
#ifndef LODGE_BACKEND_H
#define LODGE_BACKEND_H

#include <linux/static_call.h>

#include "lodge.h"
#include "mmu/mmu.h"

struct kvm_cpuid_entry2;

struct lodge_backend_ops {
#define LODGE_OP(ret, name, args) ret (*name) args;
#include "backend-ops.h"
};

/**
 * struct lodge_backend - one vendor
 * @name: "svm" or "vmx"
 * @check: 0 when this CPU has what lodge needs; -ENXIO when it is not this vendor's; else -ENODEV with one line logged
 *	that says what is missing
 * @setup: once after check: lodge_nested, permission maps
 * @teardown: undoes setup
 * @cpuid_adjust: takes from or adds to one entry of the supported CPUID table what this vendor's virtualization demands
 * @msr_list: the vendor's MSRs that migrate, ended by 0
 * @msr_passthrough: MSRs that a guest reaches without an exit, ended by 0
 * @hypercall_insn: the instruction by which this vendor's guests call
 * @mcg_cap_reserved: bits of MCG_CAP that this vendor's CPUs do not have
 * @ops: the rest
 */
struct lodge_backend {
	const char *name;
	int (*check)(void);
	int (*setup)(void);
	void (*teardown)(void);
	void (*cpuid_adjust)(struct kvm_cpuid_entry2 *entry);
	const u32 *msr_list;
	const u32 *msr_passthrough;
	u8 hypercall_insn[3];
	u64 mcg_cap_reserved;
	struct lodge_backend_ops ops;
};

extern const struct lodge_backend lodge_svm_backend, lodge_vmx_backend;
extern const struct lodge_backend *lodge_backend;	/* the chosen one */

int lodge_backend_choose(void);		/* picks, checks, sets up; -ENODEV */
void lodge_backend_release(void);

#define LODGE_OP(ret, name, args) DECLARE_STATIC_CALL(lodge_op_##name, *((struct lodge_backend_ops *)NULL)->name);
#include "backend-ops.h"

#define lodge_op(name) static_call(lodge_op_##name)

#endif
