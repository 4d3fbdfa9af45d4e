// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls: KVM's numbers and results. Unknown ones answer -KVM_ENOSYS, those from CPL 3 -KVM_EPERM.
 * Runs with interrupts off, but for the correction of another vendor's instruction.
 */
#include "hypercall.h"

#include <linux/kvm_para.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/trapnr.h>

#include "backend.h"
#include "cpuid.h"
#include "exit.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"
#include "regs.h"

/* A guest's CPU gave up waiting for another that does not run: whoever else wants this one may have it. */
static int hypercall_yield(struct lodge_vcpu *vcpu)
{
	yield();
	return LODGE_EXIT_RESUME;
}

static int hypercall_answer(struct lodge_vcpu *vcpu, bool wide, long answer)
{
	vcpu->gprs[LODGE_RAX] = wide ? answer : (u32)answer;
	return LODGE_EXIT_RESUME;
}

static u64 hypercall_argument(const struct lodge_vcpu *vcpu, bool wide, enum lodge_gpr reg)
{
	return wide ? vcpu->gprs[reg] : (u32)vcpu->gprs[reg];
}

static long hypercall_send_ipi(struct lodge_vcpu *vcpu, bool wide)
{
	return lodge_pv_send_ipi(vcpu->vm, hypercall_argument(vcpu, wide, LODGE_RBX),
				 hypercall_argument(vcpu, wide, LODGE_RCX), vcpu->gprs[LODGE_RDX],
				 vcpu->gprs[LODGE_RSI], wide);
}

/* A number of KVM's. Not inlined: those who call with another must not pay for it. */
static noinline int hypercall_known(struct lodge_vcpu *vcpu, u64 nr, bool wide)
{
	switch (nr) {
	case KVM_HC_VAPIC_POLL_IRQ:
		return hypercall_answer(vcpu, wide, 0);
	case KVM_HC_SEND_IPI:
		if (!lodge_guest_pv_has(vcpu, KVM_FEATURE_PV_SEND_IPI))
			break;
		return hypercall_answer(vcpu, wide, hypercall_send_ipi(vcpu, wide));
	case KVM_HC_KICK_CPU:
		if (!lodge_guest_pv_has(vcpu, KVM_FEATURE_PV_UNHALT))
			break;
		lodge_pv_kick(vcpu->vm, vcpu->gprs[LODGE_RCX]);
		hypercall_answer(vcpu, wide, 0);
		return lodge_defer(vcpu, hypercall_yield);
	case KVM_HC_SCHED_YIELD:
		if (!lodge_guest_pv_has(vcpu, KVM_FEATURE_PV_SCHED_YIELD))
			break;
		hypercall_answer(vcpu, wide, 0);
		return lodge_defer(vcpu, hypercall_yield);
	}
	return hypercall_answer(vcpu, wide, -KVM_ENOSYS);
}

int lodge_hypercall(struct lodge_vcpu *vcpu)
{
	u64 nr = vcpu->gprs[LODGE_RAX];
	bool wide = lodge_vcpu_in_long_code(vcpu);

	if (!wide)
		nr = (u32)nr;
	if (lodge_op(get_cpl)(vcpu))
		return hypercall_answer(vcpu, wide, -KVM_EPERM);
	if (nr <= KVM_HC_SCHED_YIELD)
		return hypercall_known(vcpu, nr, wide);
	return hypercall_answer(vcpu, wide, -KVM_ENOSYS);
}

/* Two pages at most; each is looked up before anything is written. */
static int hypercall_patch(struct lodge_vcpu *vcpu, gva_t linear)
{
	const unsigned int size = sizeof(lodge_backend->hypercall_insn);
	struct lodge_walk walk[sizeof(lodge_backend->hypercall_insn)];
	unsigned int i;
	int ret;

	for (i = 0; i < size; i++) {
		ret = lodge_mmu_walk(vcpu, linear + i, LODGE_ACCESS_WRITE, &walk[i]);
		if (ret)
			return ret;
		if (walk[i].fault) {
			lodge_queue_page_fault(vcpu, walk[i].error, linear + i);
			return 0;
		}
	}
	for (i = 0; i < size && !ret; i++)
		ret = lodge_guest_write(vcpu, walk[i].gpa, &lodge_backend->hypercall_insn[i], 1);
	return ret;
}

static bool hypercall_is_foreign(const u8 *bytes)
{
	static const u8 vmcall[] = { 0x0f, 0x01, 0xc1 }, vmmcall[] = { 0x0f, 0x01, 0xd9 };

	return (!memcmp(bytes, vmcall, sizeof(vmcall)) || !memcmp(bytes, vmmcall, sizeof(vmmcall))) &&
	       memcmp(bytes, lodge_backend->hypercall_insn, sizeof(vmcall));
}

int lodge_hypercall_fix(struct lodge_vcpu *vcpu)
{
	const struct lodge_emulate *em = &vcpu->emulate;
	enum lodge_emulate_result result = lodge_vcpu_decode(vcpu);
	gva_t linear;
	int ret;

	if (result == EMULATE_FAULT || result == EMULATE_RETRY)
		return LODGE_EXIT_RESUME;
	if (em->nbytes < sizeof(lodge_backend->hypercall_insn) || !hypercall_is_foreign(em->bytes)) {
		lodge_queue_exception(vcpu, X86_TRAP_UD, false, 0);
		return LODGE_EXIT_RESUME;
	}
	lodge_op(get_code)(vcpu, &vcpu->code);
	linear = vcpu->code.base + vcpu->rip;
	ret = hypercall_patch(vcpu, vcpu->code.width == 8 ? linear : (u32)linear);
	if (ret == -EINTR) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		return ret;
	}
	if (ret)
		lodge_queue_exception(vcpu, X86_TRAP_UD, false, 0);
	return LODGE_EXIT_RESUME;
}
