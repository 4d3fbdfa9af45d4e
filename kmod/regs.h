/* SPDX-License-Identifier: GPL-2.0-only */
/* Control registers with their rules, KVM's register structs, guest debug. */
#ifndef LODGE_REGS_H
#define LODGE_REGS_H

#include <asm/debugreg.h>

#include "irqchip/irqchip.h"
#include "lodge.h"

/* Debug registers' bits that the kernel's headers do not name: APM 2, 13.1.1. */
#define LODGE_DR6_ONES		0xffff0ff0ULL	/* read as ones */
#define LODGE_DR6_BD		BIT_ULL(13)
#define LODGE_DR6_BS		BIT_ULL(14)
#define LODGE_DR6_BT		BIT_ULL(15)
#define LODGE_DR6_TRAPS		GENMASK_ULL(3, 0)
#define LODGE_DR7_ONE		BIT_ULL(10)
#define LODGE_DR7_ENABLES	GENMASK_ULL(7, 0)
#define LODGE_DR7_GD		BIT_ULL(13)

/* What KVM_SET_GUEST_DEBUG knows: KVM_CAP_SET_GUEST_DEBUG2. */
#define LODGE_GUESTDBG_VALID	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP | \
				 KVM_GUESTDBG_USE_HW_BP | KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP | \
				 KVM_GUESTDBG_BLOCKIRQ)

/* Whether an address is canonical for this guest (48 or 57 bits, by CR4.LA57). */
bool lodge_address_canonical(const struct lodge_vcpu *vcpu, u64 address);

bool lodge_vcpu_in_long_segment(struct lodge_vcpu *vcpu);	/* CS.L */

/* 64-bit code, as opposed to compatibility mode. */
static inline bool lodge_vcpu_in_long_code(struct lodge_vcpu *vcpu)
{
	return (vcpu->efer & EFER_LMA) && lodge_vcpu_in_long_segment(vcpu);
}

/* A guest's own write: 0, or -EINVAL for #GP. APM 2, 3.1; SDM 3, 2.5. */
int lodge_cr0_write(struct lodge_vcpu *vcpu, u64 cr0);
int lodge_cr3_write(struct lodge_vcpu *vcpu, u64 cr3);
int lodge_cr4_write(struct lodge_vcpu *vcpu, u64 cr4);
int lodge_cr8_write(struct lodge_vcpu *vcpu, u64 cr8);
int lodge_efer_write(struct lodge_vcpu *vcpu, u64 efer, bool host);

/* The LAPIC's task priority, where there is one. */
static inline u64 lodge_cr8_read(const struct lodge_vcpu *vcpu)
{
	return vcpu->tpr ? lodge_lapic_cr8_get(vcpu) : vcpu->cr8;
}

void lodge_regs_get(struct lodge_vcpu *vcpu, struct kvm_regs *regs);
void lodge_regs_set(struct lodge_vcpu *vcpu, const struct kvm_regs *regs);
void lodge_sregs_get(struct lodge_vcpu *vcpu, struct kvm_sregs *sregs);
int lodge_sregs_set(struct lodge_vcpu *vcpu, const struct kvm_sregs *sregs);	/* -EINVAL: nothing changed */
void lodge_sregs2_get(struct lodge_vcpu *vcpu, struct kvm_sregs2 *sregs);
int lodge_sregs2_set(struct lodge_vcpu *vcpu, const struct kvm_sregs2 *sregs);

/* debug.c */
int lodge_guest_debug_set(struct lodge_vcpu *vcpu, const struct kvm_guest_debug *dbg);
void lodge_debugregs_get(struct lodge_vcpu *vcpu, struct kvm_debugregs *out);
int lodge_debugregs_set(struct lodge_vcpu *vcpu, const struct kvm_debugregs *in);
int lodge_dr_write(struct lodge_vcpu *vcpu, unsigned int dr, u64 value);	/* -EINVAL for #GP */
u64 lodge_dr_read(struct lodge_vcpu *vcpu, unsigned int dr);
void lodge_debug_load(struct lodge_vcpu *vcpu);		/* DR0-3, DR6 into the CPU; section */
/* The host's breakpoints, which no exit brings back; section, interrupts off. */
struct lodge_host_breakpoints {
	bool active;
	unsigned long db[4], dr7;
};
void lodge_host_breakpoints_take(struct lodge_host_breakpoints *host);
void lodge_host_breakpoints_put_back(const struct lodge_host_breakpoints *host);

static inline void lodge_host_breakpoints_save(struct lodge_host_breakpoints *host)
{
	host->active = hw_breakpoint_active();
	if (unlikely(host->active))
		lodge_host_breakpoints_take(host);
}

static inline void lodge_host_breakpoints_restore(const struct lodge_host_breakpoints *host)
{
	if (unlikely(host->active))
		lodge_host_breakpoints_put_back(host);
}

void lodge_debug_store(struct lodge_vcpu *vcpu);	/* DR0-3 back into vcpu->db */

#endif
