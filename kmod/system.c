// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moves to and from control and debug registers, LMSW, SMSW, CLTS, and RDTSC where the CPU cannot give the guest's
 * TSC: decoded from the instruction's bytes and executed with the CPU's rules. Runs outside the section, where fetching
 * may sleep.
 */
#include <asm/debugreg.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "backend.h"
#include "clock.h"
#include "cpuid.h"
#include "event.h"
#include "exit.h"
#include "regs.h"

#define LMSW_MASK	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS)

/* 0 done; -EINVAL #GP; -EOPNOTSUPP #UD */
static int cr_write(struct lodge_vcpu *vcpu, unsigned int cr, u64 value)
{
	switch (cr) {
	case 0:
		return lodge_cr0_write(vcpu, value);
	case 2:
		vcpu->cr2 = value;
		return 0;
	case 3:
		return lodge_cr3_write(vcpu, value);
	case 4:
		return lodge_cr4_write(vcpu, value);
	case 8:
		return lodge_cr8_write(vcpu, value);
	default:
		return -EOPNOTSUPP;
	}
}

static int cr_read(struct lodge_vcpu *vcpu, unsigned int cr, u64 *value)
{
	switch (cr) {
	case 0:
		*value = vcpu->cr0;
		return 0;
	case 2:
		*value = vcpu->cr2;
		return 0;
	case 3:
		*value = vcpu->cr3;
		return 0;
	case 4:
		*value = vcpu->cr4;
		return 0;
	case 8:
		*value = lodge_cr8_read(vcpu);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE makes them undefined; GD guards them all: APM 2, 13.1.1. */
static int dr_check(struct lodge_vcpu *vcpu, unsigned int dr)
{
	if (dr > 7 || ((dr == 4 || dr == 5) && (vcpu->cr4 & X86_CR4_DE)))
		return -EOPNOTSUPP;
	return 0;
}

static bool dr_guarded(struct lodge_vcpu *vcpu)
{
	if (!(vcpu->dr7 & LODGE_DR7_GD))
		return false;
	vcpu->dr7 &= ~LODGE_DR7_GD;
	lodge_queue_debug(vcpu, LODGE_DR6_BD);
	return true;
}

/* The value read goes to the destination, which steps over the instruction; a write steps here. */
static int system_store(struct lodge_vcpu *vcpu, u64 value)
{
	enum lodge_emulate_result result = lodge_emulate_store(&vcpu->emulate, value);

	if (result == EMULATE_DONE) {
		lodge_vcpu_emulate_done(vcpu);
		return LODGE_EXIT_RESUME;
	}
	return lodge_vcpu_emulate_result(vcpu, result);
}

static int system_finish(struct lodge_vcpu *vcpu, int ret)
{
	if (ret == -EINVAL) {
		lodge_queue_exception(vcpu, X86_TRAP_GP, true, 0);
	} else if (ret == -EOPNOTSUPP) {
		lodge_queue_exception(vcpu, X86_TRAP_UD, false, 0);
	} else {
		lodge_emulate_skip(&vcpu->emulate);
		lodge_vcpu_emulate_done(vcpu);
	}
	return LODGE_EXIT_RESUME;
}

static int system_write_cr(struct lodge_vcpu *vcpu, unsigned int cr, u64 value)
{
	u64 old_cr8 = lodge_cr8_read(vcpu);
	int ret = system_finish(vcpu, cr_write(vcpu, cr, value));

	/* User space's LAPIC must hear when the task priority falls. */
	if (cr == 8 && !vcpu->lapic && lodge_cr8_read(vcpu) < old_cr8) {
		vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
		return LODGE_EXIT_USER;
	}
	return ret;
}

/* CR4.TSD was checked before the exit. */
static int system_rdtsc(struct lodge_vcpu *vcpu, bool with_aux)
{
	u64 aux = 0, tsc;

	if (with_aux) {
		if (!lodge_guest_has(vcpu, X86_FEATURE_RDTSCP))
			return system_finish(vcpu, -EOPNOTSUPP);
		lodge_op(get_msr)(vcpu, MSR_TSC_AUX, &aux);
		vcpu->gprs[LODGE_RCX] = aux;
	}
	tsc = lodge_tsc_read(vcpu);
	vcpu->gprs[LODGE_RAX] = (u32)tsc;
	vcpu->gprs[LODGE_RDX] = tsc >> 32;
	return system_finish(vcpu, 0);
}

int lodge_system_execute(struct lodge_vcpu *vcpu)
{
	enum lodge_emulate_result result = lodge_vcpu_decode(vcpu);
	const struct lodge_insn *insn = &vcpu->emulate.insn;
	u64 value;
	int ret;

	if (result == EMULATE_UNHANDLED)
		return lodge_vcpu_emulate_failed(vcpu);
	if (result != EMULATE_DONE)
		return LODGE_EXIT_RESUME;

	switch (insn->op) {
	case LODGE_OP_WRITE_CR:
		result = lodge_emulate_source(&vcpu->emulate, &value);
		if (result != EMULATE_DONE)
			return lodge_vcpu_emulate_result(vcpu, result);
		return system_write_cr(vcpu, insn->dst.reg, value);
	case LODGE_OP_READ_CR:
		ret = cr_read(vcpu, insn->src.reg, &value);
		return ret ? system_finish(vcpu, ret) : system_store(vcpu, value);
	case LODGE_OP_SMSW:
		return system_store(vcpu, vcpu->cr0);
	case LODGE_OP_LMSW:
		result = lodge_emulate_source(&vcpu->emulate, &value);
		if (result != EMULATE_DONE)
			return lodge_vcpu_emulate_result(vcpu, result);
		/* LMSW can set PE but not clear it: APM 3, LMSW. */
		value = (vcpu->cr0 & ~(u64)(LMSW_MASK & ~X86_CR0_PE)) | (value & LMSW_MASK);
		return system_finish(vcpu, lodge_cr0_write(vcpu, value));
	case LODGE_OP_CLTS:
		return system_finish(vcpu, lodge_cr0_write(vcpu, vcpu->cr0 & ~(u64)X86_CR0_TS));
	case LODGE_OP_WRITE_DR:
		ret = dr_check(vcpu, insn->dst.reg);
		if (!ret && dr_guarded(vcpu))
			return LODGE_EXIT_RESUME;
		if (!ret)
			ret = lodge_emulate_source(&vcpu->emulate, &value) == EMULATE_DONE ?
			      lodge_dr_write(vcpu, insn->dst.reg, value) : -EIO;
		return ret == -EIO ? ret : system_finish(vcpu, ret);
	case LODGE_OP_READ_DR:
		ret = dr_check(vcpu, insn->src.reg);
		if (!ret && dr_guarded(vcpu))
			return LODGE_EXIT_RESUME;
		return ret ? system_finish(vcpu, ret) : system_store(vcpu, lodge_dr_read(vcpu, insn->src.reg));
	case LODGE_OP_RDTSC:
	case LODGE_OP_RDTSCP:
		return system_rdtsc(vcpu, insn->op == LODGE_OP_RDTSCP);
	default:
		/* Another CPU rewrote the instruction after it exited. */
		return LODGE_EXIT_RESUME;
	}
}
