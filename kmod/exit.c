// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an exit does, vendor-free. Each handler runs in the section with interrupts off and touches only the
 * vCPU, in-kernel devices and memory that needs no sleep; the rest of the work, where there is one, is a
 * second function run by lodge_defer() after the section. Control and debug registers are in system.c.
 */
#include "exit.h"

#include <linux/sched.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "backend.h"
#include "cpuid.h"
#include "event.h"
#include "fpu.h"
#include "hypercall.h"
#include "io_bus.h"
#include "irqchip/irqchip.h"
#include "mmu/mmu.h"
#include "msr.h"
#include "msr_filter.h"
#include "regs.h"
#include "section.h"
#include "stats.h"
#include "trace.h"

/*
 * Where the CPU gives no next RIP the instruction's length comes from its bytes, which may have to be
 * fetched from memory that is not there: outside the section. When it is not to be had *@ret says how to go on:
 * LODGE_EXIT_RESUME if the bytes are no longer what exited, or fetching them faulted in the guest.
 */
static bool exit_find_length(struct lodge_vcpu *vcpu, int *ret)
{
	enum lodge_emulate_result result;

	if (likely(vcpu->next_rip))
		return true;
	result = lodge_vcpu_decode(vcpu);
	if (result == EMULATE_DONE) {
		vcpu->next_rip = lodge_next_rip(vcpu, vcpu->emulate.insn.length);
		return true;
	}
	*ret = result == EMULATE_UNHANDLED ? lodge_vcpu_emulate_failed(vcpu) : LODGE_EXIT_RESUME;
	return false;
}

/* Run @handler at once when the length is known, else after the section with the length found. */
static int exit_with_length(struct lodge_vcpu *vcpu, int (*handler)(struct lodge_vcpu *vcpu))
{
	return likely(vcpu->next_rip || lodge_section_find_length(vcpu)) ? handler(vcpu) : lodge_defer(vcpu, handler);
}

/*
 * Whether an exit is handled outside the section: something may refuse it (@defer is all ones, more than any RIP, else
 * 0), or its length is not to be had at once. One compare tells the plain case from both.
 */
static bool exit_is_slow(struct lodge_vcpu *vcpu, u64 defer)
{
	return unlikely(vcpu->next_rip <= defer) && (defer || !lodge_section_find_length(vcpu));
}

int lodge_exit_host_event(struct lodge_vcpu *vcpu)
{
	return LODGE_EXIT_LEAVE;
}

static int cpuid_execute(struct lodge_vcpu *vcpu)
{
	lodge_cpuid_answer(vcpu);
	lodge_exit_skip_to(vcpu, vcpu->next_rip);
	return LODGE_EXIT_RESUME;
}

static int cpuid_execute_slow(struct lodge_vcpu *vcpu)
{
	int ret;

	if (vcpu->cpuid_exits_defer && lodge_op(get_cpl)(vcpu))
		return lodge_exit_general_protection(vcpu);
	if (!exit_find_length(vcpu, &ret))
		return ret;
	return cpuid_execute(vcpu);
}

int lodge_exit_cpuid(struct lodge_vcpu *vcpu)
{
	if (exit_is_slow(vcpu, vcpu->cpuid_exits_defer))
		return lodge_defer(vcpu, cpuid_execute_slow);
	return cpuid_execute(vcpu);
}

static u64 edx_eax(const struct lodge_vcpu *vcpu)
{
	return (vcpu->gprs[LODGE_RDX] << 32) | (u32)vcpu->gprs[LODGE_RAX];
}

/* An access that failed: user space may want to answer it (KVM_CAP_X86_USER_SPACE_MSR), else the guest takes #GP. */
static int msr_refused(struct lodge_vcpu *vcpu, bool write, int error)
{
	u32 reason = error == -ENOENT ? KVM_MSR_EXIT_REASON_UNKNOWN :
		     error == -EPERM ? KVM_MSR_EXIT_REASON_FILTER : KVM_MSR_EXIT_REASON_INVAL;
	struct kvm_run *run = vcpu->run;

	if (!(READ_ONCE(vcpu->vm->user_msr_exits) & reason)) {
		lodge_queue_exception(vcpu, X86_TRAP_GP, true, 0);
		return LODGE_EXIT_RESUME;
	}
	run->exit_reason = write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = reason;
	run->msr.index = vcpu->gprs[LODGE_RCX];
	run->msr.data = write ? edx_eax(vcpu) : 0;
	vcpu->msr_exit_rip = vcpu->rip;
	vcpu->msr_exit_writes = write;
	vcpu->completion = LODGE_COMPLETE_MSR;
	return LODGE_EXIT_USER;
}

static int rdmsr_finish(struct lodge_vcpu *vcpu, u64 value)
{
	vcpu->gprs[LODGE_RAX] = (u32)value;
	vcpu->gprs[LODGE_RDX] = value >> 32;
	lodge_exit_skip_to(vcpu, vcpu->next_rip);
	return LODGE_EXIT_RESUME;
}

int lodge_msr_complete(struct lodge_vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	/* User space that moved RIP has dropped the instruction. */
	if (vcpu->rip != vcpu->msr_exit_rip)
		return LODGE_EXIT_RESUME;
	if (READ_ONCE(run->msr.error)) {
		lodge_queue_exception(vcpu, X86_TRAP_GP, true, 0);
		return LODGE_EXIT_RESUME;
	}
	if (!vcpu->msr_exit_writes)
		return rdmsr_finish(vcpu, READ_ONCE(run->msr.data));
	lodge_exit_skip_to(vcpu, vcpu->next_rip);
	return LODGE_EXIT_RESUME;
}

static int rdmsr_execute(struct lodge_vcpu *vcpu)
{
	u64 value;
	int ret = lodge_msr_get(vcpu, vcpu->gprs[LODGE_RCX], &value, false);

	return unlikely(ret) ? msr_refused(vcpu, false, ret) : rdmsr_finish(vcpu, value);
}

static int rdmsr_execute_slow(struct lodge_vcpu *vcpu)
{
	int ret;

	if (!exit_find_length(vcpu, &ret))
		return ret;
	if (!lodge_msr_allowed(vcpu, vcpu->gprs[LODGE_RCX], KVM_MSR_FILTER_READ))
		return msr_refused(vcpu, false, -EPERM);
	return rdmsr_execute(vcpu);
}

int lodge_exit_rdmsr(struct lodge_vcpu *vcpu)
{
	return exit_is_slow(vcpu, vcpu->msr_exits_defer) ? lodge_defer(vcpu, rdmsr_execute_slow) : rdmsr_execute(vcpu);
}

static int wrmsr_finish(struct lodge_vcpu *vcpu, int ret)
{
	if (unlikely(ret))
		return msr_refused(vcpu, true, ret);
	lodge_exit_skip_to(vcpu, vcpu->next_rip);
	return LODGE_EXIT_RESUME;
}

static int wrmsr_execute_slow(struct lodge_vcpu *vcpu)
{
	int ret;

	if (!exit_find_length(vcpu, &ret))
		return ret;
	if (!lodge_msr_allowed(vcpu, vcpu->gprs[LODGE_RCX], KVM_MSR_FILTER_WRITE))
		return msr_refused(vcpu, true, -EPERM);
	return wrmsr_finish(vcpu, lodge_msr_set_sleeping(vcpu, vcpu->gprs[LODGE_RCX], edx_eax(vcpu)));
}

int lodge_exit_wrmsr(struct lodge_vcpu *vcpu)
{
	int ret;

	if (exit_is_slow(vcpu, vcpu->msr_exits_defer))
		return lodge_defer(vcpu, wrmsr_execute_slow);
	ret = lodge_msr_set(vcpu, vcpu->gprs[LODGE_RCX], edx_eax(vcpu), false);
	if (unlikely(ret))
		return ret == -EAGAIN ? lodge_defer(vcpu, wrmsr_execute_slow) : wrmsr_finish(vcpu, ret);
	return wrmsr_finish(vcpu, 0);
}

/* Part of a port's answer goes where the instruction wants it: AL, AX, or EAX zero-extended. */
static void port_store(struct lodge_vcpu *vcpu, unsigned int size, u32 value)
{
	u64 *rax = &vcpu->gprs[LODGE_RAX];

	if (size == 4)
		*rax = value;
	else if (size == 2)
		*rax = (*rax & ~0xffffULL) | (u16)value;
	else
		*rax = (*rax & ~0xffULL) | (u8)value;
}

/* The port's value at the place where user space and lodge exchange it. */
static void port_data_set(void *data, unsigned int size, u64 value)
{
	if (size == 4)
		*(u32 *)data = value;
	else if (size == 2)
		*(u16 *)data = value;
	else
		*(u8 *)data = value;
}

static u32 port_data_get(const void *data, unsigned int size)
{
	if (size == 4)
		return READ_ONCE(*(const u32 *)data);
	return size == 2 ? READ_ONCE(*(const u16 *)data) : READ_ONCE(*(const u8 *)data);
}

/* Context: any, once there is a page for the data. */
static __always_inline int port_fill(struct lodge_vcpu *vcpu, void *data)
{
	struct lodge_exit_io *io = &vcpu->io;
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = io->in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = io->size;
	run->io.port = io->port;
	run->io.count = 1;
	run->io.data_offset = PAGE_SIZE;
	if (!io->in)
		port_data_set(data, io->size, vcpu->gprs[LODGE_RAX]);
	/* A guest may power off by port 0x7e and be resumed: it must not write again (KVM_CAP_DISABLE_QUIRKS). */
	if (unlikely(io->port == 0x7e) && !io->in &&
	    !(READ_ONCE(vcpu->vm->disabled_quirks) & KVM_X86_QUIRK_OUT_7E_INC_RIP)) {
		lodge_exit_skip_to(vcpu, io->next_rip);
		return LODGE_EXIT_USER;
	}
	io->rip = vcpu->rip;
	vcpu->completion = LODGE_COMPLETE_PORT;
	return LODGE_EXIT_USER;
}

static int port_first_to_user(struct lodge_vcpu *vcpu)
{
	void *data = lodge_vcpu_pio_data(vcpu);

	return data ? port_fill(vcpu, data) : -ENOMEM;
}

/* Within the section, but for the page that the first time has to make. */
static int port_to_user(struct lodge_vcpu *vcpu)
{
	void *data = vcpu->pio_data;

	return likely(data) ? port_fill(vcpu, data) : lodge_defer(vcpu, port_first_to_user);
}

void lodge_port_take_answer(struct lodge_vcpu *vcpu)
{
	port_store(vcpu, vcpu->io.size, port_data_get(vcpu->pio_data, vcpu->io.size));
}

/*
 * Whether devices in the kernel answered; when the first that covers the port does not, one behind it may. The value
 * has its place in the vCPU: a local one whose address is given away costs a stack canary.
 */
static __always_inline bool port_read(struct lodge_vcpu *vcpu, struct lodge_exit_io *io)
{
	struct lodge_io_device *dev = lodge_port_device(vcpu, io->port, io->size);

	if (!dev)
		return false;
	io->value = 0;
	if (likely(dev->ops->read && !dev->ops->read(vcpu, dev, io->port, io->size, &io->value)))
		return true;
	return !lodge_io_bus_read(vcpu, LODGE_BUS_PIO, io->port, io->size, &io->value);
}

static __always_inline bool port_write(struct lodge_vcpu *vcpu, struct lodge_exit_io *io)
{
	struct lodge_io_device *dev = lodge_port_device(vcpu, io->port, io->size);

	if (!dev)
		return false;
	io->value = vcpu->gprs[LODGE_RAX];
	if (likely(dev->ops->write && !dev->ops->write(vcpu, dev, io->port, io->size, &io->value)))
		return true;
	return !lodge_io_bus_write(vcpu, LODGE_BUS_PIO, io->port, io->size, &io->value);
}

int lodge_exit_io_string(struct lodge_vcpu *vcpu)
{
	return lodge_defer(vcpu, lodge_vcpu_emulate);
}

int lodge_exit_io(struct lodge_vcpu *vcpu)
{
	struct lodge_exit_io *io = &vcpu->io;

	if (unlikely(!(io->in ? port_read(vcpu, io) : port_write(vcpu, io))))
		return port_to_user(vcpu);
	if (io->in)
		port_store(vcpu, io->size, io->value);
	lodge_exit_skip_to(vcpu, io->next_rip);
	return LODGE_EXIT_RESUME;
}

static int fault_resolve(struct lodge_vcpu *vcpu)
{
	int ret = lodge_mmu_fault(vcpu, vcpu->fault.gpa, vcpu->fault.access);

	trace_lodge_fault(vcpu->id, vcpu->fault.gpa, vcpu->fault.access, ret);
	if (ret == LODGE_FAULT_DONE)
		return LODGE_EXIT_RESUME;
	if (ret == LODGE_FAULT_MMIO)
		return lodge_vcpu_emulate(vcpu);
	if (ret == -EINTR)
		vcpu->run->exit_reason = KVM_EXIT_INTR;
	return ret;
}

int lodge_exit_fault(struct lodge_vcpu *vcpu, gpa_t gpa, u32 access)
{
	int ret;

	vcpu->fault.gpa = gpa;
	vcpu->fault.access = access;
	if (lodge_lapic_is_page(vcpu, gpa) && !(access & LODGE_ACCESS_EXEC))
		return lodge_section_mmio(vcpu);
	if (lodge_mmio_is_known(vcpu, gpa))
		return lodge_section_mmio(vcpu);
	ret = lodge_mmu_fault_atomic(vcpu, gpa, access);
	if (ret == LODGE_FAULT_DONE) {
		trace_lodge_fault(vcpu->id, gpa, access, ret);
		return LODGE_EXIT_RESUME;
	}
	return ret == LODGE_FAULT_MMIO ? lodge_section_mmio(vcpu) : lodge_defer(vcpu, fault_resolve);
}

static int hypercall_execute(struct lodge_vcpu *vcpu)
{
	int ret;

	if (!exit_find_length(vcpu, &ret))
		return ret;
	lodge_exit_skip_to(vcpu, vcpu->next_rip);
	return lodge_hypercall(vcpu);
}

int lodge_exit_hypercall(struct lodge_vcpu *vcpu)
{
	return exit_with_length(vcpu, hypercall_execute);
}

static int hlt_execute(struct lodge_vcpu *vcpu)
{
	int ret;

	if (!exit_find_length(vcpu, &ret))
		return ret;
	lodge_exit_skip_to(vcpu, vcpu->next_rip);
	if (lodge_vm_has_lapics(vcpu->vm)) {
		vcpu->mp_state = KVM_MP_STATE_HALTED;
		return LODGE_EXIT_RESUME;
	}
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return LODGE_EXIT_USER;
}

int lodge_exit_hlt(struct lodge_vcpu *vcpu)
{
	return lodge_defer(vcpu, hlt_execute);
}

/* A vCPU that spins gives its CPU to whoever holds what it waits for. */
static int pause_execute(struct lodge_vcpu *vcpu)
{
	int ret;

	if (!exit_find_length(vcpu, &ret))
		return ret;
	lodge_exit_skip_to(vcpu, vcpu->next_rip);
	yield();
	return LODGE_EXIT_RESUME;
}

int lodge_exit_pause(struct lodge_vcpu *vcpu)
{
	return lodge_defer(vcpu, pause_execute);
}

static int nop_execute(struct lodge_vcpu *vcpu)
{
	int ret;

	if (!exit_find_length(vcpu, &ret))
		return ret;
	lodge_exit_skip_to(vcpu, vcpu->next_rip);
	return LODGE_EXIT_RESUME;
}

int lodge_exit_nop(struct lodge_vcpu *vcpu)
{
	return exit_with_length(vcpu, nop_execute);
}

/*
 * Both do nothing, also for guests that were not told of them, which some need: KVM_CAP_DISABLE_QUIRKS. With the
 * other quirk disabled it is MISC_ENABLE that says whether the guest has them.
 */
int lodge_exit_monitor(struct lodge_vcpu *vcpu)
{
	u64 disabled = READ_ONCE(vcpu->vm->disabled_quirks);
	bool has = disabled & KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT ? vcpu->misc_enable & MSR_IA32_MISC_ENABLE_MWAIT :
								   lodge_guest_has(vcpu, X86_FEATURE_MWAIT);

	if ((disabled & KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) && !has)
		return lodge_exit_undefined(vcpu);
	return lodge_exit_nop(vcpu);
}

static int xsetbv_execute(struct lodge_vcpu *vcpu)
{
	int ret;

	if (!exit_find_length(vcpu, &ret))
		return ret;
	if (lodge_op(get_cpl)(vcpu) || (u32)vcpu->gprs[LODGE_RCX] || lodge_fpu_set_xcr0(vcpu, edx_eax(vcpu)))
		lodge_queue_exception(vcpu, X86_TRAP_GP, true, 0);
	else
		lodge_exit_skip_to(vcpu, vcpu->next_rip);
	return LODGE_EXIT_RESUME;
}

int lodge_exit_xsetbv(struct lodge_vcpu *vcpu)
{
	return lodge_defer(vcpu, xsetbv_execute);
}

int lodge_exit_system(struct lodge_vcpu *vcpu)
{
	return lodge_defer(vcpu, lodge_system_execute);
}

int lodge_exit_window(struct lodge_vcpu *vcpu)
{
	lodge_vcpu_request_self(vcpu, LODGE_REQ_EVENT);
	/* User space's window is seen between sections. */
	return vcpu->run->request_interrupt_window ? LODGE_EXIT_LEAVE : LODGE_EXIT_RESUME;
}

/* A debugger in user space stops here; without one the guest takes its exception. */
static int debug_to_user(struct lodge_vcpu *vcpu, u8 vector, u64 dr6)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.exception = vector;
	run->debug.arch.pc = lodge_op(get_segment_base)(vcpu, LODGE_CS) + vcpu->rip;
	run->debug.arch.dr6 = dr6;
	run->debug.arch.dr7 = vcpu->guest_debug & KVM_GUESTDBG_USE_HW_BP ? vcpu->debug_dr7 : vcpu->dr7;
	return LODGE_EXIT_USER;
}

int lodge_exit_debug(struct lodge_vcpu *vcpu, u64 dr6)
{
	if (vcpu->guest_debug & (KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP))
		return debug_to_user(vcpu, X86_TRAP_DB, dr6 | LODGE_DR6_ONES);
	vcpu->dr6 = dr6;
	lodge_queue_exception(vcpu, X86_TRAP_DB, false, 0);
	return LODGE_EXIT_RESUME;
}

int lodge_debug_step_done(struct lodge_vcpu *vcpu)
{
	vcpu->debug_step_done = false;
	return debug_to_user(vcpu, X86_TRAP_DB, LODGE_DR6_BS | LODGE_DR6_ONES);
}

int lodge_exit_breakpoint(struct lodge_vcpu *vcpu)
{
	return debug_to_user(vcpu, X86_TRAP_BP, 0);
}

int lodge_exit_undefined(struct lodge_vcpu *vcpu)
{
	lodge_queue_exception(vcpu, X86_TRAP_UD, false, 0);
	return LODGE_EXIT_RESUME;
}

int lodge_exit_invalid_opcode(struct lodge_vcpu *vcpu)
{
	if (lodge_op(get_cpl)(vcpu) ||
	    (READ_ONCE(vcpu->vm->disabled_quirks) & KVM_X86_QUIRK_FIX_HYPERCALL_INSN))
		return lodge_exit_undefined(vcpu);
	return lodge_defer(vcpu, lodge_hypercall_fix);
}

int lodge_exit_general_protection(struct lodge_vcpu *vcpu)
{
	lodge_queue_exception(vcpu, X86_TRAP_GP, true, 0);
	return LODGE_EXIT_RESUME;
}

static int shutdown_to_user(struct lodge_vcpu *vcpu)
{
	/* As after INIT, since the hardware's own state is undefined now: APM 2, 15.14.3. */
	lodge_vcpu_reset(vcpu, true);
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	lodge_notify_state(vcpu->vm, LODGE_VM_CRASHED, "triple fault");
	return LODGE_EXIT_USER;
}

int lodge_exit_shutdown(struct lodge_vcpu *vcpu)
{
	return lodge_defer(vcpu, shutdown_to_user);
}

static int entry_failed_to_user(struct lodge_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	vcpu->run->fail_entry.hardware_entry_failure_reason = lodge_op(exit_reason)(vcpu);
	vcpu->run->fail_entry.cpu = vcpu->cpu;
	lodge_notify_state(vcpu->vm, LODGE_VM_CRASHED, "failed entry");
	return LODGE_EXIT_USER;
}

int lodge_exit_entry_failed(struct lodge_vcpu *vcpu, u64 reason)
{
	return lodge_defer(vcpu, entry_failed_to_user);
}

static int unknown_to_user(struct lodge_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON;
	run->internal.ndata = 2;
	run->internal.data[0] = lodge_op(exit_reason)(vcpu);
	run->internal.data[1] = vcpu->cpu;
	lodge_notify_state(vcpu->vm, LODGE_VM_CRASHED, "unexpected exit");
	return LODGE_EXIT_USER;
}

int lodge_exit_unknown(struct lodge_vcpu *vcpu)
{
	return lodge_defer(vcpu, unknown_to_user);
}
