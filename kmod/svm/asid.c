// SPDX-License-Identifier: GPL-2.0-only
/*
 * ASIDs. Each CPU hands them out in order; when they run out it starts a new generation and flushes all of
 * its TLB's guest entries once. A vCPU keeps its ASID while it stays on the CPU and the generation lasts.
 * Everything here runs with interrupts off on the CPU concerned. APM 2, 15.16.
 */
#include "svm.h"

/* Give the vCPU an ASID that is valid on this CPU. */
void svm_asid_assign(struct svm_vcpu *svm, struct svm_cpu *cpu)
{
	struct vmcb_control *control = &svm->vmcb->control;

	if (cpu->next_asid >= svm_features.nr_asids) {
		cpu->asid_generation++;
		cpu->next_asid = 1;
		control->tlb_control = SVM_TLB_FLUSH_ALL;
	}
	control->asid = cpu->next_asid++;
	svm->asid_cpu = raw_smp_processor_id();
	svm->asid_generation = cpu->asid_generation;
	svm_dirty(svm, SVM_CLEAN_ASID);
}

/* A new ASID is as good as a flush; with flush-by-ASID the old one is kept and flushed. */
void svm_flush_tlb(struct lodge_vcpu *vcpu)
{
	struct svm_vcpu *svm = to_svm(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;

	/* A new generation's flush of everything, not executed yet, stays. */
	if (control->tlb_control == SVM_TLB_FLUSH_ALL)
		return;
	if (svm_features.flush_by_asid)
		control->tlb_control = SVM_TLB_FLUSH_ASID;
	else
		svm_asid_assign(svm, this_cpu_ptr(&svm_cpu));
}
