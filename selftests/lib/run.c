// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running a vCPU, and reading what its exit says.
 * Locking: none; the calling thread owns the vCPU.
 */
#include "modes.h"
#include "vm.h"

long run_try(struct vcpu *vcpu)
{
	return xioctl(vcpu->fd, KVM_RUN, 0);
}

static const char *const exit_names[] = {
#define EXIT(name)	[KVM_EXIT_##name] = "KVM_EXIT_" #name
	EXIT(UNKNOWN), EXIT(EXCEPTION), EXIT(IO), EXIT(HYPERCALL),
	EXIT(DEBUG), EXIT(HLT), EXIT(MMIO), EXIT(IRQ_WINDOW_OPEN),
	EXIT(SHUTDOWN), EXIT(FAIL_ENTRY), EXIT(INTR), EXIT(SET_TPR),
	EXIT(TPR_ACCESS), EXIT(NMI), EXIT(INTERNAL_ERROR),
	EXIT(SYSTEM_EVENT), EXIT(IOAPIC_EOI), EXIT(X86_RDMSR),
	EXIT(X86_WRMSR), EXIT(DIRTY_RING_FULL),
#undef EXIT
};

const char *exit_name(u32 reason)
{
	if (reason < ARRAY_SIZE(exit_names) && exit_names[reason])
		return exit_names[reason];
	return "exit unknown to the tests";
}

void exit_diag(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct kvm_regs regs = regs_get(vcpu);
	u32 reason = run->exit_reason;

	ktap_diag("vCPU %u: exit %u (%s) at rip 0x%llx rsp 0x%llx rflags 0x%llx",
		  vcpu->id, reason, exit_name(reason), regs.rip, regs.rsp, regs.rflags);
	if (reason == KVM_EXIT_IO)
		ktap_diag("  port 0x%x size %u count %u direction %u", run->io.port,
			  run->io.size, run->io.count, run->io.direction);
	if (reason == KVM_EXIT_MMIO)
		ktap_diag("  gpa 0x%llx len %u write %u", run->mmio.phys_addr,
			  run->mmio.len, run->mmio.is_write);
	if (reason == KVM_EXIT_INTERNAL_ERROR)
		ktap_diag("  suberror %u data 0x%llx 0x%llx 0x%llx 0x%llx", run->internal.suberror,
			  run->internal.data[0], run->internal.data[1], run->internal.data[2],
			  run->internal.data[3]);
	if (reason == KVM_EXIT_FAIL_ENTRY)
		ktap_diag("  hardware reason 0x%llx",
			  run->fail_entry.hardware_entry_failure_reason);
}

void run_expect(struct vcpu *vcpu, u32 reason, const char *name,
		const char *file, int line)
{
	long r = run_try(vcpu);

	if (!r && vcpu->run->exit_reason == reason)
		return;
	exit_diag(vcpu);
	ktap_fail(file, line, "KVM_RUN gave %s, exit %s, expected %s",
		  errno_name(r), exit_name(vcpu->run->exit_reason), name);
}

void run_finish_io(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	CHECK_ERR(run_try(vcpu), EINTR);
	vcpu->run->immediate_exit = 0;
}

/* A string constant of the program, as the guest passed its address. */
static const char *guest_text(u64 addr)
{
	return (const char *)(uintptr_t)addr;
}

u64 ucall_check(struct vcpu *vcpu, const char *file, int line)
{
	struct kvm_run *run = vcpu->run;
	struct ucall *uc = &vcpu->cpu->uc;

	if (run->exit_reason != KVM_EXIT_IO || run->io.port != UCALL_PORT) {
		exit_diag(vcpu);
		ktap_fail(file, line, "unexpected exit");
	}
	switch (uc->cmd) {
	case UCALL_SYNC:
	case UCALL_DONE:
		return uc->cmd;
	case UCALL_FAIL:
		ktap_fail(file, line, "guest, line %llu: %s (0x%llx, 0x%llx)",
			  (unsigned long long)uc->args[0], guest_text(uc->args[1]),
			  (unsigned long long)uc->args[2],
			  (unsigned long long)uc->args[3]);
	case UCALL_EXCEPTION:
		ktap_fail(file, line,
			  "guest took vector %llu, error 0x%llx, rip 0x%llx, cr2 0x%llx",
			  (unsigned long long)uc->args[0],
			  (unsigned long long)uc->args[1],
			  (unsigned long long)uc->args[2],
			  (unsigned long long)uc->args[3]);
	default:
		ktap_fail(file, line, "ucall %llu is none",
			  (unsigned long long)uc->cmd);
	}
}

u64 run_ucall(struct vcpu *vcpu, const char *file, int line)
{
	long r = run_try(vcpu);

	if (r) {
		exit_diag(vcpu);
		ktap_fail(file, line, "KVM_RUN gave %s", errno_name(r));
	}
	return ucall_check(vcpu, file, line);
}
