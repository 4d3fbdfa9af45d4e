// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug registers, the guest's and a debugger's in user space (KVM_SET_GUEST_DEBUG). Moves to and from them
 * exit at first, so the guest's values live in the vCPU; the backend lends it the CPU's own while it uses them.
 * The caller owns the vCPU.
 */
#include <linux/hw_breakpoint.h>
#include <linux/string.h>
#include <asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "backend.h"
#include "cpuid.h"
#include "event.h"
#include "regs.h"

#define DR7_WRITABLE		0xffff2bffULL


int lodge_dr_write(struct lodge_vcpu *vcpu, unsigned int dr, u64 value)
{
	switch (dr) {
	case 0 ... 3:
		vcpu->db[dr] = value;
		break;
	case 4:
	case 6:
		if (value >> 32)
			return -EINVAL;
		vcpu->dr6 = (value & (LODGE_DR6_TRAPS | LODGE_DR6_BD | LODGE_DR6_BS | LODGE_DR6_BT)) | LODGE_DR6_ONES;
		break;
	default:
		if (value >> 32)
			return -EINVAL;
		vcpu->dr7 = (value & DR7_WRITABLE) | LODGE_DR7_ONE;
		break;
	}
	lodge_op(set_debugregs)(vcpu);
	return 0;
}

u64 lodge_dr_read(struct lodge_vcpu *vcpu, unsigned int dr)
{
	if (dr < 4)
		return vcpu->db[dr];
	return dr == 4 || dr == 6 ? vcpu->dr6 : vcpu->dr7;
}

void lodge_debug_load(struct lodge_vcpu *vcpu)
{
	const u64 *db = vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ? vcpu->debug_db : vcpu->db;

	set_debugreg(db[0], 0);
	set_debugreg(db[1], 1);
	set_debugreg(db[2], 2);
	set_debugreg(db[3], 3);
}

void lodge_debug_store(struct lodge_vcpu *vcpu)
{
	unsigned long db[4];

	get_debugreg(db[0], 0);
	get_debugreg(db[1], 1);
	get_debugreg(db[2], 2);
	get_debugreg(db[3], 3);
	memcpy(vcpu->db, db, sizeof(vcpu->db));
}

void lodge_host_breakpoints_take(struct lodge_host_breakpoints *host)
{
	get_debugreg(host->db[0], 0);
	get_debugreg(host->db[1], 1);
	get_debugreg(host->db[2], 2);
	get_debugreg(host->db[3], 3);
	get_debugreg(host->dr7, 7);
}

/* An exit leaves DR7 with every breakpoint off: APM 2, 15.6; SDM 3, 28.5.1. The addresses may be the guest's. */
void lodge_host_breakpoints_put_back(const struct lodge_host_breakpoints *host)
{
	set_debugreg(host->db[0], 0);
	set_debugreg(host->db[1], 1);
	set_debugreg(host->db[2], 2);
	set_debugreg(host->db[3], 3);
	set_debugreg(DR6_RESERVED, 6);
	set_debugreg(host->dr7, 7);
}

void lodge_debugregs_get(struct lodge_vcpu *vcpu, struct kvm_debugregs *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->db, vcpu->db, sizeof(out->db));
	out->dr6 = vcpu->dr6;
	out->dr7 = vcpu->dr7;
}

int lodge_debugregs_set(struct lodge_vcpu *vcpu, const struct kvm_debugregs *in)
{
	if (in->flags || in->dr6 >> 32 || in->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->db, in->db, sizeof(vcpu->db));
	vcpu->dr6 = in->dr6;
	vcpu->dr7 = in->dr7;
	lodge_op(set_debugregs)(vcpu);
	return 0;
}

int lodge_guest_debug_set(struct lodge_vcpu *vcpu, const struct kvm_guest_debug *dbg)
{
	if (dbg->control & ~(u32)LODGE_GUESTDBG_VALID)
		return -EINVAL;
	if (dbg->control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (vcpu->events.exception_pending)
			return -EBUSY;
		if (dbg->control & KVM_GUESTDBG_INJECT_DB)
			lodge_queue_exception(vcpu, X86_TRAP_DB, false, 0);
		else
			lodge_queue_exception(vcpu, X86_TRAP_BP, false, 0);
	}

	vcpu->guest_debug = dbg->control & KVM_GUESTDBG_ENABLE ? dbg->control : 0;
	vcpu->debug_dr7 = 0;
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP) {
		memcpy(vcpu->debug_db, dbg->arch.debugreg, sizeof(vcpu->debug_db));
		vcpu->debug_dr7 = dbg->arch.debugreg[7];
	}
	if (vcpu->guest_debug & KVM_GUESTDBG_SINGLESTEP)
		vcpu->singlestep_rip = lodge_op(get_segment_base)(vcpu, LODGE_CS) + vcpu->rip;
	lodge_op(set_debugregs)(vcpu);
	return 0;
}
