// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hypercalls: KVM's numbers and results. Unknown ones answer -KVM_ENOSYS, those from CPL 3 -KVM_EPERM.
 * Runs with interrupts off, but for the correction of another vendor's instruction.
 */
#include "hypercall.h"

#include <linux/kvm_para.h>
#include <linux/string.h>
#include <asm/trapnr.h>

#include "backend.h"
#include "mmu/mmu.h"
#include "regs.h"

void lodge_hypercall(struct lodge_vcpu *vcpu)
{
	u64 nr = vcpu->gprs[LODGE_RAX];
	bool wide = lodge_vcpu_in_long_code(vcpu);
	long ret;

	if (!wide)
		nr = (u32)nr;
	if (lodge_op(get_cpl)(vcpu))
		ret = -KVM_EPERM;
	else if (nr == KVM_HC_VAPIC_POLL_IRQ)
		ret = 0;
	else
		ret = -KVM_ENOSYS;
	vcpu->gprs[LODGE_RAX] = wide ? ret : (u32)ret;
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
		ret = lodge_guest_write(vcpu->vm, walk[i].gpa, &lodge_backend->hypercall_insn[i], 1);
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
	int ret;

	if (result == EMULATE_FAULT || result == EMULATE_RETRY)
		return LODGE_EXIT_RESUME;
	if (em->nbytes < sizeof(lodge_backend->hypercall_insn) || !hypercall_is_foreign(em->bytes)) {
		lodge_queue_exception(vcpu, X86_TRAP_UD, false, 0);
		return LODGE_EXIT_RESUME;
	}
	ret = hypercall_patch(vcpu, lodge_op(get_segment_base)(vcpu, LODGE_CS) + vcpu->rip);
	if (ret == -EINTR) {
		vcpu->run->exit_reason = KVM_EXIT_INTR;
		return ret;
	}
	if (ret)
		lodge_queue_exception(vcpu, X86_TRAP_UD, false, 0);
	return LODGE_EXIT_RESUME;
}
